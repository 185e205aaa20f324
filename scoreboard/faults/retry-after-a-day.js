// Owns one fault: a server that says never to come back. Never knows whom it asks.
'use strict'

const { served } = require('../served.js')

/** @type {import('./index.js').Fault} */
module.exports = {
  about: 'fetch',
  title: 'A Retry-After of a day does not hold the caller for a day',
  rule: 'no wait is longer than its caller’s (Google SRE book, Deadline Propagation)',
  needs: ['client'],
  realTime: true,
  but: { ky: 'maxRetryAfter and totalTimeout bound it' },
  async scenario({ client }, trial) {
    const answer = (/** @type {any} */ _, /** @type {import('node:http').ServerResponse} */ response) =>
      response.writeHead(503, { 'Retry-After': '86400' }).end()
    return served(answer, async (url) => {
      const running = client({ max: 3, waitMs: 50 })(url)
      trial.ending(running)
      await trial.pass(2000)
      return (await trial.ending(running)).how
    })
  },
  isRight: (how) => how !== 'pending',
  tell: (how) => (how === 'pending' ? 'no answer within 2 s' : 'answered within 2 s'),
}
