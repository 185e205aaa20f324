// The primitives at work in a policy. Owns how each lets a call in and out there. Never makes an Error for a "no": that is for
// whoever looks at one.
'use strict'

const { Breaker } = require('./breaker.js')
const passes = require('./breaker-pass.js')
const { Bulkhead } = require('./bulkhead.js')
const { Limiter } = require('./limiter.js')
const { passage } = require('./passage.js')
const { rankOf } = require('./priorities.js')
const { Refusal } = require('./refusals.js')
const { Refused, shownError } = require('./refused.js')
const { Rejected } = require('./rejected.js')
const { RemoteLimiter } = require('./remote-limiter.js')
const { Scope } = require('./scope.js')
const { Shed } = require('./shed.js')
const { STRATEGY } = require('./strategy.js')

/** @typedef {InstanceType<typeof Scope>} Call */
/** @typedef {import('./strategy.js').Layer} Layer */
/** @typedef {import('./strategy.js').Site} Site */

const PRIMITIVES = [Limiter, RemoteLimiter, Breaker, Bulkhead, Shed]

/**
 * The layers of some strategies at a site, outermost first. A breaker and a bulkhead next to each other are one.
 * @param {readonly any[]} strategies
 * @param {(strategy: any) => Layer} layerOf
 * @returns {Layer[]}
 */
function layersOf(strategies, layerOf) {
  /** @type {Layer[]} */
  const layers = []
  for (let index = 0; index < strategies.length; index++) {
    const layer = layerOf(strategies[index])
    const together = passageOf(strategies[index], strategies[index + 1])
    if (together === undefined) {
      layers.push(layer)
      continue
    }
    const inner = layerOf(strategies[++index])
    layers.push(together((scope, next) => layer(scope, (scope) => inner(scope, next))))
  }
  return layers
}

/**
 * @param {unknown} one
 * @param {unknown} other
 * @returns {((theLongWay: Layer) => Layer) | undefined}
 */
function passageOf(one, other) {
  const [breaker, bulkhead] = one instanceof Breaker ? [one, other] : [other, one]
  if (!(breaker instanceof Breaker) || !(bulkhead instanceof Bulkhead) || breaker.perKey) return undefined
  const id = Bulkhead.countedId(bulkhead)
  return id === undefined ? undefined : (theLongWay) => passage(breaker, bulkhead, id, one === bulkhead, theLongWay)
}

/** @param {any} given */
function isStrategy(given) {
  return PRIMITIVES.some((Primitive) => given instanceof Primitive) || typeof given?.[STRATEGY] === 'function'
}

/**
 * The layer of a strategy at a site.
 * @param {any} strategy
 * @param {Site} site
 * @returns {Layer}
 */
function layerOf(strategy, site) {
  if (strategy instanceof Limiter) return (scope, next) => metered(strategy, scope, next)
  if (strategy instanceof RemoteLimiter) return (scope, next) => meteredFar(strategy, scope, next)
  if (strategy instanceof Breaker) return (scope, next) => broken(strategy, scope, next)
  if (strategy instanceof Bulkhead) return (scope, next) => confined(strategy, scope, next)
  if (strategy instanceof Shed) return (scope, next) => shedding(strategy, scope, next)
  return strategy[STRATEGY](site)
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
  return decision.ok ? next(scope) : limited(decision)
}

/** @type {(limiter: InstanceType<typeof RemoteLimiter>, ...call: Parameters<Layer>) => Promise<unknown>} */
async function meteredFar(limiter, scope, next) {
  const { key, cost } = Scope.request(scope)
  const decision = await limiter.consume(/** @type {string} */ (key), cost)
  const aborted = Scope.abortedBy(scope)
  if (aborted === undefined) return decision.ok ? next(scope) : limited(decision)
  // Nothing will be done for what was charged; that it goes back is nobody's to wait for.
  limiter.refund(/** @type {string} */ (key), decision).catch(() => {})
  throw aborted.reason
}

/** @param {import('../index').Decision} decision */
function limited(decision) {
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
function broken(breaker, scope, next) {
  let pass
  try {
    pass = passes.letIn(breaker, breaker.perKey ? Scope.request(scope).key : undefined)
  } catch (error) {
    return Promise.reject(error)
  }
  if (pass instanceof Refused) return Promise.reject(pass)
  return next(scope).then(
    (value) => {
      passes.letOut(breaker, pass, { ok: true, value }, undefined)
      return value
    },
    (error) => {
      passes.letOut(breaker, pass, { ok: false, error: shownError(error) }, Scope.abortedBy(scope))
      return new Rejected(error)
    },
  )
}

/** @type {(bulkhead: InstanceType<typeof Bulkhead>, ...call: Parameters<Layer>) => Promise<unknown>} */
function confined(bulkhead, outer, next) {
  const aborted = Scope.abortedBy(outer)
  if (aborted !== undefined) return Promise.reject(aborted.reason)
  // A part of the call by itself, so that the permit can be held for as long as anything in it runs.
  const scope = Scope.within(outer)
  const { key = '', priority } = Scope.request(outer)
  const asking = new Asking(scope, bulkhead.perKey ? key : '', rankOf(bulkhead, priority))
  let turn
  try {
    turn = Bulkhead.turn(bulkhead, asking)
  } catch (error) {
    return Promise.reject(error)
  }
  const inside = Bulkhead.within(bulkhead, next, asking.key)
  if (!(turn instanceof Promise)) return permitted(bulkhead, turn, scope, inside)
  return turn.then((turn) => {
    // It may have come from an attempt whose answer makes this one needless, and which is only heard of by now.
    const aborted = Scope.abortedBy(scope)
    if (aborted === undefined) return permitted(bulkhead, turn, scope, inside)
    Scope.end(scope)
    Bulkhead.over(bulkhead, turn)
    throw aborted.reason
  })
}

/** What a bulkhead is asked with. The signal is read, and so made, only by who has to wait. */
class Asking {
  #scope

  /**
   * @param {Call} scope
   * @param {string} key
   * @param {number} rank
   */
  constructor(scope, key, rank) {
    this.#scope = scope
    this.key = key
    this.rank = rank
  }

  get signal() {
    return this.#scope.signal
  }
}

/** @type {(bulkhead: InstanceType<typeof Bulkhead>, turn: import('./bulkhead.js').Turn, ...call: Parameters<Layer>) => Promise<unknown>} */
function permitted(bulkhead, turn, scope, next) {
  if (typeof turn !== 'symbol' && 'refusal' in turn) {
    const { code, primitive, retryAfterMs } = turn.refusal
    return Promise.reject(new Refused(code, primitive, { retryAfterMs, message: turn.message }))
  }
  const leave = () => {
    Scope.end(scope)
    Bulkhead.over(bulkhead, turn)
  }
  return next(scope).then(
    (value) => {
      if (Scope.isQuiet(scope, leave)) leave()
      return value
    },
    (error) => {
      if (Scope.isQuiet(scope, leave)) leave()
      return new Rejected(error)
    },
  )
}

module.exports = { isStrategy, layerOf, layersOf }
