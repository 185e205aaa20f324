// Owns limiters on a clock that stands still until a test moves it. Never asserts anything.
'use strict'

const { spillway } = require('../index.js')

/** Midnight in UTC, and the beginning of a week of the calendar that counts from 1970 (a Thursday). */
const MIDNIGHT = Date.UTC(2026, 0, 15)
const [SECOND, MINUTE, HOUR, DAY] = [1000, 60_000, 3_600_000, 86_400_000]

/**
 * A limiter called `api` on a clock of its own, closed when the test ends.
 * @param {import('node:test').TestContext} t
 * @param {import('../index').LimiterOptions | import('../index').LimiterOptions[]} options
 * @param {number} [start] what the clock shows
 * @param {import('../index').LocalOptions} [more]
 */
function opened(t, options, start = MIDNIGHT, more = {}) {
  const clock = { now: start }
  const sp = spillway({ env: false, ...more, clock: () => clock.now })
  t.after(() => sp.close())
  return { sp, clock, limiter: sp.limiter('api', options) }
}

/** How many of `attempts` calls are admitted. */
function admitted(limiter, key, attempts, cost = 1) {
  let count = 0
  for (let i = 0; i < attempts; i++) count += limiter.consume(key, cost).ok
  return count
}

/** Whole numbers below what is asked for, the same ones in every run (Marsaglia's xorshift). */
function randomOf(seed) {
  let word = seed || 1
  return (below) => {
    word ^= word << 13
    word ^= word >>> 17
    word ^= word << 5
    return (word >>> 0) % below
  }
}

module.exports = { opened, admitted, randomOf, MIDNIGHT, SECOND, MINUTE, HOUR, DAY }
