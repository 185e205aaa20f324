// Owns the comparison of what a million keys weigh, each limiter in a process of its own.
// Must never divide by keys that were offered and dropped.
'use strict'

const { weigh } = require('../children/weigh.js')
const { judged, row } = require('../duel.js')
const { turns } = require('../interleave.js')
const ours = require('../ours.js')

const KEYS = 1_000_000

const CONTESTANTS = [
  { kind: 'nobody', name: 'nobody', note: 'what the process grows by itself; taken off the others, run by run' },
  { kind: 'spillway', name: 'spillway' },
  { kind: 'map', name: 'JS Map', note: 'holds its key strings' },
  { kind: 'flexible', name: 'rate-limiter-flexible', note: 'holds its key strings, and a timer per key' },
  { kind: 'store', name: 'express-rate-limit store', note: 'holds its key strings' },
]

/** @param {import('./index.js').Arena} arena */
module.exports = async function memory({ plan, random }) {
  const { missing } = ours.spillway()
  const playing = CONTESTANTS.filter(({ kind }) => !(kind === 'spillway' && missing))
  /** @type {Map<string, number[]>} */
  const samples = new Map(playing.map(({ kind }) => [kind, []]))
  let cells = NaN
  for (let run = 0; run < plan.runs; run++) {
    for (const place of turns(playing.length, random)) {
      const { kind } = playing[place]
      const { bytes, held } = await weigh(kind, [KEYS])
      if (kind === 'spillway') cells = held
      samples.get(kind)?.push(bytes[0] / (held < KEYS ? held : KEYS))
    }
  }
  const itself = samples.get('nobody') ?? []
  for (const [kind, figures] of samples) {
    if (kind !== 'nobody') figures.forEach((figure, run) => (figures[run] = figure - itself[run]))
  }
  const own = samples.get('spillway')
  return {
    name: 'memory',
    title: '1,000,000 keys in a limiter, maxKeys 1,000,000',
    unit: 'bytes/key',
    rows: CONTESTANTS.map(({ kind, name, note }) =>
      kind === 'spillway'
        ? row({ name, note: `${cells.toLocaleString('en-US')} keys have a cell`, skipped: missing }, own)
        : row({ name, note }, samples.get(kind)),
    ),
    targets: [judged('resident bytes a key', own ?? [], 64)],
    notes: ['growth of the resident set, V8 held still'],
  }
}
