// Owns the question whether ten million distinct keys, offered to a limiter capped at one million, leave its memory flat.
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
const MB = 2 ** 20

const FLOODS = [
  { kind: 'spillway', name: 'live keys' },
  { kind: 'spillwayExpiring', name: 'expiring keys' },
]

/**
 * Bytes at each mark, less what a process grows by that offers as many keys to nobody.
 * @param {string} kind
 * @returns {Promise<number[]>}
 */
async function weighed(kind) {
  const itself = (await weigh('nobody', MARKS)).bytes
  return (await weigh(kind, MARKS)).bytes.map((bytes, at) => bytes - itself[at])
}

/** @param {import('./index.js').Arena} arena */
module.exports = async function flood({ plan }) {
  const { missing } = ours.spillway()
  const rows = []
  const targets = []
  for (const { kind, name } of FLOODS) {
    /** @type {number[][]} one list of bytes per run */
    const runs = []
    for (let run = 0; run < (missing ? 0 : plan.runs); run++) runs.push(await weighed(kind))
    MARKS.forEach((mark, at) => {
      const grown = runs.map((bytes) => bytes[at] / MB)
      rows.push(row({ name: `${name}, ${mark / MILLION} million`, skipped: missing }, missing ? undefined : grown))
    })
    const last = MARKS.length - 1
    const shares = runs.map((bytes) => (bytes[last] - bytes[0]) / bytes[0])
    const each = runs.map((bytes) => bytes[last] / MILLION)
    // Keys that expire and make room wear a table out until it is made anew, once, at twice the size: they are held to the bytes.
    targets.push(
      kind === 'spillway'
        ? judged(`${name}: growth after the first million, as a share of it`, shares, FLAT)
        : judged(`${name}: resident bytes for each of maxKeys`, each, BYTES),
    )
  }
  return {
    name: 'flood',
    title: '10,000,000 distinct keys offered, maxKeys 1,000,000',
    unit: 'MB over the start',
    rows,
    targets,
    notes: ['growth of the resident set, V8 held still, less the growth of a process that offers its keys to nobody'],
  }
}
