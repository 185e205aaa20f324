// Owns the comparison of closed breakers around a call that always succeeds: what the guard adds to a bare await.
// Must never let a breaker see a failure; open.js is about those.
'use strict'

const { duel } = require('../duel.js')
const ours = require('../ours.js')
const sink = require('../sink.js')
const { guarded } = require('../workload.js')
const bare = require('./bare.js')

/** @param {import('./index.js').Arena} arena */
module.exports = function breaker(arena) {
  return duel(
    {
      name: 'breaker',
      title: 'breaker.run, closed, around an async function that does nothing',
      contestants: [bare(), spillway(), opossum(), cockatiel()],
      wanted: [
        { ours: 'spillway', peer: 'opossum', atMost: 1 / 5, bare: 'bare await' },
        { ours: 'spillway', peer: 'cockatiel', atMost: 1 / 2, bare: 'bare await' },
      ],
    },
    arena,
  )
}

/** @returns {import('../measure.js').Contestant} */
function spillway() {
  const { found, missing } = ours.spillway()
  if (!found) return { name: 'spillway', skipped: missing }
  const guard = found.spillway().breaker('closed')
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
function opossum() {
  const CircuitBreaker = require('opossum')
  const guard = new CircuitBreaker(guarded, { timeout: false })
  return {
    name: 'opossum',
    note: 'timeout: false; its snapshots run between turns and are not counted',
    async run(calls) {
      let sum = 0
      for (let call = 0; call < calls; call++) sum += await guard.fire()
      sink.sum = sum
      return sum
    },
  }
}

/** @returns {import('../measure.js').Contestant} */
function cockatiel() {
  const { circuitBreaker, handleAll, SamplingBreaker } = require('cockatiel')
  const guard = circuitBreaker(handleAll, {
    halfOpenAfter: 5000,
    breaker: new SamplingBreaker({ threshold: 0.5, duration: 60_000 }),
  })
  return {
    name: 'cockatiel',
    note: 'SamplingBreaker',
    async run(calls) {
      let sum = 0
      for (let call = 0; call < calls; call++) sum += await guard.execute(guarded)
      sink.sum = sum
      return sum
    },
  }
}
