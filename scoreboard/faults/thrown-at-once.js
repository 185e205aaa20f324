// Owns one fault: a function that throws before there is a promise. Never knows whom it asks.
'use strict'

const { failure } = require('../upstream.js')

/** @type {import('./index.js').Fault} */
module.exports = {
  about: 'retry',
  title: 'A function that throws at once is retried like one that rejects',
  rule: 'a call that ends abruptly is a rejection (ECMAScript, Promise.try)',
  needs: ['retry'],
  async scenario({ retry }, trial) {
    let runs = 0
    const running = retry({ max: 3, waitMs: 100 }).run(() => {
      if (++runs < 3) throw failure
      return 'well'
    })
    trial.ending(running)
    await trial.pass(1000)
    return { value: (await trial.ending(running)).value, runs }
  },
  isRight: ({ value, runs }) => value === 'well' && runs === 3,
  tell: ({ value, runs }) => `${value === 'well' ? 'answered' : 'failed'} at attempt ${runs}`,
}
