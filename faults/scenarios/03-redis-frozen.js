// Owns one fault: SIGSTOP of Redis under load: connections are accepted and nothing answers; what was sent meanwhile is done when it wakes.
// Never closes what it has opened: the scene does.
'use strict'

const { outage } = require('../outage.js')

const LIMIT = 1_000_000
/** What had been sent when the breaker opened, and what its probes and a connection made anew may add. */
const LATE_WRITES = 300

const ids = async (server) =>
  (await server.call('CLIENT', 'LIST', 'TYPE', 'normal'))
    .split('\n')
    .flatMap((row) => /^id=(\d+) .*cmd=(?!client)/.exec(row)?.[1] ?? [])

module.exports = {
  row: 3,
  fault: 'SIGSTOP Redis',
  must: 'the connection is made anew; late writes only over-count, and few',
  async run(scene) {
    const server = await scene.server()
    const options = { limit: LIMIT, window: '365d', failMode: 'closed' }
    const client = await scene.client('limit', { redis: server.url, options, calls: 100_000 })
    const before = await (async () => {
      await client.ask('consume', 'warm')
      return ids(server)
    })()
    await outage(scene, {
      client,
      begin: () => server.freeze(),
      ms: scene.length(10_000, 2000),
      end: async () => {
        server.thaw()
        await server.call('PING')
      },
    })
    const after = await ids(server)
    const kept = before.filter((id) => after.includes(id))
    scene.check(
      after.length > 0 && kept.length < before.length,
      `${before.length - kept.length} of ${before.length} connections made anew`,
    )
    const all = await client.ask('between', 0)
    let charged = 0
    for (let key = 0; key < 100; key++) charged += LIMIT - (await client.ask('peek', `user:${key}`)).remaining
    scene.check(charged >= all.okByRedis, `${all.okByRedis} admitted by Redis, ${charged} charged`)
    scene.most('late writes', charged - all.okByRedis, LATE_WRITES)
    await scene.leaves(client)
  },
}
