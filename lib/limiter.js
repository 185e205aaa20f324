// The limiter as JavaScript sees it: one native call and a Decision. Never validates on the way of a good call.
'use strict'

const { assertMany, chargesTrouble } = require('./costs.js')
const { Charges, Decision, Reservation } = require('./decision.js')
const { LimiterHandle, blockMsOf, maxWaitOf } = require('./limiter-handle.js')
const { misuse } = require('./misuse.js')
const { details } = require('./native.js')

const { planOf, told, trouble, unreservable } = LimiterHandle

/** @typedef {InstanceType<typeof import('./place.js').Place>} Place */
/** @typedef {import('./limits.js').LimitShape} LimitShape */
/** @typedef {import('./decision.js').Plan} Plan */

/** By the two lowest bits of who spoke, as src/hot/limiter.rs leaves it. @type {readonly import('./decision.js').Reason[]} */
const REASONS = ['allowed', 'limited', 'impossible', 'blocked']
const SHADOWED = 4
/** Keys of one crossing, and numbers for each, as in src/hot/limiter.rs. */
const MANY = 64
const ROW = 6
/** @type {Plan} */
const NO_PLAN = {}
/** The charges of a decision that made none. @type {[]} */
const NOTHING = []
/** What one crossing leaves; read before the next. */
const rows = new Float64Array(MANY * ROW)

class Limiter extends LimiterHandle {
  #native
  #id
  #shapes
  /** Whether a decision needs nothing but its numbers: one limit. */
  #simple
  /** Where the date of its charges is left, on the clock its one limit goes by. */
  #dated

  /**
   * @param {Place} place
   * @param {number} id
   * @param {LimitShape[]} shapes
   */
  constructor(place, id, shapes) {
    super(place, id, shapes, ['limited', 'blocked', 'shadowed'])
    this.#native = place.native
    this.#id = id
    this.#shapes = shapes
    this.#simple = shapes.length === 1
    this.#dated = shapes[0].algorithm === 'token-bucket' ? 4 : 5
  }

  /**
   * Ask for `cost` units. Answers at once; never throws because the answer is no.
   * @param {string} key
   * @param {number} cost
   * @param {import('../index').LimitOverride} [override]
   */
  consume(key, cost = 1, override) {
    if (override !== undefined) return this.#consumeOn(planOf(this, override), key, cost)
    // The usual cost goes unsaid: an argument more is a call into Node more.
    const ok =
      cost === 1 ? this.#native.limiterConsume(this.#id, key) : this.#native.limiterConsume(this.#id, key, cost)
    if (ok === undefined) throw trouble(this, key, cost)
    if (details[3] !== 0 || !this.#simple) return told(this, this.#decision(ok, key, cost, undefined, undefined), key)
    return this.#admitted(key, cost, details, 0)
  }

  /**
   * @param {string} key
   * @param {number} cost
   * @param {import('../index').LimitOverride} [override]
   */
  peek(key, cost = 1, override) {
    const plan = override === undefined ? undefined : planOf(this, override)
    const ok = this.#native.limiterPeek(this.#id, key, cost, plan?.limit, plan?.windowMs, plan?.burst)
    if (ok === undefined) throw trouble(this, key, cost, plan)
    return this.#decision(ok, key, cost, plan, NOTHING)
  }

  /**
   * @param {string} key
   * @param {number} cost
   * @param {{ maxWait: import('../index').Duration }} options
   * @returns {import('../index').Reservation}
   */
  reserve(key, cost, options) {
    const maxWait = maxWaitOf(options)
    const ok = this.#native.limiterReserve(this.#id, key, cost, maxWait)
    if (ok === undefined) throw trouble(this, key, cost)
    if (ok === null) throw unreservable(this)
    const decision = /** @type {InstanceType<typeof Reservation>} */ (
      this.#decision(ok, key, cost, undefined, undefined, details, 0, true)
    )
    if (ok) decision.waitMs = details[6]
    return told(this, decision, key)
  }

  /**
   * @param {string} key
   * @param {import('../index').Decision} decision
   */
  refund(key, decision) {
    const charge = Decision.takeCharge(decision, this, key)
    if (charge === undefined) return
    const { cost, date, wallDate, shadowed, plan, putBack } = charge
    const { limit, windowMs, burst } = plan ?? NO_PLAN
    const call = /** @type {const} */ ([cost, date, wallDate, Number(shadowed), limit, windowMs, burst])
    try {
      if (this.#native.limiterRefund(this.#id, key, ...call) === undefined) throw trouble(this, key, cost)
    } catch (error) {
      // A clock that cannot be read now has given nothing back, and may be read later.
      putBack()
      throw error
    }
  }

  /** @param {string} key */
  reset(key) {
    if (this.#native.limiterReset(this.#id, key) === undefined) throw trouble(this, key, 0)
  }

  /**
   * @param {string} key
   * @param {import('../index').Duration} duration
   */
  block(key, duration) {
    const done = this.#native.limiterBlock(this.#id, key, blockMsOf(duration))
    if (done === undefined) throw trouble(this, key, 0)
    if (!done) {
      const rule = `has as many keys blocked as it may hold, \`maxKeys\`; this one is not`
      throw misuse('E_BLOCKS_FULL', `the limiter "${this.name}" ${rule}`, { Base: RangeError })
    }
  }

  /** @param {string} key */
  unblock(key) {
    const was = this.#native.limiterUnblock(this.#id, key)
    if (was === undefined) throw trouble(this, key, 0)
    return was
  }

  /**
   * @param {readonly string[]} keys
   * @param {readonly number[]} [costs]
   */
  consumeMany(keys, costs) {
    assertMany(this, keys, costs)
    const decisions = new Array(keys.length)
    for (let from = 0; from < keys.length; from += MANY) {
      const some = from === 0 && keys.length <= MANY ? keys : keys.slice(from, from + MANY)
      for (let i = 0; i < some.length; i++) rows[i * ROW] = costs === undefined ? 1 : costs[from + i]
      const done = this.#native.limiterConsumeMany(this.#id, rows, ...some)
      if (done === undefined) throw trouble(this, some, costs)
      for (let i = 0; i < some.length; i++) {
        decisions[from + i] = this.#decided(some[i], costs === undefined ? 1 : costs[from + i], i * ROW)
      }
    }
    // Told only now: a listener may ask again, and what this call left would be gone.
    for (let i = 0; i < keys.length; i++) told(this, decisions[i], keys[i])
    return decisions
  }

  /**
   * Spend units of several limiters, all or nothing.
   * @param {import('./native.js').Native} native of the spillway that is asked
   * @param {{ owner: Limiter, key: string, cost: number }[]} charges of limiters on that spillway's clock
   */
  static consumeAll(native, charges) {
    const ok = Limiter.#consumeAll(native, charges)
    if (ok === undefined) throw chargesTrouble(charges)
    const { owner, key, cost } = charges[details[3] >> 9]
    return told(owner, owner.#decision(ok, key, cost, undefined, charges), key)
  }

  /**
   * @param {import('./native.js').Native} native
   * @param {readonly { owner: Limiter, key: string, cost: number }[]} charges
   */
  static #consumeAll(native, charges) {
    if (charges.length === 2) {
      const [one, two] = charges
      // One unit of a user's and of the organisation's, mostly: it has a call of its own, which looks at fewer arguments.
      if (one.cost === 1 && two.cost === 1) return native.consumeBoth(one.owner.#id, one.key, two.owner.#id, two.key)
    }
    /** @type {(number | string)[]} */
    const flat = []
    for (const { owner, key, cost } of charges) flat.push(owner.#id, key, cost)
    return native.consumeAll(...flat)
  }

  /**
   * Whether `value` is a limiter on the clock of `native`.
   * @param {unknown} value
   * @param {import('./native.js').Native} native
   * @returns {value is Limiter}
   */
  static isOn(value, native) {
    return typeof value === 'object' && value !== null && #native in value && value.#native === native
  }

  /**
   * Give back units of the window of this moment, whoever spent them: for counters that are told of a hit to take back, and not of
   * which.
   * @param {Limiter} limiter
   * @param {string} key
   * @param {number} cost
   */
  static uncount(limiter, key, cost = 1) {
    if (limiter.#native.limiterUncount(limiter.#id, key, cost) === undefined) throw trouble(limiter, key, cost)
  }

  /**
   * @param {Plan} plan
   * @param {string} key
   * @param {number} cost
   */
  #consumeOn(plan, key, cost) {
    const ok = this.#native.limiterConsumePlan(this.#id, key, cost, plan.limit, plan.windowMs, plan.burst)
    if (ok === undefined) throw trouble(this, key, cost, plan)
    return told(this, this.#decision(ok, key, cost, plan, undefined), key)
  }

  /**
   * The usual decision: one limit, and a charge that its key and date say all of.
   * @param {string} key
   * @param {number} cost
   * @param {Float64Array} left what native code left
   * @param {number} at from where on
   */
  #admitted(key, cost, left, at) {
    // Small whole numbers, which JavaScript keeps without a box of their own.
    const remaining = left[at] | 0
    const { limit, name } = this
    return new Decision(
      true,
      'allowed',
      limit,
      remaining,
      cost,
      0,
      left[at + 2],
      name,
      this,
      key,
      left[at + this.#dated],
    )
  }

  /**
   * Any decision that native code left, with what there is to give back.
   * @param {boolean} ok
   * @param {string} key
   * @param {number} cost
   * @param {Plan | undefined} plan
   * @param {import('./decision.js').Charge[] | undefined} made undefined for what was charged to this limiter alone, if anything
   * @param {Float64Array} left
   * @param {number} at
   * @param {boolean} reserved
   */
  #decision(ok, key, cost, plan, made, left = details, at = 0, reserved = false) {
    const spoke = left[at + 3]
    const { limit, name } = this.#shapes[(spoke >> 3) & 63]
    const shadowed = (spoke & SHADOWED) !== 0
    const charges = ok
      ? new Charges(left[at + 4], left[at + 5], shadowed, plan, made ?? [{ owner: this, key, cost }])
      : null
    const reason = REASONS[spoke & 3]
    const units = plan?.limit ?? limit
    const [remaining, retryAfterMs, resetMs] = [left[at] | 0, left[at + 1], left[at + 2]]
    // Not one `new` for both: what is made most often is then made by the short way.
    const decision = reserved
      ? new Reservation(ok, reason, units, remaining, cost, retryAfterMs, resetMs, name, charges, key, 0)
      : new Decision(ok, reason, units, remaining, cost, retryAfterMs, resetMs, name, charges, key, 0)
    // Not declared with the others: it would cost every decision that has none.
    return shadowed ? Object.assign(decision, { shadowed: /** @type {const} */ (true) }) : decision
  }

  /**
   * The decision of one row.
   * @param {string} key
   * @param {number} cost
   * @param {number} at
   */
  #decided(key, cost, at) {
    const spoke = rows[at + 3]
    if (spoke === 0 && this.#simple) return this.#admitted(key, cost, rows, at)
    const ok = (spoke & 3) === 0 || (spoke & SHADOWED) !== 0
    return this.#decision(ok, key, cost, undefined, undefined, rows, at)
  }
}

module.exports = { Limiter }
