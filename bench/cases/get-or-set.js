// Owns the comparison of caches that load what they lack, on keys they have.
// Must never load while it is timed: a loader that runs then makes the run fail.
'use strict'

const { duel } = require('../duel.js')
const ours = require('../ours.js')
const sink = require('../sink.js')
const { keys, visits, MASK, value } = require('../workload.js')

const TTL_MS = 3_600_000

/** @param {import('./index.js').Arena} arena */
module.exports = async function getOrSet(arena) {
  return duel(
    {
      name: 'getOrSet',
      title: 'cache.getOrSet, 1,000 hot keys, all hits',
      contestants: [await spillway(), await lru(), await bento(true), await bento(false), await cacheable()],
      wanted: [
        { ours: 'spillway', peer: 'lru-cache.fetch', atMost: 1 },
        { ours: 'spillway', peer: 'bentocache', atMost: 1 / 20 },
        { ours: 'spillway', peer: 'cacheable', atMost: 1 / 20 },
      ],
    },
    arena,
  )
}

const neverLoad = () => {
  throw new Error('a hit was expected')
}

/** @returns {Promise<import('../measure.js').Contestant>} */
async function spillway() {
  const { found, missing } = ours.spillway()
  if (!found) return { name: 'spillway', skipped: missing }
  const cache = found.spillway().cache('loading', { ttl: TTL_MS })
  for (const key of keys) await cache.getOrSet(key, () => value(key))
  return {
    name: 'spillway',
    async run(calls) {
      let hits = 0
      for (let call = 0; call < calls; call++) {
        const hit = await cache.getOrSet(visits[call & MASK], neverLoad)
        if (hit.active) hits++
        sink.last = hit
      }
      return hits
    },
  }
}

/** @returns {Promise<import('../measure.js').Contestant>} */
async function lru() {
  const { LRUCache } = require('lru-cache')
  let load = value
  /** @type {import('lru-cache').LRUCache<string, any>} */
  const cache = new LRUCache({ max: 10_000, ttl: TTL_MS, fetchMethod: async (key) => load(key) })
  for (const key of keys) await cache.fetch(key)
  load = neverLoad
  return {
    name: 'lru-cache.fetch',
    async run(calls) {
      let hits = 0
      for (let call = 0; call < calls; call++) {
        const hit = await cache.fetch(visits[call & MASK])
        if (hit.active) hits++
        sink.last = hit
      }
      return hits
    },
  }
}

/**
 * @param {boolean} serialize its default is to keep strings and parse them on every hit, which keeps callers apart
 * @returns {Promise<import('../measure.js').Contestant>}
 */
async function bento(serialize) {
  const { BentoCache, bentostore } = await import('bentocache')
  const { memoryDriver } = await import('bentocache/drivers/memory')
  const layer = memoryDriver({ maxItems: 10_000, serialize })
  const cache = new BentoCache({ default: 'memory', stores: { memory: bentostore({ ttl: TTL_MS }).useL1Layer(layer) } })
  for (const key of keys) await cache.getOrSet({ key, factory: () => value(key) })
  return {
    name: serialize ? 'bentocache' : 'bentocache, serialize: false',
    note: serialize ? 'memory layer, defaults' : '',
    async run(calls) {
      let hits = 0
      for (let call = 0; call < calls; call++) {
        const hit = /** @type {any} */ (await cache.getOrSet({ key: visits[call & MASK], factory: neverLoad }))
        if (hit.active) hits++
        sink.last = hit
      }
      return hits
    },
  }
}

/** @returns {Promise<import('../measure.js').Contestant>} */
async function cacheable() {
  const { Cacheable } = await import('cacheable')
  const cache = new Cacheable({ ttl: TTL_MS })
  for (const key of keys) await cache.getOrSet(key, async () => value(key))
  return {
    name: 'cacheable',
    note: 'memory layer, defaults',
    async run(calls) {
      let hits = 0
      for (let call = 0; call < calls; call++) {
        const hit = /** @type {any} */ (await cache.getOrSet(visits[call & MASK], neverLoad))
        if (hit.active) hits++
        sink.last = hit
      }
      return hits
    },
  }
}
