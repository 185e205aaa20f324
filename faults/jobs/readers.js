// Readers of keys whose answers are known in advance, each other than all others. Owns the comparison: an answer is the key's own, or
// none. Never writes while it reads.
'use strict'

const { setTimeout: sleep } = require('node:timers/promises')
const { spillway } = require('../../index.js')

const KEYS = 500
const LIMIT = 1_000_000
const AT_ONCE = 200
const PAUSE_MS = 5
/** Room for a machine that is busy; what comes later than this has no caller any more. */
const DEADLINE = '200ms'

const keyOf = (number) => `key:${number}`

module.exports = async function readers({ redis, kind }) {
  const sp = spillway({ redis: { url: redis, deadline: DEADLINE }, prefix: 'faults', env: false })
  const limiter = sp.limiter('known', { limit: LIMIT, window: '365d', algorithm: 'fixed-window', failMode: 'closed' })
  // Memory keeps next to nothing, so that almost every read goes to Redis.
  const cache = sp.cache('known', { ttl: '1h', jitter: 0, maxBytes: '64kb' })
  const filler = 'x'.repeat(200)

  const kinds = {
    limiter: {
      write: async (number) => {
        const { ok, decidedBy } = await limiter.consume(keyOf(number), number + 1)
        if (!ok || decidedBy !== 'redis') throw new Error(`not written: ${number}`)
      },
      /** 1: its own, 0: none, -1: another's. */
      read: async (number) => {
        const { remaining, decidedBy, reason } = await limiter.peek(keyOf(number))
        if (reason === 'store-unavailable' || decidedBy === 'fail-mode') return 0
        return remaining === LIMIT - number - 1 ? 1 : -1
      },
    },
    cache: {
      write: (number) => cache.set(keyOf(number), { number, filler: `${filler}${number}` }),
      read: async (number) => {
        const found = await cache.get(keyOf(number))
        if (found === undefined) return 0
        return found.number === number && found.filler === `${filler}${number}` ? 1 : -1
      },
    },
  }
  const { read, write } = kinds[kind]

  const counts = { calls: 0, own: 0, none: 0, others: 0, errors: 0, codes: {} }
  const gate = { open: false }
  let done = Promise.resolve()

  const reader = async (seed) => {
    for (let at = seed; gate.open; at += 7919) {
      counts.calls++
      try {
        const found = await read(at % KEYS)
        if (found === 1) counts.own++
        else if (found === 0) {
          counts.none++
          // What is decided without Redis is decided at once, and over and over it would leave no time for anything else.
          await sleep(PAUSE_MS)
        } else counts.others++
      } catch (error) {
        counts.errors++
        counts.codes[error.code ?? error.message] = 1
      }
    }
  }

  return {
    ready: () => sp.ready(),
    write: async () => {
      for (let number = 0; number < KEYS; number++) await write(number)
    },
    start: () => {
      gate.open = true
      done = Promise.all(Array.from({ length: AT_ONCE }, (_, seed) => reader(seed)))
    },
    counts: () => counts,
    stop: async () => {
      gate.open = false
      await done
      return counts
    },
  }
}
