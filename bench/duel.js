// Owns the shape of a comparison of calls in one process: contestants in, a report with ratios and verdicts out.
// Must never hold a figure or a target of its own; cases bring both.
'use strict'

const { measure } = require('./measure.js')
const { spread } = require('./spread.js')
const { judge, ratios } = require('./verdict.js')

/** @typedef {{ name: string, p10: number, median: number, p90: number, note?: string, skipped?: string, samples?: number[] }} Row */
/** @typedef {{ text: string, atMost: number, p10: number, median: number, p90: number, verdict: string, skipped?: boolean, samples?: number[] }} Target */
/**
 * @typedef {object} Report
 * @property {string} name
 * @property {string} title
 * @property {string} unit
 * @property {Row[]} rows
 * @property {Target[]} targets
 * @property {string[]} notes
 */
/** @typedef {{ ours: string, peer: string, atMost: number, bare?: string }} Wanted with `bare`, the time added to it is compared */

/**
 * @param {object} about
 * @param {string} about.name
 * @param {string} about.title
 * @param {import('./measure.js').Contestant[]} about.contestants
 * @param {Wanted[]} about.wanted
 * @param {string[]} [about.notes]
 * @param {{ plan: import('./plan.js').Plan, random: () => number }} arena
 * @returns {Promise<Report>}
 */
async function duel({ name, title, contestants, wanted, notes = [] }, { plan, random }) {
  const playing = contestants.filter((contestant) => contestant.run)
  const figures = await measure(playing, plan, random)
  const samples = new Map(playing.map((contestant, place) => [contestant.name, figures[place]]))
  return {
    name,
    title,
    unit: 'ns/call',
    rows: contestants.map((contestant) => row(contestant, samples.get(contestant.name))),
    targets: wanted.map((want) => target(want, samples)),
    notes,
  }
}

/**
 * @param {{ name: string, note?: string, skipped?: string }} contestant
 * @param {number[] | undefined} samples
 * @returns {Row}
 */
function row({ name, note, skipped }, samples) {
  if (!samples) return { name, p10: NaN, median: NaN, p90: NaN, skipped: skipped ?? 'took no part' }
  return { name, ...spread(samples), note, samples }
}

/**
 * @param {Wanted} wanted
 * @param {Map<string, number[]>} samples
 * @returns {Target}
 */
function target({ ours, peer, atMost, bare }, samples) {
  const text = bare ? `${ours} / ${peer}, added to ${bare}` : `${ours} / ${peer}`
  const [mine, theirs, floor] = [samples.get(ours), samples.get(peer), bare && samples.get(bare)]
  if (!mine || !theirs || (bare && !floor)) return judged(text, [], atMost)
  return judged(text, ratios(mine, theirs, floor || undefined), atMost)
}

/**
 * A target with its verdict; without samples it is one that could not be measured.
 * @param {string} text
 * @param {number[]} samples
 * @param {number} atMost
 * @returns {Target}
 */
function judged(text, samples, atMost) {
  if (samples.length > 0) return { text, ...judge(samples, atMost), samples }
  return { text, atMost, p10: NaN, median: NaN, p90: NaN, verdict: 'skipped', skipped: true }
}

module.exports = { duel, row, target, judged }
