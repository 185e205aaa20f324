// Owns the limit before a call that is no HTTP request: whose key it is charged to, how much, and when the charge comes back.
// Never answers a denial: what "no" looks like there is the adapter's.
'use strict'

const { misuse, shown } = require('../../lib/misuse.js')
const { Refusal } = require('../../lib/refusals.js')
const { Outcome } = require('./outcome.js')

/**
 * @typedef {(...args: any[]) => any} Asked a function of the arguments of the call
 * @typedef {{ ok: true, value: unknown } | { ok: false, error: unknown }} Settled
 * @typedef {import('../../index').Limiter<import('../../index').Mode>} Limiter
 * @typedef {InstanceType<typeof import('../../lib/options.js').Options>} Options
 */

/** What a limit of calls can be given. An adapter that has no way to say how a call ended leaves `refund` out. */
const CALL_OPTIONS = ['key', 'cost', 'override']

/** @type {Record<string, (settled: Settled) => boolean>} */
const REFUNDS = Object.assign(Object.create(null), {
  failed: (/** @type {Settled} */ settled) => !settled.ok,
  successful: (/** @type {Settled} */ settled) => settled.ok,
})

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
    const asked = /** @type {Limiter} */ (limiter)
    if (typeof asked?.consume !== 'function') {
      throw misuse('E_OPTION', `${caller}: the limiter must be what limiter(name, …) answered; got ${shown(limiter)}`)
    }
    const cost = options.get('cost')
    if (cost !== undefined && typeof cost !== 'number' && typeof cost !== 'function') {
      const rule = 'must be a whole number, or a function from the arguments of the call to one'
      throw misuse('E_OPTION', `\`cost\` of ${caller} ${rule}; got ${shown(cost)}`, { option: 'cost' })
    }
    this.#limiter = asked
    this.#keyOf = keyOf(caller, options)
    this.#cost = typeof cost === 'number' ? cost : undefined
    this.#costOf = typeof cost === 'function' ? /** @type {Asked} */ (cost) : undefined
    this.#overrideOf = options.callback('override')
    this.#refund = refundOf(caller, asked, options.get('refund'))
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

/**
 * @param {string} caller
 * @param {Limiter} limiter
 * @param {unknown} given
 * @returns {((settled: Settled) => boolean) | undefined} undefined where charges stay
 */
function refundOf(caller, limiter, given) {
  if (given === undefined) return undefined
  const rule = typeof given === 'string' ? REFUNDS[given] : given
  if (typeof rule !== 'function') {
    const allowed = "must be 'failed', 'successful' or a function of how the call settled"
    throw misuse('E_OPTION', `\`refund\` of ${caller} ${allowed}; got ${shown(given)}`, { option: 'refund' })
  }
  if (typeof limiter.refund !== 'function') {
    const needed = `needs a limiter that can refund; "${limiter.name}" cannot`
    throw misuse('E_OPTION', `\`refund\` of ${caller} ${needed}`, { option: 'refund' })
  }
  return /** @type {(settled: Settled) => boolean} */ (rule)
}

module.exports = { CallLimit, CALL_OPTIONS, keyOf }
