// Owns one fault: the server becomes a replica with connections open: it answers READONLY until it is a master again.
// Never closes what it has opened: the scene does.
'use strict'

const { PLENTY, outage } = require('../outage.js')

module.exports = {
  row: 7,
  fault: 'READONLY on an open connection',
  must: 'an outage like any other; Redis decides again within 1 s',
  async run(scene) {
    const [server, master] = await Promise.all([scene.server(), scene.server()])
    const client = await scene.client('limit', { redis: server.url, options: PLENTY, calls: 100_000 })
    await outage(scene, {
      client,
      begin: () => server.call('REPLICAOF', master.host, master.port),
      ms: scene.length(5000, 1000),
      end: () => server.call('REPLICAOF', 'NO', 'ONE'),
    })
    await scene.leaves(client)
  },
}
