// Owns the run: the command line, who plays which trace at which capacities, and the table. Never judges: it prints and ends with 0.
'use strict'

const fs = require('node:fs')
const path = require('node:path')
const { table } = require('../bench/table.js')
const { known } = require('./known.js')
const lru = require('./lru.js')
const player = require('./player.js')
const { BadTrace, read } = require('./trace.js')

const USAGE = 'usage: npm run traces [-- file[.gz] [capacity…]]'
const DATA = path.join(__dirname, 'data')
const CACHES = ['lru-cache', 'quick_cache', 'moka', 'spillway']
/** Where nobody says at which capacities: these shares of what would hold everything. */
const SHARES = [0.01, 0.05, 0.2]

/**
 * @typedef {object} Row
 * @property {string} title
 * @property {boolean} sized
 * @property {Record<string, { ratio: number, bytes: number }>} caches in percent, of the requests and of their sizes
 * @property {import('./known.js').Best} [best] published
 */

/**
 * @param {string} file
 * @param {number[]} [wanted] capacities
 * @returns {Promise<Row[]>}
 */
async function rows(file, wanted) {
  const trace = await read(file)
  const published = path.dirname(path.resolve(file)) === DATA ? (known[trace.name] ?? {}) : {}
  const capacities = wanted ?? (Object.keys(published).length > 0 ? Object.keys(published).map(Number) : shares(trace))
  const played = await player.play(trace, capacities)
  const bytes = trace.sizes.reduce((sum, size) => sum + size, 0)
  const percent = (/** @type {{ requests: number, bytes: number }} */ hits) => ({
    ratio: (100 * hits.requests) / trace.keys.length,
    bytes: (100 * hits.bytes) / bytes,
  })
  return capacities.map((capacity) => {
    const hits = { 'lru-cache': lru.play(trace, capacity), ...played.get(capacity) }
    return {
      title: `${trace.name} @ ${capacity.toLocaleString('en-US')}`,
      sized: trace.sized,
      caches: Object.fromEntries(Object.entries(hits).map(([cache, of]) => [cache, percent(of)])),
      best: published[capacity],
    }
  })
}

/** @param {import('./trace.js').Trace} trace */
function shares({ keys, sizes, distinct }) {
  const last = new Uint32Array(distinct)
  keys.forEach((key, at) => {
    last[key] = sizes[at]
  })
  const all = last.reduce((sum, size) => sum + size, 0)
  return [...new Set(SHARES.map((share) => Math.max(1, Math.round(all * share))))]
}

/** How far ours is behind the best published; negative where it is ahead. @param {Row} row */
const gap = ({ caches, best }) => (best ? best.ratio - caches.spillway.ratio : undefined)

/** @param {Row[]} rows */
function render(rows) {
  const sized = rows.some((row) => row.sized)
  const figure = (/** @type {{ ratio: number, bytes?: number } | undefined} */ of) => {
    if (!of) return '–'
    return of.bytes === undefined || !sized ? of.ratio.toFixed(2) : `${of.ratio.toFixed(2)} / ${of.bytes.toFixed(2)}`
  }
  const head = [sized ? 'trace @ bytes' : 'trace @ entries', ...CACHES, 'best published', 'by', 'gap']
  const lines = rows.map((row) => [
    row.title,
    ...CACHES.map((cache) => figure(row.caches[cache])),
    figure(row.best),
    row.best?.by ?? '',
    gap(row)?.toFixed(2) ?? '–',
  ])
  return table([head, ...lines], ['left', 'right', 'right', 'right', 'right', 'right', 'left', 'right'])
}

/** @param {Row[]} rows those with something published beside them count */
function summary(rows) {
  const gaps = rows.map(gap).filter((one) => one !== undefined)
  if (gaps.length === 0) return ''
  const mean = (/** @type {number[]} */ of) => (of.reduce((sum, one) => sum + one, 0) / of.length).toFixed(2)
  const behind = mean(gaps.map((one) => Math.max(one, 0)))
  const worst = Math.max(...gaps).toFixed(2)
  return `gap to the best published, in points: mean ${mean(gaps)}, with 0 where ours is ahead ${behind}, worst ${worst}\n`
}

/**
 * @param {string[]} words the command line after the script
 * @returns {{ file?: string, capacities?: number[] }}
 * @throws BadTrace that says what to write instead
 */
function order([file, ...words]) {
  if (file === undefined) return {}
  if (file.startsWith('-')) throw new BadTrace(`there is no option ${file}; ${USAGE}`)
  for (const word of words) {
    if (!/^[1-9]\d{0,14}$/.test(word)) {
      throw new BadTrace(`${JSON.stringify(word)} is no capacity: it must be a whole number from 1; ${USAGE}`)
    }
  }
  return { file, capacities: words.length > 0 ? words.map(Number) : undefined }
}

async function main() {
  const { file, capacities } = order(process.argv.slice(2))
  // npm starts scripts in the folder of the package, wherever it was called.
  const files = file
    ? [path.resolve(process.env.INIT_CWD ?? '', file)]
    : Object.keys(known).map((name) => path.join(DATA, `${name}.gz`))
  /** @type {Row[][]} without sizes, and with them */
  const sections = [[], []]
  for (const one of files) {
    for (const row of await rows(one, capacities)) sections[Number(row.sized)].push(row)
  }
  console.log(`hit ratio in percent: look up, and store on a miss. ${versions()}\n`)
  for (const section of sections.filter((rows) => rows.length > 0)) {
    if (section[0].sized) console.log('of the requests / of their bytes\n')
    console.log(`${render(section)}\n\n${summary(section)}`)
  }
}

function versions() {
  const lock = fs.readFileSync(path.join(__dirname, 'Cargo.lock'), 'utf8')
  const crate = (/** @type {string} */ name) => new RegExp(`name = "${name}"\nversion = "(.*)"`).exec(lock)?.[1]
  const { dependencies } = require('./package.json')
  const crates = ['quick_cache', 'moka'].map((name) => `${name} ${crate(name)}`)
  return [`lru-cache ${dependencies['lru-cache']}`, ...crates].join(', ')
}

module.exports = { order, render, summary }

if (require.main === module) {
  main().catch((error) => {
    console.error(error instanceof BadTrace ? error.message : error)
    process.exitCode = error instanceof BadTrace ? 2 : 1
  })
}
