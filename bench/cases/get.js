// Owns the comparison of caches answering hot keys from memory.
// Must never miss: every key is set before, and lives longer than the run.
'use strict'

const { duel } = require('../duel.js')
const ours = require('../ours.js')
const sink = require('../sink.js')
const { keys, visits, MASK, value } = require('../workload.js')

const TTL_MS = 3_600_000

/** @param {import('./index.js').Arena} arena */
module.exports = function get(arena) {
  return duel(
    {
      name: 'get',
      title: 'cache.get, 1,000 hot keys, all hits',
      contestants: [spillway(), lru(), lruOnTime(), map()],
      wanted: [{ ours: 'spillway', peer: 'lru-cache with ttl', atMost: 1 }],
    },
    arena,
  )
}

/** @returns {import('../measure.js').Contestant} */
function spillway() {
  const { found, missing } = ours.spillway()
  if (!found) return { name: 'spillway', skipped: missing }
  const cache = found.spillway().cache('hot', { ttl: TTL_MS })
  for (const key of keys) cache.set(key, value(key))
  return {
    name: 'spillway',
    run(calls) {
      let hits = 0
      for (let call = 0; call < calls; call++) {
        const hit = cache.get(visits[call & MASK])
        if (hit.active) hits++
        sink.last = hit
      }
      return hits
    },
  }
}

/** @returns {import('../measure.js').Contestant} */
function lru() {
  const { LRUCache } = require('lru-cache')
  /** @type {import('lru-cache').LRUCache<string, any>} */
  const cache = new LRUCache({ max: 10_000, ttl: TTL_MS })
  for (const key of keys) cache.set(key, value(key))
  return {
    name: 'lru-cache with ttl',
    run(calls) {
      let hits = 0
      for (let call = 0; call < calls; call++) {
        const hit = cache.get(visits[call & MASK])
        if (hit.active) hits++
        sink.last = hit
      }
      return hits
    },
  }
}

/**
 * By default lru-cache reads the clock once a millisecond, and asks a timer to forget what it read. A batch never gives a timer
 * its turn, so there it reads the clock once and not again; a server that answers one request per turn of the loop pays more.
 * @returns {import('../measure.js').Contestant}
 */
function lruOnTime() {
  const { LRUCache } = require('lru-cache')
  /** @type {import('lru-cache').LRUCache<string, any>} */
  const cache = new LRUCache({ max: 10_000, ttl: TTL_MS, ttlResolution: 0 })
  for (const key of keys) cache.set(key, value(key))
  return {
    name: 'lru-cache, ttlResolution: 0',
    note: 'reads the clock on every call; the line above reads it once a batch',
    run(calls) {
      let hits = 0
      for (let call = 0; call < calls; call++) {
        const hit = cache.get(visits[call & MASK])
        if (hit.active) hits++
        sink.last = hit
      }
      return hits
    },
  }
}

/** @returns {import('../measure.js').Contestant} */
function map() {
  const cache = new Map()
  for (const key of keys) cache.set(key, value(key))
  return {
    name: 'JS Map',
    note: 'no ttl, no bound, no order of use',
    run(calls) {
      let hits = 0
      for (let call = 0; call < calls; call++) {
        const hit = cache.get(visits[call & MASK])
        if (hit.active) hits++
        sink.last = hit
      }
      return hits
    },
  }
}
