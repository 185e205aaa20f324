// Owns one fault: everything sent is swallowed, new connections included.
// Never closes what it has opened: the scene does.
'use strict'

const { PLENTY, outage } = require('../outage.js')

module.exports = {
  row: 5,
  fault: 'blackhole',
  must: 'decisions within the deadline; Redis decides again within 1 s of its end',
  async run(scene) {
    const proxy = await scene.proxy(await scene.server())
    const client = await scene.client('limit', { redis: proxy.url, options: PLENTY, calls: 100_000 })
    await outage(scene, {
      client,
      begin: () => proxy.set({ swallow: true }),
      ms: scene.length(10_000, 1000),
      end: () => proxy.heal(),
    })
    proxy.set({ swallow: true })
    await scene.leaves(client)
  },
}
