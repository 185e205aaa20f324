// Owns one fault: a Redis that may throw limits away to make room for others.
// Never closes what it has opened: the scene does.
'use strict'

const { PLENTY } = require('../outage.js')

const CODE = 'SPILLWAY_REDIS_EVICTION'

module.exports = {
  row: 10,
  fault: 'a maxmemory-policy that can drop limits',
  must: 'a warning once at open; none where the policy keeps them',
  isPatient: true,
  async run(scene) {
    for (const [policy, warnings] of [
      ['allkeys-lru', 1],
      ['volatile-ttl', 1],
      ['noeviction', 0],
    ]) {
      const server = await scene.server({ config: { maxmemory: '100mb', 'maxmemory-policy': policy } })
      const client = await scene.client('limit', { redis: server.url, options: PLENTY })
      await client.ask('ready')
      await client.ask('consume', 'key')
      await client.ask('consume', 'key')
      await scene.sleep(100)
      const warned = client.warnings.filter(({ code }) => code === CODE)
      scene.exactly(`${policy}: warnings`, warned.length, warnings)
      await client.leave()
    }
  },
}
