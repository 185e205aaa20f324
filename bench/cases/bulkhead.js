// Owns the comparison of bulkheads with room: what the guard adds to a bare await.
// Must never let anybody wait; queued.js is about that.
'use strict'

const { duel } = require('../duel.js')
const ours = require('../ours.js')
const sink = require('../sink.js')
const { guarded } = require('../workload.js')
const bare = require('./bare.js')

const LIMIT = 10

/** @param {import('./index.js').Arena} arena */
module.exports = async function bulkhead(arena) {
  return duel(
    {
      name: 'bulkhead',
      title: 'bulkhead.run, a permit free, around an async function that does nothing',
      contestants: [bare(), spillway(), await pLimit(), cockatiel()],
      wanted: [{ ours: 'spillway', peer: 'p-limit', atMost: 1 / 4, bare: 'bare await' }],
    },
    arena,
  )
}

/** @returns {import('../measure.js').Contestant} */
function spillway() {
  const { found, missing } = ours.spillway()
  if (!found) return { name: 'spillway', skipped: missing }
  const guard = found.spillway().bulkhead('free', { limit: LIMIT })
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

/** @returns {Promise<import('../measure.js').Contestant>} */
async function pLimit() {
  const guard = (await import('p-limit')).default(LIMIT)
  return {
    name: 'p-limit',
    async run(calls) {
      let sum = 0
      for (let call = 0; call < calls; call++) sum += await guard(guarded)
      sink.sum = sum
      return sum
    },
  }
}

/** @returns {import('../measure.js').Contestant} */
function cockatiel() {
  const guard = require('cockatiel').bulkhead(LIMIT)
  return {
    name: 'cockatiel',
    async run(calls) {
      let sum = 0
      for (let call = 0; call < calls; call++) sum += await guard.execute(guarded)
      sink.sum = sum
      return sum
    },
  }
}
