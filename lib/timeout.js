// The timeout: answers the caller when time is up, whatever the function does. Owns that answer. Never sets a timer of its own, and
// never blames a dependency for a blocked event loop.
'use strict'

const deadlines = require('./deadlines.js')
const { onceRead } = require('./late.js')
const { Options } = require('./options.js')
const { Refused } = require('./refused.js')
const { Scope } = require('./scope.js')
const { STRATEGY } = require('./strategy.js')
const { discard } = require('./verdict.js')

/** @typedef {InstanceType<typeof Scope>} Call */
/** @typedef {import('./strategy.js').Next} Next */
/** @typedef {import('./strategy.js').Site} Site */

class Timeout {
  /** @type {'timeout'} */
  kind = 'timeout'

  /** @param {number} milliseconds */
  constructor(milliseconds) {
    this.milliseconds = milliseconds
    Object.freeze(this)
  }

  /** @param {Site} site */
  [STRATEGY](site) {
    return (/** @type {Call} */ scope, /** @type {Next} */ next) => within(this.milliseconds, site, scope, next)
  }
}

/**
 * @param {number} milliseconds
 * @param {Site} site
 * @param {Call} scope
 * @param {Next} next
 * @returns {Promise<unknown>}
 */
function within(milliseconds, site, scope, next) {
  return new Promise((resolve, reject) => {
    const inner = Scope.within(scope)
    let settled = false
    let late = false
    const expire = () => {
      if (settled) return
      late = true
      const message = `a call through "${site.name}" took longer than ${milliseconds} ms`
      const refused = new Refused('E_TIMEOUT', site.name, { message })
      Scope.leaveBehind(inner)
      site.note('timeout', () => ({ afterMs: milliseconds, attempt: scope.attempt }))
      reject(refused)
      Scope.abort(inner, refused.error())
    }
    const deadline = deadlines.schedule(milliseconds, (lateMs) => onceRead(lateMs, expire))
    Scope.limit(inner, deadline)
    next(inner).then(
      (value) => {
        settled = true
        if (late) {
          discard(value)
          Scope.catchUp(inner)
          return
        }
        deadlines.cancel(deadline)
        Scope.end(inner)
        resolve(value)
      },
      (error) => {
        settled = true
        if (late) return Scope.catchUp(inner)
        deadlines.cancel(deadline)
        Scope.end(inner)
        reject(error)
      },
    )
  })
}

/** @param {unknown} duration */
function timeout(duration) {
  return new Timeout(new Options('timeout()', { duration }, ['duration']).duration('duration', {}))
}

module.exports = { Timeout, timeout, within }
