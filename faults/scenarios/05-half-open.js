// Owns one fault: a connection whose far end is gone without a word: a load balancer forgot it. New connections work.
// Never closes what it has opened: the scene does.
'use strict'

const { DEADLINE_MS, RECONNECT_MS, SLACK_MS } = require('../budgets.js')
const { KEYS, PLENTY } = require('../outage.js')

const RATE = 2000

module.exports = {
  row: 5,
  fault: 'half-open connection',
  must: 'back within 2 s by a forced reconnect; decisions within the deadline meanwhile',
  async run(scene) {
    const proxy = await scene.proxy(await scene.server())
    const client = await scene.client('limit', { redis: proxy.url, options: PLENTY, calls: 100_000 })
    await client.ask('load', { rate: RATE, keys: KEYS })
    await scene.sleep(500)
    const { loopMax } = await client.ask('health')
    const { accepted } = proxy.counts
    const began = scene.now()
    proxy.halfOpen()
    await scene.sleep(RECONNECT_MS + 500)
    await client.ask('stop')
    // What was answered in the instant before does not count as back.
    const during = await client.ask('between', began + 5)
    scene.check(during.by['fail-mode'] > 0, `${during.by['fail-mode']} decided by the fail mode`)
    scene.most('decision p99.9', during.p999, DEADLINE_MS + SLACK_MS + loopMax, ' ms')
    scene.most('Redis decides again after', (during.first.redis ?? Infinity) - began, RECONNECT_MS, ' ms')
    scene.check(proxy.counts.accepted > accepted, `${proxy.counts.accepted - accepted} new connections`)
    scene.exactly('errors', during.by.error, 0)
    await scene.leaves(client)
  },
}
