// What a load has brought, and what each of those who waited for it gets. Owns that no two of them get what one could change for the
// other. Never stores anything.
'use strict'

/** @typedef {InstanceType<typeof import('./values.js').Values>} Values */
/** @typedef {import('./values.js').Encoded} Encoded */
/** @typedef {import('./second-tier.js').Found} Found */

/**
 * @typedef {object} Landed
 * @property {Encoded} encoded until it is decoded for all
 * @property {any} value
 * @property {boolean} decoded
 * @property {number} stamp which it has if it is kept
 * @property {Found | undefined} found what was found behind memory in place of a load
 */

/**
 * @param {Encoded} encoded
 * @param {number} stamp
 * @returns {Landed}
 */
function landedOf(encoded, stamp) {
  if (encoded === undefined) return { encoded, value: undefined, decoded: true, stamp, found: undefined }
  // A loader may go on writing to the bytes it has answered with.
  const kept = typeof encoded === 'string' ? encoded : copyOf(encoded)
  return { encoded: kept, value: undefined, decoded: false, stamp, found: undefined }
}

/**
 * @param {Found} found
 * @returns {Landed}
 */
function landedFrom(found) {
  const { encoded, stamp } = found
  return { encoded, value: undefined, decoded: encoded === undefined, stamp, found }
}

/**
 * The value for one of those who waited: the same types as of a hit.
 * @param {Values} values
 * @param {string} key
 * @param {Landed} landed
 */
function landedValue(values, key, landed) {
  if (landed.decoded) return landed.value
  const { encoded } = landed
  if (!values.codec.shared) {
    return values.decoded(key, typeof encoded === 'string' ? encoded : copyOf(/** @type {Uint8Array} */ (encoded)))
  }
  landed.value = values.decoded(key, /** @type {string | Uint8Array} */ (encoded))
  landed.decoded = true
  landed.encoded = undefined
  return landed.value
}

/**
 * In memory of its own: what is decoded may stand on it, and small buffers usually share one with others.
 * @param {Uint8Array} bytes
 */
function copyOf(bytes) {
  const copy = Buffer.allocUnsafeSlow(bytes.length)
  copy.set(bytes)
  return copy
}

module.exports = { landedOf, landedFrom, landedValue }
