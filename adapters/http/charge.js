// Owns the charge of one request: whose key, how much, on which plan, and what was decided.
// Never writes an answer: that is the adapter's work.
'use strict'

const { misuse, shown } = require('../../lib/misuse.js')
const { isPromise } = require('./answers.js')
const { Outcome } = require('./outcome.js')

/**
 * @typedef {import('./limit-options.js').Terms} Terms
 * @typedef {import('../../index').Limiter<import('../../index').Mode>} Limiter
 * @typedef {import('../../index').Decision} Decision
 * @typedef {import('../../index').LimitOverride} Override
 */

/** @type {readonly unknown[]} */
const NOTHING = []

/** @typedef {InstanceType<typeof Charge>} Charged */

/** One request's charge: what was decided, on which plan, and the way back. */
class Charge extends Outcome {
  /**
   * @param {Terms} terms
   * @param {string} key
   * @param {Override | undefined} override
   * @param {Decision} decision
   */
  constructor(terms, key, override, decision) {
    super(terms.limiter, terms.refund, key, decision)
    this.override = override
  }
}

/**
 * Charges one request: at once where all that was asked answered at once, else as a promise.
 * @param {Terms} terms
 * @param {unknown} request
 * @param {readonly unknown[]} [rest] what the framework hands on beside the request
 * @returns {Charge | PromiseLike<Charge>}
 */
function charge(terms, request, rest = NOTHING) {
  // One after the other, and the next only when the last has answered: a promise left alone could reject unheard.
  const key = terms.keyOf(request, ...rest)
  if (isPromise(key)) return chargeLater(terms, request, rest, key)
  const cost = terms.costOf === undefined ? terms.cost : terms.costOf(request, ...rest)
  if (isPromise(cost)) return chargeLater(terms, request, rest, key, cost)
  const override = terms.overrideOf === undefined ? undefined : terms.overrideOf(request, ...rest)
  return isPromise(override)
    ? override.then((plan) => consume(terms, key, cost, plan))
    : consume(terms, key, cost, override)
}

/** @type {(terms: Terms, request: unknown, rest: readonly unknown[], key: unknown, cost?: PromiseLike<any>) => Promise<Charge>} */
async function chargeLater(terms, request, rest, key, cost) {
  const known = await key
  const units = await (cost ?? (terms.costOf === undefined ? terms.cost : terms.costOf(request, ...rest)))
  const override = terms.overrideOf === undefined ? undefined : await terms.overrideOf(request, ...rest)
  return consume(terms, known, units, override)
}

/**
 * @param {Terms} terms
 * @param {unknown} given
 * @param {number | undefined} cost
 * @param {Override | undefined} override
 * @returns {Charge | PromiseLike<Charge>}
 */
function consume(terms, given, cost, override) {
  const key = terms.isKey ? requireKey(terms.caller, given) : /** @type {any} */ (given)
  // An argument that goes unsaid is one fewer to look at.
  const answer =
    override == null
      ? terms.limiter.consume(key, cost)
      : /** @type {any} */ (terms.limiter).consume(key, cost, override)
  if (!isPromise(answer)) return new Charge(terms, key, override ?? undefined, answer)
  return answer.then((/** @type {Decision} */ decision) => new Charge(terms, key, override ?? undefined, decision))
}

/** Charging everybody without a key to one key would limit strangers together, so a request without one is an error. */
function requireKey(/** @type {string} */ caller, /** @type {unknown} */ key) {
  if (typeof key === 'string' && key !== '') return key
  throw misuse(
    'E_KEY',
    `${caller}: key(request) must answer a non-empty string; got ${shown(key)}. Refuse a request that has no tenant ` +
      'before it gets here, or give those a key of their own',
  )
}

module.exports = { charge }
