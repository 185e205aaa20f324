// Owns the options of a limit in front of HTTP handlers: what may be said, and what it comes to.
// Never charges anything.
'use strict'

const { misuse, shown } = require('../../lib/misuse.js')
const { Together } = require('./all-or-none.js')
const { listsOf } = require('./lists.js')
const { refundOf } = require('./outcome.js')
const { fieldsOf } = require('./ratelimit-fields.js')
const { requireCost, requireLimiter } = require('./requirements.js')

/**
 * @typedef {(...args: any[]) => any} Asked a function of the request and of what the framework hands on beside it
 * @typedef {import('../../index').Limiter<import('../../index').Mode>} Limiter
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
  const asked = requireLimiter(`${caller}: the limiter`, limiter)
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
  const cost = requireCost(`${caller}: cost`, given.cost)
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
    refund: refundOf(`${caller}: refund`, asked, given.refund),
    onLimited: given.onLimited,
    listed: listsOf(caller, given, given.address ?? addressOf),
  }
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

module.exports = { OF_EACH, termsOf }
