// Owns one fault: calls that are still under way. Never knows whom it asks.
'use strict'

const { WISH, deferred, fail, repeat } = require('../upstream.js')

/** @type {import('./index.js').Fault} */
module.exports = {
  about: 'breaker',
  title: 'Calls still under way do not hide that all the others failed',
  rule: 'a rate is of calls that have ended (resilience4j, failureRateThreshold)',
  needs: ['breaker'],
  async scenario({ breaker: make }, trial) {
    const breaker = make(WISH)
    for (let call = 0; call < 30; call++) trial.ending(breaker.run(deferred().call))
    await repeat(breaker, WISH.minCalls, fail)
    return breaker.state()
  },
  isRight: (state) => state === 'open',
  tell: (state) => `${state} after 10 of 10 failed`,
}
