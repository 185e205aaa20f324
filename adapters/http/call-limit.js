// Owns the limit before a call that is no HTTP request: whose key it is charged to, how much, and when the charge comes back.
// Never answers a denial: what "no" looks like there is the adapter's.
'use strict'

const { misuse } = require('../../lib/misuse.js')
const { Refusal } = require('../../lib/refusals.js')
const { Outcome, refundOf } = require('./outcome.js')
const { requireCost, requireLimiter } = require('./requirements.js')

/**
 * @typedef {(...args: any[]) => any} Asked a function of the arguments of the call
 * @typedef {{ ok: true, value: unknown } | { ok: false, error: unknown }} Settled
 * @typedef {import('../../index').Limiter<import('../../index').Mode>} Limiter
 * @typedef {InstanceType<typeof import('../../lib/options.js').Options>} Options
 */

/** What a limit of calls can be given. An adapter that has no way to say how a call ended leaves `refund` out. */
const CALL_OPTIONS = ['key', 'cost', 'override']

/** @type {import('./outcome.js').Rules<Settled>} */
const OF_CALLS = { successful: ({ ok }) => ok, failed: ({ ok }) => !ok, seen: 'how the call settled' }

class CallLimit {
  #limiter
  #keyOf
  /** @type {number | undefined} */
  #cost
  #costOf
  #overrideOf
  #refund

  /**
   * @param {string} caller
   * @param {unknown} limiter
   * @param {Options} options
   */
  constructor(caller, limiter, options) {
    const asked = requireLimiter(`${caller}: the limiter`, limiter)
    const cost = requireCost(`\`cost\` of ${caller}`, options.get('cost'), 'the arguments of the call')
    this.#limiter = asked
    this.#keyOf = keyOf(caller, options)
    this.#cost = typeof cost === 'number' ? cost : undefined
    this.#costOf = typeof cost === 'function' ? cost : undefined
    this.#overrideOf = options.callback('override')
    this.#refund = refundOf(`\`refund\` of ${caller}`, asked, options.get('refund'), OF_CALLS)
  }

  /**
   * Charges the call and makes it.
   * @template T
   * @param {readonly unknown[]} args
   * @param {(key: string) => T | PromiseLike<T>} call
   * @returns {Promise<T>}
   * @throws Refusal E_LIMITED
   */
  async run(args, call) {
    const limiter = this.#limiter
    const key = await this.#keyOf(...args)
    const cost = this.#costOf === undefined ? this.#cost : await this.#costOf(...args)
    const override = this.#overrideOf === undefined ? undefined : await this.#overrideOf(...args)
    const decision = await (override == null ? limiter.consume(key, cost) : limiter.consume(key, cost, override))
    if (!decision.ok) throw Refusal.of(decision)
    const refund = this.#refund
    if (refund === undefined) return call(key)
    /** @type {Settled} */
    let settled = { ok: false, error: undefined }
    try {
      const value = await call(key)
      settled = { ok: true, value }
      return value
    } catch (error) {
      settled = { ok: false, error }
      throw error
    } finally {
      // There is no status to end with; what counts is how the call settled.
      new Outcome(limiter, () => refund(settled), key, decision).end(0, false)
    }
  }
}

/**
 * @param {string} caller
 * @param {Options} options
 * @returns {Asked}
 */
function keyOf(caller, options) {
  const key = options.callback('key')
  if (key === undefined) {
    const rule = 'is required, a function from the arguments of the call to a string'
    throw misuse('E_OPTION', `\`key\` of ${caller} ${rule}; it is missing`, { option: 'key' })
  }
  return key
}

module.exports = { CallLimit, CALL_OPTIONS, keyOf }
