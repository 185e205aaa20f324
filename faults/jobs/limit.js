// A limiter over Redis under load. Owns the load and its record. Never judges.
'use strict'

const { setTimeout: sleep } = require('node:timers/promises')
const { spillway } = require('../../index.js')
const { Pace } = require('../pace.js')
const { Record } = require('../record.js')

/** Settled or not: what is still open then has been left hanging. */
const LAST_ANSWER_MS = 5000

/**
 * @param {{ redis: string | string[] | object, prefix?: string, options: object | object[], calls?: number }} data
 *   `calls`: how many the record has room for
 */
module.exports = async function limit({ redis, prefix = 'faults', options, calls = 10_000 }) {
  const sp = spillway({ redis, prefix, env: false })
  const limiter = sp.limiter('calls', options)
  const record = new Record(calls)
  /** @type {Pace | undefined} */
  let pace

  return {
    ready: () => sp.ready(),
    /** One call; plain data. */
    consume: async (key, cost) => ({ ...(await limiter.consume(key, cost)) }),
    peek: async (key) => ({ ...(await limiter.peek(key)) }),
    snapshot: () => JSON.parse(JSON.stringify(sp.snapshot())),
    /** Calls at a rate, over keys in turn, until `stop`. */
    load: ({ rate, keys = ['key'], cost = 1 }) => {
      pace = new Pace(rate, (number) => record.follow(limiter.consume(keys[number % keys.length], cost)))
      pace.start()
    },
    /** Resolves when the last call was answered; with what was not. */
    stop: async () => {
      pace?.stop()
      for (let waited = 0; record.pending > 0 && waited < LAST_ANSWER_MS; waited += 5) await sleep(5)
      return { pending: record.pending }
    },
    /** As many calls as can be, so many at once; answers how many were admitted, by whom. */
    race: async ({ calls: count, atOnce, key = 'key' }) => {
      const counts = { admitted: 0, denied: 0, unavailable: 0, errors: 0 }
      let left = count
      const caller = async () => {
        while (left-- > 0) {
          try {
            const { ok, reason } = await limiter.consume(key)
            if (reason === 'store-unavailable') counts.unavailable++
            else if (ok) counts.admitted++
            else counts.denied++
          } catch {
            counts.errors++
          }
        }
      }
      await Promise.all(Array.from({ length: atOnce }, caller))
      return counts
    },
    mark: () => record.mark(),
    between: (from, to) => record.between(from, to ?? undefined),
    /** Deaf for so long. */
    block: (ms) => {
      const over = performance.now() + ms
      while (performance.now() < over);
    },
  }
}
