// Owns one fault: an open breaker that is taken over by the next process. Never knows whom it asks.
'use strict'

const { WISH, answer, fail, repeat } = require('../upstream.js')

const LONG = { ...WISH, openMs: 30_000 }

/** @type {import('./index.js').Fault} */
module.exports = {
  about: 'breaker',
  title: 'An open breaker that is restored stays open for the rest of its time',
  rule: 'open lasts for its time, whoever holds the state (index.d.ts, Breaker.restore)',
  needs: ['breaker', 'restored'],
  async scenario({ breaker: make, restored }, trial) {
    const before = make(LONG)
    await repeat(before, 1, answer)
    await trial.pass(600_000, 1000)
    await repeat(before, LONG.minCalls, fail)
    if (before.state() !== 'open') throw new Error(`${LONG.minCalls} failures did not open it`)
    await trial.pass(1000)
    const after = restored(before.save(), LONG)
    const early = await trial.ending(after.run(answer))
    await trial.pass(LONG.openMs)
    const late = await trial.ending(after.run(answer))
    return { early: early.how === 'answered', late: late.how === 'answered' }
  },
  isRight: ({ early, late }) => !early && late,
  tell: ({ early, late }) =>
    early ? 'a call let through 29 s early' : late ? 'refused, and let through when it was over' : 'refused too long',
}
