// Owns cockatiel's policies as a scenario asks for them, handling all errors as its documentation does. Never changes one afterwards.
'use strict'

/** Opens above the threshold, not at it. */
const HALF = 0.499

/** @type {import('./index.js').Contestant} */
module.exports = {
  name: 'cockatiel',
  about: ['breaker', 'timeout', 'retry', 'bulkhead'],
  lacks: { cached: 'has no cache', end: 'cannot be ended' },
  async load() {
    const library = await import('cockatiel')
    const { circuitBreaker, handleAll, SamplingBreaker, CircuitState, bulkhead, retry, timeout, wrap } = library
    const { ConstantBackoff, ExponentialBackoff, TimeoutStrategy } = library
    /** @param {any} policy @returns {import('./index.js').Guard} */
    const guard = (policy) => ({
      run: (call, signal) => policy.execute((/** @type {any} */ context) => call(context.signal), signal),
    })
    /** @param {import('./index.js').BreakerWish} wish @param {string} [saved] */
    const made = ({ windowMs, minCalls, openMs }, saved) =>
      circuitBreaker(handleAll, {
        halfOpenAfter: openMs,
        breaker: new SamplingBreaker({ threshold: HALF, duration: windowMs, minimumRps: (minCalls / windowMs) * 1000 }),
        ...(saved && { initialState: JSON.parse(saved) }),
      })
    /** @param {import('cockatiel').CircuitBreakerPolicy} breaker @param {any} [around] @returns {import('./index.js').BreakerGuard} */
    const shown = (breaker, around = breaker) => ({
      ...guard(around),
      state: () =>
        breaker.state === CircuitState.Closed ? 'closed' : breaker.state === CircuitState.Open ? 'open' : 'half-open',
      onOpen: (listener) => breaker.onBreak(listener),
      save: () => JSON.stringify(breaker.toJSON()),
    })
    const aggressive = (/** @type {number} */ ms) => timeout(ms, TimeoutStrategy.Aggressive)
    /** @param {number} max @param {number} [waitMs] */
    const retried = (max, waitMs) => {
      const backoff = waitMs === undefined ? new ExponentialBackoff() : new ConstantBackoff(waitMs)
      return retry(handleAll, { maxAttempts: max, backoff })
    }
    return {
      breaker: (wish) => shown(made(wish)),
      restored: (saved, wish) => guard(made(wish, saved)),
      capped(wish) {
        const breaker = made(wish)
        return shown(breaker, wrap(breaker, bulkhead(wish.limit)))
      },
      timed: ({ timeoutMs }) => guard(aggressive(timeoutMs)),
      retry: ({ max, waitMs }) => guard(retried(max, waitMs)),
      retryWithin: ({ max, waitMs, timeoutMs }) => guard(wrap(aggressive(timeoutMs), retried(max, waitMs))),
      retryAround(wish) {
        const breaker = made(wish)
        return shown(breaker, wrap(retried(wish.max, wish.waitMs), breaker))
      },
      bulkhead: ({ limit, queue }) => guard(bulkhead(limit, queue)),
      timedBulkhead: ({ limit, timeoutMs }) => guard(wrap(aggressive(timeoutMs), bulkhead(limit))),
    }
  },
}
