// Owns the sentences at the end: what the numbers say, and whether the run was what it claims to be.
// Never says what the numbers of this very run do not.
'use strict'

const { durationMs } = require('./schedule.js')
const { count, milliseconds, share } = require('./words.js')

/** @typedef {import('./table.js').Results} Results */

const BURST = 30
const REFILL_MS = 10_000
/** A generator that is later than this measures the machine's other work. */
const LATE_MS = 25

/** @param {Results} results */
function reading({ without, with: guarded }) {
  const trouble = (/** @type {Results['with']} */ result) => {
    const phases = result.phases.filter(({ name }) => name === 'slow' || name === 'failing')
    const sum = (/** @type {'ok' | 'asked'} */ what) => phases.reduce((total, phase) => total + phase[what], 0)
    return share(sum('ok'), sum('asked'))
  }
  const admitted = admittedOf(guarded.noisy)
  const hits = guarded.service.snapshot?.caches.search.hits ?? 0
  return [
    `While the upstream was slow or failing, ${trouble(without)} of the searches were answered without Spillway and ` +
      `${trouble(guarded)} with it. Half of the others were told so within ${milliseconds(guarded.search.noMs.p50)}, ` +
      `rather than within ${milliseconds(without.search.noMs.p50)}.`,
    `The cache answered ${share(hits, guarded.search.asked)} of the searches, so the upstream was asked ` +
      `${count(guarded.upstream.search.calls)} times instead of ${count(without.upstream.search.calls)}.`,
    `The noisy tenant asked ${count(guarded.noisy.asked)} times and was let through ${count(admitted)} times: its ` +
      `burst of ${BURST}, and ${count(admitted - BURST)} more that refilled meanwhile. For the other tenants the p99 of ` +
      `a chat message went from ${milliseconds(without.others.okMs.p99)} to ${milliseconds(guarded.others.okMs.p99)}.`,
  ]
}

/** Who was not limited was let through, whatever became of the call; of the lost nobody knows. */
const admittedOf = (/** @type {import('./tally.js').Group} */ { asked, refused, lost }) => asked - refused - lost

const latenessOf = (/** @type {Results} */ { without, with: guarded }) => Math.max(without.lateMs, guarded.lateMs)

/**
 * What must hold in any run on any machine, and what only a machine with time to spare can show.
 * @param {Results} results
 * @param {import('./schedule.js').Schedule} schedule
 * @param {number} requests how many were to be sent
 * @returns {{ says: string, ok: boolean, always: boolean }[]}
 */
function checks(results, schedule, requests) {
  const { without, with: guarded } = results
  const both = [without, guarded]
  const asked = (/** @type {Results['with']} */ { search, others, noisy }) => search.asked + others.asked + noisy.asked
  const healthy = (/** @type {Results['with']} */ { phases }) => phases[0].ok / phases[0].asked
  const admitted = admittedOf(guarded.noisy)
  const most = BURST + Math.floor((durationMs(schedule) + schedule.patienceMs) / REFILL_MS)
  const breaker = guarded.service.snapshot?.breakers.upstream
  const always = (/** @type {string} */ says, /** @type {boolean} */ ok) => ({ says, ok, always: true })
  const inQuiet = (/** @type {string} */ says, /** @type {boolean} */ ok) => ({ says, ok, always: false })
  return [
    always(
      'every request of both runs is accounted for',
      both.every((result) => asked(result) === requests),
    ),
    always(
      'no error came from the service itself',
      both.every(({ codes }) => !codes.internal_error),
    ),
    always(`the noisy tenant was let through no more than ${most} times`, admitted <= most),
    always('no other tenant was limited', guarded.others.refused === 0),
    always('the breaker opened', breaker?.transitions.opened > 0),
    inQuiet(
      'a healthy upstream was well served in both runs',
      both.every((result) => healthy(result) > 0.9),
    ),
    inQuiet(`the noisy tenant was let through at least ${BURST} times`, admitted >= BURST),
    inQuiet('the breaker closed again', breaker?.state === 'closed'),
    inQuiet('more searches were answered with Spillway', guarded.search.ok > without.search.ok),
  ]
}

/**
 * @param {Results} results
 * @param {ReturnType<typeof checks>} checked
 */
function cautions(results, checked) {
  const lateMs = latenessOf(results)
  const missed = checked
    .filter(({ ok, always }) => !ok && !always)
    .map(({ says }) => `It is not so in this run that ${says}.`)
  if (lateMs <= LATE_MS && missed.length === 0) return []
  return [
    `The load generator was ${milliseconds(lateMs)} late (p99). On a machine that is busy with something else these ` +
      `figures show that, and little more. ${missed.join(' ')}`,
  ]
}

module.exports = { cautions, checks, reading }
