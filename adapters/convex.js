// Owns the face for Convex handlers, (ctx, args) in and a value out: what can stand around one, and its options.
// Never knows Convex: ctx and args are only handed on, and a refusal leaves as the data that Convex lets through.
'use strict'

const { misuse, shown } = require('../lib/misuse.js')
const { Options, DAY } = require('../lib/options.js')
const { CallLimit, CALL_OPTIONS, keyOf } = require('./http/call-limit.js')
const { errorClassOf, isRateLimitError } = require('./convex/convex-error.js')
const { checkRateLimit, rateLimit } = require('./convex/convex-rate-limit.js')
const { GuardedHandler } = require('./convex/guarded-handler.js')

/**
 * @typedef {import('./convex/guarded-handler.js').Handler} Handler
 * @typedef {import('./convex/guarded-handler.js').Kept} Kept
 * @typedef {import('./convex/guarded-handler.js').Runner} Runner
 * @typedef {InstanceType<typeof Options>} Given
 */

const LIMIT_OPTIONS = [...CALL_OPTIONS, 'refund']
const CACHE_OPTIONS = ['key', 'ttl']

/**
 * Charges each call to `limiter` before `handler` runs.
 * @param {Handler} handler
 * @param {unknown} limiter
 * @param {unknown} given
 */
function limited(handler, limiter, given) {
  const caller = 'limited(handler, limiter, { key })'
  const options = new Options(caller, given, [...LIMIT_OPTIONS, 'ConvexError'])
  const ConvexError = errorClassOf(caller, options.get('ConvexError'))
  return wrapped(caller, handler, { limit: new CallLimit(caller, limiter, options), ConvexError })
}

/**
 * Answers from `cache`, and calls `handler` for what is not there, once for all who ask meanwhile.
 * @param {Handler} handler
 * @param {unknown} cache
 * @param {unknown} given
 */
function cached(handler, cache, given) {
  const caller = 'cached(handler, cache, { key })'
  const options = new Options(caller, given, [...CACHE_OPTIONS, 'ConvexError'])
  const ConvexError = errorClassOf(caller, options.get('ConvexError'))
  return wrapped(caller, handler, { kept: keptOf(caller, cache, options), ConvexError })
}

/**
 * The limit, then the cache, then what runs the call, then `handler`.
 * @param {Handler} handler
 * @param {unknown} [given]
 */
function guarded(handler, given) {
  const caller = 'guarded(handler, { limit, cache, run })'
  const options = new Options(caller, given, ['limit', 'cache', 'run', 'ConvexError'])
  const limit = partOf(options, 'limit', ['limiter', ...LIMIT_OPTIONS])
  const cache = partOf(options, 'cache', ['cache', ...CACHE_OPTIONS])
  return wrapped(caller, handler, {
    limit: limit && new CallLimit(`limit of ${caller}`, limit.get('limiter'), limit),
    kept: cache && keptOf(`cache of ${caller}`, cache.get('cache'), cache),
    runners: runnersOf(caller, options.get('run')),
    ConvexError: errorClassOf(caller, options.get('ConvexError')),
  })
}

/**
 * @param {string} caller
 * @param {Handler} handler
 * @param {import('./convex/guarded-handler.js').Guards} guards
 */
function wrapped(caller, handler, guards) {
  if (typeof handler !== 'function') {
    throw misuse('E_OPTION', `${caller}: the handler must be a function of (ctx, args); got ${shown(handler)}`)
  }
  const around = new GuardedHandler(handler, guards)
  const wrapper = (/** @type {unknown} */ ctx, /** @type {unknown} */ args) => around.call(ctx, args)
  return Object.defineProperty(wrapper, 'name', { value: handler.name, configurable: true })
}

/** @type {(options: Given, name: string, known: readonly string[]) => Given | undefined} */
function partOf(options, name, known) {
  return options.get(name) === undefined ? undefined : options.nested(name, known)
}

/**
 * @param {string} caller
 * @param {unknown} cache
 * @param {Given} options
 * @returns {Kept}
 */
function keptOf(caller, cache, options) {
  const asked = /** @type {Kept['cache']} */ (cache)
  if (typeof asked?.getOrSet !== 'function') {
    throw misuse('E_OPTION', `${caller}: the cache must be what cache(name, …) answered; got ${shown(cache)}`)
  }
  const ttl = options.get('ttl') === undefined ? undefined : { ttl: options.duration('ttl', { max: 3650 * DAY }) }
  return { cache: asked, keyOf: keyOf(caller, options), ttl }
}

/**
 * @param {string} caller
 * @param {unknown} given
 * @returns {readonly Runner[]}
 */
function runnersOf(caller, given) {
  const runners = given === undefined ? [] : Array.isArray(given) ? [...given] : [given]
  const wrong = runners.find((runner) => typeof runner?.run !== 'function')
  if (wrong === undefined && !runners.includes(undefined)) return runners
  const rule = 'must be a breaker, a bulkhead, a policy or whatever else has run(fn), or an array of them'
  throw misuse('E_OPTION', `\`run\` of ${caller} ${rule}; got ${shown(wrong)}`, { option: 'run' })
}

module.exports = { limited, cached, guarded, rateLimit, checkRateLimit, isRateLimitError }
