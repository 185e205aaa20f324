// What a key may be. Owns the error for what is none; never looks at what is in one.
'use strict'

const { misuse, shown } = require('./misuse.js')

/**
 * @param {unknown} key
 * @returns {key is string}
 */
function isKey(key) {
  return typeof key === 'string' && key !== ''
}

/**
 * @param {{ kind: string, name: string }} primitive
 * @param {unknown} key
 */
function keyTrouble({ kind, name }, key) {
  return misuse('E_KEY', `a key of the ${kind} "${name}" must be a non-empty string; got ${shown(key)}`)
}

module.exports = { isKey, keyTrouble }
