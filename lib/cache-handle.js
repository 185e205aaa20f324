// A handle of a cache, whatever lies behind its memory. Owns what does not depend on that: getOrSet() and its loads, counters, files,
// listeners, the end. Never changes what is cached, except by a load.
'use strict'

const { Answers } = require('./answers.js')
const { filed } = require('./cache-calls.js')
const { assertFunction } = require('./call.js')
const { Copies } = require('./copies.js')
const { Events } = require('./events.js')
const { Loads } = require('./loads.js')
const { memoized } = require('./memoize.js')
const { slots } = require('./native.js')
const { SecondTier } = require('./second-tier.js')
const { Values, UP_TO } = require('./values.js')
const { warmed } = require('./warm.js')

/** @typedef {InstanceType<typeof import('./place.js').Place>} Place */
/** @typedef {import('./loads.js').Loader} Loader */

class CacheHandle {
  /** Set here and never again, so that V8 takes it for a constant: a hit is a tenth cheaper. */
  #copies = new Copies()
  #values
  /** Redis, where it is asked for what memory has not. */
  #behind
  #loads
  #answers
  #events = new Events('cache', ['loaded', 'failed', 'graced'])
  /** @type {'cache'} */
  kind = 'cache'

  /**
   * @param {Place} place
   * @param {number} id
   * @param {import('./cache-shape.js').CacheShape} shape
   */
  constructor(place, id, shape) {
    const values = new Values(place, id, shape, this.#copies)
    const behind = place.asks && new SecondTier(values, place.asks)
    const loads = new Loads(values, this.#events, this, behind)
    this.#values = values
    this.#behind = behind
    this.#loads = loads
    this.#answers = new Answers(values, loads, this.#events, this)
    this.name = place.name
  }

  /**
   * What belongs to this thread; the last ones given count, and who gives none takes none away.
   * @param {CacheHandle} cache
   * @param {import('./cache-shape.js').CacheFunctions} functions
   */
  static setFunctions(cache, { codec, bulkhead, waitUntil }) {
    cache.#values.codec = codec
    if (bulkhead !== undefined) cache.#loads.bulkhead = bulkhead
    if (waitUntil !== undefined) cache.#answers.waitUntil = waitUntil
  }

  /**
   * Have the native counters include the hits of this environment's copies.
   * @param {CacheHandle} cache
   */
  static tellHits(cache) {
    cache.#copies.tellAll()
  }

  /**
   * The handle was let go: it must answer nothing from memory any more.
   * @param {CacheHandle} cache
   */
  static forgetCopies(cache) {
    cache.#copies.clear()
  }

  /**
   * What a kind of cache has its own calls go through.
   * @param {CacheHandle} cache
   */
  static copiesOf(cache) {
    return cache.#copies
  }

  /** @param {CacheHandle} cache */
  static valuesOf(cache) {
    return cache.#values
  }

  /** @param {CacheHandle} cache over Redis */
  static behindOf(cache) {
    return /** @type {InstanceType<typeof SecondTier>} */ (cache.#behind)
  }

  get version() {
    const { place, id } = this.#values
    return place.cold((native) => native.cacheVersionOf(id)) ?? undefined
  }

  /**
   * @param {string} key
   * @param {Loader} load
   * @param {import('../index').LoadOptions} [options]
   * @returns {Promise<any>}
   */
  getOrSet(key, load, options) {
    // Not an async function: what fails on the way to a promise is a rejection all the same.
    try {
      if (typeof load !== 'function') assertFunction(`getOrSet() of the cache "${this.name}"`, load)
      if (options === undefined || options.reload !== true) {
        const copies = this.#copies
        const copy = copies.byKey.get(key)
        if (copy !== undefined) {
          // What isCurrent() asks, written out here as in get(): as a call it would cost a tenth more.
          if (
            copies.turn.time < copy.freshUntil &&
            slots[copy.slot] === copy.seen &&
            slots[copies.epochSlot] === copy.epochSeen &&
            --copies.left > 0
          ) {
            copy.used = true
            return (copy.promise ??= Promise.resolve(copy.value))
          }
          if (copies.isCurrent(copy)) return (copy.promise ??= Promise.resolve(copy.value))
        }
      }
      return this.#answers.value(key, load, options)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /**
   * @param {string} key
   * @param {Loader} load
   * @param {import('../index').LoadOptions} [options]
   * @returns {Promise<any>}
   */
  async getOrSetEntry(key, load, options) {
    assertFunction(`getOrSetEntry() of the cache "${this.name}"`, load)
    return this.#answers.entry(key, load, options)
  }

  /**
   * @param {any} source
   * @param {import('../index').WarmOptions} [options]
   */
  warm(source, options) {
    const behind = this.#behind
    const isBehind =
      behind && (async (/** @type {string} */ key) => (await behind.fetch(key, UP_TO.FRESH)) !== undefined)
    const cache = /** @type {any} */ (this)
    return warmed(cache, this.#values, this.#loads, source, options, isBehind)
  }

  /**
   * @template {(...args: any[]) => any} F
   * @param {F} fn
   * @param {import('../index').MemoizeOptions<any>} [options]
   */
  memoize(fn, options) {
    return memoized(this, fn, options)
  }

  /** @param {string} path */
  dump(path) {
    return this.#file('written to', path, 'cacheDump')
  }

  /** @param {string} path */
  restore(path) {
    return this.#file('restored from', path, 'cacheRestore')
  }

  stats() {
    this.#copies.tellAll()
    const { place, id } = this.#values
    return place.cold((native) => {
      const { config: _, provenance: __, ...stats } = JSON.parse(native.cacheReport(id))
      return stats
    })
  }

  /**
   * @param {'loaded' | 'failed' | 'graced'} event
   * @param {(message: any) => void} listener
   */
  on(event, listener) {
    return this.#events.on(event, listener)
  }

  dispose() {
    const { place, id } = this.#values
    place.dispose(id)
  }

  /**
   * @param {string} what
   * @param {unknown} path
   * @param {'cacheDump' | 'cacheRestore'} call
   */
  #file(what, path, call) {
    const { place, id, name } = this.#values
    return filed(name, what, path, (path) => {
      const time = place.isManual ? [place.now(), place.wall()] : []
      return /** @type {Promise<number>} */ (place.cold((native) => native[call](id, path, ...time)))
    })
  }
}

module.exports = { CacheHandle }
