// The limiter as JavaScript sees it: one native call and a Decision. Never validates on the way of a good call.
'use strict'

const { Decision } = require('./decision.js')
const { misuse, shown } = require('./misuse.js')
const { details, TROUBLE, troubleOf } = require('./native.js')
const { Options, DAY } = require('./options.js')

/** @typedef {InstanceType<typeof import('./spillway.js').Place>} Place */

const BILLION = 1_000_000_000
const OPTIONS = ['limit', 'window', 'burst', 'algorithm', 'maxKeys']

/** @type {readonly import('./decision.js').Reason[]} */
const REASONS = ['allowed', 'limited', 'impossible']

/** @param {unknown} given */
function limiterShape(given) {
  const options = new Options('a limiter', given, OPTIONS)
  options.word('algorithm', ['token-bucket'], 'token-bucket')
  const limit = options.whole('limit', { min: 1, max: BILLION })
  return {
    limit,
    windowMs: options.duration('window', { max: 3650 * DAY }),
    burst: options.whole('burst', { min: 1, max: BILLION, fallback: limit }),
    maxKeys: options.whole('maxKeys', { min: 1, max: 100_000_000, fallback: 1_000_000 }),
  }
}

class Limiter {
  #native
  #id
  #place
  /** @type {'limiter'} */
  kind = 'limiter'

  /**
   * @param {Place} place
   * @param {number} id
   * @param {ReturnType<typeof limiterShape>} shape
   */
  constructor(place, id, shape) {
    this.#native = place.native
    this.#id = id
    this.#place = place
    this.name = place.name
    this.limit = shape.limit
    this.windowMs = shape.windowMs
    this.burst = shape.burst
  }

  /**
   * Ask for `cost` units. Answers at once; never throws because the answer is no.
   * @param {string} key
   * @param {number} cost
   */
  consume(key, cost = 1) {
    // The usual cost goes unsaid: an argument more is a call into Node more.
    const ok =
      cost === 1 ? this.#native.limiterConsume(this.#id, key) : this.#native.limiterConsume(this.#id, key, cost)
    if (ok === undefined) throw this.#trouble(key, cost)
    return this.#decision(ok, key, cost, ok ? this : null)
  }

  /**
   * @param {string} key
   * @param {number} cost
   */
  peek(key, cost = 1) {
    const ok = this.#native.limiterPeek(this.#id, key, cost)
    if (ok === undefined) throw this.#trouble(key, cost)
    return this.#decision(ok, key, cost, null)
  }

  /**
   * @param {string} key
   * @param {import('../index').Decision} decision
   */
  refund(key, decision) {
    const date = Decision.takeCharge(decision, this, key)
    if (date !== undefined && this.#native.limiterRefund(this.#id, key, decision.cost, date) === undefined) {
      throw this.#trouble(key, decision.cost)
    }
  }

  /** @param {string} key */
  reset(key) {
    if (this.#native.limiterReset(this.#id, key) === undefined) throw this.#trouble(key, 0)
  }

  dispose() {
    this.#place.dispose(this.#id)
  }

  /**
   * @param {boolean} ok
   * @param {string} key
   * @param {number} cost
   * @param {object | null} owner
   */
  #decision(ok, key, cost, owner) {
    return new Decision(
      ok,
      ok ? 'allowed' : REASONS[details[3]],
      this.limit,
      // Small whole numbers, which JavaScript keeps without a box of their own.
      details[0] | 0,
      cost,
      ok ? 0 : details[1],
      details[2],
      this.name,
      owner,
      key,
      details[4],
    )
  }

  /**
   * @param {unknown} key
   * @param {unknown} cost
   */
  #trouble(key, cost) {
    if (details[7] === TROUBLE.KEY) return keyTrouble(this, key)
    if (details[7] === TROUBLE.COST) {
      const rule = 'must be a whole number from 0 to 4,294,967,295'
      const Base = typeof cost === 'number' ? RangeError : TypeError
      return misuse('E_COST', `the cost of a call to the limiter "${this.name}" ${rule}; got ${shown(cost)}`, { Base })
    }
    return troubleOf(this.kind, this.name)
  }
}

/**
 * @param {{ kind: string, name: string }} primitive
 * @param {unknown} key
 */
function keyTrouble({ kind, name }, key) {
  return misuse('E_KEY', `a key of the ${kind} "${name}" must be a non-empty string; got ${shown(key)}`)
}

module.exports = { Limiter, limiterShape, keyTrouble }
