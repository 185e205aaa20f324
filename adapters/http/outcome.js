// Owns the way back of a charge: how an answered request ended, and whether its charge is given back, once.
// Never throws where an answer ends, and never gives back what was not charged.
'use strict'

const { misuse, shown } = require('../../lib/misuse.js')

/**
 * @typedef {import('../../index').Decision} Decision
 * @typedef {import('../../index').Limiter<import('../../index').Mode>} Limiter
 * @typedef {{ readonly status: number, readonly aborted: boolean }} End `aborted`: the answer did not reach its end
 * @typedef {(end: End) => boolean} RefundRule
 */
/**
 * What the words of the option mean, and what a function in their place sees.
 * @template E
 * @typedef {{ successful: (end: E) => boolean, failed: (end: E) => boolean, seen: string }} Rules
 */

const failed = (/** @type {End} */ { status, aborted }) => aborted || status >= 400
/** @type {Rules<End>} */
const OF_ANSWERS = { successful: (end) => !failed(end), failed, seen: '{ status, aborted }' }

/**
 * The option `refund`.
 * @template E what a rule sees
 * @param {string} where it was given, as messages name it
 * @param {Limiter} limiter
 * @param {unknown} given
 * @param {Rules<E>} rules
 * @returns {((end: E) => boolean) | undefined} undefined where charges stay
 */
function refundOf(where, limiter, given, rules = /** @type {Rules<any>} */ (OF_ANSWERS)) {
  if (given === undefined) return undefined
  const rule = given === 'failed' || given === 'successful' ? rules[given] : given
  if (typeof rule !== 'function') {
    const allowed = `must be 'successful', 'failed' or a function of ${rules.seen}`
    throw misuse('E_OPTION', `${where} ${allowed}; got ${shown(given)}`, { option: 'refund' })
  }
  if (typeof limiter.refund !== 'function') {
    throw misuse('E_OPTION', `${where} needs a limiter that can refund; "${limiter.name}" cannot`, { option: 'refund' })
  }
  return /** @type {(end: E) => boolean} */ (rule)
}

/** Of a request that was let by: a denied one was not charged. */
class Outcome {
  #limiter
  #key
  /** What decides over the charge; undefined when there is none, or it has been decided. @type {RefundRule | undefined} */
  #refund

  /**
   * @param {Limiter} limiter
   * @param {RefundRule | undefined} refund
   * @param {string} key
   * @param {Decision} decision
   */
  constructor(limiter, refund, key, decision) {
    this.decision = decision
    this.#limiter = limiter
    this.#key = key
    this.#refund = refund
  }

  /** Whether the store of the limiter was not there: such a decision knows no quota, and says nothing of what the client did. */
  get isBlind() {
    return this.decision.reason === 'store-unavailable'
  }

  /** Whether it matters how the request ends. */
  get pending() {
    return this.#refund !== undefined
  }

  /**
   * The request has ended so. What is said after the first time changes nothing.
   * @param {number} status
   * @param {boolean} aborted
   */
  end(status, aborted) {
    const refund = this.#refund
    if (refund === undefined) return
    this.#refund = undefined
    try {
      if (!refund({ status, aborted })) return
      const done = /** @type {unknown} */ (this.#limiter.refund(this.#key, this.decision))
      if (done instanceof Promise) done.catch(tell)
    } catch (error) {
      tell(error)
    }
  }
}

/** The answer is on its way, so nobody is left to throw at; but a broken rule must not go unseen. */
function tell(/** @type {any} */ error) {
  // A limiter that is closed has nothing to give back, and a service that stops closes its limiters.
  if (error?.code === 'E_DISPOSED') return
  globalThis.process?.emitWarning?.(error instanceof Error ? error : String(error))
}

module.exports = { Outcome, refundOf }
