// Owns one fault: a listener with a defect. Never knows whom it asks.
'use strict'

const { WISH, fail, failure, repeat } = require('../upstream.js')

/** @type {import('./index.js').Fault} */
module.exports = {
  about: 'breaker',
  title: 'A listener that throws when the breaker opens changes nothing for the caller',
  rule: 'who watches is no part of the call (Node, diagnostics_channel: an error of a subscriber is an uncaught exception)',
  needs: ['breaker'],
  async scenario({ breaker: make }, trial) {
    const breaker = make(WISH)
    const defect = new Error('a defect of the listener')
    breaker.onOpen(() => {
      throw defect
    })
    await repeat(breaker, WISH.minCalls - 1, fail)
    const { how, error } = await trial.ending(breaker.run(fail))
    if (breaker.state() !== 'open') throw new Error(`${WISH.minCalls} failures did not open it`)
    return how === 'pending' ? 'never answered' : error === failure ? 'its own error' : 'the listener’s error'
  },
  isRight: (told) => told === 'its own error',
  tell: (told) => told,
}
