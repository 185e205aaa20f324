// Owns p-retry as a scenario asks for it. Never retries by itself.
'use strict'

/** @type {import('./index.js').Contestant} */
module.exports = {
  name: 'p-retry',
  about: ['retry'],
  lacks: { retryWithin: 'has no timeout', retryAround: 'has no breaker' },
  async load() {
    const { default: pRetry } = await import('p-retry')
    /** @param {number} max @param {number} [waitMs] */
    const options = (max, waitMs) => ({ retries: max, ...(waitMs && { minTimeout: waitMs, factor: 1 }) })
    return {
      retry: ({ max, waitMs }) => ({
        run: (call, signal) => pRetry(() => call(signal), { ...options(max, waitMs), signal }),
      }),
    }
  },
}
