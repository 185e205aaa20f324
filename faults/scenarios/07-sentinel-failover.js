// Owns one fault: Sentinels move the master under load, again and again: because they were asked, because it was killed, because it was frozen.
// Never closes what it has opened: the scene does.
'use strict'

const { DEADLINE_MS, RECOVERY_MS, SLACK_MS } = require('../budgets.js')

const RATE = 500
const LIMIT = 1_000_000
const OPTIONS = { limit: LIMIT, window: '365d', failMode: 'closed' }
const HOW = ['asked', 'killed', 'frozen']
/** The link asks the sentinels anew; they tell of the new master a little after it is one. */
const FOUND_MS = 500

module.exports = {
  row: 7,
  fault: 'Sentinel failover (asked for, master killed, master frozen)',
  must: 'recovery unaided within 1 s; admitted beyond what is counted: no more than while there were two masters',
  async run(scene) {
    const failovers = scene.length(50, 3)
    const set = await scene.sentinels()
    const redis = { urls: set.urls, sentinel: { master: set.master } }
    const calls = failovers * RATE * 20
    const client = await scene.client('limit', { redis, options: OPTIONS, calls })
    await client.ask('ready')
    await client.ask('load', { rate: RATE })
    await scene.sleep(500)
    const calm = await client.ask('health')
    let [slowest, bound] = [0, 0]
    for (let at = 0; at < failovers; at++) {
      const began = scene.now()
      await set.failover(HOW[at % HOW.length])
      const healed = scene.now()
      await scene.until(
        'decisions of the new master',
        async () => (await client.ask('between', healed + 5)).by.redis > 0,
        10_000,
      )
      const back = (await client.ask('between', healed + 5)).first.redis
      slowest = Math.max(slowest, back - healed)
      // What was admitted since the failover began may have been written to the old master only.
      bound += (await client.ask('between', began, back)).okByRedis
    }
    const { pending } = await client.ask('stop')
    const all = await client.ask('between', 0)
    const master = await set.settled()
    const charged = LIMIT - (await client.ask('peek', 'key')).remaining
    scene.check(
      failovers > 0 && master.isRunning,
      `${failovers} failovers, ${all.by.redis.toLocaleString('en')} decisions by Redis`,
    )
    scene.most('slowest recovery', slowest, RECOVERY_MS + FOUND_MS, ' ms')
    scene.most('decision p99.9', all.p999, DEADLINE_MS + SLACK_MS + calm.loopMax, ' ms')
    scene.most('admitted and not counted', all.okByRedis - charged, bound)
    scene.exactly('errors', all.by.error, 0)
    scene.exactly('unanswered', pending, 0)
    await scene.leaves(client)
  },
}
