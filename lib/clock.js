// The native calls under a clock of the user's. Never on the hot path of a spillway without one.
'use strict'

const { misuse, shown } = require('./misuse.js')

/**
 * The same calls, each with the time of `clock` handed to its twin.
 * @param {import('./native.js').Native} native
 * @param {() => number} clock milliseconds
 * @returns {import('./native.js').Native}
 */
function onClock(native, clock) {
  const at = /** @type {any} */ (native)
  const now = () => timeOf(clock)
  return {
    ...native,
    limiterConsume: (id, key, cost = 1) => at.limiterConsumeAt(id, key, cost, now()),
    limiterPeek: (id, key, cost) => at.limiterPeekAt(id, key, cost, now()),
    limiterRefund: (id, key, cost, date) => at.limiterRefundAt(id, key, cost, date, now()),
    limiterReset: (id, key) => at.limiterResetAt(id, key, now()),
    breakerEnter: (id) => at.breakerEnterAt(id, now()),
    breakerExit: (id, generation, outcome = 0, tookMs = 0) => at.breakerExitAt(id, generation, outcome, tookMs, now()),
    cacheGet: (id, key) => at.cacheGetAt(id, key, now()),
    cacheSet: (id, key, text, ttlMs) => at.cacheSetAt(id, key, text, ttlMs, now()),
    cacheDelete: (id, key) => at.cacheDeleteAt(id, key, now()),
    cacheBoard: (id, key) => at.cacheBoardAt(id, key, now()),
    cacheLand: (id, receipt, key, text, ttlMs) => at.cacheLandAt(id, receipt, key, text, ttlMs, now()),
  }
}

/**
 * @param {() => number} clock
 * @returns {number}
 */
function timeOf(clock) {
  const now = clock()
  if (typeof now !== 'number' || !Number.isFinite(now)) {
    throw misuse('E_OPTION', `\`clock\` must answer milliseconds as a finite number; got ${shown(now)}`, {
      option: 'clock',
    })
  }
  return now
}

module.exports = { onClock, timeOf }
