// Owns one fault: Redis half a second away: ten deadlines.
// Never closes what it has opened: the scene does.
'use strict'

const { PLENTY, outage } = require('../outage.js')

module.exports = {
  row: 4,
  fault: '+500 ms',
  must: 'the breaker trips on latency, not only on errors; decisions within the deadline',
  async run(scene) {
    const proxy = await scene.proxy(await scene.server())
    const client = await scene.client('limit', { redis: proxy.url, options: PLENTY, calls: 100_000 })
    await outage(scene, {
      client,
      begin: () => proxy.set({ delayMs: 250 }),
      ms: scene.length(8000, 1000),
      end: () => proxy.heal(),
    })
    await scene.leaves(client)
  },
}
