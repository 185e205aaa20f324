// Owns one process that makes guards and ends them, each with a name of its own and one call through it, and tells how much memory is
// held at each mark. Must never keep one: whatever is held afterwards is the library's.
'use strict'

const { held } = require('./held.js')

const done = () => 1

/** @type {Record<string, () => (n: number) => unknown>} each answers how to make and end the n-th */
const kinds = {
  nobody: () => (n) => `tenant-${n}`,
  spillway() {
    const sp = require('../..').spillway({ isolated: true })
    return async (n) => {
      const breaker = sp.breaker(`tenant-${n}`)
      await breaker.run(done)
      breaker.dispose()
    }
  },
  spillwayPolicy() {
    const { spillway, retry, timeout } = require('../..')
    const sp = spillway({ isolated: true })
    return async (n) => {
      const name = `tenant-${n}`
      const [breaker, bulkhead] = [sp.breaker(name), sp.bulkhead(name, { limit: 10 })]
      const policy = sp.policy(name, timeout('10s'), retry(), breaker, bulkhead)
      await policy.run(done)
      for (const each of [policy, breaker, bulkhead]) each.dispose()
    }
  },
  opossum() {
    const CircuitBreaker = require('opossum')
    return async (n) => {
      const breaker = new CircuitBreaker(async () => 1, { timeout: false, name: `tenant-${n}` })
      await breaker.fire()
      breaker.shutdown()
    }
  },
}

process.once('message', async (/** @type {{ kind: string, marks: number[] }} */ { kind, marks }) => {
  const churn = kinds[kind]()
  const seen = []
  let made = 0
  for (const mark of marks) {
    for (; made < mark; made++) {
      await churn(made)
      // The loop gets its turns, as in a service: finalizers and letters need them.
      if (made % 1000 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    seen.push((await held()).rss)
  }
  process.send?.(seen, () => process.exit(0))
})
