// Owns several limiters that a request is charged to together, all or none: a user's and the organisation's.
// Never decides: that is consumeAll of their spillway.
'use strict'

const { misuse, shown } = require('../lib/misuse.js')
const { isPromise } = require('./answers.js')

/**
 * @typedef {(...args: any[]) => any} Asked
 * @typedef {import('../index').LimiterCharge} LimiterCharge
 * @typedef {import('../index').Limiter<import('../index').Mode>} Limiter
 * @typedef {{ consumeAll(charges: readonly LimiterCharge[]): any }} Bound
 * @typedef {{ limiter: Limiter, key: Asked, cost?: number | Asked }} Part
 */

/** As many as consumeAll takes. */
const MOST = 8

/** What an adapter takes in place of a limiter. Its keys are lists of charges. */
class Together {
  #spillway
  #parts

  /**
   * @param {Bound} spillway
   * @param {readonly Part[]} parts
   */
  constructor(spillway, parts) {
    this.#spillway = spillway
    this.#parts = parts
    this.name = parts.map(({ limiter }) => limiter.name).join(' and ')
    this.limits = parts.flatMap(({ limiter }) => limiter.limits)
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
      const key = part.key(...args)
      const cost = isPromise(key) ? undefined : costOf(part, args)
      if (isPromise(key) || isPromise(cost)) return this.#chargesLater(args, charges, key, cost)
      charges.push({ limiter: part.limiter, key, cost })
    }
    return charges
  }

  /** @param {LimiterCharge[]} charges */
  consume(charges) {
    return this.#spillway.consumeAll(charges)
  }

  /**
   * @param {LimiterCharge[]} charges
   * @param {import('../index').Decision} decision
   */
  refund(charges, decision) {
    const done = charges.map(({ limiter, key }) => limiter.refund(key, decision))
    return done.some(isPromise) ? Promise.all(done) : undefined
  }

  /**
   * From the part on whose key or cost has to be waited for; each is asked when the one before it has answered.
   * @param {readonly unknown[]} args
   * @param {LimiterCharge[]} charges
   * @param {unknown} first
   * @param {unknown} firstCost
   */
  async #chargesLater(args, charges, first, firstCost) {
    for (let place = charges.length; place < this.#parts.length; place++) {
      const part = this.#parts[place]
      const begun = first !== undefined
      const key = await (begun ? first : part.key(...args))
      const cost = await (begun && firstCost !== undefined ? firstCost : costOf(part, args))
      first = firstCost = undefined
      charges.push({ limiter: part.limiter, key, cost })
    }
    return charges
  }
}

/** @type {(part: Part, args: readonly unknown[]) => any} */
function costOf({ cost }, args) {
  return typeof cost === 'function' ? cost(...args) : cost
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
  if (!Array.isArray(parts) || parts.length < 1 || parts.length > MOST) {
    const got = Array.isArray(parts) ? `${parts.length} parts` : shown(parts)
    throw misuse('E_OPTION', `${caller}: parts must be an array of 1 to ${MOST}; got ${got}`)
  }
  return new Together(
    spillway,
    parts.map((part, place) => {
      const { limiter, key, cost, ...rest } = part ?? {}
      const wrong = (/** @type {string} */ option, /** @type {unknown} */ given, /** @type {string} */ rule) =>
        misuse('E_OPTION', `${caller}: parts[${place}].${option} ${rule}; got ${shown(given)}`, { option })
      if (limiter?.kind !== 'limiter') throw wrong('limiter', limiter, 'must be what limiter(name, …) answered')
      if (typeof key !== 'function') throw wrong('key', key, 'is required, a function from the request to a string')
      if (cost !== undefined && typeof cost !== 'number' && typeof cost !== 'function') {
        throw wrong('cost', cost, 'must be a whole number, or a function from the request to one')
      }
      const [unknown] = Object.keys(rest)
      if (unknown !== undefined) throw wrong(unknown, rest[unknown], 'is unknown; there are limiter, key and cost')
      return { limiter, key, cost }
    }),
  )
}

module.exports = { Together, together }
