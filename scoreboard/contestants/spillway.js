// Owns our own guards as a scenario asks for them, set as a user would. Never reaches past the package's face.
'use strict'

/** @type {import('./index.js').Contestant} */
module.exports = {
  name: 'spillway',
  about: ['breaker', 'timeout', 'retry', 'bulkhead', 'fetch'],
  lacks: {},
  async load() {
    const { spillway, retry, timeout } = require('../..')
    const { fetchClient } = require('../../adapters/fetch-client.js')
    // A set of its own for each guard: they all may have the same name, as one before and one after a restart do.
    const set = () => spillway({ clock: () => Date.now(), env: false })
    /** @param {any} runner @returns {import('./index.js').Guard} */
    const guard = (runner) => ({
      run: (call, signal) => runner.run((/** @type {any} */ context) => call(context.signal), { signal }),
    })
    /** @param {any} sp @param {import('./index.js').BreakerWish} wish */
    const opened = (sp, { windowMs, minCalls, openMs }) =>
      sp.breaker('upstream', {
        window: windowMs,
        minCalls,
        failureRate: 0.5,
        open: { for: openMs, max: openMs, jitter: 0 },
        probes: 1,
      })
    /** @param {any} breaker @param {import('./index.js').Guard} [around] @returns {import('./index.js').BreakerGuard} */
    const shown = (breaker, around = guard(breaker)) => ({
      ...around,
      state: () => breaker.state,
      onOpen: (listener) => breaker.on('transition', (/** @type {any} */ { to }) => to === 'open' && listener()),
      save: () => JSON.stringify(breaker.snapshot()),
    })
    return {
      breaker: (wish) => shown(opened(set(), wish)),
      restored(saved, wish) {
        const breaker = opened(set(), wish)
        breaker.restore(JSON.parse(saved))
        return guard(breaker)
      },
      capped(wish) {
        const sp = set()
        const breaker = opened(sp, wish)
        return shown(breaker, guard(sp.policy('capped', breaker, sp.bulkhead('capped', { limit: wish.limit }))))
      },
      cached(wish) {
        const sp = set()
        const [cache, breaker] = [sp.cache('answers'), opened(sp, wish)]
        return { run: (key, call) => cache.getOrSet(key, () => breaker.run(() => call())) }
      },
      timed: ({ timeoutMs }) => guard(set().policy('timed', timeout(timeoutMs))),
      retry: ({ max, waitMs }) => guard(set().policy('retried', retry({ max, ...wait(waitMs) }))),
      retryWithin: ({ max, waitMs, timeoutMs }) =>
        guard(set().policy('retried', timeout(timeoutMs), retry({ max, ...wait(waitMs) }))),
      retryAround(wish) {
        const sp = set()
        const breaker = opened(sp, wish)
        return shown(breaker, guard(sp.policy('retried', retry({ max: wish.max, ...wait(wish.waitMs) }), breaker)))
      },
      bulkhead({ limit, queue }) {
        const bulkhead = set().bulkhead('narrow', { limit, queue })
        return { ...guard(bulkhead), end: () => bulkhead.dispose() }
      },
      timedBulkhead({ limit, timeoutMs }) {
        const sp = set()
        return guard(sp.policy('narrow', timeout(timeoutMs), sp.bulkhead('narrow', { limit })))
      },
      client: ({ max, waitMs }) => fetchClient(set().policy('upstream', retry({ max, ...wait(waitMs) }))),
    }
  },
}

/** @param {number} [waitMs] between attempts; left out: as it is by default */
const wait = (waitMs) => (waitMs === undefined ? {} : { base: waitMs, cap: waitMs })
