// Owns one fault: a call that had a place in the queue. Never knows whom it asks.
'use strict'

const { deferred } = require('../upstream.js')

/** @type {import('./index.js').Fault} */
module.exports = {
  about: 'bulkhead',
  title: 'A call that was queued is not refused afterwards, whoever comes meanwhile',
  rule: 'who is refused is refused when asking (java.util.concurrent, ThreadPoolExecutor: new tasks are rejected)',
  needs: ['bulkhead'],
  async scenario({ bulkhead }, trial) {
    const guard = bulkhead({ limit: 1, queue: 1 })
    const first = deferred()
    trial.ending(guard.run(first.call))
    await trial.pass(10)
    const queued = guard.run(async () => 'had its turn')
    trial.ending(queued)
    await trial.pass(10)
    // Two more callers, who wait for what the first one waits for.
    first.call().then(() => {
      for (const late of [1, 2]) trial.ending(guard.run(async () => late))
    })
    first.resolve()
    await trial.pass(100)
    return (await trial.ending(queued)).how
  },
  isRight: (how) => how === 'answered',
  tell: (how) => (how === 'answered' ? 'had its turn' : how === 'failed' ? 'refused after it was queued' : 'never run'),
}
