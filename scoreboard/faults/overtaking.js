// Owns one fault: who comes first. Never knows whom it asks.
'use strict'

const { deferred } = require('../upstream.js')

/** @type {import('./index.js').Fault} */
module.exports = {
  about: 'bulkhead',
  title: 'Whoever comes when a permit falls free does not overtake those who wait',
  rule: 'first in, first out (Java, Semaphore: fairness is what prevents starvation)',
  needs: ['bulkhead'],
  async scenario({ bulkhead }, trial) {
    const guard = bulkhead({ limit: 1, queue: 100 })
    const first = deferred()
    /** @type {string[]} */
    const order = []
    const noted = (/** @type {string} */ who) => trial.ending(guard.run(async () => order.push(who)))
    trial.ending(guard.run(first.call))
    await trial.pass(10)
    noted('who waited')
    await trial.pass(10)
    first.call().then(() => noted('who came'))
    first.resolve()
    await trial.pass(100)
    return order
  },
  isRight: ([one, two]) => one === 'who waited' && two === 'who came',
  tell: ([one]) => `first ${one}`,
}
