// Owns one fault: somebody else's script never ends: Redis is silent at first and says BUSY then.
// Never closes what it has opened: the scene does.
'use strict'

const { PLENTY, outage } = require('../outage.js')

module.exports = {
  row: 11,
  fault: 'BUSY',
  must: 'an outage like any other; Redis decides again within 1 s of the end of the script',
  async run(scene) {
    const server = await scene.server({ config: { 'lua-time-limit': 100 } })
    const client = await scene.client('limit', { redis: server.url, options: PLENTY, calls: 100_000 })
    const other = await server.connect()
    let script
    await outage(scene, {
      client,
      begin: () => {
        script = other.call('EVAL', 'while true do end', 0).catch(({ code }) => code)
      },
      ms: scene.length(5000, 1000),
      end: async () => {
        await server.call('SCRIPT', 'KILL')
        await script
      },
    })
    other.close()
    await scene.leaves(client)
  },
}
