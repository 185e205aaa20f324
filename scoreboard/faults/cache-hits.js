// Owns one fault: answers out of a cache. Never knows whom it asks.
'use strict'

const { WISH, answer, fail, ignore } = require('../upstream.js')

/** @type {import('./index.js').Fault} */
module.exports = {
  about: 'breaker',
  title: 'Answers out of a cache do not hide that the dependency fails',
  rule: 'the rate is that of calls to the dependency (index.d.ts, BreakerOptions.failureRate)',
  needs: ['cached'],
  async scenario({ cached }, trial) {
    const guard = cached(WISH)
    let reached = 0
    for (let hit = 0; hit < 100; hit++) await guard.run('warm', answer)
    for (let call = 0; call < 30; call++) {
      const counted = () => {
        reached++
        return fail()
      }
      await guard.run(`cold ${call}`, counted).then(ignore, ignore)
    }
    await trial.settle()
    return reached
  },
  isRight: (reached) => reached <= WISH.minCalls,
  tell: (reached) => `${reached} of 30 failing calls let through`,
}
