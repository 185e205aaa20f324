// The limiter over Redis as JavaScript sees it: a Decision at once, or one that Redis is asked for; always as a promise.
// Never rejects because Redis is not there: what then counts is its fail mode.
'use strict'

const { assertMany, chargesTrouble } = require('./costs.js')
const { Decision } = require('./decision.js')
const { LimiterHandle, blockMsOf, maxWaitOf } = require('./limiter-handle.js')
const { details } = require('./native.js')
const { Refusal } = require('./refusals.js')
const { ROW, admitted, decisionOf } = require('./remote-decision.js')

const { planOf, told, trouble, unreservable } = LimiterHandle

/** @typedef {InstanceType<typeof import('./place.js').Place>} Place */
/** @typedef {import('./limits.js').RemoteShape} RemoteShape */
/** @typedef {import('./decision.js').Plan} Plan */
/** @typedef {import('./decision.js').Charge} Charge */

/** Keys that are on their way together: more would be too many at once, and would wait for each other past the deadline. */
const MANY = 512
/** How what is no decision has ended. */
const DONE = 0
/** Nothing was sent. */
const NOT_ASKED = 1
/** @type {Plan} */
const NO_PLAN = {}
/** @type {[]} */
const NOTHING = []

class RemoteLimiter extends LimiterHandle {
  #native
  #id
  #store
  #asks
  #shapes
  /** Whether a decision needs nothing but its numbers: one limit. */
  #simple

  /**
   * @param {Place} place
   * @param {number} id
   * @param {RemoteShape} shape
   */
  constructor(place, id, { limits, failMode, mode }) {
    super(place, id, limits, ['limited', 'blocked', 'shadowed', 'unavailable'])
    this.#native = place.native
    this.#id = id
    this.#store = place.store
    this.#asks = /** @type {NonNullable<Place['asks']>} */ (place.asks)
    this.#shapes = limits
    this.#simple = limits.length === 1
    this.failMode = failMode
    this.mode = mode
  }

  /**
   * Ask for `cost` units.
   * @param {string} key
   * @param {number} cost
   * @param {import('../index').LimitOverride} [override]
   * @returns {Promise<InstanceType<typeof Decision>>}
   */
  consume(key, cost = 1, override) {
    if (override !== undefined) return this.#planned('farConsumePlan', key, cost, override, undefined)
    // The usual cost goes unsaid: an argument more is a call into Node more.
    const answer = cost === 1 ? this.#native.farConsume(this.#id, key) : this.#native.farConsume(this.#id, key, cost)
    if (answer === true && details[3] === 0 && this.#simple) return Promise.resolve(admitted(this, key, cost))
    return this.#answered(answer, key, cost, undefined, undefined)
  }

  /**
   * @param {string} key
   * @param {number} cost
   * @param {import('../index').LimitOverride} [override]
   * @returns {Promise<InstanceType<typeof Decision>>}
   */
  peek(key, cost = 1, override) {
    return this.#planned('farPeek', key, cost, override, NOTHING)
  }

  /**
   * @param {string} key
   * @param {number} cost
   * @param {{ maxWait: import('../index').Duration }} options
   * @returns {Promise<import('../index').Reservation>}
   */
  reserve(key, cost, options) {
    try {
      const answer = this.#native.farReserve(this.#id, key, cost, maxWaitOf(options))
      if (answer === null) throw unreservable(this)
      return /** @type {any} */ (this.#answered(answer, key, cost, undefined, undefined, true))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /**
   * Gives a charge back. What Redis was not asked for, because it is not there, may be given back later.
   * @param {string} key
   * @param {import('../index').Decision} decision
   * @returns {Promise<void>}
   */
  refund(key, decision) {
    const charge = Decision.takeCharge(decision, this, key)
    if (charge === undefined) return Promise.resolve()
    const { cost, date, shadowed, plan, putBack } = charge
    const { limit, windowMs, burst } = plan ?? NO_PLAN
    const call = /** @type {const} */ ([cost, date, Number(shadowed), limit, windowMs, burst])
    const answer = this.#native.farRefund(this.#id, key, ...call)
    if (typeof answer === 'number') {
      return this.#asks.settled(answer, (code) => {
        if (code === NOT_ASKED) putBack()
      })
    }
    if (answer !== undefined) return Promise.resolve()
    putBack()
    return Promise.reject(trouble(this, key, cost, plan))
  }

  /**
   * @param {string} key
   * @returns {Promise<void>}
   */
  reset(key) {
    return this.#done(this.#native.farReset(this.#id, key), key).then(() => undefined)
  }

  /**
   * @param {string} key
   * @param {import('../index').Duration} duration
   * @returns {Promise<void>}
   */
  block(key, duration) {
    try {
      return this.#done(this.#native.farBlock(this.#id, key, blockMsOf(duration)), key).then(() => undefined)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /**
   * @param {string} key
   * @returns {Promise<boolean>}
   */
  unblock(key) {
    return this.#done(this.#native.farUnblock(this.#id, key), key)
  }

  /**
   * @param {readonly string[]} keys
   * @param {readonly number[]} [costs]
   * @returns {Promise<InstanceType<typeof Decision>[]>}
   */
  async consumeMany(keys, costs) {
    assertMany(this, keys, costs)
    // Copied: whoever asked may change his arrays before the answers are there.
    const [asked, paid] = [[...keys], costs && [...costs]]
    if (asked.length <= MANY) return this.#consumed(asked, paid)
    /** @type {InstanceType<typeof Decision>[]} */
    const decisions = []
    for (let from = 0; from < asked.length; from += MANY) {
      const [some, theirs] = [asked.slice(from, from + MANY), paid?.slice(from, from + MANY)]
      for (const decision of await this.#consumed(some, theirs)) decisions.push(decision)
    }
    return decisions
  }

  /**
   * Spend units of several limiters of one Redis, all or nothing.
   * @param {{ owner: RemoteLimiter, key: string, cost: number }[]} charges
   * @returns {Promise<InstanceType<typeof Decision>>}
   */
  static consumeAll(charges) {
    const [{ owner: first }] = charges
    /** @type {(number | string)[]} */
    const flat = []
    for (const { owner, key, cost } of charges) flat.push(owner.#id, key, cost)
    const answer = first.#native.farConsumeAll(...flat)
    if (answer === undefined) return Promise.reject(chargesTrouble(charges))
    const read = (/** @type {boolean} */ ok) => {
      const { owner, key, cost } = charges[details[3] >> 10]
      return told(owner, decisionOf(owner, owner.#shapes, ok, key, cost, undefined, charges), key)
    }
    return typeof answer === 'number'
      ? first.#asks.settled(answer, (code) => read(code === 1))
      : Promise.resolve(read(answer))
  }

  /**
   * Whether `value` is a limiter that asks the same Redis in this thread.
   * @param {unknown} value
   * @param {InstanceType<typeof import('./redis-store.js').RedisStore>} store
   * @returns {value is RemoteLimiter}
   */
  static isOn(value, store) {
    return typeof value === 'object' && value !== null && #store in value && store.isSame(value.#store)
  }

  /**
   * @param {'farConsumePlan' | 'farPeek'} call
   * @param {string} key
   * @param {number} cost
   * @param {import('../index').LimitOverride | undefined} override
   * @param {[] | undefined} made
   */
  #planned(call, key, cost, override, made) {
    try {
      const plan = override === undefined ? undefined : planOf(this, override)
      const answer = this.#native[call](this.#id, key, cost, plan?.limit, plan?.windowMs, plan?.burst)
      return this.#answered(answer, key, cost, plan, made)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /**
   * @param {boolean | number | undefined} answer ok, or the number of what was asked
   * @param {string} key
   * @param {number} cost
   * @param {Plan | undefined} plan
   * @param {Charge[] | undefined} made
   * @param {boolean} [reserved]
   * @returns {Promise<InstanceType<typeof Decision>>}
   */
  #answered(answer, key, cost, plan, made, reserved) {
    if (typeof answer === 'number') {
      const isUsual = made === undefined && plan === undefined && reserved === undefined && this.#simple
      return this.#asks.settled(answer, (code) => {
        if (isUsual && code === 1 && details[3] === 0) return admitted(this, key, cost)
        return told(this, decisionOf(this, this.#shapes, code === 1, key, cost, plan, made, details, 0, reserved), key)
      })
    }
    if (answer === undefined) return Promise.reject(trouble(this, key, cost, plan))
    return Promise.resolve(
      told(this, decisionOf(this, this.#shapes, answer, key, cost, plan, made, details, 0, reserved), key),
    )
  }

  /**
   * @param {string[]} keys
   * @param {number[] | undefined} costs
   * @returns {Promise<InstanceType<typeof Decision>[]>}
   */
  async #consumed(keys, costs) {
    if (keys.length === 0) return []
    const rows = new Float64Array(keys.length * ROW)
    for (let i = 0; i < keys.length; i++) rows[i * ROW] = costs === undefined ? 1 : costs[i]
    const answer = this.#native.farConsumeMany(this.#id, rows, keys)
    if (answer === undefined) throw trouble(this, keys, costs)
    if (typeof answer !== 'number') return this.#rows(rows, keys, costs)
    return this.#asks.settled(answer, () => {
      const bytes = /** @type {Uint8Array} */ (this.#asks.payload())
      return this.#rows(new Float64Array(new Uint8Array(bytes).buffer), keys, costs)
    })
  }

  /**
   * What is done and answers no decision. Nobody could tell "it was not done" from nothing, so that is a refusal.
   * @param {number | undefined} ask
   * @param {string} key
   */
  #done(ask, key) {
    if (ask === undefined) return Promise.reject(trouble(this, key, 0))
    return this.#asks.settled(ask, (code) => {
      if (code !== DONE) throw new Refusal({ code: 'E_STORE_UNAVAILABLE', primitive: this.name })
      return details[0] === 1
    })
  }

  /**
   * @param {Float64Array} rows
   * @param {readonly string[]} keys
   * @param {readonly number[] | undefined} costs
   */
  #rows(rows, keys, costs) {
    return keys.map((key, index) => {
      const [at, cost] = [index * ROW, costs === undefined ? 1 : costs[index]]
      return told(
        this,
        decisionOf(this, this.#shapes, rows[at + 6] === 1, key, cost, undefined, undefined, rows, at),
        key,
      )
    })
  }
}

module.exports = { RemoteLimiter }
