// The limiter over Redis as JavaScript sees it: a Decision at once, or one that Redis is asked for; always as a promise.
// Never rejects because Redis is not there: what then counts is its fail mode.
'use strict'

const { assertMany, chargesTrouble, costTrouble } = require('./costs.js')
const { Charges, Decision, Reservation } = require('./decision.js')
const { Events } = require('./events.js')
const { keyTrouble } = require('./keys.js')
const { infoOf, planOf } = require('./limits.js')
const { misuse } = require('./misuse.js')
const { details, TROUBLE, troubleOf } = require('./native.js')
const { Options, DAY } = require('./options.js')
const { Refusal } = require('./refusals.js')

/** @typedef {InstanceType<typeof import('./place.js').Place>} Place */
/** @typedef {import('./limits.js').LimitShape} LimitShape */
/** @typedef {import('./limits.js').RemoteShape} RemoteShape */
/** @typedef {import('./decision.js').Plan} Plan */
/** @typedef {import('./decision.js').Charge} Charge */

/** By the three lowest bits of who spoke, as src/hot/remote/limiter.rs leaves it. @type {readonly import('./decision.js').Reason[]} */
const REASONS = ['allowed', 'limited', 'impossible', 'blocked', 'store-unavailable']
const SHADOWED = 8
/** By the number that is left beside it. */
const DECIDED_BY = /** @type {const} */ (['redis', 'lease', 'fail-mode'])
/** Numbers for each key of a consumeMany(). */
const ROW = 7
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

class RemoteLimiter {
  #native
  #id
  #place
  #asks
  #shapes
  /** Whether a decision needs nothing but its numbers: one limit. */
  #simple
  #events = new Events('limiter', ['limited', 'blocked', 'shadowed', 'unavailable'])
  /** @type {'limiter'} */
  kind = 'limiter'

  /**
   * @param {Place} place
   * @param {number} id
   * @param {RemoteShape} shape
   */
  constructor(place, id, { limits, failMode, mode }) {
    this.#native = place.native
    this.#id = id
    this.#place = place
    this.#asks = /** @type {NonNullable<Place['asks']>} */ (place.asks)
    this.#shapes = limits
    this.#simple = limits.length === 1
    this.name = place.name
    this.limit = limits[0].limit
    this.windowMs = limits[0].windowMs
    this.burst = limits[0].burst
    this.limits = infoOf(limits)
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
    if (answer === true && details[3] === 0 && this.#simple) return Promise.resolve(this.#admitted(key, cost))
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
      const maxWait = new Options('reserve()', options, ['maxWait']).duration('maxWait', { min: 0, max: 365 * DAY })
      const answer = this.#native.farReserve(this.#id, key, cost, maxWait)
      if (answer === null) {
        const rule = 'reserves nothing: only a token bucket knows when units will be free, and every limit must be one'
        throw misuse('E_UNSUPPORTED', `the limiter "${this.name}" ${rule}`)
      }
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
    return Promise.reject(this.#trouble(key, cost, plan))
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
      const ms = new Options('block()', { duration }, ['duration']).duration('duration', { max: 3650 * DAY })
      return this.#done(this.#native.farBlock(this.#id, key, ms), key).then(() => undefined)
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
   * @param {'limited' | 'blocked' | 'shadowed' | 'unavailable'} event
   * @param {(event: import('../index').LimiterEvent<'async'>) => void} listener
   */
  on(event, listener) {
    return this.#events.on(event, listener)
  }

  dispose() {
    this.#place.dispose(this.#id)
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
      return owner.#told(owner.#decision(ok, key, cost, undefined, charges), key)
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
    return typeof value === 'object' && value !== null && #place in value && store.isSame(value.#place.store)
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
      const plan = override === undefined ? undefined : planOf(override, this.#onlyShape())
      const answer = this.#native[call](this.#id, key, cost, plan?.limit, plan?.windowMs, plan?.burst)
      return this.#answered(answer, key, cost, plan, made)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  #onlyShape() {
    if (this.#shapes.length === 1) return this.#shapes[0]
    const rule =
      'has several limits, and an override says for none of them which it is for; open a limiter for each plan'
    throw misuse('E_OPTION', `the limiter "${this.name}" ${rule}`, { option: 'override' })
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
        if (isUsual && code === 1 && details[3] === 0) return this.#admitted(key, cost)
        return this.#told(this.#decision(code === 1, key, cost, plan, made, details, 0, reserved), key)
      })
    }
    if (answer === undefined) return Promise.reject(this.#trouble(key, cost, plan))
    return Promise.resolve(this.#told(this.#decision(answer, key, cost, plan, made, details, 0, reserved), key))
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
    if (answer === undefined) throw this.#trouble(keys, costs)
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
    if (ask === undefined) return Promise.reject(this.#trouble(key, 0))
    return this.#asks.settled(ask, (code) => {
      if (code !== DONE) throw new Refusal({ code: 'E_STORE_UNAVAILABLE', primitive: this.name })
      return details[0] === 1
    })
  }

  /**
   * The usual decision of a lease: one limit, and a charge that its key and date say all of.
   * @param {string} key
   * @param {number} cost
   */
  #admitted(key, cost) {
    const [remaining, resetMs, date, by] = [details[0] | 0, details[2], details[4], details[5]]
    const { limit, name } = this
    const decision = new Decision(true, 'allowed', limit, remaining, cost, 0, resetMs, name, this, key, date)
    decision.decidedBy = DECIDED_BY[by]
    return decision
  }

  /**
   * @param {boolean} ok
   * @param {string} key
   * @param {number} cost
   * @param {Plan | undefined} plan
   * @param {Charge[] | undefined} made undefined for what was charged to this limiter alone, if anything
   * @param {Float64Array} [left]
   * @param {number} [at]
   * @param {boolean} [reserved]
   */
  #decision(ok, key, cost, plan, made, left = details, at = 0, reserved = false) {
    const spoke = left[at + 3]
    const { limit, name } = this.#shapes[(spoke >> 4) & 63]
    const shadowed = (spoke & SHADOWED) !== 0
    const charges = ok
      ? new Charges(left[at + 4], left[at + 4], shadowed, plan, made ?? [{ owner: this, key, cost }])
      : null
    const reason = REASONS[spoke & 7]
    const units = plan?.limit ?? limit
    const [remaining, retryAfterMs, resetMs] = [left[at] | 0, left[at + 1], left[at + 2]]
    const decision = reserved
      ? new Reservation(ok, reason, units, remaining, cost, retryAfterMs, resetMs, name, charges, key, 0)
      : new Decision(ok, reason, units, remaining, cost, retryAfterMs, resetMs, name, charges, key, 0)
    decision.decidedBy = DECIDED_BY[left[at + 5]]
    if (ok && decision instanceof Reservation) decision.waitMs = left[at + 6]
    return shadowed ? Object.assign(decision, { shadowed: /** @type {const} */ (true) }) : decision
  }

  /**
   * The same decision, when whoever listens to denials and to outages has been told.
   * @template {import('../index').Decision} D
   * @param {D} decision
   * @param {string} key
   */
  #told(decision, key) {
    const { reason, shadowed } = decision
    if (reason !== 'allowed') {
      const event =
        reason === 'store-unavailable'
          ? 'unavailable'
          : shadowed
            ? 'shadowed'
            : reason === 'blocked'
              ? 'blocked'
              : 'limited'
      if (this.#events.wanted(event)) this.#events.emit(event, { limiter: this, key, decision })
    }
    return decision
  }

  /**
   * @param {Float64Array} rows
   * @param {readonly string[]} keys
   * @param {readonly number[] | undefined} costs
   */
  #rows(rows, keys, costs) {
    return keys.map((key, index) => {
      const [at, cost] = [index * ROW, costs === undefined ? 1 : costs[index]]
      return this.#told(this.#decision(rows[at + 6] === 1, key, cost, undefined, undefined, rows, at), key)
    })
  }

  /**
   * @param {unknown} key
   * @param {unknown} cost
   * @param {Plan} [plan]
   * @returns {Error}
   */
  #trouble(key, cost, plan) {
    if (details[7] === TROUBLE.KEY) return keyTrouble(this, key)
    if (details[7] === TROUBLE.COST) return costTrouble(this, cost)
    if (details[7] === TROUBLE.PLAN) {
      try {
        this.#place.cold((native) => native.limiterPlanFault(this.#id, plan?.limit, plan?.windowMs, plan?.burst))
      } catch (fault) {
        return /** @type {Error} */ (fault)
      }
    }
    return troubleOf(this.kind, this.name)
  }
}

module.exports = { RemoteLimiter }
