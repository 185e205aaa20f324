// Owns one fault: failures of an hour ago. Never knows whom it asks.
'use strict'

const { WISH, fail, repeat } = require('../upstream.js')

const HOUR_MS = 3_600_000

/** @type {import('./index.js').Fault} */
module.exports = {
  about: 'breaker',
  title: 'Failures older than the window do not open the breaker',
  rule: 'calls older than the window count for nothing (resilience4j, time-based sliding window)',
  needs: ['breaker'],
  async scenario({ breaker: make }, trial) {
    const breaker = make(WISH)
    await repeat(breaker, WISH.minCalls - 1, fail)
    if (breaker.state() !== 'closed') throw new Error('opened before it had seen enough calls')
    await trial.pass(HOUR_MS, 1000)
    await repeat(breaker, 1, fail)
    return breaker.state()
  },
  isRight: (state) => state === 'closed',
  tell: (state) => `${state} after 1 failure, an hour after 9`,
}
