// What the adapter of a protocol knows of an answer, for the breaker, the retry and the hedge it goes through. Owns those notes.
// Never changes what it notes something of, and never keeps it alive.
'use strict'

/**
 * @typedef {object} Verdict
 * @property {import('../index').Outcome} [outcome] how a breaker counts it, unless the user's `classify` says otherwise
 * @property {boolean} [retry] whether to try again, unless the user's `when` says otherwise; of a function that is to be called:
 *   `false` says that it may be called only once, and nobody may say otherwise
 * @property {number} [retryAfterMs] the wait that the other side asks for; Infinity is longer than any
 * @property {() => void} [discard] lets go of what it holds, when it is not to be the answer after all
 */

/** @type {WeakMap<object, Verdict>} */
const verdicts = new WeakMap()

/**
 * Notes it of a value, an error or a function; of what is no object nothing can be noted.
 * @template T
 * @param {T} thing
 * @param {Verdict} verdict
 * @returns {T}
 */
function mark(thing, verdict) {
  if (isObject(thing)) verdicts.set(thing, verdict)
  return thing
}

/**
 * @param {unknown} thing
 * @returns {Verdict | undefined}
 */
function verdictOf(thing) {
  return isObject(thing) ? verdicts.get(thing) : undefined
}

/**
 * To be called of every value that nobody will be given: the earlier ones of a retry, the loser of a hedge, the late one.
 * @param {unknown} value
 */
function discard(value) {
  verdictOf(value)?.discard?.()
}

/**
 * @param {unknown} thing
 * @returns {thing is object}
 */
function isObject(thing) {
  return (typeof thing === 'object' && thing !== null) || typeof thing === 'function'
}

module.exports = { mark, verdictOf, discard }
