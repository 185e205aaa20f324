// The cache as JavaScript sees it: what is found, kept and forgotten. Owns what its calls take.
// Never holds what is cached: that is native, and copies of it are bounded.
'use strict'

const { Answers } = require('./answers.js')
const { assertFunction } = require('./call.js')
const {
  assertInvalidated,
  assertPast,
  assertPrefix,
  expiryOf,
  filed,
  lookOf,
  versionGiven,
} = require('./cache-calls.js')
const { settingOf } = require('./cache-shape.js')
const { Events } = require('./events.js')
const { Loads } = require('./loads.js')
const { getMany, setMany } = require('./many.js')
const { memoized } = require('./memoize.js')
const { Copies } = require('./copies.js')
const { slots } = require('./native.js')
const { MOST_TAGS } = require('./tags.js')
const { Values, NOTHING, UP_TO } = require('./values.js')
const { warmed } = require('./warm.js')

/** @typedef {InstanceType<typeof import('./spillway.js').Place>} Place */
/** @typedef {import('./cache-shape.js').CacheShape} CacheShape */
/** @typedef {import('./loads.js').Loader} Loader */

class Cache {
  /** Set here and never again, so that V8 takes it for a constant: a hit is a tenth cheaper. */
  #copies = new Copies()
  #native
  #id
  #place
  #values
  #loads
  #answers
  #events = new Events('cache', ['loaded', 'failed', 'graced'])
  /** @type {'cache'} */
  kind = 'cache'

  /**
   * @param {Place} place
   * @param {number} id
   * @param {CacheShape} shape
   */
  constructor(place, id, shape) {
    this.#native = place.native
    this.#id = id
    this.#place = place
    const values = new Values(place, id, shape, this.#copies)
    const loads = new Loads(values, this.#events, this)
    this.#values = values
    this.#loads = loads
    this.#answers = new Answers(values, loads, this.#events, this)
    this.name = place.name
  }

  /**
   * What belongs to this thread; the last ones given count, and who gives none takes none away.
   * @param {Cache} cache
   * @param {import('./cache-shape.js').CacheFunctions} functions
   */
  static setFunctions(cache, { codec, bulkhead, waitUntil }) {
    cache.#values.codec = codec
    if (bulkhead !== undefined) cache.#loads.bulkhead = bulkhead
    if (waitUntil !== undefined) cache.#answers.waitUntil = waitUntil
  }

  /**
   * Have the native counters include the hits of this environment's copies.
   * @param {Cache} cache
   */
  static tellHits(cache) {
    cache.#copies.tellAll()
  }

  /**
   * The handle was let go: it must answer nothing from memory any more.
   * @param {Cache} cache
   */
  static forgetCopies(cache) {
    cache.#copies.clear()
  }

  /**
   * @param {string} key
   * @param {{ tags?: readonly string[] }} [options]
   */
  get(key, options) {
    const copies = this.#copies
    const copy = copies.byKey.get(key)
    // What isCurrent() asks, written out here and in getOrSet(): as a call it would cost a tenth more.
    if (
      copy !== undefined &&
      copies.turn.time < copy.freshUntil &&
      slots[copy.slot] === copy.seen &&
      slots[copies.epochSlot] === copy.epochSeen &&
      options === undefined &&
      --copies.left > 0
    ) {
      copy.used = true
      return copy.value
    }
    return this.#got(key, copy, options)
  }

  /**
   * What get() answers when a glance is not enough.
   * @param {string} key
   * @param {import('./copies.js').Copied | undefined} copy
   * @param {{ tags?: readonly string[] } | undefined} options
   */
  #got(key, copy, options) {
    if (options !== undefined) return this.#tagged(key, options, UP_TO.FRESH)?.value
    if (copy !== undefined && this.#copies.isCurrent(copy)) return copy.value
    const found = this.#values.read(key, UP_TO.FRESH)
    return found === NOTHING ? undefined : found
  }

  /**
   * @param {string} key
   * @param {{ tags?: readonly string[] }} [options]
   */
  entry(key, options) {
    return this.#tagged(key, options, UP_TO.ANY)
  }

  /**
   * @param {string} key
   * @param {unknown} value
   * @param {import('../index').SetOptions} [options]
   */
  set(key, value, options) {
    const values = this.#values
    const { ttlMs, tags, since } = settingOf(options)
    if (since !== undefined) assertPast(this.name, since, this.moment())
    const encoded = values.encoded(value, key)
    const set = this.#native.cacheSet(this.#id, key, encoded, values.ttlMsOf(encoded, ttlMs), tags, since)
    if (set === undefined) throw values.trouble(key, encoded)
  }

  moment() {
    return this.#answered(this.#native.cacheMoment(this.#id))
  }

  /** @param {string} key */
  delete(key) {
    return this.#answered(this.#native.cacheDelete(this.#id, key), key)
  }

  /** @param {string} key */
  expire(key) {
    return this.#answered(this.#native.cacheExpire(this.#id, key), key)
  }

  /** @param {string} prefix */
  deletePrefix(prefix) {
    assertPrefix(this.name, prefix)
    return this.#answered(this.#native.cacheDeletePrefix(this.#id, prefix))
  }

  /** @param {string[]} tags */
  invalidateTag(...tags) {
    assertInvalidated(this.name, tags)
    this.#overTags(tags, false)
  }

  /** @param {(string | { grace?: import('../index').Duration })[]} given */
  expireTag(...given) {
    const { tags, graced } = expiryOf(this.name, given)
    this.#overTags(tags, graced)
  }

  clear() {
    this.#answered(this.#native.cacheClear(this.#id))
  }

  get version() {
    return this.#place.cold((native) => native.cacheVersionOf(this.#id)) ?? undefined
  }

  /** @param {string | number} version */
  setVersion(version) {
    return this.#answered(this.#native.cacheVersion(this.#id, versionGiven(this.name, version)))
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

  /** @param {readonly string[]} keys */
  getMany(keys) {
    return getMany(this.#values, keys)
  }

  /** @param {Iterable<readonly [string, unknown, import('../index').CacheSetOptions?]>} entries */
  setMany(entries) {
    setMany(this.#values, entries)
  }

  /**
   * @param {any} source
   * @param {import('../index').WarmOptions} [options]
   */
  warm(source, options) {
    return warmed(this, this.#values, this.#loads, source, options)
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
    return this.#file('written to', path, (native, ...time) => native.cacheDump(this.#id, path, ...time))
  }

  /** @param {string} path */
  restore(path) {
    return this.#file('restored from', path, (native, ...time) => native.cacheRestore(this.#id, path, ...time))
  }

  stats() {
    this.#copies.tellAll()
    return this.#place.cold((native) => {
      const { config: _, provenance: __, ...stats } = JSON.parse(native.cacheReport(this.#id))
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
    this.#place.dispose(this.#id)
  }

  /**
   * @param {string} key
   * @param {{ tags?: readonly string[] } | undefined} options
   * @param {number} upTo
   */
  #tagged(key, options, upTo) {
    return this.#values.look(key, upTo, lookOf(options))
  }

  /**
   * @param {readonly string[]} tags
   * @param {boolean | number} soft
   */
  #overTags(tags, soft) {
    // Native code reads as many as an entry may have.
    for (let index = 0; index < tags.length; index += MOST_TAGS) {
      this.#answered(this.#native.cacheTags(this.#id, tags.slice(index, index + MOST_TAGS), soft))
    }
  }

  /**
   * @param {string} what
   * @param {unknown} path
   * @param {(native: import('./native.js').Native, ...time: number[]) => Promise<unknown>} call
   */
  #file(what, path, call) {
    return filed(this.name, what, path, () => {
      const time = this.#place.isManual ? [this.#place.now(), this.#place.wall()] : []
      return /** @type {Promise<number>} */ (this.#place.cold((native) => call(native, ...time)))
    })
  }

  /**
   * @template T
   * @param {T | undefined} answer of a native call
   * @param {string} [key]
   * @returns {T}
   */
  #answered(answer, key) {
    if (answer === undefined) throw this.#values.trouble(key)
    return answer
  }
}

module.exports = { Cache }
