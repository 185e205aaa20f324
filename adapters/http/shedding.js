// Owns the terms of shedding load: which guard is asked, and how much a request matters.
// Never measures load: that is the guard's.
'use strict'

const { misuse, shown } = require('../../lib/misuse.js')
const { Refusal } = require('../../lib/refusals.js')
const { problemOf } = require('./problem.js')

/**
 * @typedef {{ admit(priority?: any): import('../../index').RefusalInfo | null }} Guard
 * @typedef {{ refusal: import('../../index').Refusal, problem: import('./problem.js').Problem }} Shed
 */

/**
 * @param {string} caller
 * @param {unknown} guard
 * @param {unknown} options
 * @returns {(request: any, ...rest: unknown[]) => Shed | null} what to answer, or null to go on
 */
function sheddingOf(caller, guard, options) {
  const asked = /** @type {Guard} */ (guard)
  if (typeof asked?.admit !== 'function') {
    throw misuse('E_OPTION', `${caller}: the guard must be what shed(name, …) answered; got ${shown(guard)}`)
  }
  const { priority, ...rest } = /** @type {Record<string, any>} */ (options ?? {})
  if (priority !== undefined && typeof priority !== 'function') {
    throw misuse('E_OPTION', `${caller}: priority must be a function of the request; got ${shown(priority)}`, {
      option: 'priority',
    })
  }
  const [unknown] = Object.keys(rest)
  if (unknown !== undefined) {
    throw misuse('E_OPTION', `${caller} has no option ${shown(unknown)}; it has priority`, { option: unknown })
  }
  /** @type {import('../../index').RefusalInfo | undefined} */
  let last
  /** @type {Shed | undefined} */
  let shed
  return (...request) => {
    const info = asked.admit(priority?.(...request))
    if (info === null) return null
    // A guard says the same to everybody it refuses. When there is no time to lose, the answer is there already.
    if (shed === undefined || info !== last) {
      const refusal = new Refusal(info)
      shed = { refusal, problem: problemOf(refusal) }
      last = info
    }
    return shed
  }
}

module.exports = { sheddingOf }
