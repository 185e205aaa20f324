// Owns one fault: calls that run on after their caller was answered. Never knows whom it asks.
'use strict'

const { deferred } = require('../upstream.js')

/** @type {import('./index.js').Fault} */
module.exports = {
  about: 'bulkhead',
  title: 'No more than the limit run at the same time, also after their callers timed out',
  rule: 'a permit is held while the work goes on (resilience4j, Bulkhead: maxConcurrentCalls)',
  needs: ['timedBulkhead'],
  but: { 'p-queue': 'documented: a function that heeds its signal ends with its caller' },
  async scenario({ timedBulkhead }, trial) {
    const guard = timedBulkhead({ limit: 2, timeoutMs: 1000 })
    let running = 0
    for (let call = 0; call < 10; call++) {
      const hang = () => {
        running++
        return deferred().call()
      }
      trial.ending(guard.run(hang))
      await trial.pass(1500)
    }
    return running
  },
  isRight: (running) => running === 2,
  tell: (running) => `${running} at the same time, of 2`,
}
