// Owns the comparison of open breakers: what it costs to be told no.
// Must never open one by hand: each is opened by failures, and stays open for as long as this runs.
'use strict'

const { duel } = require('../duel.js')
const ours = require('../ours.js')
const sink = require('../sink.js')

const HOUR_MS = 3_600_000
/** Enough for every contestant's default of calls that must be seen first. */
const FAILURES = 100

const failing = async () => {
  throw new Error('upstream is down')
}

/** @param {import('./index.js').Arena} arena */
module.exports = async function open(arena) {
  return duel(
    {
      name: 'open',
      title: 'a call refused by an open breaker',
      contestants: [...(await spillway()), await opossum(), await cockatiel()],
      wanted: ['opossum', 'cockatiel'].flatMap((peer) => [
        { ours: 'spillway attempt', peer, atMost: 1 / 20 },
        { ours: 'spillway run', peer, atMost: 1 / 2 },
      ]),
    },
    arena,
  )
}

/** @param {() => Promise<unknown>} call */
async function failOften(call) {
  for (let failure = 0; failure < FAILURES; failure++) await call().catch(() => {})
}

/** @returns {Promise<import('../measure.js').Contestant[]>} */
async function spillway() {
  const { found, missing } = ours.spillway()
  const names = ['spillway attempt', 'spillway run']
  if (!found) return names.map((name) => ({ name, skipped: missing }))
  const guard = found.spillway().breaker('open', { open: { for: HOUR_MS, max: HOUR_MS, jitter: 0 } })
  await failOften(() => guard.run(failing))
  return [
    {
      name: names[0],
      note: 'awaited; the refusal is plain data',
      async run(calls) {
        let refused = 0
        for (let call = 0; call < calls; call++) {
          const answer = await guard.attempt(failing)
          if (!answer.ok && answer.refusal.code === 'E_OPEN') refused++
          sink.last = answer
        }
        return refused
      },
    },
    {
      name: names[1],
      note: 'awaited, its Refusal caught',
      async run(calls) {
        let refused = 0
        for (let call = 0; call < calls; call++) {
          try {
            await guard.run(failing)
          } catch (refusal) {
            if (/** @type {any} */ (refusal).code === 'E_OPEN') refused++
            sink.last = refusal
          }
        }
        return refused
      },
    },
  ]
}

/** @returns {Promise<import('../measure.js').Contestant>} */
async function opossum() {
  const CircuitBreaker = require('opossum')
  const guard = new CircuitBreaker(failing, { timeout: false, resetTimeout: HOUR_MS })
  await failOften(() => guard.fire())
  return {
    name: 'opossum',
    note: 'awaited, its error caught',
    async run(calls) {
      let refused = 0
      for (let call = 0; call < calls; call++) {
        try {
          await guard.fire()
        } catch (error) {
          if (/** @type {any} */ (error).code === 'EOPENBREAKER') refused++
          sink.last = error
        }
      }
      return refused
    },
  }
}

/** @returns {Promise<import('../measure.js').Contestant>} */
async function cockatiel() {
  const { circuitBreaker, handleAll, ConsecutiveBreaker, isBrokenCircuitError } = require('cockatiel')
  const guard = circuitBreaker(handleAll, { halfOpenAfter: HOUR_MS, breaker: new ConsecutiveBreaker(5) })
  await failOften(() => guard.execute(failing))
  return {
    name: 'cockatiel',
    note: 'awaited, its error caught',
    async run(calls) {
      let refused = 0
      for (let call = 0; call < calls; call++) {
        try {
          await guard.execute(failing)
        } catch (error) {
          if (isBrokenCircuitError(error)) refused++
          sink.last = error
        }
      }
      return refused
    },
  }
}
