// Owns one fault: Redis fifty milliseconds away: every answer comes a little after the deadline.
// Never closes what it has opened: the scene does.
'use strict'

const { PLENTY, outage } = require('../outage.js')

module.exports = {
  row: 4,
  fault: '+50 ms',
  must: 'the breaker trips on latency, not only on errors; decisions within the deadline',
  async run(scene) {
    const proxy = await scene.proxy(await scene.server())
    const client = await scene.client('limit', { redis: proxy.url, options: PLENTY, calls: 100_000 })
    await outage(scene, {
      client,
      begin: () => proxy.down.set({ delayMs: 50 }),
      ms: scene.length(8000, 1000),
      end: () => proxy.heal(),
    })
    await scene.leaves(client)
  },
}
