// Owns one fault: load that retries make of an outage. Never knows whom it asks.
'use strict'

const { failure } = require('../upstream.js')

const CALLS = 1000
const EVERY_MS = 10
/** What a budget of a fifth, and ten a second for quiet services, allows at this rate; with what may be left over at either end. */
const AT_MOST = 1.2 + (10 * EVERY_MS) / 1000 + 0.02

/** @type {import('./index.js').Fault} */
module.exports = {
  about: 'retry',
  title: 'In an outage retries add no more than a fifth to the load, and ten a second',
  rule: 'retries take from a budget (Google SRE book, Handling Overload; Finagle, RetryBudget)',
  needs: ['retry'],
  async scenario({ retry }, trial) {
    const guard = retry({ max: 3, waitMs: 100 })
    let runs = 0
    const down = async () => {
      runs++
      throw failure
    }
    for (let call = 0; call < CALLS; call++) {
      trial.ending(guard.run(down))
      await trial.pass(EVERY_MS, EVERY_MS)
    }
    await trial.pass(2000, EVERY_MS)
    return runs / CALLS
  },
  isRight: (ratio) => ratio >= 1 && ratio <= AT_MOST,
  tell: (ratio) => `${ratio.toFixed(2)} requests a call`,
}
