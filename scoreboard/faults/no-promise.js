// Owns one fault: a function that answers nothing, and no promise of it. Never knows whom it asks.
'use strict'

const { WISH } = require('../upstream.js')

/** @type {import('./index.js').Fault} */
module.exports = {
  about: 'breaker',
  title: 'A function that returns undefined, and no promise, is a call that went well',
  rule: 'what can be awaited has an end (ECMAScript, Await)',
  needs: ['breaker'],
  async scenario({ breaker: make }, trial) {
    const breaker = make(WISH)
    const calls = Array.from({ length: 20 }, () => breaker.run(() => undefined))
    const endings = await Promise.all(calls.map((call) => trial.ending(call)))
    return { answered: endings.filter(({ how }) => how === 'answered').length, state: breaker.state() }
  },
  isRight: ({ answered, state }) => answered === 20 && state === 'closed',
  tell: ({ answered, state }) => `${answered} of 20 answered, ${state}`,
}
