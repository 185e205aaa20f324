// Owns one fault: the process itself is stopped for minutes, as in a paused container; its connections are dead when it goes on.
// Never closes what it has opened: the scene does.
'use strict'

const { DEADLINE_MS, RECOVERY_MS, SLACK_MS } = require('../budgets.js')

const OPTIONS = { limit: 1000, window: '1m', failMode: 'closed' }

module.exports = {
  row: 20,
  fault: 'process frozen for 10 min',
  must: 'first call within its deadline; Redis decides again within 1 s',
  /** It only waits. */
  isIdle: true,
  async run(scene) {
    const proxy = await scene.proxy(await scene.server())
    for (const dead of [false, true]) {
      const client = await scene.client('limit', { redis: proxy.url, options: OPTIONS })
      await client.ask('ready')
      await client.ask('consume', 'key')
      client.kill('SIGSTOP')
      // Whoever stands between has forgotten the connection in the meantime, or has not.
      if (dead) proxy.halfOpen()
      await scene.sleep(scene.length(300_000, 1500))
      const asked = client.ask('race', { calls: 1, atOnce: 1, key: 'key' })
      const woken = scene.now()
      client.kill('SIGCONT')
      const { admitted, unavailable } = await asked
      const what = dead ? 'connection dead' : 'connection alive'
      scene.most(`${what}: first call`, scene.now() - woken, DEADLINE_MS + 2 * SLACK_MS, ' ms')
      scene.check(admitted + unavailable === 1, admitted ? 'by Redis' : 'by the fail mode')
      const back = async () => (await client.ask('consume', 'key')).decidedBy === 'redis'
      await scene.until('Redis', back, 10_000)
      scene.most('Redis decides again after', scene.now() - woken, dead ? 2 * RECOVERY_MS : RECOVERY_MS, ' ms')
      await scene.leaves(client)
    }
  },
}
