// Owns one fault: attempts at an open breaker. Never knows whom it asks.
'use strict'

const { WISH, answer, fail, ignore } = require('../upstream.js')

const WAIT_MS = 500

/** @type {import('./index.js').Fault} */
module.exports = {
  about: 'retry',
  title: 'A call that an open breaker refuses is answered at once, not after its retries',
  rule: 'retries end when the breaker says that a fault is not transient (Azure Architecture Center, Circuit Breaker pattern)',
  needs: ['retryAround'],
  but: { cockatiel: 'handleWhen() can leave its BrokenCircuitError out' },
  async scenario({ retryAround }, trial) {
    const guard = retryAround({ ...WISH, openMs: 60_000, max: 3, waitMs: WAIT_MS })
    for (let call = 0; call < 2 * WISH.minCalls && guard.state() !== 'open'; call++) {
      guard.run(fail).then(ignore, ignore)
      await trial.pass(10 * WAIT_MS)
    }
    if (guard.state() !== 'open') throw new Error('failures did not open it')
    const began = trial.now()
    let tookMs = Infinity
    const done = () => {
      tookMs = trial.now() - began
    }
    guard.run(answer).then(done, done)
    await trial.settle()
    await trial.pass(10 * WAIT_MS)
    return tookMs
  },
  isRight: (tookMs) => tookMs === 0,
  tell: (tookMs) => (tookMs === 0 ? 'at once' : `after ${tookMs} ms`),
}
