// Owns one process that puts a million objects into one cache, and tells what they take, or how long the loop stood still meanwhile.
// Must never keep an object itself: whatever is held afterwards is the cache's.
'use strict'

const { object, objectKey } = require('../objects.js')
const { held } = require('./held.js')
const { Pauses } = require('./pauses.js')

const TTL_MS = 3_600_000
const GB = 2 ** 30
/** Put in one turn of the loop: as much as a burst of requests brings. */
const TURN = 500
/** Read afterwards, so that what reading leaves behind is counted. */
const READS = 100_000

/**
 * @typedef {object} Held
 * @property {(key: string, value: any) => unknown} set
 * @property {(key: string) => any} get
 * @property {() => number} count of entries
 */

/** @type {Record<string, (count: number) => Held>} */
const kinds = {
  nobody: () => ({ set: () => {}, get: (key) => ({ id: key }), count: () => NaN }),
  spillway() {
    const cache = require('../..').spillway({ isolated: true }).cache('objects', { ttl: TTL_MS, maxBytes: GB })
    return {
      set: (key, value) => cache.set(key, value),
      get: (key) => cache.get(key),
      count: () => cache.stats().entries,
    }
  },
  lru(max) {
    const { LRUCache } = require('lru-cache')
    /** @type {import('lru-cache').LRUCache<string, any>} */
    const cache = new LRUCache({ max, ttl: TTL_MS })
    return { set: (key, value) => cache.set(key, value), get: (key) => cache.get(key), count: () => cache.size }
  },
  map() {
    const cache = new Map()
    return { set: (key, value) => cache.set(key, value), get: (key) => cache.get(key), count: () => cache.size }
  },
}

const turnOfTheLoop = () => new Promise((resolve) => setImmediate(resolve))

/**
 * @param {Held} cache
 * @param {number} count
 * @param {Pauses} pauses
 */
async function fill(cache, count, pauses) {
  pauses.begin()
  for (let n = 0; n < count;) {
    for (const end = Math.min(count, n + TURN); n < end; n++) cache.set(objectKey(n), object(n))
    await turnOfTheLoop()
    pauses.next()
  }
}

/**
 * @param {Held} cache
 * @param {number} count
 */
async function read(cache, count) {
  for (let n = 0; n < READS; n++) {
    // A prime, so that the steps meet no key twice and follow no order of theirs.
    const key = objectKey((n * 7919) % count)
    if (cache.get(key).id !== key) throw new Error(`${key} was not found`)
    if (n % TURN === 0) await turnOfTheLoop()
  }
}

process.once('message', async (/** @type {{ kind: string, count: number, weighing: boolean }} */ order) => {
  const { kind, count, weighing } = order
  // A rehearsal on another cache: code gets compiled and the young generation gets its size beforehand.
  await fill(kinds[kind](50_000), 50_000, new Pauses())
  const before = weighing ? await held() : undefined
  const cache = kinds[kind](count)
  const pauses = new Pauses()
  await fill(cache, count, pauses)
  const entries = cache.count()
  const filled = weighing ? await held() : undefined
  await read(cache, count)
  const after = weighing ? await held() : undefined
  process.send?.({ before, filled, after, entries, longestMs: pauses.longestNs / 1e6 }, () => process.exit(0))
})
