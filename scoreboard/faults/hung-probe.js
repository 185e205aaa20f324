// Owns one fault: a probe that never comes back. Never knows whom it asks.
'use strict'

const { WISH, answer, deferred, openAndWait } = require('../upstream.js')

const MINUTE_MS = 60_000

/** @type {import('./index.js').Fault} */
module.exports = {
  about: 'breaker',
  title: 'A probe that never settles does not keep the breaker half-open for ever',
  rule: 'half-open has a longest time (resilience4j, maxWaitDurationInHalfOpenState)',
  needs: ['breaker'],
  but: { opossum: 'its own timeout, off here as for calls that may take long, would end the probe' },
  async scenario({ breaker: make }, trial) {
    const breaker = make(WISH)
    await openAndWait(breaker, trial)
    trial.ending(breaker.run(deferred().call))
    let answered = 0
    for (let minute = 0; minute < 60; minute++) {
      await trial.pass(MINUTE_MS)
      if ((await trial.ending(breaker.run(answer))).how === 'answered') answered++
    }
    return answered
  },
  isRight: (answered) => answered > 0,
  tell: (answered) => `${answered} of 60 calls answered in the next hour`,
}
