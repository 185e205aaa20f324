// Owns the answers of a limiter in the words of Convex's rate limiter component: { ok, retryAfter }, count, reserve, throws.
// Never keeps anything in a deployment's database: the limiter is the one of this process.
'use strict'

const { Refusal } = require('../../lib/refusals.js')
const { Options, DAY } = require('../../lib/options.js')
const { convexErrorOf, errorClassOf } = require('./convex-error.js')

/**
 * @typedef {import('../../index').Limiter<import('../../index').Mode>} Limiter
 * @typedef {{ count: number, maxWait: number | undefined, refuse: ((refusal: import('../../index').Refusal) => unknown) | undefined }} Terms
 */

/**
 * Spends `count` units of `key`: now or, with `reserve`, ahead of the time that is answered.
 * @param {Limiter} limiter
 * @param {string} key
 * @param {unknown} [given]
 */
async function rateLimit(limiter, key, given) {
  const { count, maxWait, refuse } = termsOf('rateLimit(limiter, key)', given, ['count', 'reserve', 'throws'])
  return maxWait === undefined
    ? answer(await limiter.consume(key, count), refuse)
    : answer(await limiter.reserve(key, count, { maxWait }), refuse)
}

/**
 * What `rateLimit` would answer, spending nothing.
 * @param {Limiter} limiter
 * @param {string} key
 * @param {unknown} [given]
 */
async function checkRateLimit(limiter, key, given) {
  const { count, refuse } = termsOf('checkRateLimit(limiter, key)', given, ['count', 'throws'])
  return answer(await limiter.peek(key, count), refuse)
}

/**
 * @param {string} caller
 * @param {unknown} given
 * @param {readonly string[]} known
 * @returns {Terms}
 */
function termsOf(caller, given, known) {
  const options = new Options(caller, given, [...known, 'ConvexError'])
  const ConvexError = errorClassOf(caller, options.get('ConvexError'))
  const count = /** @type {number} */ (options.get('count') ?? 1)
  const refuse = (/** @type {import('../../index').Refusal} */ refusal) => convexErrorOf(refusal, ConvexError)
  return { count, maxWait: maxWaitOf(options), refuse: options.flag('throws') ? refuse : undefined }
}

/**
 * How far ahead may be reserved, in milliseconds; undefined where nothing is.
 * @param {InstanceType<typeof Options>} options
 */
function maxWaitOf(options) {
  const given = options.get('reserve')
  if (typeof given !== 'object' || given === null) return options.flag('reserve') ? DAY : undefined
  return options.nested('reserve', ['maxWait']).duration('maxWait', { min: 0, max: 365 * DAY, fallback: DAY })
}

/**
 * @param {import('../../index').Decision & { waitMs?: number }} decision
 * @param {Terms['refuse']} refuse
 */
function answer(decision, refuse) {
  if (!decision.ok) {
    if (refuse !== undefined) throw refuse(Refusal.of(decision))
    return { ok: false, retryAfter: decision.retryAfterMs }
  }
  return decision.waitMs ? { ok: true, retryAfter: decision.waitMs } : { ok: true }
}

module.exports = { rateLimit, checkRateLimit }
