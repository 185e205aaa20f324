// Owns one fault: callers who hang up. Never knows whom it asks.
'use strict'

const { WISH, answer, ignore } = require('../upstream.js')

/** @type {import('./index.js').Fault} */
module.exports = {
  about: 'breaker',
  title: 'Callers who abort their own calls do not open the breaker',
  rule: 'a cancelled call is no failure of the dependency (Polly, ShouldHandle: all but OperationCanceledException)',
  needs: ['breaker'],
  but: {
    cockatiel: 'handleWhen() can leave an AbortError out',
    opossum: 'errorFilter can leave an AbortError out',
  },
  async scenario({ breaker: make }, trial) {
    const breaker = make(WISH)
    for (let call = 0; call < 20; call++) {
      const caller = new AbortController()
      const running = breaker.run(() => untilAborted(caller.signal), caller.signal)
      caller.abort()
      await running.then(ignore, ignore)
    }
    const next = await trial.ending(breaker.run(answer))
    return next.how === 'answered'
  },
  isRight: (answered) => answered,
  tell: (answered) => `${answered ? 'closed' : 'open'} after 20 of them`,
}

/** @param {AbortSignal} signal */
function untilAborted(signal) {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
}
