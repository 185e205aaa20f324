// Owns the question what a million cached objects take, and for how long at a time they stop the event loop while they come in.
// Must never count an object that is not there any more.
'use strict'

const { start } = require('../children/start.js')
const { FLAGS } = require('../children/weigh.js')
const { judged, row } = require('../duel.js')
const { turns } = require('../interleave.js')
const { KEY_BYTES, VALUE_BYTES } = require('../objects.js')
const ours = require('../ours.js')
const { ratios } = require('../verdict.js')

const COUNT = 1_000_000
const PAYLOAD = KEY_BYTES + VALUE_BYTES
const MB = 2 ** 20

/** What is promised: of lru-cache's heap, bytes beside key and value, and the longest pause. */
const HEAP = 1 / 20
const BESIDE = 96
const PAUSE_MS = 10

const CONTESTANTS = [
  { kind: 'nobody', name: 'nobody', note: 'makes the objects and keeps none' },
  { kind: 'spillway', name: 'spillway', note: 'its copies of what was read included' },
  { kind: 'lru', name: 'lru-cache' },
  { kind: 'map', name: 'JS Map' },
]

/**
 * @typedef {object} Taken
 * @property {number[]} heap MB of JavaScript heap
 * @property {number[]} each resident bytes an object
 * @property {number[]} longestMs
 */

/** @param {string} kind @param {boolean} weighing */
async function held(kind, weighing) {
  // A pause is that of a program as it is started; weighing wants V8 to hold still.
  const child = start('hold.js', { execArgv: weighing ? FLAGS : [] })
  try {
    const told = await child.ask({ kind, count: COUNT, weighing })
    if (kind !== 'nobody' && told.entries !== COUNT) throw new Error(`${kind} holds ${told.entries} of ${COUNT}`)
    return told
  } finally {
    child.end()
  }
}

/** @param {import('./index.js').Arena} arena */
module.exports = async function objects({ plan, random }) {
  const { missing } = ours.spillway()
  const playing = CONTESTANTS.filter(({ kind }) => !(kind === 'spillway' && missing))
  /** @type {Record<string, Taken>} */
  const taken = Object.fromEntries(CONTESTANTS.map(({ kind }) => [kind, { heap: [], each: [], longestMs: [] }]))
  for (let run = 0; run < plan.runs; run++) {
    for (const place of turns(playing.length, random)) {
      const { kind } = playing[place]
      const { before, filled, after } = await held(kind, true)
      taken[kind].heap.push((Math.max(filled.heap, after.heap) - before.heap) / MB)
      taken[kind].each.push((filled.rss - before.rss) / COUNT)
    }
    for (const place of turns(playing.length, random)) {
      const { kind } = playing[place]
      taken[kind].longestMs.push((await held(kind, false)).longestMs)
    }
  }
  const { spillway, lru, nobody } = taken
  const rows = (/** @type {keyof Taken} */ what, /** @type {string} */ unit) =>
    CONTESTANTS.map(({ kind, name, note }) => {
      const skipped = kind === 'spillway' ? missing : undefined
      return row({ name: `${name}, ${unit}`, note, skipped }, skipped ? undefined : taken[kind][what])
    })
  return {
    name: 'objects',
    title: `1,000,000 objects of ${VALUE_BYTES} bytes of JSON under keys of ${KEY_BYTES}`,
    unit: 'see there',
    rows: [
      ...rows('heap', 'MB of heap'),
      ...rows('each', 'resident bytes each'),
      ...rows('longestMs', 'longest pause in ms'),
    ],
    targets: [
      judged('JavaScript heap, spillway / lru-cache', ratios(spillway.heap, lru.heap), HEAP),
      judged(
        'resident bytes each beside key and value',
        spillway.each.map((each, run) => each - nobody.each[run] - PAYLOAD),
        BESIDE,
      ),
      judged('longest pause of the loop, in ms', spillway.longestMs, PAUSE_MS),
    ],
    notes: [
      'heap and resident set after collections, less what V8 keeps unused; heap after 100,000 of them were read, if that is more',
      'pauses in another process with default flags: the longest turn of the loop in which 500 came in, less what other processes took of it',
    ],
  }
}
