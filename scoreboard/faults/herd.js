// Owns one fault: callers that come back together. Never knows whom it asks.
'use strict'

const { failure } = require('../upstream.js')

const CALLERS = 200
const STEP_MS = 10

/** @type {import('./index.js').Fault} */
module.exports = {
  about: 'retry',
  title: 'Callers that failed together do not all come back together',
  rule: 'backoff with jitter, unless told otherwise (AWS Builders’ Library, Timeouts, retries and backoff with jitter)',
  needs: ['retry'],
  but: { 'p-retry': 'randomize: true turns jitter on' },
  async scenario({ retry }, trial) {
    /** @type {Map<number, number>} */
    const back = new Map()
    for (let caller = 0; caller < CALLERS; caller++) {
      let runs = 0
      const down = async () => {
        if (runs++ === 1) back.set(trial.now(), 1 + (back.get(trial.now()) ?? 0))
        throw failure
      }
      // One guard each: what is looked at is the wait, not the budget.
      trial.ending(retry({ max: 1 }).run(down))
    }
    await trial.pass(5000, STEP_MS)
    const returned = [...back.values()].reduce((sum, count) => sum + count, 0)
    if (returned !== CALLERS) throw new Error(`${returned} of ${CALLERS} came back`)
    return Math.max(...back.values())
  },
  isRight: (together) => together <= CALLERS / 4,
  tell: (together) => `${together} of ${CALLERS} within ${STEP_MS} ms`,
}
