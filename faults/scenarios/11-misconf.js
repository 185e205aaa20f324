// Owns one fault: Redis could not save its file and refuses to write, while it answers everything else: MISCONF.
// Never closes what it has opened: the scene does.
'use strict'

const fs = require('node:fs')
const path = require('node:path')
const { PLENTY, outage } = require('../outage.js')

/** Connections of an outage: some attempts, not one for each refusal. */
const CONNECTIONS_A_SECOND = 5

module.exports = {
  row: 11,
  fault: 'MISCONF',
  must: 'an outage like any other; connections are not made anew over and over; Redis decides again within 1 s',
  async run(scene) {
    const ms = scene.length(5000, 1000)
    const server = await scene.server({ config: { save: '3600 1' } })
    const client = await scene.client('limit', { redis: server.url, options: PLENTY, calls: 100_000 })
    const connections = async () => Number((await server.info('stats')).total_connections_received)
    // A folder that is not empty stands where the file would be renamed to.
    fs.mkdirSync(path.join(server.folder, 'dump.rdb', 'full'), { recursive: true })
    let before
    await outage(scene, {
      client,
      begin: async () => {
        await server.call('SET', 'changed', 1)
        await server.call('BGSAVE')
        const failed = async () => (await server.info('persistence')).rdb_last_bgsave_status === 'err'
        await scene.until('a save that fails', failed, 5000)
        before = await connections()
      },
      ms,
      end: async () => {
        const made = (await connections()) - before
        scene.most('new connections', made, CONNECTIONS_A_SECOND * (1 + ms / 1000))
        await server.call('CONFIG', 'SET', 'stop-writes-on-bgsave-error', 'no')
      },
    })
    await scene.leaves(client)
  },
}
