// Owns the command line and how long everything takes: rounds, slices, batches, keys, requests.
// Must never touch a clock or a contestant.
'use strict'

/**
 * @typedef {object} Plan
 * @property {number} rounds one ratio comes out of each
 * @property {number} arenas processes the rounds are divided among
 * @property {number} slices passes over all contestants within a round, so that a slow drift meets all alike
 * @property {number} batchMs how long one contestant's turn within a slice lasts
 * @property {number} warmMs how long each contestant runs before anything counts
 * @property {number} runs processes per contestant where memory is measured
 * @property {number} requestRounds rounds of the Express comparison
 * @property {number} requestSlices passes over all servers within such a round
 * @property {number} requests HTTP requests per turn
 * @property {number} seed of the order of turns
 */

/** @typedef {{ plan: Plan, only: string[], jsonFile: string | null }} Order */

const FULL = {
  rounds: 100,
  arenas: 4,
  slices: 4,
  batchMs: 5,
  warmMs: 250,
  runs: 3,
  requestRounds: 12,
  requestSlices: 8,
  requests: 2000,
}
const QUICK = {
  rounds: 24,
  arenas: 2,
  slices: 2,
  batchMs: 4,
  warmMs: 80,
  runs: 1,
  requestRounds: 4,
  requestSlices: 2,
  requests: 1500,
}

const USAGE = `usage: node bench/index.js [--quick] [--only name,…] [--rounds n] [--seed n] [--json file]`

/**
 * @param {string[]} words the command line after the script
 * @param {string[]} names of all comparisons
 * @param {number} seed used when none is given
 * @returns {Order}
 * @throws Error that says what to write instead
 */
function order(words, names, seed) {
  const plan = { ...FULL, seed }
  let only = names
  let jsonFile = null
  if (words.includes('--quick')) Object.assign(plan, QUICK)
  for (let at = 0; at < words.length; at++) {
    const word = words[at]
    if (word === '--quick') continue
    if (!['--only', '--rounds', '--seed', '--json'].includes(word)) throw new Error(`unknown: ${word}\n${USAGE}`)
    const value = words[++at]
    if (value === undefined) throw new Error(`${word} wants a value\n${USAGE}`)
    if (word === '--json') jsonFile = value
    else if (word === '--only') only = chosen(value, names)
    else if (word === '--rounds') plan.rounds = plan.requestRounds = whole(word, value)
    else plan.seed = whole(word, value)
  }
  return { plan, only, jsonFile }
}

/** @param {string} list @param {string[]} names */
function chosen(list, names) {
  const wanted = list.split(',').filter(Boolean)
  const unknown = wanted.filter((name) => !names.includes(name))
  if (unknown.length > 0 || wanted.length === 0) throw new Error(`--only takes some of: ${names.join(', ')}`)
  return names.filter((name) => wanted.includes(name))
}

/** @param {string} word @param {string} value */
function whole(word, value) {
  const number = Number(value)
  if (!Number.isInteger(number) || number < 1) throw new Error(`${word} wants a whole number over 0, not ${value}`)
  return number
}

module.exports = { order, FULL, QUICK }
