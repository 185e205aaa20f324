// A breaker and a bulkhead next to each other in a policy: one crossing into native code to let a call in, and one to let it out.
// Owns that both come back. Never waits for a permit: whoever has to goes the long way.
'use strict'

const passes = require('./breaker-pass.js')
const { Bulkhead } = require('./bulkhead.js')
const { Refused, shownError } = require('./refused.js')
const { Rejected } = require('./rejected.js')
const { Scope } = require('./scope.js')

/** @typedef {InstanceType<typeof import('./breaker.js').Breaker>} BreakerHandle */
/** @typedef {InstanceType<typeof Bulkhead>} BulkheadHandle */
/** @typedef {import('./strategy.js').Layer} Layer */

/**
 * @param {BreakerHandle} breaker without keys
 * @param {BulkheadHandle} bulkhead whose free permits are only counted
 * @param {number} bulkheadId
 * @param {boolean} bulkheadFirst whether it stands outside
 * @param {Layer} theLongWay the two of them one after the other
 * @returns {Layer}
 */
function passage(breaker, bulkhead, bulkheadId, bulkheadFirst, theLongWay) {
  return (outer, next) => {
    let pass
    try {
      pass = letIn(breaker, bulkhead, bulkheadId, bulkheadFirst)
    } catch (error) {
      return Promise.reject(error)
    }
    if (pass === undefined) return theLongWay(outer, next)
    if (pass instanceof Refused) return Promise.reject(pass)
    const scope = Scope.within(outer)
    const release = () => {
      Scope.end(scope)
      Bulkhead.exit(bulkhead)
    }
    /** @param {import('./gate.js').Settled} settled */
    const letOut = (settled) => {
      const aborted = settled.ok ? undefined : Scope.abortedBy(outer)
      if (!Scope.isQuiet(scope, release)) return passes.letOut(breaker, pass, settled, aborted)
      Scope.end(scope)
      passes.letOutOf(breaker, pass, settled, aborted, bulkheadId, release)
    }
    return Bulkhead.within(
      bulkhead,
      next,
      '',
    )(scope).then(
      (/** @type {unknown} */ value) => {
        letOut({ ok: true, value })
        return value
      },
      (/** @type {unknown} */ error) => {
        letOut({ ok: false, error: shownError(error) })
        return new Rejected(error)
      },
    )
  }
}

/**
 * @param {BreakerHandle} breaker
 * @param {BulkheadHandle} bulkhead
 * @param {number} bulkheadId
 * @param {boolean} bulkheadFirst
 */
function letIn(breaker, bulkhead, bulkheadId, bulkheadFirst) {
  // While everybody may enter, the breaker need not be asked at all.
  const pass = passes.freely(breaker)
  if (pass === undefined) return passes.letInto(breaker, bulkheadId, bulkheadFirst)
  return Bulkhead.enter(bulkhead) ? pass : undefined
}

module.exports = { passage }
