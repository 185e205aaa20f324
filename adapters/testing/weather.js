// What befalls the calls of a storm: how large a share fails, throws or hangs, and how long they take. Owns the fate of a call, which
// is a function of the seed, its number and the weather. Never looks at a clock, and never does what it decides.
'use strict'

const { DAY } = require('../../lib/options.js')
const { share } = require('./split-mix.js')

/** @typedef {InstanceType<typeof import('../../lib/options.js').Options>} Options */
/** @typedef {import('../testing').ChaosFate} Fate */
/** @typedef {(one: number, other: number) => number} Latency milliseconds from two random shares */
/** @typedef {{ failure: number, throwSync: number, hang: number, latency: Latency }} Weather */

const WEATHER = ['failure', 'throwSync', 'hang', 'latency']
/** In the order they take their part of all calls: with a larger share of failures, those that failed before still do. */
const TROUBLES = /** @type {const} */ (['failure', 'throwSync', 'hang'])

/** Random numbers that each call has for itself. */
const DRAWS = 3
/** How many standard deviations the 99th percentile of a normal distribution lies above its median. */
const Z99 = 2.3263478740408408
/** What is too small to be a mistake in a sum of shares. */
const EPSILON = 1e-9

/** @type {Weather} */
const CALM = { failure: 0, throwSync: 0, hang: 0, latency: () => 0 }

/**
 * The weather that options say; what they do not say is as `outside`. Shares belong together: who gives one gives them all.
 * @param {Options} options
 * @param {Weather} [outside]
 * @returns {Weather}
 */
function weatherOf(options, outside = CALM) {
  const latency = options.get('latency') === undefined ? outside.latency : latencyOf(options)
  if (TROUBLES.every((trouble) => options.get(trouble) === undefined)) return { ...outside, latency }
  const [failure, throwSync, hang] = TROUBLES.map((trouble) => options.share(trouble, { fallback: 0 }))
  if (failure + throwSync + hang > 1 + EPSILON) {
    const last = /** @type {string} */ (TROUBLES.findLast((trouble) => options.get(trouble) !== undefined))
    const rule =
      'of chaos() is too much: `failure`, `throwSync` and `hang` are shares of all calls, and add up to 1 at most'
    throw options.wrong(last, rule, { Base: RangeError })
  }
  return { failure, throwSync, hang, latency }
}

/**
 * @param {Options} options
 * @returns {Latency}
 */
function latencyOf(options) {
  if (typeof options.get('latency') !== 'object') {
    const always = options.duration('latency', { min: 0 })
    return () => always
  }
  const given = options.nested('latency', ['p50', 'p99', 'min', 'max'])
  const isRange = given.get('min') !== undefined || given.get('max') !== undefined
  if (isRange && (given.get('p50') !== undefined || given.get('p99') !== undefined)) {
    throw options.wrong('latency', 'of chaos() is either { p50, p99 } or { min, max }')
  }
  if (isRange) {
    const min = given.duration('min', { min: 0 })
    const spread = given.duration('max', { min }) - min
    return (one) => min + one * spread
  }
  const p50 = given.duration('p50', {})
  const deviation = Math.log(given.duration('p99', { min: p50 }) / p50) / Z99
  // Most times of real services look like this: few are much shorter than the median, some are much longer.
  return (one, other) => Math.min(DAY, p50 * Math.exp(deviation * normal(one, other)))
}

/**
 * A normal variable from two even ones, after Box and Muller.
 * @param {number} one
 * @param {number} other
 */
function normal(one, other) {
  return Math.sqrt(-2 * Math.log(1 - one)) * Math.cos(2 * Math.PI * other)
}

/**
 * @param {number} seed
 * @param {number} call from 0
 * @param {Weather} weather
 * @returns {{ fate: Fate, latencyMs: number }}
 */
function fateOf(seed, call, weather) {
  const [luck, one, other] = [0, 1, 2].map((draw) => share(seed, DRAWS * call + draw))
  let reached = 0
  for (const trouble of TROUBLES) {
    reached += weather[trouble]
    if (luck >= reached) continue
    // Who throws at once or never answers takes no time to do so.
    return { fate: trouble, latencyMs: trouble === 'failure' ? Math.round(weather.latency(one, other)) : 0 }
  }
  return { fate: 'ok', latencyMs: Math.round(weather.latency(one, other)) }
}

module.exports = { WEATHER, weatherOf, fateOf }
