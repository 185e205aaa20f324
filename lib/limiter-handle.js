// A handle of a limiter, wherever its cells lie. Owns its numbers, who hears of its denials, and the errors for what its calls do not
// take. Never decides anything, and never asks who does.
'use strict'

const { costTrouble } = require('./costs.js')
const { Events } = require('./events.js')
const { keyTrouble } = require('./keys.js')
const { infoOf, planOf } = require('./limits.js')
const { misuse } = require('./misuse.js')
const { details, TROUBLE, troubleOf } = require('./native.js')
const { Options, DAY } = require('./options.js')

/** @typedef {InstanceType<typeof import('./place.js').Place>} Place */
/** @typedef {import('./limits.js').LimitShape} LimitShape */
/** @typedef {import('./decision.js').Plan} Plan */
/** @typedef {'limited' | 'blocked' | 'shadowed' | 'unavailable'} LimiterEventName */

class LimiterHandle {
  #place
  #id
  #shapes
  #events
  /** @type {'limiter'} */
  kind = 'limiter'

  /**
   * @param {Place} place
   * @param {number} id
   * @param {LimitShape[]} shapes
   * @param {readonly LimiterEventName[]} events it can tell of
   */
  constructor(place, id, shapes, events) {
    this.#place = place
    this.#id = id
    this.#shapes = shapes
    this.#events = new Events('limiter', events)
    this.name = place.name
    this.limit = shapes[0].limit
    this.windowMs = shapes[0].windowMs
    this.burst = shapes[0].burst
    this.limits = infoOf(shapes)
  }

  /**
   * @param {LimiterHandle} limiter
   * @param {import('../index').LimitOverride} override
   * @returns {Plan}
   */
  static planOf(limiter, override) {
    if (limiter.#shapes.length === 1) return planOf(override, limiter.#shapes[0])
    const rule =
      'has several limits, and an override says for none of them which it is for; open a limiter for each plan'
    throw misuse('E_OPTION', `the limiter "${limiter.name}" ${rule}`, { option: 'override' })
  }

  /**
   * The same decision, when whoever listens to denials and to outages has been told.
   * @template {import('../index').Decision} D
   * @param {LimiterHandle} limiter
   * @param {D} decision
   * @param {string} key
   */
  static told(limiter, decision, key) {
    if (decision.reason !== 'allowed') {
      const event = eventOf(decision)
      if (limiter.#events.wanted(event)) limiter.#events.emit(event, { limiter, key, decision })
    }
    return decision
  }

  /**
   * Why a native call has answered nothing.
   * @param {LimiterHandle} limiter
   * @param {unknown} key
   * @param {unknown} cost
   * @param {Plan} [plan]
   * @returns {any}
   */
  static trouble(limiter, key, cost, plan) {
    if (details[7] === TROUBLE.KEY) return keyTrouble(limiter, key)
    if (details[7] === TROUBLE.COST) return costTrouble(limiter, cost)
    if (details[7] === TROUBLE.PLAN) {
      try {
        limiter.#place.cold((native) => native.limiterPlanFault(limiter.#id, plan?.limit, plan?.windowMs, plan?.burst))
      } catch (fault) {
        return fault
      }
    }
    return troubleOf(limiter.kind, limiter.name)
  }

  /** @param {LimiterHandle} limiter that cannot say when units will be free */
  static unreservable(limiter) {
    const rule = 'reserves nothing: only a token bucket knows when units will be free, and every limit must be one'
    return misuse('E_UNSUPPORTED', `the limiter "${limiter.name}" ${rule}`)
  }

  /**
   * @param {LimiterEventName} event
   * @param {(event: any) => void} listener
   */
  on(event, listener) {
    return this.#events.on(event, listener)
  }

  dispose() {
    this.#place.dispose(this.#id)
  }
}

/**
 * @param {import('../index').Decision} decision that is a denial, or would be one
 * @returns {LimiterEventName}
 */
function eventOf({ reason, shadowed }) {
  if (reason === 'store-unavailable') return 'unavailable'
  if (shadowed) return 'shadowed'
  return reason === 'blocked' ? 'blocked' : 'limited'
}

/** @param {{ maxWait: import('../index').Duration }} options of reserve() */
function maxWaitOf(options) {
  return new Options('reserve()', options, ['maxWait']).duration('maxWait', { min: 0, max: 365 * DAY })
}

/** @param {import('../index').Duration} duration of block() */
function blockMsOf(duration) {
  return new Options('block()', { duration }, ['duration']).duration('duration', { max: 3650 * DAY })
}

module.exports = { LimiterHandle, maxWaitOf, blockMsOf }
