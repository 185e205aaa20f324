// Owns fetch-retry as a scenario asks for it. Never sends anything by itself.
'use strict'

/** It repeats none unless told which. */
const RETRY_ON = [429, 500, 502, 503, 504]

/** @type {import('./index.js').Contestant} */
module.exports = {
  name: 'fetch-retry',
  about: ['fetch'],
  lacks: {},
  async load() {
    const fetchRetry = require('fetch-retry')
    return {
      client: ({ max, waitMs }) => fetchRetry(fetch, { retries: max, retryDelay: waitMs, retryOn: RETRY_ON }),
    }
  },
}
