// Owns one fault: a request that must not be sent twice. Never knows whom it asks.
'use strict'

const { ignore } = require('../upstream.js')
const { served } = require('../served.js')

/** @type {import('./index.js').Fault} */
module.exports = {
  about: 'fetch',
  title: 'A POST whose connection broke is not sent again unless told',
  rule: 'a client should not retry a method that is not idempotent (RFC 9110, section 9.2.2)',
  needs: ['client'],
  realTime: true,
  but: { 'fetch-retry': 'retryOn may be a function that looks at the method' },
  async scenario({ client }, trial) {
    let sent = 0
    const answer = (/** @type {import('node:http').IncomingMessage} */ request) => {
      sent++
      request.socket.destroy()
    }
    return served(answer, async (url) => {
      await client({ max: 3, waitMs: 10 })(url, { method: 'POST', body: 'pay 10' }).then(ignore, ignore)
      await trial.pass(200)
      return sent
    })
  },
  isRight: (sent) => sent === 1,
  tell: (sent) => `sent ${sent === 1 ? 'once' : `${sent} times`}`,
}
