// npm run demo: everything a fresh clone needs, then the demo. Owns the order.
// Never passes a judgement on the result: demo/index.js does.
import { build } from './build.mjs'
import { install } from './install.mjs'
import { redis } from './redis.mjs'
import { main, run } from './run.mjs'

await main(async () => {
  await install()
  await build()
  if (process.argv.includes('--redis')) await redis()
  await run(process.execPath, ['demo/index.js', ...process.argv.slice(2)])
})
