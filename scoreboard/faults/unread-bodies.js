// Owns one fault: answers that are not to be the answer. Never knows whom it asks.
'use strict'

const { served } = require('../served.js')

/** More than sockets and streams hold on their way: it is sent to its end only if somebody reads. */
const BODY = Buffer.alloc(8 * 1024 * 1024)

/** @type {import('./index.js').Fault} */
module.exports = {
  about: 'fetch',
  title: 'The bodies of answers that were tried again are not left half read, holding their connections',
  rule: 'a body is consumed or cancelled (undici, Garbage Collection; WHATWG Fetch)',
  needs: ['client'],
  realTime: true,
  async scenario({ client }, trial) {
    /** @type {import('node:http').ServerResponse[]} */
    const failed = []
    const answer = (/** @type {any} */ _, /** @type {import('node:http').ServerResponse} */ response) => {
      if (failed.length === 3) response.end('well')
      else {
        failed.push(response)
        response.writeHead(503).end(BODY)
      }
    }
    return served(answer, async (url) => {
      const response = await client({ max: 3, waitMs: 50 })(url)
      if ((await response.text()) !== 'well') throw new Error('it was not tried again')
      const open = () => failed.filter(({ writableFinished, destroyed }) => !writableFinished && !destroyed).length
      for (let look = 0; look < 10 && open() > 0; look++) await trial.pass(100)
      return open()
    })
  },
  isRight: (open) => open === 0,
  tell: (open) => `${open} of 3 left open`,
}
