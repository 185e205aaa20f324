// Owns one fault: permits of functions that throw. Never knows whom it asks.
'use strict'

const { answer, failure } = require('../upstream.js')

/** @type {import('./index.js').Fault} */
module.exports = {
  about: 'bulkhead',
  title: 'A function that throws at once gives its permit back',
  rule: 'a permit is given back however the call ends (Java, Semaphore: release in a finally block)',
  needs: ['bulkhead'],
  async scenario({ bulkhead }, trial) {
    const guard = bulkhead({ limit: 2, queue: 0 })
    let threw = 0
    for (let call = 0; call < 10; call++) {
      try {
        const running = guard.run(() => {
          threw++
          throw failure
        })
        trial.ending(running)
      } catch {
        // Thrown at the caller instead of a rejection; the permit is another question.
      }
      await trial.pass(10)
    }
    if (threw < 2) throw new Error('it was not run')
    const next = guard.run(answer)
    trial.ending(next)
    await trial.pass(100)
    return (await trial.ending(next)).how
  },
  isRight: (how) => how === 'answered',
  tell: (how) => (how === 'answered' ? 'the next call runs' : 'the next call never runs'),
}
