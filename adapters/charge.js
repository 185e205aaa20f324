// Owns the terms of a charge: which key a request is charged to, how much, and whether it is told.
// Never asks a limiter: that is the adapter's one line of work.
'use strict'

const { misuse, shown } = require('../lib/misuse.js')

/**
 * @template {(...args: any[]) => unknown} Key
 * @template {number | ((...args: any[]) => unknown)} Cost
 * @typedef {{ key: Key, cost?: Cost, headers?: boolean }} Terms
 */

/**
 * The options of `limit()` and `limited()`, checked once, where they come in.
 * @template {(...args: any[]) => unknown} Key
 * @template {number | ((...args: any[]) => unknown)} Cost
 * @param {string} caller
 * @param {unknown} limiter
 * @param {Terms<Key, Cost> | undefined} options
 * @returns {{ keyOf: Key, cost: number | undefined, costOf: Exclude<Cost, number> | undefined, headers: boolean }}
 */
function termsOf(caller, limiter, options) {
  const asked = /** @type {{ consume?: unknown } | null | undefined} */ (limiter)
  if (typeof asked?.consume !== 'function') {
    throw misuse('E_OPTION', `${caller}: the limiter must be what limiter(name, …) answered; got ${shown(limiter)}`)
  }
  const { key, cost, headers = true, ...rest } = options ?? /** @type {Partial<Terms<Key, Cost>>} */ ({})
  if (typeof key !== 'function') throw wrong('key', key, 'is required, a function from the request to a string')
  if (cost !== undefined && typeof cost !== 'number' && typeof cost !== 'function') {
    throw wrong('cost', cost, 'must be a whole number, or a function from the request to one')
  }
  if (typeof headers !== 'boolean') throw wrong('headers', headers, 'must be true or false')
  const [unknown] = Object.keys(rest)
  if (unknown !== undefined) {
    throw misuse('E_OPTION', `${caller} has no option ${shown(unknown)}; it has key, cost and headers`, {
      option: unknown,
    })
  }
  return typeof cost === 'function'
    ? { keyOf: key, cost: undefined, costOf: /** @type {Exclude<Cost, number>} */ (cost), headers }
    : { keyOf: key, cost, costOf: undefined, headers }

  function wrong(/** @type {string} */ option, /** @type {unknown} */ given, /** @type {string} */ rule) {
    return misuse('E_OPTION', `${caller}: ${option} ${rule}; got ${shown(given)}`, { option })
  }
}

/** A wrapper around what is not a function would fail at the first request rather than here. */
function requireHandler(/** @type {string} */ caller, /** @type {unknown} */ handler) {
  if (typeof handler === 'function') return
  throw misuse(
    'E_OPTION',
    `${caller}: the handler must be a function from a Request to a Response; got ${shown(handler)}`,
  )
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

module.exports = { termsOf, requireHandler, requireKey }
