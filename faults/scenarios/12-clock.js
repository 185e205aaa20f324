// Owns one fault: the clock of Redis jumps an hour ahead and an hour back, as after a failover to a server that was set wrong.
// Never closes what it has opened: the scene does.
'use strict'

const { PATIENT } = require('../budgets.js')
const { wallClock } = require('../clock/wall.js')

const HOUR_MS = 3_600_000
const LIMIT = 20
const ALGORITHMS = ['token-bucket', 'fixed-window', 'sliding-window']
/** Of a sliding window the one before counts, too. */
const WINDOWS = { 'token-bucket': 1, 'fixed-window': 1, 'sliding-window': 2 }
const POLL_MS = 20

/** Everything there is to have; how much that was, beyond what the time it took gives back, a window's turn included. */
async function drain(scene, client, key, windowMs) {
  const began = scene.now()
  const { admitted, unavailable, errors } = await client.ask('race', { calls: 4 * LIMIT, atOnce: 8, key })
  if (unavailable + errors > 0) throw new Error('not decided by Redis')
  return admitted - LIMIT * Math.ceil((scene.now() - began) / windowMs)
}

module.exports = {
  row: 12,
  fault: "Redis's clock ±1 h",
  must: 'nobody locked out for longer than one window',
  isPatient: true,
  platform: 'linux',
  async run(scene) {
    const windowMs = scene.length(2000, 500)
    const clock = wallClock()
    const server = await scene.server({ env: clock.env })
    const [before] = await server.call('TIME')
    clock.move(HOUR_MS)
    const [moved] = await server.call('TIME')
    scene.check(Math.abs(moved - before - 3600) <= 2, 'the clock moves')
    for (const algorithm of ALGORITHMS) {
      clock.move(0)
      const options = { limit: LIMIT, window: `${windowMs}ms`, algorithm, failMode: 'closed' }
      const client = await scene.client('limit', {
        redis: { url: server.url, deadline: PATIENT },
        options,
        prefix: algorithm,
      })
      await client.ask('ready')
      let longestMs = 0
      let most = 0
      for (const ms of [-HOUR_MS, 0, HOUR_MS, 0]) {
        await drain(scene, client, 'key', windowMs)
        clock.move(ms)
        const jumped = scene.now()
        while ((await client.ask('race', { calls: 1, atOnce: 1, key: 'key' })).admitted === 0) {
          if (scene.now() - jumped > 4 * windowMs) break
          await scene.sleep(POLL_MS)
        }
        longestMs = Math.max(longestMs, scene.now() - jumped)
        most = Math.max(most, await drain(scene, client, 'key', windowMs))
      }
      scene.most(`${algorithm}: locked out`, longestMs, WINDOWS[algorithm] * windowMs + 5 * POLL_MS, ' ms')
      scene.check(most <= LIMIT, 'no more admitted after a jump than ever')
      await scene.leaves(client)
    }
  },
}
