// Owns what happens when, and how much of it: the phases of the upstream, the load, the patience of everybody.
// Never acts. The full schedule and the quick one differ in time alone, which is why every duration stands here.
'use strict'

/**
 * @typedef {'healthy' | 'slow' | 'failing' | 'well again'} PhaseName
 * @typedef {{ name: PhaseName, ms: number }} Phase
 * @typedef {object} Schedule
 * @property {Phase[]} phases what the upstream goes through
 * @property {{ perSecond: number, queries: number, skew: number }} search arrivals, and how popularity is spread (Zipf)
 * @property {{ noisyPerSecond: number, othersPerSecond: number, others: number }} chat one tenant is noisy
 * @property {{ searchWorkers: number, searchMs: number, slowMs: number, chatWorkers: number, chatMs: number }} upstream
 * @property {{ timeoutMs: number }} without the plain timeout around each upstream call
 * @property {{ timeoutMs: number, openMs: number, maxOpenMs: number }} with
 * @property {number} patienceMs when a client gives up
 */

const load = {
  search: { perSecond: 200, queries: 2_000, skew: 1 },
  // The upstream's chat side manages a hundred a second; the noisy tenant alone asks for more.
  chat: { noisyPerSecond: 140, othersPerSecond: 10, others: 40 },
}

/** @type {Schedule} */
const full = {
  ...load,
  phases: [
    { name: 'healthy', ms: 6_000 },
    { name: 'slow', ms: 9_000 },
    { name: 'failing', ms: 6_000 },
    { name: 'well again', ms: 9_000 },
  ],
  upstream: { searchWorkers: 64, searchMs: 30, slowMs: 4_000, chatWorkers: 8, chatMs: 80 },
  without: { timeoutMs: 10_000 },
  with: { timeoutMs: 1_000, openMs: 1_000, maxOpenMs: 3_000 },
  patienceMs: 15_000,
}

/** @type {Schedule} */
const quick = {
  ...load,
  phases: [
    { name: 'healthy', ms: 1_000 },
    { name: 'slow', ms: 1_600 },
    { name: 'failing', ms: 1_000 },
    { name: 'well again', ms: 1_800 },
  ],
  upstream: { searchWorkers: 64, searchMs: 30, slowMs: 3_000, chatWorkers: 8, chatMs: 80 },
  without: { timeoutMs: 2_000 },
  with: { timeoutMs: 500, openMs: 200, maxOpenMs: 400 },
  patienceMs: 5_000,
}

/** @param {Schedule} schedule */
const durationMs = (schedule) => schedule.phases.reduce((sum, phase) => sum + phase.ms, 0)

/**
 * Which phase a moment falls into. What comes after the end belongs to the last one.
 * @param {Schedule} schedule
 * @param {number} ms since the start
 */
function phaseAt(schedule, ms) {
  let end = 0
  for (const phase of schedule.phases) {
    end += phase.ms
    if (ms < end) return phase.name
  }
  return schedule.phases[schedule.phases.length - 1].name
}

module.exports = { full, quick, durationMs, phaseAt }
