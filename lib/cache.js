// The cache in memory as JavaScript sees it: what is found, kept and forgotten, at once. Owns what its calls take.
// Never holds what is cached: that is native, and copies of it are bounded.
'use strict'

const { assertInvalidated, assertPast, assertPrefix, expiryOf, lookOf, versionGiven } = require('./cache-calls.js')
const { CacheHandle } = require('./cache-handle.js')
const { settingOf } = require('./cache-shape.js')
const { getMany, setMany } = require('./many.js')
const { slots } = require('./native.js')
const { MOST_TAGS } = require('./tags.js')
const { NOTHING, UP_TO } = require('./values.js')

class Cache extends CacheHandle {
  /** Set here and never again, as in cache-handle.js. */
  #copies = CacheHandle.copiesOf(this)
  #values = CacheHandle.valuesOf(this)

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
    const set = values.native.cacheSet(values.id, key, encoded, values.ttlMsOf(encoded, ttlMs), tags, since)
    if (set === undefined) throw values.trouble(key, encoded)
  }

  moment() {
    const { native, id } = this.#values
    return this.#answered(native.cacheMoment(id))
  }

  /** @param {string} key */
  delete(key) {
    const { native, id } = this.#values
    return this.#answered(native.cacheDelete(id, key), key)
  }

  /** @param {string} key */
  expire(key) {
    const { native, id } = this.#values
    return this.#answered(native.cacheExpire(id, key), key)
  }

  /** @param {string} prefix */
  deletePrefix(prefix) {
    const { native, id } = this.#values
    assertPrefix(this.name, prefix)
    return this.#answered(native.cacheDeletePrefix(id, prefix))
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
    const { native, id } = this.#values
    this.#answered(native.cacheClear(id))
  }

  /** @param {string | number} version */
  setVersion(version) {
    const { native, id } = this.#values
    return this.#answered(native.cacheVersion(id, versionGiven(this.name, version)))
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
    const { native, id } = this.#values
    // Native code reads as many as an entry may have.
    for (let index = 0; index < tags.length; index += MOST_TAGS) {
      this.#answered(native.cacheTags(id, tags.slice(index, index + MOST_TAGS), soft))
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
