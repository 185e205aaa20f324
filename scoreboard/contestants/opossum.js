// Owns opossum's circuit breaker as a scenario asks for it. Never gives it an option its documentation does not have.
'use strict'

/** Opens above the threshold, not at it. */
const HALF = 49.9

/** @type {import('./index.js').Contestant} */
module.exports = {
  name: 'opossum',
  about: ['breaker', 'timeout', 'bulkhead'],
  lacks: {
    retry: 'does not retry',
    retryWithin: 'does not retry',
    retryAround: 'does not retry',
    bulkhead: 'has no queue',
    signal: 'takes no signal',
    end: 'has no queue',
  },
  async load() {
    const CircuitBreaker = require('opossum')
    const perform = (/** @type {any} */ call, /** @type {any[]} */ ...args) => call(...args)
    /** @param {object} options @returns {any} */
    const made = (options) => new CircuitBreaker(perform, /** @type {any} */ ({ timeout: false, ...options }))
    /** @param {import('./index.js').BreakerWish} wish */
    const options = ({ windowMs, minCalls, openMs }) => ({
      rollingCountTimeout: windowMs,
      volumeThreshold: minCalls,
      errorThresholdPercentage: HALF,
      resetTimeout: openMs,
    })
    /** @param {any} breaker @returns {import('./index.js').BreakerGuard} */
    const shown = (breaker) => ({
      run: (call, signal) => breaker.fire(call, signal),
      state: () => (breaker.opened ? 'open' : breaker.halfOpen ? 'half-open' : 'closed'),
      onOpen: (listener) => breaker.on('open', listener),
      save: () => JSON.stringify(breaker.toJSON()),
    })
    return {
      breaker: (wish) => shown(made(options(wish))),
      restored: (saved, wish) => shown(made({ ...options(wish), state: JSON.parse(saved).state })),
      capped: (wish) => shown(made({ ...options(wish), capacity: wish.limit })),
      cached(wish) {
        const cacheGetKey = (/** @type {unknown} */ _, /** @type {string} */ key) => key
        const breaker = made({ ...options(wish), cache: true, cacheGetKey })
        return { run: (key, call) => breaker.fire(call, key) }
      },
      timed({ timeoutMs }) {
        const abortController = new AbortController()
        const breaker = made({ timeout: timeoutMs, abortController, autoRenewAbortController: true })
        return { run: (call) => breaker.fire(call, breaker.getSignal()) }
      },
      // It must not open: what is looked at is the limit.
      timedBulkhead: ({ limit, timeoutMs }) =>
        shown(made({ timeout: timeoutMs, capacity: limit, volumeThreshold: 1_000_000 })),
    }
  },
}
