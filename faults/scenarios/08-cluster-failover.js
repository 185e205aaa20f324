// Owns one fault: a master of a cluster is killed, or asked to step back, under a load on all shards.
// Never closes what it has opened: the scene does.
'use strict'

const { DEADLINE_MS, RECOVERY_MS, SLACK_MS } = require('../budgets.js')
const { PLENTY } = require('../outage.js')

const RATE = 1000
const KEYS = Array.from({ length: 60 }, (_, key) => `user:${key}`)
const HOW = ['asked', 'killed']
const FOUND_MS = 500

module.exports = {
  row: 8,
  fault: 'cluster failover (asked for, master killed)',
  must: 'other shards unaffected; recovery unaided within 1 s of the new master',
  async run(scene) {
    const cluster = await scene.cluster({ config: { 'cluster-require-full-coverage': 'no' } })
    const redis = { urls: cluster.urls, cluster: true }
    // One process for each shard's users, whose fate is told apart.
    const client = await scene.client('limit', { redis, options: PLENTY, calls: 200_000 })
    await client.ask('ready')
    await client.ask('load', { rate: RATE, keys: KEYS })
    await scene.sleep(500)
    const calm = await client.ask('health')
    let slowest = 0
    let [failed, asked] = [0, 0]
    const failovers = scene.length(10, 2)
    for (let at = 0; at < failovers; at++) {
      const began = scene.now()
      await cluster.failover(`shard ${at}`, HOW[at % HOW.length])
      const healed = scene.now()
      // Every key in turn, and all of them by Redis again but for what a busy machine is late with.
      const whole = async () => {
        const from = scene.now()
        await scene.sleep((2000 * KEYS.length) / RATE)
        const seen = await client.ask('between', from)
        return seen.calls > KEYS.length && seen.by.redis >= 0.95 * seen.calls && from
      }
      slowest = Math.max(slowest, (await scene.until('all shards', whole, 10_000)) - healed)
      const during = await client.ask('between', began, healed)
      failed += during.calls - during.by.redis
      asked += during.calls
    }
    const { pending } = await client.ask('stop')
    const all = await client.ask('between', 0)
    scene.check(failovers > 0, `${failovers} failovers, ${all.calls.toLocaleString('en')} calls`)
    // A third of all keys is one shard's; slots are not spread evenly over so few keys.
    scene.check(
      failed > 0 && failed <= 0.5 * asked,
      `${Math.round((100 * failed) / asked)} % without Redis during failovers (≤ 50 %)`,
    )
    scene.most('slowest recovery', slowest, RECOVERY_MS + FOUND_MS, ' ms')
    scene.most('decision p99.9', all.p999, DEADLINE_MS + SLACK_MS + calm.loopMax, ' ms')
    scene.exactly('errors', all.by.error, 0)
    scene.exactly('unanswered', pending, 0)
    await scene.leaves(client)
  },
}
