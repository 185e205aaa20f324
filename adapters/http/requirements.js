// Owns what every limit requires alike, whatever it stands in front of: a limiter, and a cost it can charge.
// Never reads an option by itself: where a value was found, its caller says.
'use strict'

const { misuse, shown } = require('../../lib/misuse.js')

/**
 * @param {string} where the limiter was given, as messages name it
 * @param {unknown} given
 * @param {boolean} [is] what can charge can stand in front of a request
 * @returns {import('../../index').Limiter<import('../../index').Mode>}
 */
function requireLimiter(where, given, is = typeof (/** @type {any} */ (given)?.consume) === 'function') {
  if (is) return /** @type {any} */ (given)
  throw misuse('E_OPTION', `${where} must be what limiter(name, …) answered; got ${shown(given)}`, {
    option: 'limiter',
  })
}

/**
 * @param {string} where the cost was given, as messages name it
 * @param {unknown} given
 * @param {string} [asked] what a function of it is asked of
 * @returns {number | ((...args: any[]) => any) | undefined}
 */
function requireCost(where, given, asked = 'the request') {
  if (given === undefined || typeof given === 'number' || typeof given === 'function') return /** @type {any} */ (given)
  const rule = `must be a whole number, or a function from ${asked} to one`
  throw misuse('E_OPTION', `${where} ${rule}; got ${shown(given)}`, { option: 'cost' })
}

module.exports = { requireCost, requireLimiter }
