// Owns one fault: attempts nobody waits for. Never knows whom it asks.
'use strict'

const { failure } = require('../upstream.js')

const WISH = { max: 3, waitMs: 10_000, timeoutMs: 1000 }

/** @type {import('./index.js').Fault} */
module.exports = {
  about: 'retry',
  title: 'No attempt is made after the deadline around all attempts has passed',
  rule: 'work for a caller who has been answered is load for nothing (Google SRE book, Deadline Propagation)',
  needs: ['retryWithin'],
  async scenario({ retryWithin }, trial) {
    let runs = 0
    const running = retryWithin(WISH).run(async () => {
      runs++
      throw failure
    })
    trial.ending(running)
    await trial.pass(WISH.timeoutMs + 100)
    const { how } = await trial.ending(running)
    const before = runs
    await trial.pass(10 * WISH.waitMs)
    return { answered: how === 'failed', late: runs - before }
  },
  isRight: ({ answered, late }) => answered && late === 0,
  tell: ({ answered, late }) => (answered ? `${late === 0 ? 'none' : late} after the answer` : 'no answer in time'),
}
