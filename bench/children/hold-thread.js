// Owns one worker thread that asks its cache for every key of a working set, in an order of its own, and loads what is not there.
// Must never share anything with the other thread by itself: whether they do is the cache's affair.
'use strict'

const { parentPort, workerData } = require('node:worker_threads')
const { seeded, turns } = require('../interleave.js')
const { object, objectKey } = require('../objects.js')
const { held } = require('./held.js')

/** Requests a thread works on at the same time. */
const AT_ONCE = 200
/** Keys asked for before anything counts: the package is loaded then, and the code compiled. */
const REHEARSED = 1000
/** So often every key is asked for. */
const ROUNDS = 2
const TTL_MS = 3_600_000

const { kind, count, seed } = /** @type {{ kind: string, count: number, seed: number }} */ (workerData)
let loads = 0

/** A turn of the loop passes, so that others ask for the key meanwhile. @param {string} key */
async function load(key) {
  loads++
  await new Promise((resolve) => setImmediate(resolve))
  return object(Number(key.slice('tenant:'.length)))
}

/** @type {Record<string, () => (key: string) => any>} each answers how to ask */
const kinds = {
  nobody: () => (key) => ({ id: key }),
  spillway() {
    const cache = require('../..')
      .spillway()
      .cache('working-set', { ttl: TTL_MS, maxBytes: 2 ** 30 })
    return (key) => cache.getOrSet(key, () => load(key))
  },
  lru() {
    const { LRUCache } = require('lru-cache')
    /** @type {import('lru-cache').LRUCache<string, any>} */
    const cache = new LRUCache({ max: count + REHEARSED, ttl: TTL_MS, fetchMethod: load })
    return (key) => cache.fetch(key)
  },
}

/** @param {number[]} order */
async function work(order) {
  let next = 0
  const one = async () => {
    while (next < order.length) {
      const key = objectKey(order[next++])
      if ((await ask(key)).id !== key) throw new Error(`${key} was not answered`)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, one))
}

const ask = kinds[kind]()

parentPort?.on('message', async (/** @type {'rehearse' | 'work' | 'weigh'} */ order) => {
  if (order === 'rehearse') {
    await work(Array.from({ length: REHEARSED }, (_, n) => count + n))
    loads = 0
  }
  if (order === 'work') {
    const random = seeded(seed)
    for (let round = 0; round < ROUNDS; round++) await work(turns(count, random))
  }
  await held()
  const { heapTotal, heapUsed } = process.memoryUsage()
  parentPort?.postMessage({ loads, unused: heapTotal - heapUsed })
})
