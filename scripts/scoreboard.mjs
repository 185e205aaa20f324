// npm run scoreboard: everything a fresh clone needs, the peers to compare with, then the table. Owns the order.
// Never installs a peer into the package itself: they live in scoreboard/.
import { build } from './build.mjs'
import { install } from './install.mjs'
import { main, run } from './run.mjs'

await main(async () => {
  await install()
  await build()
  await install('scoreboard')
  await run(process.execPath, ['scoreboard/index.js', ...process.argv.slice(2)])
})
