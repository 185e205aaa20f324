// Owns the question whether memory comes back: guards made, used once and ended, up to a million, each kind in a process of its own.
// Must never count what a process takes in the first tenth: that is what it needs to run at all.
'use strict'

const { start } = require('../children/start.js')
const { ALLOCATOR, FLAGS } = require('../children/weigh.js')
const { judged, row } = require('../duel.js')
const ours = require('../ours.js')
const { quantile } = require('../spread.js')

const CONTESTANTS = [
  { kind: 'nobody', name: 'nobody', quick: 60_000, full: 1_000_000, note: 'what the process grows by itself' },
  { kind: 'spillway', name: 'spillway breaker', quick: 60_000, full: 1_000_000, judged: true },
  {
    kind: 'spillwayPolicy',
    name: 'spillway policy',
    quick: 30_000,
    full: 200_000,
    judged: true,
    note: 'with a breaker and a bulkhead',
  },
  {
    kind: 'opossum',
    name: 'opossum',
    quick: 10_000,
    full: 200_000,
    note: 'ended by shutdown(), which clears its two intervals',
  },
]

/** At each tenth of the guards is looked what is held. */
const MARKS = Array.from({ length: 10 }, (_, tenth) => (tenth + 1) / 10)

/** How much more may be held after all tenths than after none: what looks that are never quite alike add up to. */
const FLAT = 1.05

/** @param {import('./index.js').Arena} arena */
module.exports = async function churn({ plan }) {
  const { missing } = ours.spillway()
  const rows = []
  const targets = []
  for (const { kind, name, quick, full, note = '', judged: isJudged } of CONTESTANTS) {
    const skipped = isJudged ? missing : undefined
    const runs = skipped ? 0 : plan.runs
    const total = plan.runs === 1 ? quick : full
    /** @type {{ each: number[], times: number[] }} */
    const grown = { each: [], times: [] }
    for (let run = 0; run < runs; run++) {
      const held = await weigh(
        kind,
        MARKS.map((share) => share * total),
      )
      const tenth = usual(held.slice(1).map((bytes, before) => bytes - held[before]))
      grown.each.push(tenth / (total / 10))
      grown.times.push((held[0] + 10 * tenth) / held[0])
    }
    const told = [`${total.toLocaleString('en-US')} made and ended`, note].filter(Boolean).join('; ')
    rows.push(row({ name, note: told, skipped }, skipped ? undefined : grown.each))
    if (isJudged) targets.push(judged(`${name}: held after the usual ten tenths / at first`, grown.times, FLAT))
  }
  return {
    name: 'churn',
    title: 'guards made, used once and ended: what is still held of each',
    unit: 'bytes each',
    rows,
    targets,
    notes: ['resident set after a collection, less what V8 has taken and does not use'],
  }
}

/**
 * V8 keeps some megabytes of pages it has cleared, now and then, which make one tenth look dear and a later one cheap. Of what leaks,
 * each tenth leaves as much.
 * @param {number[]} tenths
 */
const usual = (tenths) => quantile(tenths, 0.5)

/**
 * @param {string} kind one of children/churn.js
 * @param {number[]} counts
 * @returns {Promise<number[]>} bytes held at each
 */
async function weigh(kind, counts) {
  const child = start('churn.js', { execArgv: FLAGS, env: ALLOCATOR })
  try {
    return await child.ask({ kind, marks: counts })
  } finally {
    child.end()
  }
}
