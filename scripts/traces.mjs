// npm run traces: the peers to measure against, built and installed where they belong, then the table. Owns the order.
// Never installs a peer into the package itself, and never builds the package: what is played is the engine.
import { join } from 'node:path'
import { install } from './install.mjs'
import { main, root, run } from './run.mjs'

await main(async () => {
  await install('traces')
  const target = join(root, 'target', 'traces')
  await run('cargo', ['build', '--release', '--quiet', '--manifest-path', 'traces/Cargo.toml', '--target-dir', target])
  await run(process.execPath, ['traces/index.js', ...process.argv.slice(2)])
})
