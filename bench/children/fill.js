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
 * @property {((key: string) => boolean)[]} [twins] asks the limiter, and another one like it that is offered nothing else
 * @property {number} [apart] by how many units the twins may differ in what they admit to a key, because units come back meanwhile
 */

/**
 * @param {string} name
 * @param {number} windowMs
 * @param {'token-bucket' | 'fixed-window' | 'sliding-window'} algorithm
 * @returns {Filled}
 */
function ours(name, windowMs, algorithm = 'token-bucket') {
  const set = require('../..').spillway({ isolated: true })
  const options = { limit: LIMIT, window: windowMs, algorithm, maxKeys: MAX_KEYS }
  const [limiter, twin] = [name, `twin of ${name}`].map((each) => set.limiter(each, options))
  return {
    offer: (key) => limiter.consume(key),
    awaited: false,
    held: () => set.snapshot().limiters[name].keys,
    end: () => set.close(),
    twins: [(key) => limiter.consume(key).ok, (key) => twin.consume(key).ok],
    apart: windowMs < DAY_MS ? 1 : 0,
  }
}

/** @type {Record<string, (name: string) => Filled>} */
const kinds = {
  nobody: () => ({ offer: (key) => key, awaited: false, held: () => NaN, end: () => {} }),
  spillway: (name) => ours(name, DAY_MS),
  spillwayExpiring: (name) => ours(name, TEN_SECONDS_MS),
  spillwayFixed: (name) => ours(name, DAY_MS, 'fixed-window'),
  spillwaySliding: (name) => ours(name, DAY_MS, 'sliding-window'),
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
