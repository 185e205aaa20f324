// A breaker on a clock that stands still until it is told, for the tests of breakers. Owns no assertion.
// Never waits.
'use strict'

const { spillway } = require('../index.js')

/** Its open time does not vary. */
function opened(t, options = {}) {
  const clock = { now: 1_700_000_000_000 }
  const sp = spillway({ clock: () => clock.now, env: false })
  t.after(() => sp.close())
  const breaker = sp.breaker('upstream', { open: { for: 1000, max: 5000, jitter: 0 }, ...options })
  const report = () => sp.snapshot().breakers.upstream
  return { sp, clock, breaker, report }
}

const OUTCOMES = { o: 'ok', f: 'fail', i: 'ignore' }

/** One call after the other, by how they end: 'o' ok, 'f' fail, 'i' ignore; of a key, if there are keys. */
function calls(breaker, ends, key) {
  for (const end of ends) breaker.exit(breaker.enter(key), OUTCOMES[end])
}

module.exports = { opened, calls }
