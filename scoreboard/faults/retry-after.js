// Owns one fault: a server that says when to come back. Never knows whom it asks.
'use strict'

const { served } = require('../served.js')

/** @type {import('./index.js').Fault} */
module.exports = {
  about: 'fetch',
  title: 'A Retry-After of one second is waited for',
  rule: 'how long the user agent ought to wait (RFC 9110, section 10.2.3)',
  needs: ['client'],
  realTime: true,
  but: { 'fetch-retry': 'retryDelay may be a function that reads the header' },
  async scenario({ client }) {
    /** @type {number[]} */
    const came = []
    const answer = (/** @type {any} */ _, /** @type {import('node:http').ServerResponse} */ response) => {
      came.push(performance.now())
      if (came.length > 1) response.end('well')
      else response.writeHead(503, { 'Retry-After': '1' }).end()
    }
    await served(answer, (url) => client({ max: 3, waitMs: 50 })(url))
    if (came.length !== 2) throw new Error('it was not tried again')
    return came[1] - came[0]
  },
  // A timer may fire a little before its time on another clock.
  isRight: (ms) => ms >= 980,
  tell: (ms) => `came back after ${(ms / 1000).toFixed(1)} s`,
}
