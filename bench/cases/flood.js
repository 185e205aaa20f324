// Owns the question whether ten million distinct keys, offered to a limiter capped at one million, leave its memory flat, the event
// loop free, and the keys that are in it counted as ever.
// Must never stop at the cap: what comes after it is the point.
'use strict'

const { weigh } = require('../children/weigh.js')
const { judged, row } = require('../duel.js')
const ours = require('../ours.js')

const MILLION = 1_000_000
const MARKS = [1, 2, 5, 10].map((millions) => millions * MILLION)
/** A tenth of what the first million took. Less could not be told from the noise of a process. */
const FLAT = 0.1
/** What is promised for each of `maxKeys`. */
const BYTES = 64
/** The longest pause: what a player of games does not notice either. */
const PAUSE_MS = 5
const MB = 2 ** 20

const FLOODS = [
  { kind: 'spillway', name: 'live keys' },
  { kind: 'spillwayExpiring', name: 'expiring keys' },
  { kind: 'spillwaySliding', name: 'live keys, sliding window' },
  { kind: 'spillwayFixed', name: 'live keys, fixed window' },
]

/** @typedef {import('../children/weigh.js').Weight} Weight */

/**
 * One flood, less what a process grows by and pauses for that offers as many keys to nobody.
 * @param {{ kind: string, name: string }} of
 * @param {Weight} nobody
 * @returns {Promise<Weight>}
 */
async function flooded({ kind, name }, nobody) {
  const weight = await weigh(kind, MARKS)
  if (weight.astray > 0 || !(weight.admitted > 0)) {
    throw new Error(`${name}: of the keys that were in it, ${weight.astray} were not counted as without the flood`)
  }
  const bytes = weight.bytes.map((each, at) => each - nobody.bytes[at])
  return { ...weight, bytes, longestMs: weight.longestMs - nobody.longestMs }
}

/** @param {import('./index.js').Arena} arena */
module.exports = async function flood({ plan }) {
  const { missing } = ours.spillway()
  /** @type {Weight[][]} by flood, then by run */
  const runs = FLOODS.map(() => [])
  for (let run = 0; run < (missing ? 0 : plan.runs); run++) {
    const nobody = await weigh('nobody', MARKS)
    for (const [at, of] of FLOODS.entries()) runs[at].push(await flooded(of, nobody))
  }
  const last = MARKS.length - 1
  return {
    name: 'flood',
    title: '10,000,000 distinct keys offered, maxKeys 1,000,000',
    unit: 'MB over the start',
    rows: FLOODS.flatMap(({ name }, of) =>
      MARKS.map((mark, at) => {
        const grown = runs[of].map(({ bytes }) => bytes[at] / MB)
        return row({ name: `${name}, ${mark / MILLION} million`, skipped: missing }, missing ? undefined : grown)
      }),
    ),
    targets: FLOODS.flatMap(({ kind, name }, of) => {
      const shares = runs[of].map(({ bytes }) => (bytes[last] - bytes[0]) / bytes[0])
      const each = runs[of].map(({ bytes }) => bytes[last] / MILLION)
      const pauses = runs[of].map(({ longestMs }) => longestMs)
      return [
        // Keys that expire and make room wear a table out until it is made anew, once, at twice the size: they are held to the bytes.
        kind === 'spillwayExpiring'
          ? judged(`${name}: resident bytes for each of maxKeys`, each, BYTES)
          : judged(`${name}: growth after the first million, as a share of it`, shares, FLAT),
        judged(`${name}: longest pause of the loop, in ms`, pauses, PAUSE_MS),
      ]
    }),
    notes: [
      'growth of the resident set, V8 held still, and the longest turn of 500 keys; both less those of a process that offers its keys',
      'to nobody. Keys asked for in every turn were admitted as by a limiter that is not flooded, or this would have failed',
    ],
  }
}
