// Owns the arithmetic of the result: from single answers to counts, shares and percentiles.
// Never rounds and never formats: the table does.
'use strict'

const { durationMs, phaseAt } = require('./schedule.js')

/**
 * @typedef {object} Answer
 * @property {'search' | 'noisy' | 'others'} who search, or whose chat
 * @property {number} at when the request was due, in milliseconds since the start
 * @property {number} ms from then to the last byte of the answer
 * @property {number} status 0 without an answer
 * @property {string} code `ok`, a refusal's `E_*`, or what failed
 * @property {boolean} retry whether it said when to come back
 *
 * @typedef {{ p50: number, p95: number, p99: number }} Spread
 * @typedef {object} Group
 * @property {number} asked
 * @property {number} ok
 * @property {number} refused
 * @property {number} failed
 * @property {number} lost of those that failed, how many got no answer at all
 * @property {Spread} okMs latency of what was answered
 * @property {Spread} noMs how long it took to hear a no, refusal or failure
 */

/**
 * By nearest rank; NaN of nothing.
 * @param {number[]} values
 * @param {number} share
 */
function percentile(values, share) {
  if (values.length === 0) return NaN
  const sorted = Float64Array.from(values).sort()
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]
}

/** @param {number[]} values @returns {Spread} */
const spread = (values) => ({
  p50: percentile(values, 0.5),
  p95: percentile(values, 0.95),
  p99: percentile(values, 0.99),
})

const isOk = (/** @type {Answer} */ answer) => answer.status === 200
const isRefused = (/** @type {Answer} */ answer) => answer.code.startsWith('E_')

/** @param {Answer[]} answers @returns {Group} */
function groupOf(answers) {
  const ok = answers.filter(isOk)
  const refused = answers.filter(isRefused)
  return {
    asked: answers.length,
    ok: ok.length,
    refused: refused.length,
    failed: answers.length - ok.length - refused.length,
    lost: answers.filter(({ status }) => status === 0).length,
    okMs: spread(ok.map((answer) => answer.ms)),
    noMs: spread(answers.filter((answer) => !isOk(answer)).map((answer) => answer.ms)),
  }
}

/**
 * @param {Answer[]} answers
 * @param {import('./schedule.js').Schedule} schedule
 */
function tally(answers, schedule) {
  const of = (/** @type {Answer['who']} */ who) => answers.filter((answer) => answer.who === who)
  const search = of('search')
  /** @type {Record<string, number>} */
  const codes = {}
  for (const { code } of answers) codes[code] = (codes[code] ?? 0) + 1
  return {
    search: groupOf(search),
    others: groupOf(of('others')),
    noisy: groupOf(of('noisy')),
    phases: schedule.phases.map(({ name }) => ({
      name,
      ...groupOf(search.filter(({ at }) => phaseAt(schedule, at) === name)),
    })),
    codes,
    timeline: timeline(search, durationMs(schedule)),
  }
}

const COLUMNS = 60

/**
 * The share of searches answered well, by when they were due, in sixty steps.
 * @param {Answer[]} search
 * @param {number} endMs
 * @returns {number[]} NaN where nothing was due
 */
function timeline(search, endMs) {
  const of = new Array(COLUMNS).fill(0)
  const ok = new Array(COLUMNS).fill(0)
  for (const answer of search) {
    const column = Math.min(COLUMNS - 1, Math.floor((answer.at / endMs) * COLUMNS))
    of[column] += 1
    if (isOk(answer)) ok[column] += 1
  }
  return of.map((count, column) => ok[column] / count)
}

module.exports = { COLUMNS, groupOf, percentile, tally }
