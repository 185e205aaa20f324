// Owns one fault: kill -9 of Redis under a cache: reads, loads, writes and deletions go on.
// Never closes what it has opened: the scene does.
'use strict'

const { DEADLINE_MS, SLACK_MS } = require('../budgets.js')

const RATE = 1000

module.exports = {
  row: 2,
  fault: 'kill -9 Redis, under a cache',
  must: 'memory and loaders only, never an error; nobody waits longer than the deadline',
  async run(scene) {
    const server = await scene.server()
    const client = await scene.client('cache', { redis: server.url, options: { ttl: '1h' }, calls: 100_000 })
    await client.ask('ready')
    await client.ask('load', { rate: RATE })
    await scene.sleep(500)
    const calm = await client.ask('health')
    const began = scene.now()
    await server.kill9()
    await scene.sleep(scene.length(10_000, 1000))
    const ended = scene.now()
    await server.start()
    await scene.sleep(1000)
    const { pending } = await client.ask('stop')
    const during = await client.ask('between', began, ended)
    const all = await client.ask('between', 0)
    scene.check(during.calls > 0, `${during.calls.toLocaleString('en')} calls without Redis`)
    // A call may ask Redis, run a loader of a millisecond and land: two deadlines at most.
    scene.most('p99.9', during.p999, 2 * DEADLINE_MS + SLACK_MS + calm.loopMax, ' ms')
    scene.exactly('errors', all.by.error, 0)
    scene.exactly('unanswered', pending, 0)
    await scene.leaves(client)
  },
}
