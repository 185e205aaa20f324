// The value a limiter answers with, and the charge behind it. Never gives a charge back twice.
'use strict'

/** @typedef {import('../index').Decision['reason']} Reason */
/** @typedef {{ limit?: number, windowMs?: number, burst?: number }} Plan */

/** A charge that a decision stands for. @typedef {{ owner: object, key: string, cost: number }} Charge */

/** Charges made together, or one of which its key and date do not say all. */
class Charges {
  /**
   * @param {number} date on the monotonic clock
   * @param {number} wallDate on the calendar's
   * @param {boolean} shadowed
   * @param {Plan | undefined} plan
   * @param {Charge[]} charges
   */
  constructor(date, wallDate, shadowed, plan, charges) {
    this.date = date
    this.wallDate = wallDate
    this.shadowed = shadowed
    this.plan = plan
    this.charges = charges
  }
}

class Decision {
  /**
   * Who made the charge, where its key and date say the rest of it; or charges that have more to them; or null when there is none
   * to give back.
   * @type {object | Charges | null}
   */
  #owner
  /** @type {string} */
  #key
  /** @type {number} */
  #date

  /**
   * @param {boolean} ok
   * @param {Reason} reason
   * @param {number} limit
   * @param {number} remaining
   * @param {number} cost
   * @param {number} retryAfterMs
   * @param {number} resetMs
   * @param {string} limiter
   * @param {object | null} owner
   * @param {string} key
   * @param {number} date
   */
  constructor(ok, reason, limit, remaining, cost, retryAfterMs, resetMs, limiter, owner, key, date) {
    this.ok = ok
    /** @type {Reason} */
    this.reason = reason
    this.limit = limit
    this.remaining = remaining
    this.cost = cost
    this.retryAfterMs = retryAfterMs
    this.resetMs = resetMs
    /** @type {import('../index').Decision['decidedBy']} */
    this.decidedBy = 'local'
    this.limiter = limiter
    this.#owner = owner
    this.#key = key
    this.#date = date
  }

  /**
   * The charge that `owner` made on `key`, once unless it is put back; undefined when there is none.
   * @param {unknown} decision
   * @param {object} owner
   * @param {string} key
   */
  static takeCharge(decision, owner, key) {
    if (typeof decision !== 'object' || decision === null || !(#owner in decision)) return undefined
    const held = decision.#owner
    if (held instanceof Charges) {
      const { date, wallDate, shadowed, plan, charges } = held
      const index = charges.findIndex((charge) => charge.owner === owner && charge.key === key)
      if (index < 0) return undefined
      const [charge] = charges.splice(index, 1)
      return { cost: charge.cost, date, wallDate, shadowed, plan, putBack: () => charges.push(charge) }
    }
    if (held !== owner || decision.#key !== key) return undefined
    decision.#owner = null
    // One limit goes by one clock, and this is the date on it.
    const date = decision.#date
    const putBack = () => (decision.#owner = owner)
    return { cost: decision.cost, date, wallDate: date, shadowed: false, plan: undefined, putBack }
  }
}

/** A decision about units that may be spent only after a wait. */
class Reservation extends Decision {
  /** Milliseconds to wait, rounded up. */
  waitMs = 0
}

module.exports = { Charges, Decision, Reservation }
