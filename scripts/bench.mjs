// npm run bench: everything a fresh clone needs, the peers to measure against, then the harness. Owns the order.
// Never installs a peer into the package itself: they live in bench/.
import { build } from './build.mjs'
import { install } from './install.mjs'
import { main, run } from './run.mjs'

await main(async () => {
  await install()
  await build()
  await install('bench')
  await run(process.execPath, ['bench/index.js', ...process.argv.slice(2)])
})
