// Owns one fault: Redis five milliseconds away: slower, and nothing more.
// Never closes what it has opened: the scene does.
'use strict'

const { DEADLINE_MS } = require('../budgets.js')
const { KEYS, PLENTY } = require('../outage.js')

const RATE = 2000
const DELAY_MS = 5

module.exports = {
  row: 4,
  fault: '+5 ms',
  must: 'Redis decides everything; nobody waits for more than that',
  async run(scene) {
    const proxy = await scene.proxy(await scene.server())
    proxy.down.set({ delayMs: DELAY_MS })
    const client = await scene.client('limit', { redis: proxy.url, options: PLENTY, calls: 100_000 })
    await client.ask('ready')
    await client.ask('load', { rate: RATE, keys: KEYS })
    await scene.sleep(scene.length(5000, 1000))
    const { loopMax } = await client.ask('health')
    await client.ask('stop')
    const seen = await client.ask('between', 0)
    scene.check(
      seen.by.redis >= 0.99 * seen.calls && seen.p50 >= DELAY_MS - 1,
      `${seen.by.redis} of ${seen.calls} by Redis`,
    )
    scene.most('p50', seen.p50, 2 * DELAY_MS + loopMax, ' ms')
    scene.most('p99', seen.p99, DEADLINE_MS, ' ms')
    await scene.leaves(client)
  },
}
