// Owns one fault: a timeout that no timer can hold. Never knows whom it asks.
'use strict'

const { answer } = require('../upstream.js')

const THIRTY_DAYS_MS = 30 * 86_400_000

/** @type {import('./index.js').Fault} */
module.exports = {
  about: 'timeout',
  title: 'A timeout of 30 days does not end a call after a millisecond',
  rule: 'setTimeout takes delays over 2^31 - 1 for 1 (Node, timers); who passes one on has to know',
  needs: ['timed'],
  realTime: true,
  async scenario({ timed }, trial) {
    let guard
    try {
      guard = timed({ timeoutMs: THIRTY_DAYS_MS })
    } catch (error) {
      return error instanceof RangeError ? 'refused as out of range when it is made' : 'refused for no reason'
    }
    const running = guard.run(async () => {
      await trial.pass(50)
      return answer()
    })
    await running.then(
      () => 0,
      () => 0,
    )
    return (await trial.ending(running)).how === 'answered' ? 'answered' : 'timed out at once'
  },
  isRight: (told) => told === 'answered' || told.startsWith('refused as'),
  tell: (told) => told,
}
