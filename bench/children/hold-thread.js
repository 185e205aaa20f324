// Owns one worker thread that asks its cache for every key of a working set, in an order of its own, and loads what is not there.
// Must never share anything with the other thread by itself: whether they do is the cache's affair.
'use strict'

const { parentPort, workerData } = require('node:worker_threads')
const { seeded, turns } = require('../interleave.js')
const { object, objectKey } = require('../objects.js')
const { held } = require('./held.js')

/** Requests a thread works on at the same time. */
const AT_ONCE = 200
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
    const cache = new LRUCache({ max: count, ttl: TTL_MS, fetchMethod: load })
    return (key) => cache.fetch(key)
  },
}

/**
 * @param {(key: string) => any} ask
 * @param {number[]} order
 */
async function work(ask, order) {
  let next = 0
  const one = async () => {
    while (next < order.length) {
      const key = objectKey(order[next++])
      if ((await ask(key)).id !== key) throw new Error(`${key} was not answered`)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, one))
}

/** Kept, so that no collection finds it idle. @type {((key: string) => any) | undefined} */
let ask

parentPort?.on('message', async (/** @type {'work' | 'weigh'} */ order) => {
  if (order === 'work') {
    ask = kinds[kind]()
    const random = seeded(seed)
    for (let round = 0; round < ROUNDS; round++) await work(ask, turns(count, random))
  }
  await held()
  const { heapTotal, heapUsed } = process.memoryUsage()
  parentPort?.postMessage({ loads, unused: heapTotal - heapUsed })
})
