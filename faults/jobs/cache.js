// A cache over Redis. Owns callers and loads of it. Never judges.
'use strict'

const { setTimeout: sleep } = require('node:timers/promises')
const { spillway } = require('../../index.js')
const { now } = require('../moment.js')
const { Pace } = require('../pace.js')
const { Record } = require('../record.js')

/** Settled or not: what is still open then has been left hanging. */
const LAST_ANSWER_MS = 5000
/** Of a cache nobody says who answered. */
const ANSWERED = { ok: true, decidedBy: 'memory', reason: 'allowed' }

/** @param {{ redis: string, options: object, calls?: number }} data `calls`: how many the record has room for */
module.exports = async function open({ redis, options, calls = 10_000 }) {
  const sp = spillway({ redis, prefix: 'faults', env: false })
  const cache = sp.cache('values', options)
  const record = new Record(calls)
  /** @type {Pace | undefined} */
  let pace
  let loads = 0

  const loaders = {
    /** A value that says who made it, after a while. */
    value: (ms) => async () => {
      loads++
      await new Promise((resolve) => setTimeout(resolve, ms))
      return { by: process.pid }
    },
    hang: () => () => {
      loads++
      return new Promise(() => setInterval(() => {}, 1000))
    },
  }

  return {
    ready: () => sp.ready(),
    /** Many callers of one key at once: what they got, how many loads there were here, how long the last one waited. */
    ask: async ({ key, callers, loader = 'value', ms = 50 }) => {
      const before = loads
      const began = now()
      const load = loaders[loader](ms)
      const answers = await Promise.allSettled(Array.from({ length: callers }, () => cache.getOrSet(key, load)))
      const by = [...new Set(answers.map(({ value, reason }) => value?.by ?? reason?.code ?? String(reason)))]
      return { by, loads: loads - before, tookMs: now() - began }
    },
    /** Begins, and answers at once. */
    begin: ({ key, loader, ms }) => {
      cache.getOrSet(key, loaders[loader](ms)).catch(() => {})
    },
    get: (key) => cache.get(key),
    set: (key, value) => cache.set(key, value).then(() => undefined),
    delete: (key) => cache.delete(key),
    /** Reads, loads, writes and deletions at a rate, until `stop`. */
    load: ({ rate }) => {
      const calls = [
        (key) => cache.get(key),
        (key) => cache.getOrSet(key, loaders.value(1)),
        (key) => cache.set(key, { by: process.pid }),
        (key) => cache.delete(key),
      ]
      pace = new Pace(rate, (number) => {
        const call = calls[number % calls.length]
        record.follow(call(`key:${number % 997}`).then(() => ANSWERED))
      })
      pace.start()
    },
    stop: async () => {
      pace?.stop()
      for (let waited = 0; record.pending > 0 && waited < LAST_ANSWER_MS; waited += 5) await sleep(5)
      return { pending: record.pending }
    },
    mark: () => record.mark(),
    between: (from, to) => record.between(from, to ?? undefined),
    loads: () => loads,
    stats: () => cache.stats(),
  }
}
