// Owns the comparison of bulkheads with a queue: one permit, a hundred callers waiting behind the first.
// Must never count a wave before its last caller is done.
'use strict'

const { duel } = require('../duel.js')
const ours = require('../ours.js')
const { guarded } = require('../workload.js')

const WAITING = 100
const WAVE = 1 + WAITING

/** @param {import('./index.js').Arena} arena */
module.exports = async function queued(arena) {
  return duel(
    {
      name: 'queued',
      title: 'bulkhead.run, limit 1, waves of 101 callers',
      contestants: [spillway(), await pLimit(), cockatiel()],
      wanted: [],
      notes: ['for information: no target'],
    },
    arena,
  )
}

/**
 * @param {number} calls
 * @param {() => Promise<number>} one
 * @returns {Promise<number>}
 */
async function waves(calls, one) {
  let sum = 0
  for (let left = calls; left > 0; left -= WAVE) {
    const wave = Array.from({ length: Math.min(WAVE, left) }, one)
    for (const result of await Promise.all(wave)) sum += result
  }
  return sum
}

/** @returns {import('../measure.js').Contestant} */
function spillway() {
  const { found, missing } = ours.spillway()
  if (!found) return { name: 'spillway', skipped: missing }
  const guard = found.spillway().bulkhead('narrow', { limit: 1, queue: WAITING })
  return { name: 'spillway', run: (calls) => waves(calls, () => guard.run(guarded)) }
}

/** @returns {Promise<import('../measure.js').Contestant>} */
async function pLimit() {
  const guard = (await import('p-limit')).default(1)
  return { name: 'p-limit', note: 'its queue has no bound', run: (calls) => waves(calls, () => guard(guarded)) }
}

/** @returns {import('../measure.js').Contestant} */
function cockatiel() {
  const guard = require('cockatiel').bulkhead(1, WAITING)
  return { name: 'cockatiel', run: (calls) => waves(calls, () => guard.execute(guarded)) }
}
