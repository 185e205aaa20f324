// Owns one fault: whose call it is. Never knows whom it asks.
'use strict'

const { AsyncLocalStorage } = require('node:async_hooks')
const { deferred } = require('../upstream.js')

/** @type {import('./index.js').Fault} */
module.exports = {
  about: 'bulkhead',
  title: 'A call that waited runs in its own caller’s async context, not in another’s',
  rule: 'a store is that of who called (Node, AsyncLocalStorage: integrating AsyncResource with a pool)',
  needs: ['bulkhead'],
  async scenario({ bulkhead }, trial) {
    const guard = bulkhead({ limit: 1, queue: 10 })
    const user = new AsyncLocalStorage()
    const first = deferred()
    /** @type {unknown} */
    let seen
    user.run('alice', () => trial.ending(guard.run(first.call)))
    await trial.pass(10)
    user.run('bob', () =>
      trial.ending(
        guard.run(async () => {
          seen = user.getStore()
        }),
      ),
    )
    await trial.pass(10)
    user.run('alice', () => first.resolve())
    await trial.pass(100)
    return seen ?? 'nobody'
  },
  isRight: (seen) => seen === 'bob',
  tell: (seen) => `bob’s call runs as ${seen}’s`,
}
