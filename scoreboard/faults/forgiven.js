// Owns one fault: failures that a breaker has already opened for. Never knows whom it asks.
'use strict'

const { WISH, answer, fail, openAndWait, repeat } = require('../upstream.js')

/** @type {import('./index.js').Fault} */
module.exports = {
  about: 'breaker',
  title: 'A breaker that closed again does not open for the failures from before',
  rule: 'the counters are reset when it closes (Azure Architecture Center, Circuit Breaker pattern)',
  needs: ['breaker'],
  async scenario({ breaker: make }, trial) {
    const breaker = make(WISH)
    await openAndWait(breaker, trial)
    await repeat(breaker, 1, answer)
    if (breaker.state() !== 'closed') throw new Error('a probe that answered did not close it')
    await repeat(breaker, 1, fail)
    return breaker.state()
  },
  isRight: (state) => state === 'closed',
  tell: (state) => `${state} after 1 failure of 1 call`,
}
