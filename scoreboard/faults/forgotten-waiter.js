// Owns one fault: who waits in a queue that is no more. Never knows whom it asks.
'use strict'

const { deferred } = require('../upstream.js')

/** @type {import('./index.js').Fault} */
module.exports = {
  about: 'bulkhead',
  title: 'Those who wait when the queue is ended or cleared are told so',
  rule: 'who ends a queue answers for what is in it (java.util.concurrent, ExecutorService.shutdownNow)',
  needs: ['bulkhead', 'end'],
  but: { 'p-limit': 'documented, and rejectOnClear turns it off' },
  async scenario({ bulkhead }, trial) {
    const guard = bulkhead({ limit: 1, queue: 10 })
    const first = deferred()
    trial.ending(guard.run(first.call))
    await trial.pass(10)
    const queued = guard.run(async () => 1)
    trial.ending(queued)
    await trial.pass(10)
    guard.end?.()
    await trial.pass(10)
    first.resolve()
    await trial.pass(60_000)
    return (await trial.ending(queued)).how
  },
  isRight: (how) => how !== 'pending',
  tell: (how) => (how === 'pending' ? 'never told' : how === 'failed' ? 'told' : 'run all the same'),
}
