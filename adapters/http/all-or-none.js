// Owns several limiters that a request is charged to together, all or none: a user's and the organisation's.
// Never decides: that is consumeAll of their spillway.
'use strict'

const { misuse, shown } = require('../../lib/misuse.js')
const { TOGETHER } = require('../../lib/limits.js')
const { isPromise } = require('./answers.js')
const { requireCost, requireLimiter } = require('./requirements.js')

/**
 * @typedef {(...args: any[]) => any} Asked
 * @typedef {import('../../index').LimiterCharge} LimiterCharge
 * @typedef {import('../../index').Limiter<import('../../index').Mode>} Limiter
 * @typedef {{ consumeAll(charges: readonly LimiterCharge[]): any }} Bound
 * @typedef {{ limiter: Limiter, key: Asked, cost?: number | Asked }} Part
 */

/** What an adapter takes in place of a limiter. Its keys are lists of charges. */
class Together {
  #spillway
  #parts
  /** @type {'together'} */
  kind = 'together'

  /**
   * @param {Bound} spillway
   * @param {readonly Part[]} parts
   */
  constructor(spillway, parts) {
    this.#spillway = spillway
    this.#parts = parts
    this.name = parts.map(({ limiter }) => limiter.name).join(' and ')
    const limits = parts.flatMap(({ limiter }) => limiter.limits)
    // One limiter may be charged for two keys; its policy is one.
    this.limits = [...new Map(limits.map((info) => [info.name, info])).values()]
  }

  /**
   * What one request is charged to; a promise where a key or a cost is one.
   * @param {readonly unknown[]} args
   * @returns {LimiterCharge[] | Promise<LimiterCharge[]>}
   */
  chargesOf(...args) {
    /** @type {LimiterCharge[]} */
    const charges = []
    for (const part of this.#parts) {
      const charge = chargeOf(part, args)
      if (isPromise(charge)) return this.#chargesLater(charges, charge, args)
      charges.push(charge)
    }
    return charges
  }

  /** @param {LimiterCharge[]} charges */
  consume(charges) {
    return this.#spillway.consumeAll(charges)
  }

  /**
   * Gives back every part that can be; what went wrong first with another is told when all were tried.
   * @param {LimiterCharge[]} charges
   * @param {import('../../index').Decision} decision
   */
  refund(charges, decision) {
    const done = []
    /** @type {unknown[]} */
    const errors = []
    for (const { limiter, key } of charges) {
      try {
        done.push(limiter.refund(key, decision))
      } catch (error) {
        errors.push(error)
      }
    }
    if (done.some(isPromise)) return Promise.all([...errors.map((error) => Promise.reject(error)), ...done])
    if (errors.length > 0) throw errors[0]
    return undefined
  }

  /**
   * Each part is asked when the one before it has answered: a promise left alone could reject unheard.
   * @param {LimiterCharge[]} charges
   * @param {PromiseLike<LimiterCharge>} next
   * @param {readonly unknown[]} args
   */
  async #chargesLater(charges, next, args) {
    charges.push(await next)
    for (const part of this.#parts.slice(charges.length)) charges.push(await chargeOf(part, args))
    return charges
  }
}

/** @type {(part: Part, args: readonly unknown[]) => LimiterCharge | PromiseLike<LimiterCharge>} */
function chargeOf({ limiter, key: keyOf, cost: given }, args) {
  const costOf = () => (typeof given === 'function' ? given(...args) : given)
  const key = keyOf(...args)
  if (isPromise(key)) return key.then(async (known) => ({ limiter, key: known, cost: await costOf() }))
  const cost = costOf()
  return isPromise(cost) ? cost.then((units) => ({ limiter, key, cost: units })) : { limiter, key, cost }
}

/**
 * Limiters of one spillway for the first argument of a `limit`: a request is charged to all of them, or to none.
 * @param {Bound} spillway
 * @param {readonly Part[]} parts
 */
function together(spillway, parts) {
  const caller = 'together(spillway, parts)'
  if (typeof spillway?.consumeAll !== 'function') {
    throw misuse('E_OPTION', `${caller}: the spillway must have consumeAll; got ${shown(spillway)}`)
  }
  if (!Array.isArray(parts) || parts.length < 1 || parts.length > TOGETHER) {
    const got = Array.isArray(parts) ? `${parts.length} parts` : shown(parts)
    throw misuse('E_OPTION', `${caller}: parts must be an array of 1 to ${TOGETHER}; got ${got}`)
  }
  return new Together(
    spillway,
    parts.map((part, place) => {
      const { limiter, key, cost, ...rest } = part ?? {}
      const wrong = (/** @type {string} */ option, /** @type {unknown} */ given, /** @type {string} */ rule) =>
        misuse('E_OPTION', `${caller}: parts[${place}].${option} ${rule}; got ${shown(given)}`, { option })
      requireLimiter(`${caller}: parts[${place}].limiter`, limiter, limiter?.kind === 'limiter')
      if (typeof key !== 'function') throw wrong('key', key, 'is required, a function from the request to a string')
      requireCost(`${caller}: parts[${place}].cost`, cost)
      const [unknown] = Object.keys(rest)
      if (unknown !== undefined) throw wrong(unknown, rest[unknown], 'is unknown; there are limiter, key and cost')
      return { limiter, key, cost }
    }),
  )
}

module.exports = { Together, together }
