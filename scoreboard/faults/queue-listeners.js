// Owns one fault: what a queue leaves on a signal that lives long. Never knows whom it asks.
'use strict'

const { getEventListeners } = require('node:events')
const { deferred } = require('../upstream.js')

/** @type {import('./index.js').Fault} */
module.exports = {
  about: 'bulkhead',
  title: 'A hundred queued calls leave no listener on the signal they were given',
  rule: 'who adds a listener takes it off (Node, MaxListenersExceededWarning: possible AbortSignal memory leak)',
  needs: ['bulkhead', 'signal'],
  async scenario({ bulkhead }, trial) {
    const guard = bulkhead({ limit: 1, queue: 100 })
    const { signal } = new AbortController()
    const first = deferred()
    const running = [guard.run(first.call, signal)]
    for (let call = 0; call < 100; call++) running.push(guard.run(async () => 1, signal))
    for (const each of running) trial.ending(each)
    await trial.pass(10)
    first.resolve()
    await trial.pass(1000)
    for (const each of running) {
      if ((await trial.ending(each)).how !== 'answered') throw new Error('a queued call was not run')
    }
    return getEventListeners(signal, 'abort').length
  },
  isRight: (left) => left === 0,
  tell: (left) => `${left} left`,
}
