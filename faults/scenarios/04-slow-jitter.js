// Owns one fault: Redis at a distance that changes all the time: some answers come in time, most do not.
// Never closes what it has opened: the scene does.
'use strict'

const { PLENTY, outage } = require('../outage.js')

module.exports = {
  row: 4,
  fault: 'jitter of 0–300 ms',
  must: 'the breaker trips on latency, not only on errors; decisions within the deadline',
  async run(scene) {
    const proxy = await scene.proxy(await scene.server())
    const client = await scene.client('limit', { redis: proxy.url, options: PLENTY, calls: 100_000 })
    await outage(scene, {
      client,
      begin: () => proxy.set({ jitterMs: 150 }),
      ms: scene.length(8000, 1000),
      end: () => proxy.heal(),
      fitful: true,
    })
    await scene.leaves(client)
  },
}
