// Owns the comparison of caches that load what they lack, on keys nobody has asked for before.
// Must never hit while it is timed: each call has to load, and one that does not makes the run fail.
'use strict'

const { duel } = require('../duel.js')
const { object, objectKey } = require('../objects.js')
const ours = require('../ours.js')
const sink = require('../sink.js')

const TTL_MS = 3_600_000
/** Of each cache; from then on, each load makes room. */
const MAX_ENTRIES = 10_000

/** @param {import('./index.js').Arena} arena */
module.exports = async function miss(arena) {
  return duel(
    {
      name: 'miss',
      title:
        'cache.getOrSet of new keys, one after the other, with a loader that answers at once; about 10,000 entries fit',
      contestants: [nobody(), spillway(), lru(), await bento(), await cacheable()],
      wanted: [],
      notes: [
        'lru-cache hands the same object to everybody, who may change it; the others keep it encoded, or a clone',
      ],
    },
    arena,
  )
}

/**
 * @param {string} name
 * @param {(key: string, load: (key: string) => Promise<any>) => Promise<any>} ask
 * @param {string} [note]
 * @returns {import('../measure.js').Contestant}
 */
function contestant(name, ask, note) {
  let asked = 0
  let loads = 0
  const load = async () => {
    loads++
    return object(asked)
  }
  return {
    name,
    note,
    async run(calls) {
      loads = 0
      for (let call = 0; call < calls; call++) sink.last = await ask(objectKey(++asked), load)
      return loads
    },
  }
}

const nobody = () => contestant('the loader alone', (key, load) => load(key))

function spillway() {
  const { found, missing } = ours.spillway()
  if (!found) return { name: 'spillway', skipped: missing }
  const cache = found.spillway().cache('missing', { ttl: TTL_MS, maxBytes: MAX_ENTRIES * 330 })
  return contestant('spillway', (key, load) => cache.getOrSet(key, load))
}

function lru() {
  const { LRUCache } = require('lru-cache')
  /** @type {import('lru-cache').LRUCache<string, any>} */
  const cache = new LRUCache({
    max: MAX_ENTRIES,
    ttl: TTL_MS,
    fetchMethod: (key, _, { context }) => /** @type {any} */ (context)(key),
  })
  return contestant('lru-cache.fetch', (key, load) => cache.fetch(key, /** @type {any} */ ({ context: load })))
}

async function bento() {
  const { BentoCache, bentostore } = await import('bentocache')
  const { memoryDriver } = await import('bentocache/drivers/memory')
  const layer = memoryDriver({ maxItems: MAX_ENTRIES })
  const cache = new BentoCache({ default: 'memory', stores: { memory: bentostore({ ttl: TTL_MS }).useL1Layer(layer) } })
  return contestant(
    'bentocache',
    (key, load) => cache.getOrSet({ key, factory: () => load(key) }),
    'memory layer, defaults',
  )
}

async function cacheable() {
  const { Cacheable, CacheableMemory, Keyv } = await import('cacheable')
  const primary = new Keyv({ store: new CacheableMemory({ lruSize: MAX_ENTRIES }) })
  const cache = new Cacheable({ ttl: TTL_MS, primary })
  return contestant('cacheable', (key, load) => cache.getOrSet(key, () => load(key)), 'memory layer')
}
