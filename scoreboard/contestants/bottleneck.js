// Owns Bottleneck as a scenario asks for it. Never queues by itself.
'use strict'

/** @type {import('./index.js').Contestant} */
module.exports = {
  name: 'bottleneck',
  about: ['bulkhead'],
  lacks: { signal: 'takes no signal' },
  async load() {
    const Bottleneck = require('bottleneck')
    return {
      bulkhead({ limit }) {
        const limiter = new Bottleneck({ maxConcurrent: limit })
        return { run: (call) => limiter.schedule(() => call()), end: () => limiter.stop() }
      },
      timedBulkhead({ limit, timeoutMs }) {
        const limiter = new Bottleneck({ maxConcurrent: limit })
        return { run: (call) => limiter.schedule({ expiration: timeoutMs }, () => call()) }
      },
    }
  },
}
