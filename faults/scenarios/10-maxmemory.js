// Owns one fault: Redis has no room left and refuses to write.
// Never closes what it has opened: the scene does.
'use strict'

const { PLENTY, outage } = require('../outage.js')

module.exports = {
  row: 10,
  fault: 'maxmemory reached (noeviction)',
  must: 'treated as an outage; Redis decides again within 1 s of there being room',
  async run(scene) {
    const server = await scene.server({ config: { 'maxmemory-policy': 'noeviction' } })
    const client = await scene.client('limit', { redis: server.url, options: PLENTY, calls: 100_000 })
    await outage(scene, {
      client,
      begin: () => server.call('CONFIG', 'SET', 'maxmemory', 1),
      ms: scene.length(5000, 1000),
      end: () => server.call('CONFIG', 'SET', 'maxmemory', 0),
    })
    await scene.leaves(client)
  },
}
