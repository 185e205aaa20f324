// The cache as JavaScript sees it: what is found, kept and forgotten. Owns what its calls take.
// Never holds what is cached: that is native, and copies of it are bounded.
'use strict'

const { Answers } = require('./answers.js')
const { assertFunction } = require('./call.js')
const { settingOf, versionOf } = require('./cache-shape.js')
const { Events } = require('./events.js')
const { isKey } = require('./keys.js')
const { Loads } = require('./loads.js')
const { getMany, setMany } = require('./many.js')
const { memoized } = require('./memoize.js')
const { Copies } = require('./copies.js')
const { misuse, shown } = require('./misuse.js')
const { slots } = require('./native.js')
const { Options, DAY } = require('./options.js')
const { LONGEST_TAG, MOST_TAGS, assertTags, tagsOf } = require('./tags.js')
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
    if (since !== undefined) this.#assertPast(since)
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
    if (!isKey(prefix)) {
      const rule = `\`prefix\` of deletePrefix() of the cache "${this.name}" must be a non-empty string`
      throw misuse('E_KEY', `${rule}; got ${shown(prefix)}. To forget everything there is clear()`, {
        option: 'prefix',
      })
    }
    return this.#answered(this.#native.cacheDeletePrefix(this.#id, prefix))
  }

  /** @param {string[]} tags */
  invalidateTag(...tags) {
    assertTags(this.#tagRule('invalidateTag'), tags)
    this.#overTags(tags, false)
  }

  /** @param {(string | { grace?: import('../index').Duration })[]} given */
  expireTag(...given) {
    const what = `expireTag() of the cache "${this.name}"`
    const last = given.at(-1)
    const limited = typeof last === 'object' && last !== null
    const options = limited ? new Options(what, last, ['grace']) : undefined
    const tags = limited ? given.slice(0, -1) : given
    assertTags(this.#tagRule('expireTag'), tags)
    const graced = options?.get('grace') === undefined ? true : options.duration('grace', { min: 0, max: 3650 * DAY })
    this.#overTags(/** @type {string[]} */ (tags), graced)
  }

  clear() {
    this.#answered(this.#native.cacheClear(this.#id))
  }

  get version() {
    return this.#place.cold((native) => native.cacheVersionOf(this.#id)) ?? undefined
  }

  /** @param {string | number} version */
  setVersion(version) {
    const text = versionOf(version, (rule) => {
      const what = `\`version\` of setVersion() of the cache "${this.name}"`
      return misuse('E_OPTION', `${what} ${rule}; got ${shown(version)}`, { option: 'version' })
    })
    if (text === undefined) {
      const rule = 'must be a string of 1 to 128 characters, or a number; got undefined'
      throw misuse('E_OPTION', `\`version\` of setVersion() of the cache "${this.name}" ${rule}`, { option: 'version' })
    }
    return this.#answered(this.#native.cacheVersion(this.#id, text))
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
    const given = options === undefined ? undefined : new Options('a look into a cache', options, ['tags']).get('tags')
    return this.#values.look(key, upTo, tagsOf('a look into a cache', given))
  }

  /**
   * A moment that is not over yet would be before no invalidation to come.
   * @param {number} since
   */
  #assertPast(since) {
    const moment = this.moment()
    if (since <= moment) return
    const rule = `\`since\` of a cached value must be what moment() of the cache "${this.name}" has answered, so at most ${moment}`
    throw misuse('E_OPTION', `${rule}; got ${shown(since)}`, { option: 'since', Base: RangeError })
  }

  /** @param {string} call */
  #tagRule(call) {
    return `each tag of ${call}() of the cache "${this.name}" must be a string of 1 to ${LONGEST_TAG} characters`
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
  async #file(what, path, call) {
    if (typeof path !== 'string' || path === '') {
      const rule = `\`path\` of a file for the cache "${this.name}" must be a non-empty string`
      throw misuse('E_OPTION', `${rule}; got ${shown(path)}`, { option: 'path' })
    }
    const time = this.#place.isManual ? [this.#place.now(), this.#place.wall()] : []
    try {
      return /** @type {number} */ (await this.#place.cold((native) => call(native, ...time)))
    } catch (/** @type {any} */ error) {
      if (error?.code !== 'E_DUMP_FILE') throw error
      const message = `the cache "${this.name}" cannot be ${what} ${shown(path)}: ${error.message}`
      throw misuse('E_DUMP_FILE', message, { Base: Error, cause: error })
    }
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
