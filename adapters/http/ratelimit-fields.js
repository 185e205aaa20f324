// Owns the choice of how quotas are told in an answer, and the whole seconds of Retry-After.
// Never touches a request or a response itself: a sink says how a framework reads and writes header fields.
'use strict'

const { misuse, shown } = require('../../lib/misuse.js')
const { CombinedFields } = require('./combined-fields.js')
const { LegacyFields } = require('./legacy-fields.js')
const { StructuredFields } = require('./structured-fields.js')

/**
 * How the fields of an answer are read, undefined or null where there is none, and written.
 * @template T
 * @typedef {{
 *   get: (target: T, lowerCaseName: string) => unknown,
 *   set: (target: T, name: string, value: string) => void,
 * }} Sink
 */
/**
 * @typedef {{
 *   tell<T>(
 *     sink: Sink<T>,
 *     target: T,
 *     decision: import('../../index').Decision,
 *     override?: import('./charge.js').Override,
 *   ): void
 * }} Fields
 */

/** @type {Record<string, (new (limiter: import('./quotas.js').Limits) => Fields) | undefined>} */
const FORMATS = Object.assign(Object.create(null), {
  'draft-11': StructuredFields,
  'draft-7': CombinedFields,
  legacy: LegacyFields,
  none: undefined,
})

/**
 * @param {string} caller
 * @param {import('./quotas.js').Limits} limiter
 * @param {unknown} headers
 * @returns {Fields | undefined} undefined where nothing is told
 */
function fieldsOf(caller, limiter, headers = true) {
  const format = headers === true ? 'draft-11' : headers === false ? 'none' : headers
  if (typeof format !== 'string' || !(format in FORMATS)) {
    const allowed = "must be 'draft-11', 'draft-7', 'legacy', 'none', true or false"
    throw misuse('E_OPTION', `${caller}: headers ${allowed}; got ${shown(headers)}`, { option: 'headers' })
  }
  const Format = FORMATS[format]
  return Format === undefined ? undefined : new Format(limiter)
}

/** Whole seconds for Retry-After; undefined when waiting does not help. */
function retryAfterSeconds(/** @type {number | undefined} */ milliseconds) {
  return milliseconds === undefined || !Number.isFinite(milliseconds) ? undefined : Math.ceil(milliseconds / 1000)
}

module.exports = { fieldsOf, retryAfterSeconds }
