// Owns one process that makes guards and ends them, each with a name of its own and one call through it, and tells how much memory is
// held at each mark. Must never keep one: whatever is held afterwards is the library's.
'use strict'

/** So that the allocator and the collector's own threads have handed back what they are going to. */
const SETTLE_MS = 60

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

/** What V8 has taken and does not use may be given back or not: it says nothing about who holds what. */
async function held() {
  for (let pass = 0; pass < 3; pass++) {
    globalThis.gc?.()
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS / 3))
  }
  const { rss, heapTotal, heapUsed } = process.memoryUsage()
  return rss - heapTotal + heapUsed
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
    seen.push(await held())
  }
  process.send?.(seen, () => process.exit(0))
})
