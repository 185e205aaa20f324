// Owns the comparison of stores for express-rate-limit: a hit of a client counted, as its middleware asks for it.
// Must never decide anything from the counts: that is express-rate-limit's, and costs the same with either.
'use strict'

const { duel } = require('../duel.js')
const ours = require('../ours.js')
const sink = require('../sink.js')
const { visits, MASK } = require('../workload.js')

const WINDOW_MS = 3_600_000

/** @param {import('./index.js').Arena} arena */
module.exports = function store(arena) {
  return duel(
    {
      name: 'store',
      title: 'store.increment for express-rate-limit, 1,000 hot keys, awaited',
      contestants: [spillway(), memory()],
      wanted: [],
      notes: ['ours is one for all threads, and has a cap on clients; theirs is one in each thread, without a cap'],
    },
    arena,
  )
}

/** @returns {import('../measure.js').Contestant} */
function spillway() {
  const { found, missing } = ours.rateLimitStore()
  if (!found) return { name: 'SpillwayStore', skipped: missing }
  const counts = new found.SpillwayStore({ name: 'hot' })
  counts.init({ windowMs: WINDOW_MS })
  return {
    name: 'SpillwayStore',
    async run(calls) {
      let counted = 0
      let sum = 0
      for (let call = 0; call < calls; call++) {
        const answer = await counts.increment(visits[call & MASK])
        if (answer.totalHits > 0) counted++
        sum += answer.totalHits + Number(answer.resetTime)
        sink.last = answer
      }
      sink.sum = sum
      return counted
    },
  }
}

/** @returns {import('../measure.js').Contestant} */
function memory() {
  const { MemoryStore } = require('express-rate-limit')
  const counts = new MemoryStore()
  counts.init(/** @type {any} */ ({ windowMs: WINDOW_MS }))
  return {
    name: 'MemoryStore',
    async run(calls) {
      let counted = 0
      let sum = 0
      for (let call = 0; call < calls; call++) {
        const answer = await counts.increment(visits[call & MASK])
        if (answer.totalHits > 0) counted++
        sum += answer.totalHits + Number(answer.resetTime)
        sink.last = answer
      }
      sink.sum = sum
      return counted
    },
  }
}
