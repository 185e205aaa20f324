// Owns the question what a cache that all threads share saves: two worker threads ask for the same working set.
// Must never let one thread begin when the other is done: that they want the same at the same time is the point.
'use strict'

const { start } = require('../children/start.js')
const { ALLOCATOR, FLAGS } = require('../children/weigh.js')
const { judged, row } = require('../duel.js')
const { turns } = require('../interleave.js')
const { VALUE_BYTES } = require('../objects.js')
const ours = require('../ours.js')
const { ratios } = require('../verdict.js')

const COUNT = 100_000
const MB = 2 ** 20
/** One of two. */
const HALF = 1 / 2

const CONTESTANTS = [
  { kind: 'nobody', name: 'nobody', note: 'what the process grows by itself; taken off the others, run by run' },
  { kind: 'spillway', name: 'spillway', note: 'one for both threads, and the copies of each' },
  { kind: 'lru', name: 'two lru-caches', note: 'one in each thread' },
]

/** @param {import('./index.js').Arena} arena */
module.exports = async function workers({ plan, random }) {
  const { missing } = ours.spillway()
  const playing = CONTESTANTS.filter(({ kind }) => !(kind === 'spillway' && missing))
  /** @type {Record<string, { megabytes: number[], loads: number[] }>} */
  const taken = Object.fromEntries(CONTESTANTS.map(({ kind }) => [kind, { megabytes: [], loads: [] }]))
  for (let run = 0; run < plan.runs; run++) {
    for (const place of turns(playing.length, random)) {
      const { kind } = playing[place]
      const child = start('hold-shared.js', { execArgv: FLAGS, env: ALLOCATOR })
      try {
        const { bytes, loads } = await child.ask({ kind, count: COUNT })
        taken[kind].megabytes.push(bytes / MB)
        taken[kind].loads.push(loads)
      } finally {
        child.end()
      }
    }
  }
  const { nobody, spillway, lru } = taken
  return {
    name: 'workers',
    title: `two worker threads ask for the same 100,000 objects of ${VALUE_BYTES} bytes, twice each, in orders of their own`,
    unit: 'see there',
    rows: CONTESTANTS.flatMap(({ kind, name, note }) => {
      const skipped = kind === 'spillway' ? missing : undefined
      const { megabytes, loads } = taken[kind]
      const memory = row({ name: `${name}, MB`, note, skipped }, skipped ? undefined : megabytes)
      return kind === 'nobody'
        ? [memory]
        : [memory, row({ name: `${name}, loads`, skipped }, skipped ? undefined : loads)]
    }),
    targets: [
      judged('memory, spillway / two lru-caches', ratios(spillway.megabytes, lru.megabytes, nobody.megabytes), HALF),
      judged('loads, spillway / two lru-caches', ratios(spillway.loads, lru.loads), HALF),
    ],
    notes: [
      'resident set after collections in all threads, less what V8 keeps unused; a load takes a turn of the loop',
    ],
  }
}
