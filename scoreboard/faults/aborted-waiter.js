// Owns one fault: who leaves the queue. Never knows whom it asks.
'use strict'

const { deferred } = require('../upstream.js')

/** @type {import('./index.js').Fault} */
module.exports = {
  about: 'bulkhead',
  title: 'A caller who aborts while queued is answered at once, and the place is free again',
  rule: 'reject as soon as the signal is aborted (WHATWG DOM, Using AbortController in APIs)',
  needs: ['bulkhead', 'signal'],
  async scenario({ bulkhead }, trial) {
    const guard = bulkhead({ limit: 1, queue: 1 })
    const caller = new AbortController()
    trial.ending(guard.run(deferred().call))
    await trial.pass(10)
    const queued = guard.run(async () => 1, caller.signal)
    trial.ending(queued)
    await trial.pass(10)
    caller.abort()
    const { how } = await trial.ending(queued)
    const next = await trial.ending(guard.run(async () => 2))
    return { answered: how === 'failed', free: next.how === 'pending' }
  },
  isRight: ({ answered, free }) => answered && free,
  tell: ({ answered, free }) => `${answered ? 'answered at once' : 'waits on'}, its place ${free ? 'free' : 'taken'}`,
}
