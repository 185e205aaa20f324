// The value a limiter answers with, and the charge behind it. Never gives a charge back twice.
'use strict'

/** @typedef {import('../index').Decision['reason']} Reason */

class Decision {
  /** What the charge was made on, or null when there is none to give back. @type {object | null} */
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
    /** @type {'local'} */
    this.decidedBy = 'local'
    this.limiter = limiter
    this.#owner = owner
    this.#key = key
    this.#date = date
  }

  /**
   * The date of the charge that `owner` made on `key`, once; undefined when there is none.
   * @param {unknown} decision
   * @param {object} owner
   * @param {string} key
   */
  static takeCharge(decision, owner, key) {
    if (typeof decision !== 'object' || decision === null || !(#owner in decision)) return undefined
    if (decision.#owner !== owner || decision.#key !== key) return undefined
    decision.#owner = null
    return decision.#date
  }
}

module.exports = { Decision }
