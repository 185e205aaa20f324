// Owns the comparison of whole policies around a call that always succeeds: a timeout, a retry, a breaker and a bulkhead.
// Must never let a timeout fire or an attempt fail: failing.js is about those.
'use strict'

const { duel } = require('../duel.js')
const ours = require('../ours.js')
const sink = require('../sink.js')
const { guarded } = require('../workload.js')
const bare = require('./bare.js')

const TIMEOUT_MS = 10_000
const MAX_RETRIES = 3
const LIMIT = 10

/** @param {import('./index.js').Arena} arena */
module.exports = function policy(arena) {
  return duel(
    {
      name: 'policy',
      title: 'timeout, retry, breaker and bulkhead as one policy, around an async function that does nothing',
      contestants: [bare(), spillway(), cockatiel()],
      wanted: [{ ours: 'spillway', peer: 'cockatiel', atMost: 1 / 10, bare: 'bare await' }],
    },
    arena,
  )
}

/** @returns {import('../measure.js').Contestant} */
function spillway() {
  const { found, missing } = ours.spillway()
  if (!found) return { name: 'spillway', skipped: missing }
  const { retry, timeout } = found
  const set = found.spillway()
  const guard = set.policy(
    'upstream',
    timeout(TIMEOUT_MS),
    retry({ max: MAX_RETRIES }),
    set.breaker('upstream'),
    set.bulkhead('upstream', { limit: LIMIT }),
  )
  return {
    name: 'spillway',
    async run(calls) {
      let sum = 0
      for (let call = 0; call < calls; call++) sum += await guard.run(guarded)
      sink.sum = sum
      return sum
    },
  }
}

/** @returns {import('../measure.js').Contestant} */
function cockatiel() {
  const library = require('cockatiel')
  const { bulkhead, circuitBreaker, handleAll, retry, timeout, wrap } = library
  const { ExponentialBackoff, SamplingBreaker, TimeoutStrategy } = library
  const guard = wrap(
    timeout(TIMEOUT_MS, TimeoutStrategy.Aggressive),
    retry(handleAll, { maxAttempts: MAX_RETRIES, backoff: new ExponentialBackoff() }),
    circuitBreaker(handleAll, {
      halfOpenAfter: 5000,
      breaker: new SamplingBreaker({ threshold: 0.5, duration: 60_000 }),
    }),
    bulkhead(LIMIT),
  )
  return {
    name: 'cockatiel',
    note: 'wrap() of the same',
    async run(calls) {
      let sum = 0
      for (let call = 0; call < calls; call++) sum += await guard.execute(guarded)
      sink.sum = sum
      return sum
    },
  }
}
