// Owns one fault: a late success. Never knows whom it asks.
'use strict'

const { WISH, answer, deferred, ignore, openAndWait } = require('../upstream.js')

/** @type {import('./index.js').Fault} */
module.exports = {
  about: 'breaker',
  title: 'A success that began before the breaker opened does not close it',
  rule: 'half-open: only the trial requests decide (Azure Architecture Center, Circuit Breaker pattern)',
  needs: ['breaker'],
  async scenario({ breaker: make }, trial) {
    const breaker = make(WISH)
    const [slow, probe] = [deferred(), deferred()]
    breaker.run(slow.call).then(ignore, ignore)
    await openAndWait(breaker, trial)
    breaker.run(probe.call).then(ignore, ignore)
    await trial.settle()
    slow.resolve(await answer())
    await trial.settle()
    return breaker.state()
  },
  isRight: (state) => state === 'half-open',
  tell: (state) => (state === 'half-open' ? 'still half-open' : `${state} by it`),
}
