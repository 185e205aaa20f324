// Owns one fault: kill -9 of Redis under load, and its return.
// Never closes what it has opened: the scene does.
'use strict'

const { PLENTY, outage } = require('../outage.js')

module.exports = {
  row: 2,
  fault: 'kill -9 Redis',
  must: "the fail mode's decision within the deadline; nothing queued; Redis decides again within 1 s",
  async run(scene) {
    const server = await scene.server()
    const client = await scene.client('limit', { redis: server.url, options: PLENTY, calls: 100_000 })
    await outage(scene, {
      client,
      begin: () => server.kill9(),
      ms: scene.length(10_000, 1000),
      end: () => server.start(),
    })
    await server.kill9()
    // It ends at once although Redis is not there.
    await scene.leaves(client)
  },
}
