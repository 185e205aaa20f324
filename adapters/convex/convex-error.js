// Owns what a refusal looks like to a Convex client: data, because Convex keeps every other message from clients in production.
// Never requires the convex package: Convex bundles it into the functions, so beside an external package it may not be there.
'use strict'

const { isRefusal } = require('../../lib/refusals.js')
const { misuse, shown } = require('../../lib/misuse.js')

/** How Convex itself tells its errors from others, since each bundle has a class of its own. */
const BRAND = Symbol.for('ConvexError')

/** @typedef {import('../../index').Refusal} Refusal */
/** @typedef {new (data: any) => Error} ErrorClass */

/** Stands in for the ConvexError of convex/values: the same name, brand and data. */
class DataError extends Error {
  /** @param {unknown} data */
  constructor(data) {
    super(JSON.stringify(data))
    this.name = 'ConvexError'
    this.data = data
    Object.defineProperty(this, BRAND, { value: true })
  }
}

/**
 * The data of a refusal: for a limit that of the rate limiter component, so that clients need not know which one refused.
 * @param {Refusal} refusal
 */
function dataOf({ code, primitive: name, retryAfterMs: retryAfter }) {
  const data = code === 'E_LIMITED' ? { kind: 'RateLimited', name } : { kind: 'Refused', code, name }
  return retryAfter === undefined ? data : { ...data, retryAfter }
}

/**
 * What to throw for what was thrown: a refusal as data, anything else as it is.
 * @param {unknown} error
 * @param {ErrorClass} [ConvexError]
 */
function convexErrorOf(error, ConvexError = DataError) {
  return isRefusal(error) ? Object.assign(new ConvexError(dataOf(error)), { cause: error }) : error
}

/**
 * An error that several callers are to be thrown, for one of them: Convex writes on the data of what a function throws.
 * @param {unknown} error
 */
function ownCopy(error) {
  if (!isConvexError(error)) return error
  // Read first: Convex notes the frames beside the stack when it is made.
  const { stack } = error
  // The same class and fields, whatever its constructor asks for; but the stack of an error is its own, wherever it is copied to.
  const copy = Object.create(Object.getPrototypeOf(error), Object.getOwnPropertyDescriptors(error))
  return Object.defineProperty(copy, 'stack', { value: stack, writable: true, configurable: true })
}

/**
 * @param {unknown} error
 * @returns {error is Error & { data: any }}
 */
function isConvexError(error) {
  return typeof error === 'object' && error !== null && BRAND in error
}

/**
 * Whether a limit refused: of this package or of the component, in the function or at the client.
 * @param {unknown} error
 */
function isRateLimitError(error) {
  return isConvexError(error) && error.data?.kind === 'RateLimited'
}

/**
 * The class given as an option.
 * @param {string} caller
 * @param {unknown} given
 * @returns {ErrorClass | undefined}
 */
function errorClassOf(caller, given) {
  if (given === undefined || typeof given === 'function') return /** @type {ErrorClass | undefined} */ (given)
  const rule = 'must be the class of convex/values'
  throw misuse('E_OPTION', `\`ConvexError\` of ${caller} ${rule}; got ${shown(given)}`, { option: 'ConvexError' })
}

module.exports = { convexErrorOf, errorClassOf, isRateLimitError, ownCopy }
