// Owns one fault: a caller who goes while a client waits to ask again. Never knows whom it asks.
'use strict'

const { served } = require('../served.js')

const WAIT_MS = 1000

/** @type {import('./index.js').Fault} */
module.exports = {
  about: 'fetch',
  title: 'An abort between two attempts ends the call at once',
  rule: 'the signal aborts the fetch, whichever attempt it is at (WHATWG Fetch)',
  needs: ['client'],
  realTime: true,
  async scenario({ client }, trial) {
    /** @type {unknown[]} */
    const came = []
    const answer = (/** @type {any} */ _, /** @type {import('node:http').ServerResponse} */ response) => {
      came.push(response.writeHead(503).end())
    }
    return served(answer, async (url) => {
      const caller = new AbortController()
      const running = client({ max: 3, waitMs: WAIT_MS })(url, { signal: caller.signal })
      trial.ending(running)
      while (came.length === 0) await trial.pass(10)
      await trial.pass(WAIT_MS / 10)
      if (came.length !== 1) throw new Error(`${came.length} requests before the wait was over`)
      caller.abort()
      await trial.pass(50)
      return (await trial.ending(running)).how
    })
  },
  isRight: (how) => how === 'failed',
  tell: (how) => (how === 'failed' ? 'ended at once' : 'waited on'),
}
