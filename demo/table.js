// Owns the two pictures at the end: the timeline of searches answered, and the table side by side.
// Never computes a figure: what is not in the result is not in the table.
'use strict'

const { COLUMNS } = require('./tally.js')
const { durationMs } = require('./schedule.js')
const { NOTHING, count, megabytes, milliseconds, share } = require('./words.js')

/**
 * @typedef {import('./run.js').Result} Result
 * @typedef {{ without: Result, with: Result }} Results
 * @typedef {(text: string) => string} Style
 */

const LABEL = 28
const CELL = 25
const BARS = '▁▂▃▄▅▆▇█'
const MARKS = /** @type {Record<string, string>} */ ({ closed: '·', open: '×', 'half-open': '?', isolated: '×' })

/** @param {Results} results @param {import('./schedule.js').Schedule} schedule @param {Record<string, Style>} styles */
function timeline(results, schedule, { bold, dim }) {
  const endMs = durationMs(schedule)
  const row = (/** @type {string} */ label, /** @type {string} */ cells) => `  ${label.padEnd(17)} ${cells}`
  const bars = (/** @type {Result} */ { timeline: shares }) =>
    shares.map((part) => (Number.isNaN(part) ? ' ' : BARS[Math.min(7, Math.floor(part * 8))])).join('')
  const phases = schedule.phases.map(({ name, ms }) => name.padEnd(Math.round((ms / endMs) * COLUMNS))).join('')
  return [
    row('', phases.trimEnd()),
    row('without Spillway', bars(results.without)),
    row('with Spillway', bold(bars(results.with))),
    row('its breaker', breakerMarks(results.with.breaker, endMs)),
    dim(row('', '▁ none … █ all answered    · closed  × open  ? half-open')),
  ]
}

/** @param {{ ms: number, state: string }[]} states @param {number} endMs */
function breakerMarks(states, endMs) {
  return Array.from({ length: COLUMNS }, (_, column) => {
    const from = (column / COLUMNS) * endMs
    const to = ((column + 1) / COLUMNS) * endMs
    const seen = states.filter(({ ms }) => ms >= from && ms < to).map(({ state }) => state)
    const state = ['half-open', 'open', 'isolated'].find((name) => seen.includes(name)) ?? 'closed'
    return MARKS[state]
  }).join('')
}

/** @param {Results} results @param {import('./schedule.js').Schedule} schedule @param {Record<string, Style>} styles */
function table(results, schedule, { bold, dim }) {
  const both = [results.without, results.with]
  const line = (/** @type {string} */ label, /** @type {string[]} */ cells) =>
    `  ${label.padEnd(LABEL)}${cells.map((cell) => cell.padStart(CELL)).join('')}`.trimEnd()
  const row = (/** @type {string} */ label, /** @type {(result: Result) => string} */ cell) =>
    line(label, both.map(cell))
  const rule = dim(`  ${'─'.repeat(LABEL + 2 * CELL)}`)

  const of = (/** @type {number} */ part, /** @type {number} */ whole) =>
    `${count(part)}  ${share(part, whole).padStart(7)}`
  const spread = (/** @type {import('./tally.js').Spread} */ { p50, p95, p99 }) =>
    Number.isNaN(p50) ? NOTHING : [p50, p95, p99].map((ms) => milliseconds(ms).padStart(8)).join('')
  const orNothing = (/** @type {number | undefined} */ value) => (value === undefined ? NOTHING : count(value))

  /** @param {string} title @param {'search' | 'others' | 'noisy'} who */
  const group = (title, who) => [
    line(bold(title.padEnd(LABEL)), []),
    row('  requests', (result) => count(result[who].asked)),
    row('  answered', (result) => of(result[who].ok, result[who].asked)),
    row('  p50, p95, p99 answered', (result) => spread(result[who].okMs)),
    row('  refused', (result) => of(result[who].refused, result[who].asked)),
    row('  failed', (result) => of(result[who].failed, result[who].asked)),
    row('  p50, p95, p99 not answered', (result) => spread(result[who].noMs)),
  ]
  const search = group('GET /api/search', 'search')
  search.splice(
    3,
    0,
    ...schedule.phases.map(({ name }, phase) =>
      row(`    upstream ${name}`, ({ phases }) => of(phases[phase].ok, phases[phase].asked)),
    ),
  )

  return [
    line('', ['without Spillway', 'with Spillway']),
    rule,
    ...search,
    rule,
    ...group('POST /api/chat, most tenants', 'others'),
    rule,
    ...group('POST /api/chat, noisy tenant', 'noisy'),
    rule,
    line(bold('Upstream and cache'.padEnd(LABEL)), []),
    row('  calls for search', ({ upstream }) => count(upstream.search.calls)),
    row('  calls for chat', ({ upstream }) => count(upstream.chat.calls)),
    row('  most calls waiting there', ({ upstream }) =>
      count(Math.max(upstream.search.mostWaiting, upstream.chat.mostWaiting)),
    ),
    row('  cache hits', ({ service }) => orNothing(service.snapshot?.caches.search.hits)),
    rule,
    line(bold('Refusals and failures by code'.padEnd(LABEL)), []),
    ...['E_LIMITED', 'E_OPEN', 'E_FULL', 'E_TIMEOUT'].map((code) =>
      row(`  ${code}`, ({ codes, service }) => (service.snapshot === null ? NOTHING : count(codes[code] ?? 0))),
    ),
    ...failureCodes(both).map((code) => row(`  ${code}`, ({ codes }) => count(codes[code] ?? 0))),
    rule,
    line(bold('Breaker'.padEnd(LABEL)), []),
    row('  opened, half-open, closed', ({ service }) => transitions(service.snapshot)),
    rule,
    line(bold('Service process'.padEnd(LABEL)), []),
    row('  CPU time', ({ service }) => milliseconds(service.cpuMs)),
    row('  peak memory', ({ service }) => megabytes(service.peakBytes)),
    row('  event loop late, p99', ({ service }) => milliseconds(service.loopDelayP99Ms)),
  ]
}

/** @param {Result[]} both what went wrong in either, apart from refusals */
function failureCodes(both) {
  const codes = new Set(both.flatMap((result) => Object.keys(result.codes)))
  return [...codes].filter((code) => code !== 'ok' && !code.startsWith('E_')).sort()
}

/** @param {import('../index').Snapshot | null} snapshot */
function transitions(snapshot) {
  if (snapshot === null) return NOTHING
  const { opened, halfOpened, closed } = snapshot.breakers.upstream.transitions
  return [opened, halfOpened, closed].map((times) => count(times).padStart(6)).join('')
}

module.exports = { table, timeline }
