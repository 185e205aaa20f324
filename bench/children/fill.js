// Owns the ways to offer a key to each kind of limiter.
// Must never measure.
'use strict'

const { MapLimiter } = require('../baselines/map-limiter.js')

const MAX_KEYS = 1_000_000
/** Never reached, the rehearsal included: a denial is another path. */
const LIMIT = 1000
/** One unit of such a window takes 86 s to refill: no key expires while it is looked at. */
const DAY_MS = 86_400_000
/** One unit of such a window takes 10 ms to refill: of a million keys nearly all have expired before the last is in. */
const TEN_SECONDS_MS = 10_000

/**
 * @typedef {object} Filled
 * @property {(key: string) => unknown} offer
 * @property {boolean} awaited
 * @property {() => number} held keys that have a place of their own; NaN where it does not say
 * @property {() => void} end
 */

/**
 * @param {string} name
 * @param {number} windowMs
 * @returns {Filled}
 */
function ours(name, windowMs) {
  const set = require('../..').spillway({ isolated: true })
  const limiter = set.limiter(name, { limit: LIMIT, window: windowMs, maxKeys: MAX_KEYS })
  return {
    offer: (key) => limiter.consume(key),
    awaited: false,
    held: () => set.snapshot().limiters[name].keys,
    end: () => set.close(),
  }
}

/** @type {Record<string, (name: string) => Filled>} */
const kinds = {
  nobody: () => ({ offer: (key) => key, awaited: false, held: () => NaN, end: () => {} }),
  spillway: (name) => ours(name, DAY_MS),
  spillwayExpiring: (name) => ours(name, TEN_SECONDS_MS),
  map(name) {
    const limiter = new MapLimiter(name, { limit: LIMIT, windowMs: DAY_MS })
    return {
      offer: (key) => limiter.consume(key),
      awaited: false,
      held: () => limiter.cells.size,
      end: () => limiter.cells.clear(),
    }
  },
  flexible() {
    const { RateLimiterMemory } = require('rate-limiter-flexible')
    const limiter = new RateLimiterMemory({ points: LIMIT, duration: DAY_MS / 1000 })
    return { offer: (key) => limiter.consume(key), awaited: true, held: () => NaN, end: () => {} }
  },
  store() {
    const { MemoryStore } = require('express-rate-limit')
    const counts = new MemoryStore()
    counts.init(/** @type {any} */ ({ windowMs: DAY_MS }))
    return {
      offer: (key) => counts.increment(key),
      awaited: true,
      held: () => counts.current.size,
      end: () => counts.shutdown(),
    }
  },
}

/**
 * @param {string} kind
 * @param {string} name
 * @returns {Filled}
 */
const fill = (kind, name) => kinds[kind](name)

module.exports = { fill }
