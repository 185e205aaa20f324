// A load through an outage of Redis, from before it begins to after it has ended: what every kind of outage has in common. Owns its
// course and the checks of the budgets. Never knows what is broken, nor how.
'use strict'

const { DEADLINE_MS, LOOP_MS, OPEN_AFTER_CALLS, OPEN_AFTER_MS, RECOVERY_MS, SLACK_MS } = require('./budgets.js')

const RATE = 2000
const KEYS = Array.from({ length: 100 }, (_, key) => `user:${key}`)
/** The first calls of a process are slow by themselves. */
const WARM_MS = 200
const CALM_BEFORE_MS = 400
/** Watched for so long after Redis answers again, and for so long after it has decided again. */
const AFTER_MS = RECOVERY_MS + 500
const CALM_MS = 200
/** Each time the breaker closes, it takes a deadline's worth of calls to open again. */
const FITFUL_PERCENT = 10

/** Much more than any scenario spends, so that only the store can be why something is not admitted. */
const PLENTY = { limit: 1_000_000, window: '365d', failMode: 'open' }

/**
 * @param {import('./scene.js').Scene} scene
 * @param {object} course
 * @param {Awaited<ReturnType<typeof import('./crew.js').hire>>} course.client doing jobs/limit.js
 * @param {() => unknown} course.begin
 * @param {number} course.ms
 * @param {() => unknown} course.end resolves when Redis answers again
 * @param {number} [course.rate]
 * @param {boolean} [course.fitful] whether Redis is well for moments in between, so that the breaker closes and opens again
 */
async function outage(scene, { client, begin, ms, end, rate = RATE, fitful = false }) {
  await client.ask('load', { rate, keys: KEYS })
  await scene.sleep(WARM_MS)
  await client.ask('reset')
  await scene.sleep(CALM_BEFORE_MS)
  const warm = await client.ask('between', 0)
  const calm = await client.ask('health')
  await client.ask('reset')
  await client.ask('mark')
  const began = scene.now()
  await begin()
  await scene.sleep(ms)
  const { loopP99 } = await client.ask('health')
  const ended = scene.now()
  await end()
  const healed = scene.now()
  const isBack = async () => (await client.ask('between', healed)).by.redis > 0
  await scene.until('Redis decides again', isBack, AFTER_MS).catch(() => {})
  await scene.sleep(CALM_MS)
  const { pending } = await client.ask('stop')

  const during = await client.ask('between', began, ended)
  const later = await client.ask('between', began + OPEN_AFTER_MS, ended)
  const after = await client.ask('between', ended)
  scene.check(warm.by.redis > 0 && during.by['fail-mode'] > 0, `${during.by['fail-mode']} decided by the fail mode`)
  // What the machine is late by when nothing is broken is nobody's fault here.
  const lateMs = SLACK_MS + calm.loopMax
  scene.most('decision p99.9', during.p999, DEADLINE_MS + lateMs, ' ms')
  const openedMs = Math.max(0, during.lastSlowAt - began)
  if (fitful) scene.most('of all calls, slow', (100 * during.slow) / during.calls, FITFUL_PERCENT, ' %')
  else {
    scene.check(
      later.slow === 0 || during.slow <= OPEN_AFTER_CALLS,
      `open after ${during.slow} slow calls, ${Math.round(openedMs)} ms (≤ ${OPEN_AFTER_CALLS} or ≤ ${OPEN_AFTER_MS} ms)`,
      true,
    )
  }
  scene.most('waiting at most', during.mostPending, (rate * (DEADLINE_MS + lateMs)) / 1000 + OPEN_AFTER_CALLS, ' calls')
  const recoveredMs = (after.first.redis ?? Infinity) - healed
  scene.most('Redis decides again after', Math.max(0, recoveredMs), RECOVERY_MS, ' ms')
  scene.exactly('errors', during.by.error + after.by.error, 0)
  scene.exactly('unanswered', pending, 0)
  scene.most('loop p99', loopP99, LOOP_MS + calm.loopP99, ' ms')
  return { began, ended, healed, during, after }
}

module.exports = { KEYS, PLENTY, RATE, outage }
