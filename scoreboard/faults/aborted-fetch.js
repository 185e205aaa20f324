// A caller who goes while a client waits to ask again. Owns nothing else.
'use strict'

const { served } = require('../served.js')

const WAIT_MS = 500

/** @type {import('./index.js').Fault} */
module.exports = {
  about: 'fetch',
  title: 'An abort between two attempts ends the call at once',
  rule: 'the signal aborts the fetch, whichever attempt it is at (WHATWG Fetch)',
  needs: ['client'],
  realTime: true,
  async scenario({ client }, trial) {
    let came = 0
    const answer = (/** @type {any} */ _, /** @type {import('node:http').ServerResponse} */ response) => {
      came++
      response.writeHead(503).end()
    }
    return served(answer, async (url) => {
      const caller = new AbortController()
      const running = client({ max: 3, waitMs: WAIT_MS })(url, { signal: caller.signal })
      trial.ending(running)
      await trial.pass(WAIT_MS / 2)
      if (came !== 1) throw new Error(`${came} requests before the wait was over`)
      caller.abort()
      await trial.pass(50)
      return (await trial.ending(running)).how
    })
  },
  isRight: (how) => how === 'failed',
  tell: (how) => (how === 'failed' ? 'ended at once' : 'waited on'),
}
