// Owns one fault: what retries leave on a signal that lives long. Never knows whom it asks.
'use strict'

const { getEventListeners } = require('node:events')
const { failure } = require('../upstream.js')

/** @type {import('./index.js').Fault} */
module.exports = {
  about: 'retry',
  title: 'A hundred retried calls leave no listener on the signal they were given',
  rule: 'who adds a listener takes it off (Node, MaxListenersExceededWarning: possible AbortSignal memory leak)',
  needs: ['retry', 'signal'],
  async scenario({ retry }, trial) {
    const { signal } = new AbortController()
    for (let call = 0; call < 100; call++) {
      let runs = 0
      const running = retry({ max: 1, waitMs: 10 }).run(async () => {
        if (runs++ === 0) throw failure
      }, signal)
      trial.ending(running)
      await trial.pass(20, 10)
      if ((await trial.ending(running)).how !== 'answered') throw new Error('was not retried')
    }
    return getEventListeners(signal, 'abort').length
  },
  isRight: (left) => left === 0,
  tell: (left) => `${left} left`,
}
