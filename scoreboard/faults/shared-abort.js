// Owns one fault: one call’s timeout. Never knows whom it asks.
'use strict'

const { deferred } = require('../upstream.js')

/** @type {import('./index.js').Fault} */
module.exports = {
  about: 'timeout',
  title: 'A call that times out does not abort the signal of another',
  rule: 'a signal belongs to one operation (WHATWG DOM, AbortController)',
  needs: ['timed'],
  async scenario({ timed }, trial) {
    const guard = timed({ timeoutMs: 1000 })
    /** @type {(AbortSignal | undefined)[]} */
    const signals = []
    const hang = (/** @type {AbortSignal | undefined} */ signal) => {
      signals.push(signal)
      return deferred().call()
    }
    const first = guard.run(hang)
    await trial.pass(900)
    const second = guard.run(hang)
    trial.ending(second)
    await trial.pass(150)
    if ((await trial.ending(first)).how !== 'failed') throw new Error('the first call did not time out')
    return signals.map((signal) => signal?.aborted === true)
  },
  isRight: ([first, second]) => first && !second,
  tell: ([first, second]) => (second ? 'aborted both' : first ? 'aborted its own' : 'aborted neither'),
}
