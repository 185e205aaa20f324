// Owns the comparison of limiters on a thousand hot keys with room for every call.
// Must never let a call be denied: that is another path, and another comparison.
'use strict'

const { CellLimiter, MapLimiter } = require('../baselines/map-limiter.js')
const { duel } = require('../duel.js')
const ours = require('../ours.js')
const sink = require('../sink.js')
const { visits, MASK } = require('../workload.js')

const LIMIT = 1_000_000_000
const WINDOW_MS = 3_600_000

/** @param {import('./index.js').Arena} arena */
module.exports = function consume(arena) {
  return duel(
    {
      name: 'consume',
      title: 'limiter.consume, 1,000 hot keys, all admitted',
      contestants: [spillway(), map(), cells(), flexible(), store(), noop()],
      wanted: [
        { ours: 'spillway', peer: 'rate-limiter-flexible', atMost: 1 / 3 },
        { ours: 'spillway', peer: 'express-rate-limit store', atMost: 1 },
        { ours: 'spillway', peer: 'JS Map', atMost: 1.3 },
        { ours: 'spillway', peer: 'JS Map of objects', atMost: 1.3 },
      ],
    },
    arena,
  )
}

/** @returns {import('../measure.js').Contestant} */
function spillway() {
  const { found, missing } = ours.spillway()
  if (!found) return { name: 'spillway', skipped: missing }
  const limiter = found.spillway().limiter('hot', { limit: LIMIT, window: WINDOW_MS })
  return {
    name: 'spillway',
    run(calls) {
      let admitted = 0
      let sum = 0
      for (let call = 0; call < calls; call++) {
        const decision = limiter.consume(visits[call & MASK])
        if (decision.ok) admitted++
        sum += decision.remaining + decision.resetMs
        sink.last = decision
      }
      sink.sum = sum
      return admitted
    },
  }
}

/** @returns {import('../measure.js').Contestant} */
function map() {
  const limiter = new MapLimiter('hot', { limit: LIMIT, windowMs: WINDOW_MS })
  return {
    name: 'JS Map',
    note: 'same arithmetic, same Decision; no cap, no checks, one thread',
    run(calls) {
      let admitted = 0
      let sum = 0
      for (let call = 0; call < calls; call++) {
        const decision = limiter.consume(visits[call & MASK])
        if (decision.ok) admitted++
        sum += decision.remaining + decision.resetMs
        sink.last = decision
      }
      sink.sum = sum
      return admitted
    },
  }
}

/** @returns {import('../measure.js').Contestant} */
function cells() {
  const limiter = new CellLimiter('hot', { limit: LIMIT, windowMs: WINDOW_MS })
  return {
    name: 'JS Map of objects',
    note: 'an object per key, changed in place',
    run(calls) {
      let admitted = 0
      let sum = 0
      for (let call = 0; call < calls; call++) {
        const decision = limiter.consume(visits[call & MASK])
        if (decision.ok) admitted++
        sum += decision.remaining + decision.resetMs
        sink.last = decision
      }
      sink.sum = sum
      return admitted
    },
  }
}

/** @returns {import('../measure.js').Contestant} */
function flexible() {
  const { RateLimiterMemory } = require('rate-limiter-flexible')
  const limiter = new RateLimiterMemory({ points: LIMIT, duration: WINDOW_MS / 1000 })
  return {
    name: 'rate-limiter-flexible',
    note: 'awaited',
    async run(calls) {
      let admitted = 0
      let sum = 0
      for (let call = 0; call < calls; call++) {
        const answer = await limiter.consume(visits[call & MASK])
        if (answer.consumedPoints > 0) admitted++
        sum += answer.remainingPoints + answer.msBeforeNext
        sink.last = answer
      }
      sink.sum = sum
      return admitted
    },
  }
}

/** @returns {import('../measure.js').Contestant} */
function store() {
  const { MemoryStore } = require('express-rate-limit')
  const counts = new MemoryStore()
  counts.init(/** @type {any} */ ({ windowMs: WINDOW_MS }))
  return {
    name: 'express-rate-limit store',
    note: 'awaited; counts only, decides nothing',
    async run(calls) {
      let admitted = 0
      let sum = 0
      for (let call = 0; call < calls; call++) {
        const answer = await counts.increment(visits[call & MASK])
        if (answer.totalHits > 0) admitted++
        sum += answer.totalHits + Number(answer.resetTime)
        sink.last = answer
      }
      sink.sum = sum
      return admitted
    },
  }
}

/** @returns {import('../measure.js').Contestant} */
function noop() {
  const { found, missing } = ours.noop()
  if (!found) return { name: 'native no-op', skipped: missing }
  return {
    name: 'native no-op',
    note: 'an empty crossing, nothing in or out',
    run(calls) {
      for (let call = 0; call < calls; call++) sink.last = found()
      return calls
    },
  }
}
