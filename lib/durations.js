// What '5m' and '64mb' mean. Owns both grammars; never knows what an option is for.
'use strict'

/** @type {Record<string, number>} */
const MILLISECONDS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }
/** @type {Record<string, number>} */
const BYTES = { b: 1, kb: 1024, mb: 1024 ** 2, gb: 1024 ** 3 }

const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/
const SIZE = /^(\d+(?:\.\d+)?)(b|kb|mb|gb)$/

/**
 * Milliseconds, or NaN for what is no duration.
 * @param {unknown} value
 * @returns {number}
 */
function milliseconds(value) {
  return quantity(value, DURATION, MILLISECONDS)
}

/**
 * Bytes, or NaN for what is no size.
 * @param {unknown} value
 * @returns {number}
 */
function bytes(value) {
  return quantity(value, SIZE, BYTES)
}

/**
 * @param {unknown} value
 * @param {RegExp} grammar
 * @param {Record<string, number>} units
 */
function quantity(value, grammar, units) {
  if (typeof value === 'number') return Number.isFinite(value) ? value : NaN
  const parts = typeof value === 'string' ? grammar.exec(value) : null
  return parts === null ? NaN : Number(parts[1]) * units[parts[2]]
}

module.exports = { milliseconds, bytes }
