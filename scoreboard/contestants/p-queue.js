// Owns p-queue as a scenario asks for it. Never queues by itself.
'use strict'

/** @type {import('./index.js').Contestant} */
module.exports = {
  name: 'p-queue',
  about: ['bulkhead'],
  lacks: {},
  async load() {
    const { default: PQueue } = await import('p-queue')
    return {
      bulkhead({ limit }) {
        const queue = new PQueue({ concurrency: limit })
        return {
          run: (call, signal) => queue.add((context) => call(context?.signal), { signal }),
          end: () => queue.clear(),
        }
      },
      timedBulkhead({ limit, timeoutMs }) {
        const queue = new PQueue({ concurrency: limit, timeout: timeoutMs })
        return { run: (call) => queue.add(() => call()) }
      },
    }
  },
}
