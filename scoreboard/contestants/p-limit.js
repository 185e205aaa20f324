// Owns p-limit as a scenario asks for it. Never queues by itself.
'use strict'

/** @type {import('./index.js').Contestant} */
module.exports = {
  name: 'p-limit',
  about: ['bulkhead'],
  lacks: { signal: 'takes no signal', timedBulkhead: 'has no timeout' },
  async load() {
    const { default: pLimit } = await import('p-limit')
    return {
      bulkhead({ limit }) {
        const guard = pLimit(limit)
        return { run: (call) => guard(() => call()), end: () => guard.clearQueue() }
      },
    }
  },
}
