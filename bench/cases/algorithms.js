// Owns the comparison of our algorithms with each other: what a window costs beside the token bucket, on a thousand hot keys.
// Must never let a call be denied: that is another path, and another comparison.
'use strict'

const { duel } = require('../duel.js')
const ours = require('../ours.js')
const sink = require('../sink.js')
const { visits, MASK } = require('../workload.js')

/** Within what the word of a sliding window can hold, and more than a key is asked for in the whole run. */
const LIMIT = 1_000_000
const WINDOW_MS = 3_600_000
const rate = { limit: LIMIT, window: WINDOW_MS }

const CONTESTANTS = [
  { name: 'token bucket', options: rate },
  { name: 'fixed window', options: { ...rate, algorithm: 'fixed-window' } },
  { name: 'sliding window', options: { ...rate, algorithm: 'sliding-window' } },
  { name: 'two token buckets', options: [rate, { limit: LIMIT, window: 2 * WINDOW_MS }], note: 'in one limiter' },
  {
    name: 'bucket and window',
    options: [rate, { limit: LIMIT, window: 2 * WINDOW_MS, algorithm: 'sliding-window' }],
    note: 'in one limiter',
  },
]

/** @param {import('./index.js').Arena} arena */
module.exports = function algorithms(arena) {
  return duel(
    {
      name: 'algorithms',
      title: 'limiter.consume by algorithm, 1,000 hot keys, all admitted',
      contestants: CONTESTANTS.map(contestant),
      wanted: [
        { ours: 'fixed window', peer: 'token bucket', atMost: 1.2 },
        { ours: 'sliding window', peer: 'token bucket', atMost: 1.2 },
      ],
    },
    arena,
  )
}

/**
 * @param {{ name: string, options: object, note?: string }} of
 * @returns {import('../measure.js').Contestant}
 */
function contestant({ name, options, note }) {
  const { found, missing } = ours.spillway()
  if (!found) return { name, skipped: missing }
  const limiter = found.spillway().limiter(name, options)
  return {
    name,
    note,
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
