// Owns the terms of a charge: whose key a request is charged to, how much, on which plan, how it is told, when it comes back.
// Never writes an answer: that is the adapter's work.
'use strict'

const { misuse, shown } = require('../lib/misuse.js')
const { isPromise } = require('./answers.js')
const { listsOf } = require('./lists.js')
const { Outcome, refundOf } = require('./outcome.js')
const { fieldsOf } = require('./ratelimit-fields.js')
const { Together } = require('./together.js')

/**
 * @typedef {(...args: any[]) => any} Asked a function of the request and of what the framework hands on beside it
 * @typedef {import('../index').Decision} Decision
 * @typedef {import('../index').Limiter<import('../index').Mode>} Limiter
 * @typedef {import('../index').LimitOverride} Override
 *
 * @typedef {object} Terms
 * @property {string} caller as it stands in messages
 * @property {Limiter} limiter
 * @property {Asked} keyOf
 * @property {boolean} isKey whether keyOf answers a key, rather than the list of charges of several limiters
 * @property {number | undefined} cost
 * @property {Asked | undefined} costOf
 * @property {Asked | undefined} overrideOf
 * @property {import('./ratelimit-fields.js').Fields | undefined} fields undefined where nothing is told
 * @property {import('./outcome.js').RefundRule | undefined} refund
 * @property {Asked | undefined} onLimited
 * @property {import('./lists.js').Listed | undefined} listed
 */

/** What the adapters of a framework that speaks HTTP have. @type {readonly string[]} */
const OPTIONS = ['key', 'cost', 'override', 'headers', 'refund', 'onLimited', 'allow', 'deny', 'address']

/** What limiters that are charged together have each of their own, or cannot have. */
const OF_EACH = ['key', 'cost', 'override']

/**
 * The options of one limit, checked once, where they come in.
 * @param {string} caller
 * @param {unknown} limiter
 * @param {unknown} options
 * @param {{ names?: readonly string[], addressOf?: Asked }} [adapter] the options it has, and where it finds an address
 * @returns {Terms}
 */
function termsOf(caller, limiter, options, { names = OPTIONS, addressOf } = {}) {
  const asked = /** @type {Limiter} */ (limiter)
  if (typeof asked?.consume !== 'function') {
    throw misuse('E_OPTION', `${caller}: the limiter must be what limiter(name, …) answered; got ${shown(limiter)}`)
  }
  const given = /** @type {Record<string, any>} */ (options ?? {})
  const together = limiter instanceof Together ? limiter : undefined
  if (together !== undefined) {
    for (const option of OF_EACH) {
      if (given[option] !== undefined) {
        throw wrong(
          caller,
          option,
          given[option],
          'is said of each of the limiters that are charged together, not here',
        )
      }
    }
  } else if (typeof given.key !== 'function') {
    throw wrong(caller, 'key', given.key, 'is required, a function from the request to a string')
  }
  const { cost } = given
  if (cost !== undefined && typeof cost !== 'number' && typeof cost !== 'function') {
    throw wrong(caller, 'cost', cost, 'must be a whole number, or a function from the request to one')
  }
  for (const [option, rule] of [
    ['override', 'must be a function from the request to { limit, window, burst } or undefined'],
    ['onLimited', 'must be a function that answers in place of the 429'],
    ['address', 'must be a function from the request to an IP address'],
  ]) {
    if (given[option] !== undefined && typeof given[option] !== 'function') {
      throw wrong(caller, option, given[option], rule)
    }
  }
  const unknown = Object.keys(given).find((name) => !names.includes(name))
  if (unknown !== undefined) {
    const last = names.length - 1
    const known = last < 1 ? names.join() : `${names.slice(0, last).join(', ')} and ${names[last]}`
    throw misuse('E_OPTION', `${caller} has no option ${shown(unknown)}; it has ${known}`, { option: unknown })
  }
  return {
    caller,
    limiter: asked,
    keyOf: together === undefined ? given.key : together.chargesOf.bind(together),
    isKey: together === undefined,
    cost: typeof cost === 'function' ? undefined : cost,
    costOf: typeof cost === 'function' ? cost : undefined,
    overrideOf: given.override,
    fields: fieldsOf(caller, asked, given.headers),
    refund: refundOf(caller, asked, given.refund),
    onLimited: given.onLimited,
    listed: listsOf(caller, given, given.address ?? addressOf),
  }
}

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

/** A wrapper around what is not a function would fail at the first request rather than here. */
function requireHandler(/** @type {string} */ caller, /** @type {unknown} */ handler) {
  if (typeof handler === 'function') return
  throw misuse(
    'E_OPTION',
    `${caller}: the handler must be a function from a Request to a Response; got ${shown(handler)}`,
  )
}

/**
 * @param {string} caller
 * @param {string} option
 * @param {unknown} given
 * @param {string} rule
 */
function wrong(caller, option, given, rule) {
  return misuse('E_OPTION', `${caller}: ${option} ${rule}; got ${shown(given)}`, { option })
}

module.exports = { OF_EACH, termsOf, charge, requireHandler, requireKey }
