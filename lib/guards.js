// The primitives at work in a policy. Owns how each lets a call in and out there. Never makes an Error for a "no": that is for
// whoever looks at one.
'use strict'

const { Breaker } = require('./breaker.js')
const { Bulkhead } = require('./bulkhead.js')
const { Limiter } = require('./limiter.js')
const { outcomeOfError, outcomeOfValue } = require('./outcome.js')
const { Refusal } = require('./refusals.js')
const { Refused, shownError } = require('./refused.js')
const { Scope } = require('./scope.js')
const { Shed } = require('./shed.js')
const { STRATEGY } = require('./strategy.js')

/** @typedef {import('./strategy.js').Layer} Layer */
/** @typedef {import('./strategy.js').Site} Site */

/**
 * The layer of a strategy at a site.
 * @param {any} strategy
 * @param {Site} site
 * @returns {Layer | undefined} nothing for what is no strategy
 */
function layerOf(strategy, site) {
  if (strategy instanceof Limiter) return (scope, next) => metered(strategy, scope, next)
  if (strategy instanceof Breaker) return (scope, next) => broken(strategy, scope, next)
  if (strategy instanceof Bulkhead) return (scope, next) => confined(strategy, scope, next)
  if (strategy instanceof Shed) return (scope, next) => shedding(strategy, scope, next)
  return typeof strategy?.[STRATEGY] === 'function' ? strategy[STRATEGY](site) : undefined
}

/** @type {(limiter: InstanceType<typeof Limiter>, ...call: Parameters<Layer>) => Promise<unknown>} */
function metered(limiter, scope, next) {
  const { key, cost } = Scope.request(scope)
  let decision
  try {
    decision = limiter.consume(/** @type {string} */ (key), cost)
  } catch (error) {
    return Promise.reject(error)
  }
  if (decision.ok) return next(scope)
  const code = decision.reason === 'store-unavailable' ? 'E_STORE_UNAVAILABLE' : 'E_LIMITED'
  const { retryAfterMs, limiter: name } = decision
  return Promise.reject(new Refused(code, name, { retryAfterMs, make: () => Refusal.of(decision) }))
}

/** @type {(shed: InstanceType<typeof Shed>, ...call: Parameters<Layer>) => Promise<unknown>} */
function shedding(shed, scope, next) {
  let refusal
  try {
    refusal = shed.admit(Scope.request(scope).priority)
  } catch (error) {
    return Promise.reject(error)
  }
  if (refusal === null) return next(scope)
  return Promise.reject(new Refused('E_SHED', shed.name, { retryAfterMs: refusal.retryAfterMs }))
}

/** @type {(breaker: InstanceType<typeof Breaker>, ...call: Parameters<Layer>) => Promise<unknown>} */
async function broken(breaker, scope, next) {
  const permit = breaker.enter()
  if (permit === null) throw new Refused('E_OPEN', breaker.name)
  try {
    const value = await next(scope)
    breaker.exit(permit, outcomeOfValue(value))
    return value
  } catch (error) {
    breaker.exit(permit, outcomeOfError(shownError(error), asSignal(Scope.abortedBy(scope))))
    throw error
  }
}

/** @type {(bulkhead: InstanceType<typeof Bulkhead>, ...call: Parameters<Layer>) => Promise<unknown>} */
async function confined(bulkhead, outer, next) {
  const permit = await bulkhead.acquire({})
  const scope = Scope.within(outer)
  try {
    return await next(scope)
  } finally {
    if (Scope.isQuiet(scope, () => permit.release())) permit.release()
  }
}

/** @param {{ reason: unknown } | undefined} aborted */
function asSignal(aborted) {
  return aborted && { aborted: true, reason: aborted.reason }
}

module.exports = { layerOf }
