// Owns the comparison of failing calls through breakers that have seen much: what counting a failure adds to the failure itself.
// Must never let a breaker open; open.js is about that.
'use strict'

const { duel } = require('../duel.js')
const ours = require('../ours.js')
const { guarded } = require('../workload.js')

const SAMPLES = 20_000
const DAY_MS = 86_400_000

/** As deep as a stack trace goes, so that no guard makes the same error dearer by frames of its own. */
const FRAMES = 10

const failing = async () => deepIn(FRAMES)

/**
 * A failure from within, as that of a client library.
 * @param {number} frames
 * @returns {number}
 */
function deepIn(frames) {
  if (frames === 0) throw new Error('upstream is down')
  return 1 + deepIn(frames - 1)
}

/** @param {import('./index.js').Arena} arena */
module.exports = async function failingCalls(arena) {
  return duel(
    {
      name: 'failing',
      title: 'a failing call, closed breakers with 20,000 samples in their window',
      contestants: [
        { name: 'bare await', run: failures(() => failing()) },
        await spillway(),
        await opossum(),
        await cockatiel(),
      ],
      wanted: [{ ours: 'spillway', peer: 'bare await', atMost: 1.3 }],
    },
    arena,
  )
}

/**
 * Counts the calls that failed as the dependency did: a refusal would be another error.
 * @param {() => Promise<unknown>} call
 */
function failures(call) {
  return async (/** @type {number} */ calls) => {
    let failed = 0
    for (let made = 0; made < calls; made++) {
      try {
        await call()
      } catch (error) {
        if (/** @type {Error} */ (error).message === 'upstream is down') failed++
      }
    }
    return failed
  }
}

/** @param {() => Promise<unknown>} call */
async function fill(call) {
  for (let sample = 0; sample < SAMPLES; sample++) await call()
}

/** @returns {Promise<import('../measure.js').Contestant>} */
async function spillway() {
  const { found, missing } = ours.spillway()
  if (!found) return { name: 'spillway', skipped: missing }
  const guard = found.spillway().breaker('failing', { window: DAY_MS, failureRate: 1 })
  await fill(() => guard.run(guarded))
  return { name: 'spillway', run: failures(() => guard.run(failing)) }
}

/** @returns {Promise<import('../measure.js').Contestant>} */
async function opossum() {
  const CircuitBreaker = require('opossum')
  const guard = new CircuitBreaker((/** @type {() => Promise<unknown>} */ call) => call(), {
    timeout: false,
    rollingCountTimeout: DAY_MS,
    errorThresholdPercentage: 100,
  })
  await fill(() => guard.fire(guarded))
  return {
    name: 'opossum',
    note: 'sorts all latencies of its window at each failure; its failures add to them',
    run: failures(() => guard.fire(failing)),
  }
}

/** @returns {Promise<import('../measure.js').Contestant>} */
async function cockatiel() {
  const { circuitBreaker, handleAll, SamplingBreaker } = require('cockatiel')
  const guard = circuitBreaker(handleAll, {
    halfOpenAfter: 5000,
    breaker: new SamplingBreaker({ threshold: 0.999_999, duration: 3_600_000 }),
  })
  await fill(() => guard.execute(guarded))
  return { name: 'cockatiel', note: 'SamplingBreaker', run: failures(() => guard.execute(failing)) }
}
