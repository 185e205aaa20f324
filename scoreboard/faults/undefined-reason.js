// Owns one fault: a rejection without a reason. Never knows whom it asks.
'use strict'

/** @type {import('./index.js').Fault} */
module.exports = {
  about: 'retry',
  title: 'A rejection with undefined is retried like any other, and passed on in the end',
  rule: 'any value may be thrown (ECMAScript, ThrowStatement)',
  needs: ['retry'],
  but: { 'p-retry': 'documented: only errors should be thrown' },
  async scenario({ retry }, trial) {
    let runs = 0
    const running = retry({ max: 2, waitMs: 100 }).run(() => {
      runs++
      return Promise.reject(undefined)
    })
    trial.ending(running)
    await trial.pass(1000)
    const { how, error } = await trial.ending(running)
    return { how, same: how === 'failed' && error === undefined, runs }
  },
  isRight: ({ same, runs }) => same && runs === 3,
  tell: ({ how, same, runs }) =>
    `${how === 'pending' ? 'never answered' : same ? 'passed on' : 'another error'} after ${runs} of 3 attempts`,
}
