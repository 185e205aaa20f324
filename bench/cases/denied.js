// Owns the comparison of limiters on a thousand keys that have nothing left.
// Must never let a call through: the window is a day, so nothing refills while it runs.
'use strict'

const { MapLimiter } = require('../baselines/map-limiter.js')
const { duel } = require('../duel.js')
const ours = require('../ours.js')
const sink = require('../sink.js')
const { keys, visits, MASK } = require('../workload.js')

const DAY_MS = 86_400_000

/** @param {import('./index.js').Arena} arena */
module.exports = async function denied(arena) {
  return duel(
    {
      name: 'denied',
      title: 'limiter.consume, 1,000 exhausted keys, all denied',
      contestants: [spillway(), map(), await flexible()],
      wanted: [{ ours: 'spillway', peer: 'rate-limiter-flexible', atMost: 1 / 3 }],
    },
    arena,
  )
}

/** @returns {import('../measure.js').Contestant} */
function spillway() {
  const { found, missing } = ours.spillway()
  if (!found) return { name: 'spillway', skipped: missing }
  const limiter = found.spillway().limiter('spent', { limit: 1, window: DAY_MS })
  for (const key of keys) limiter.consume(key)
  return {
    name: 'spillway',
    run(calls) {
      let refused = 0
      let sum = 0
      for (let call = 0; call < calls; call++) {
        const decision = limiter.consume(visits[call & MASK])
        if (!decision.ok) refused++
        sum += decision.retryAfterMs
        sink.last = decision
      }
      sink.sum = sum
      return refused
    },
  }
}

/** @returns {import('../measure.js').Contestant} */
function map() {
  const limiter = new MapLimiter('spent', { limit: 1, windowMs: DAY_MS })
  for (const key of keys) limiter.consume(key)
  return {
    name: 'JS Map',
    run(calls) {
      let refused = 0
      let sum = 0
      for (let call = 0; call < calls; call++) {
        const decision = limiter.consume(visits[call & MASK])
        if (!decision.ok) refused++
        sum += decision.retryAfterMs
        sink.last = decision
      }
      sink.sum = sum
      return refused
    },
  }
}

/** @returns {Promise<import('../measure.js').Contestant>} */
async function flexible() {
  const { RateLimiterMemory, RateLimiterRes } = require('rate-limiter-flexible')
  const limiter = new RateLimiterMemory({ points: 1, duration: DAY_MS / 1000 })
  for (const key of keys) await limiter.consume(key)
  return {
    name: 'rate-limiter-flexible',
    note: 'awaited, its rejection caught',
    async run(calls) {
      let refused = 0
      let sum = 0
      for (let call = 0; call < calls; call++) {
        try {
          await limiter.consume(visits[call & MASK])
        } catch (answer) {
          if (answer instanceof RateLimiterRes) {
            refused++
            sum += answer.msBeforeNext
          }
          sink.last = answer
        }
      }
      sink.sum = sum
      return refused
    },
  }
}
