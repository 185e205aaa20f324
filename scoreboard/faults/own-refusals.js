// Owns one fault: calls that were never made. Never knows whom it asks.
'use strict'

const { WISH, answer, deferred, repeat } = require('../upstream.js')

/** @type {import('./index.js').Fault} */
module.exports = {
  about: 'breaker',
  title: 'Calls refused by the guard’s own limit on concurrency do not open the breaker',
  rule: 'what was refused before it was made says nothing about the dependency (index.d.ts, BreakerOptions.classify)',
  needs: ['capped'],
  but: { cockatiel: 'handleWhen() can leave its BulkheadRejectedError out' },
  async scenario({ capped }, trial) {
    const breaker = capped({ ...WISH, limit: 1 })
    trial.ending(breaker.run(deferred().call))
    await repeat(breaker, 20, answer)
    return breaker.state()
  },
  isRight: (state) => state === 'closed',
  tell: (state) => `${state} after 20 refusals`,
}
