// Owns one fault: what a timeout leaves behind. Never knows whom it asks.
'use strict'

const { answer } = require('../upstream.js')

/** @type {import('./index.js').Fault} */
module.exports = {
  about: 'timeout',
  title: 'A call that was answered in time leaves no timer that keeps the process alive',
  rule: 'a process ends when nothing is left to do (Node, timeout.unref())',
  needs: ['timed'],
  realTime: true,
  async scenario({ timed }, trial) {
    const guard = timed({ timeoutMs: 60_000 })
    for (let call = 0; call < 100; call++) await guard.run(answer)
    await trial.settle()
    return process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length
  },
  isRight: (left) => left === 0,
  tell: (left) => `${left} left`,
}
