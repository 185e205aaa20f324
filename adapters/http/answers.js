// Owns the question whether an answer is there or still to come.
// Never waits for one.
'use strict'

/** @param {unknown} value @returns {value is PromiseLike<any>} */
function isPromise(value) {
  return typeof value === 'object' && value !== null && typeof (/** @type {any} */ (value).then) === 'function'
}

module.exports = { isPromise }
