// How the end of a guarded call counts when nobody says otherwise. Owns that rule. Never blames a dependency for a refusal of ours, or
// for a caller who has gone.
'use strict'

const { isRefusal } = require('./refusals.js')
const { verdictOf } = require('./verdict.js')

/** @typedef {import('../index').Outcome} Outcome */

/**
 * @param {unknown} value
 * @returns {Outcome}
 */
function outcomeOfValue(value) {
  return verdictOf(value)?.outcome ?? 'ok'
}

/**
 * @param {unknown} error
 * @param {{ aborted: boolean, reason: unknown } | undefined} signal what the call was to be aborted by
 * @returns {Outcome}
 */
function outcomeOfError(error, signal) {
  const marked = verdictOf(error)?.outcome
  if (marked !== undefined) return marked
  // Attempts that were not made again say what the last one that was made says.
  if (isRefusal(error) && error.code === 'E_RETRY_BUDGET') return outcomeOfError(error.cause, signal)
  if (isRefusal(error)) return tookTooLong(error) ? 'fail' : 'ignore'
  const aborted = signal?.aborted === true
  // An AbortError comes from a call of abort() somewhere; time running out is a TimeoutError.
  if (nameOf(error) !== 'AbortError' && !(aborted && error === signal.reason)) return 'fail'
  return aborted && tookTooLong(signal.reason) ? 'fail' : 'ignore'
}

/** @param {unknown} reason of an abort */
function tookTooLong(reason) {
  return nameOf(reason) === 'TimeoutError' || (isRefusal(reason) && reason.code === 'E_TIMEOUT')
}

/** @param {unknown} error */
function nameOf(error) {
  return typeof error === 'object' && error !== null && 'name' in error ? error.name : undefined
}

module.exports = { outcomeOfValue, outcomeOfError }
