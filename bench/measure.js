// Owns the clock: warms contestants up, finds how many calls fill a batch, and lets them take turns round after round.
// Must never compare them; that is for verdict.js, out of the figures of one and the same round.
'use strict'

const { turns } = require('./interleave.js')

/**
 * @typedef {object} Contestant
 * @property {string} name
 * @property {string} [note]
 * @property {string} [skipped] why it takes no part
 * @property {((calls: number) => number | Promise<number>)} [run] makes that many calls; answers how many ended as they should
 */

const turnOfTheLoop = () => new Promise((resolve) => setImmediate(resolve))

/**
 * Nanoseconds one batch took. Timers and callbacks that a contestant left behind run before, so they are on nobody's bill.
 * @param {Contestant} contestant
 * @param {number} calls
 * @returns {Promise<number>}
 */
async function batch(contestant, calls) {
  await turnOfTheLoop()
  const began = process.hrtime.bigint()
  // @ts-ignore: only contestants that run get here
  const right = await contestant.run(calls)
  const ended = process.hrtime.bigint()
  if (right !== calls) throw new Error(`${contestant.name}: ${right} of ${calls} calls ended as they should`)
  return Number(ended - began)
}

/**
 * Grows the batch until it has run `plan.warmMs` in all and one batch fills its time; answers the calls of such a batch.
 * @param {Contestant} contestant
 * @param {import('./plan.js').Plan} plan
 * @returns {Promise<number>}
 */
async function calibrate(contestant, plan) {
  const batchNs = plan.batchMs * 1e6
  let calls = 16
  let spentNs = 0
  for (;;) {
    const ns = await batch(contestant, calls)
    spentNs += ns
    const fits = ns >= batchNs / 2 && ns <= batchNs * 2
    if (fits && spentNs >= plan.warmMs * 1e6) return Math.max(1, Math.round((calls * batchNs) / ns))
    calls = Math.max(1, Math.min(calls * 4, Math.round((calls * batchNs) / ns)))
  }
}

/**
 * Figures of every round: nanoseconds per call, one array per contestant, the same index meaning the same round.
 *
 * A round's figure is a mean over its slices, so a collection or a lost processor stays in it.
 * @param {Contestant[]} contestants
 * @param {import('./plan.js').Plan} plan
 * @param {() => number} random
 * @returns {Promise<number[][]>}
 */
async function measure(contestants, plan, random) {
  // Everybody runs once before anybody is calibrated: code that two of them share is then as warm, and as general, for both.
  for (const contestant of contestants) await batch(contestant, 1000)
  /** @type {number[]} */
  const calls = []
  for (const contestant of contestants) calls.push(await calibrate(contestant, plan))

  /** @type {number[][]} */
  const figures = contestants.map(() => [])
  for (let round = 0; round < plan.rounds; round++) {
    const spentNs = contestants.map(() => 0)
    for (let slice = 0; slice < plan.slices; slice++) {
      for (const place of turns(contestants.length, random)) {
        spentNs[place] += await batch(contestants[place], calls[place])
      }
    }
    spentNs.forEach((ns, place) => figures[place].push(ns / (calls[place] * plan.slices)))
  }
  return figures
}

module.exports = { measure }
