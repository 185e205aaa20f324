// npm run faults: everything a fresh clone needs, a Redis to break, then the table. Owns the order.
// Never breaks a server it did not start.
import { build } from './build.mjs'
import { install } from './install.mjs'
import { redis } from './redis.mjs'
import { main, run } from './run.mjs'

await main(async () => {
  await install()
  await build()
  await redis()
  await run(process.execPath, ['faults/index.js', ...process.argv.slice(2)])
})
