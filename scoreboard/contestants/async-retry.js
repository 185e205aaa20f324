// Owns async-retry as a scenario asks for it. Never retries by itself.
'use strict'

/** @type {import('./index.js').Contestant} */
module.exports = {
  name: 'async-retry',
  about: ['retry'],
  lacks: { signal: 'takes no signal', retryWithin: 'has no deadline', retryAround: 'has no breaker' },
  async load() {
    const retry = require('async-retry')
    /** @param {number} [waitMs] */
    const wait = (waitMs) => (waitMs === undefined ? {} : { minTimeout: waitMs, factor: 1, randomize: false })
    return {
      retry: ({ max, waitMs }) => ({ run: (call) => retry(() => call(), { retries: max, ...wait(waitMs) }) }),
    }
  },
}
