// Owns the load: who asks what, and at which moment. The same seed gives the same load, so both runs meet the same one.
// Never looks at an answer: that is what makes the load open. A slow service gets no relief from its clients.
'use strict'

const { durationMs } = require('./schedule.js')

/**
 * @typedef {{ at: number, route: 'search', query: string } | { at: number, route: 'chat', tenant: string }} Arrival
 *   `at` is in milliseconds since the start
 */

const NOISY = 'tenant-noisy'

/**
 * Numbers in [0, 1) that are the same for the same seed (mulberry32).
 * @param {number} seed
 */
function randomOf(seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

/**
 * Ranks from 0, the most popular one, with a probability of 1/(rank+1)^skew.
 * @param {number} count
 * @param {number} skew
 * @param {() => number} random
 */
function zipf(count, skew, random) {
  const upTo = new Float64Array(count)
  let sum = 0
  for (let rank = 0; rank < count; rank += 1) {
    sum += 1 / (rank + 1) ** skew
    upTo[rank] = sum
  }
  return () => {
    const mark = random() * sum
    let low = 0
    let high = count - 1
    while (low < high) {
      const middle = (low + high) >> 1
      if (upTo[middle] > mark) high = middle
      else low = middle + 1
    }
    return low
  }
}

/**
 * A Poisson process: independent clients, so gaps are exponential.
 * @param {number} perSecond
 * @param {number} endMs
 * @param {() => number} random
 * @param {(at: number) => Arrival} make
 */
function* poisson(perSecond, endMs, random, make) {
  for (let at = gap(); at < endMs; at += gap()) yield make(at)
  function gap() {
    return (-Math.log(1 - random()) * 1000) / perSecond
  }
}

/**
 * @param {import('./schedule.js').Schedule} schedule
 * @param {number} seed
 * @returns {Arrival[]} in the order of time
 */
function arrivals(schedule, seed) {
  const random = randomOf(seed)
  const endMs = durationMs(schedule)
  const { search, chat } = schedule
  const rank = zipf(search.queries, search.skew, random)
  const other = () => `tenant-${1 + Math.floor(random() * chat.others)}`
  return [
    ...poisson(search.perSecond, endMs, random, (at) => ({ at, route: 'search', query: `thing number ${rank()}` })),
    ...poisson(chat.noisyPerSecond, endMs, random, (at) => ({ at, route: 'chat', tenant: NOISY })),
    ...poisson(chat.othersPerSecond, endMs, random, (at) => ({ at, route: 'chat', tenant: other() })),
  ].sort((a, b) => a.at - b.at)
}

module.exports = { NOISY, arrivals, randomOf, zipf }
