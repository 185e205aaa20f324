// The cache over Redis as JavaScript sees it: memory first, and what is behind it asked only then. Owns what its calls take.
// Never fails because Redis is not there, and never makes a hit in memory wait for it.
'use strict'

const { Answers } = require('./answers.js')
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
const { assertFunction } = require('./call.js')
const { Copies } = require('./copies.js')
const { Events } = require('./events.js')
const { Loads } = require('./loads.js')
const { culprit, getMany, settingsOf } = require('./many.js')
const { memoized } = require('./memoize.js')
const { slots } = require('./native.js')
const { Options } = require('./options.js')
const { SecondTier } = require('./second-tier.js')
const { MOST_TAGS } = require('./tags.js')
const { Values, NOTHING, UP_TO } = require('./values.js')
const { warmed } = require('./warm.js')

/** @typedef {InstanceType<typeof import('./spillway.js').Place>} Place */
/** @typedef {import('./cache-shape.js').CacheShape} CacheShape */
/** @typedef {import('./loads.js').Loader} Loader */

class RemoteCache {
  /** Set here and never again, as in cache.js. */
  #copies = new Copies()
  #native
  #id
  #place
  #values
  #behind
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
    const behind = new SecondTier(values, /** @type {any} */ (place).asks)
    const loads = new Loads(values, this.#events, this, behind)
    this.#values = values
    this.#behind = behind
    this.#loads = loads
    this.#answers = new Answers(values, loads, this.#events, this)
    this.name = place.name
  }

  /**
   * @param {RemoteCache} cache
   * @param {import('./cache-shape.js').CacheFunctions} functions
   */
  static setFunctions(cache, { codec, bulkhead, waitUntil }) {
    cache.#values.codec = codec
    if (bulkhead !== undefined) cache.#loads.bulkhead = bulkhead
    if (waitUntil !== undefined) cache.#answers.waitUntil = waitUntil
  }

  /** @param {RemoteCache} cache */
  static tellHits(cache) {
    cache.#copies.tellAll()
  }

  /** @param {RemoteCache} cache */
  static forgetCopies(cache) {
    cache.#copies.clear()
  }

  /**
   * @param {string} key
   * @param {{ tags?: readonly string[] }} [options]
   * @returns {Promise<any>}
   */
  get(key, options) {
    const copies = this.#copies
    const copy = copies.byKey.get(key)
    if (
      copy !== undefined &&
      copies.turn.time < copy.freshUntil &&
      slots[copy.slot] === copy.seen &&
      slots[copies.epochSlot] === copy.epochSeen &&
      options === undefined &&
      --copies.left > 0
    ) {
      copy.used = true
      return (copy.promise ??= Promise.resolve(copy.value))
    }
    // Not an async function: what fails on the way to a promise is a rejection all the same.
    try {
      return this.#got(key, copy, options)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /**
   * What get() answers when a glance is not enough.
   * @param {string} key
   * @param {import('./copies.js').Copied | undefined} copy
   * @param {{ tags?: readonly string[] } | undefined} options
   */
  #got(key, copy, options) {
    if (options === undefined) {
      if (copy !== undefined && this.#copies.isCurrent(copy)) return (copy.promise ??= Promise.resolve(copy.value))
      const found = this.#values.read(key, UP_TO.FRESH)
      if (found !== NOTHING) return Promise.resolve(found)
      return this.#behind.get(key, undefined)
    }
    const tags = lookOf(options)
    const entry = this.#values.look(key, UP_TO.FRESH, tags)
    return entry === undefined ? this.#behind.get(key, tags) : Promise.resolve(entry.value)
  }

  /**
   * @param {string} key
   * @param {{ tags?: readonly string[] }} [options]
   */
  async entry(key, options) {
    const tags = lookOf(options)
    const entry = this.#values.look(key, UP_TO.ANY, tags)
    if (entry !== undefined) return entry
    const found = await this.#behind.fetch(key, UP_TO.ANY, tags)
    return found === undefined ? undefined : this.#behind.entryOf(key, found)
  }

  /**
   * @param {string} key
   * @param {unknown} value
   * @param {import('../index').SetOptions} [options]
   */
  async set(key, value, options) {
    const values = this.#values
    const { ttlMs, tags, since } = settingOf(options)
    if (since !== undefined) assertPast(this.name, since, this.#moment())
    const encoded = values.encoded(value, key)
    const ttl = values.ttlMsOf(encoded, ttlMs)
    await this.#behind.changed(this.#native.cacheSetFar(this.#id, key, encoded, ttl, tags, since), key, encoded)
  }

  async moment() {
    return this.#moment()
  }

  #moment() {
    const moment = this.#native.cacheMoment(this.#id)
    if (moment === undefined) throw this.#values.trouble(undefined)
    return moment
  }

  /** @param {string} key */
  async delete(key) {
    return (await this.#behind.changed(this.#native.cacheDeleteFar(this.#id, key), key)) > 0
  }

  /** @param {string} key */
  async expire(key) {
    return (await this.#behind.changed(this.#native.cacheExpireFar(this.#id, key), key)) > 0
  }

  /** @param {string} prefix */
  async deletePrefix(prefix) {
    assertPrefix(this.name, prefix)
    return this.#behind.changed(this.#native.cacheDeletePrefixFar(this.#id, prefix))
  }

  /** @param {string[]} tags */
  async invalidateTag(...tags) {
    assertInvalidated(this.name, tags)
    await this.#overTags(tags, false)
  }

  /** @param {(string | { grace?: import('../index').Duration })[]} given */
  async expireTag(...given) {
    const { tags, graced } = expiryOf(this.name, given)
    await this.#overTags(tags, graced)
  }

  async clear() {
    await this.#behind.changed(this.#native.cacheClearFar(this.#id))
  }

  get version() {
    return this.#place.cold((native) => native.cacheVersionOf(this.#id)) ?? undefined
  }

  /** @param {string | number} version */
  async setVersion(version) {
    const text = versionGiven(this.name, version)
    return (await this.#behind.changed(this.#native.cacheVersionFar(this.#id, text))) > 0
  }

  /**
   * @param {string} key
   * @param {Loader} load
   * @param {import('../index').LoadOptions} [options]
   * @returns {Promise<any>}
   */
  getOrSet(key, load, options) {
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
  async getMany(keys) {
    /** @type {number[]} */
    const absent = []
    const answers = getMany(this.#values, keys, absent)
    if (absent.length === 0) return answers
    // All in one turn, so that they leave in one batch.
    const fetched = await Promise.all(absent.map((index) => this.#behind.get(keys[index], undefined)))
    for (let each = 0; each < absent.length; each++) answers[absent[each]] = fetched[each]
    return answers
  }

  /** @param {Iterable<readonly [string, unknown, import('../index').CacheSetOptions?]>} entries */
  async setMany(entries) {
    const { keys, encoded, ttlsMs, tags } = settingsOf(this.#values, entries)
    if (keys.length === 0) return
    const ask = this.#native.cacheSetManyFar(this.#id, keys, encoded, ttlsMs, tags)
    if (ask === undefined) throw culprit(this.#values, keys, encoded)
    await this.#behind.changed(ask)
  }

  /**
   * @param {any} source
   * @param {import('../index').WarmOptions} [options]
   */
  warm(source, options) {
    const isBehind = async (/** @type {string} */ key) => {
      return (await this.#behind.fetch(key, UP_TO.FRESH)) !== undefined
    }
    return warmed(this, this.#values, this.#loads, source, options, isBehind)
  }

  /**
   * @template {(...args: any[]) => any} F
   * @param {F} fn
   * @param {import('../index').MemoizeOptions<any>} [options]
   */
  memoize(fn, options) {
    return memoized(this, fn, options)
  }

  /** @param {{ prefix?: string }} [given] */
  async *keys(given) {
    const options = new Options(`keys() of the cache "${this.name}"`, given, ['prefix'])
    const prefix = options.get('prefix') ?? ''
    if (typeof prefix !== 'string') throw options.wrong('prefix', 'of keys() must be a string')
    let cursor = ''
    do {
      const batch = await this.#behind.scan(cursor, prefix)
      yield* batch.keys
      cursor = batch.cursor
    } while (cursor !== '')
  }

  /** @param {string} path */
  dump(path) {
    return filed(this.name, 'written to', path, (path) => this.#file((native) => native.cacheDump(this.#id, path)))
  }

  /** @param {string} path */
  restore(path) {
    return filed(this.name, 'restored from', path, (path) =>
      this.#file((native) => native.cacheRestore(this.#id, path)),
    )
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
   * @param {readonly string[]} tags
   * @param {boolean | number} soft
   */
  async #overTags(tags, soft) {
    const changes = []
    // Native code reads as many as an entry may have. All are gone from memory before any of Redis is waited for.
    for (let index = 0; index < tags.length; index += MOST_TAGS) {
      const ask = this.#native.cacheTagsFar(this.#id, tags.slice(index, index + MOST_TAGS), soft)
      changes.push(this.#behind.changed(ask))
    }
    await Promise.all(changes)
  }

  /** @param {(native: import('./native.js').Native) => Promise<unknown>} call */
  #file(call) {
    return /** @type {Promise<number>} */ (this.#place.cold(call))
  }
}

module.exports = { RemoteCache }
