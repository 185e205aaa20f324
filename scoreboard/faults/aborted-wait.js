// Owns one fault: a caller who goes while a retry waits. Never knows whom it asks.
'use strict'

const { failure } = require('../upstream.js')

const WAIT_MS = 10_000

/** @type {import('./index.js').Fault} */
module.exports = {
  about: 'retry',
  title: 'An abort ends the wait before a retry at once, and nothing is run after it',
  rule: 'reject as soon as the signal is aborted (WHATWG DOM, Using AbortController in APIs)',
  needs: ['retry', 'signal'],
  async scenario({ retry }, trial) {
    const caller = new AbortController()
    let runs = 0
    const running = retry({ max: 3, waitMs: WAIT_MS }).run(async () => {
      runs++
      throw failure
    }, caller.signal)
    trial.ending(running)
    await trial.pass(1000)
    if (runs !== 1) throw new Error(`ran ${runs} times before the wait was over`)
    caller.abort()
    const { how } = await trial.ending(running)
    await trial.pass(10 * WAIT_MS)
    return { atOnce: how === 'failed', more: runs - 1 }
  },
  isRight: ({ atOnce, more }) => atOnce && more === 0,
  tell: ({ atOnce, more }) =>
    `${atOnce ? 'ended at once' : 'waited on'}, ${more === 0 ? 'nothing run' : 'and ran again'}`,
}
