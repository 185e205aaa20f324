// The cache over Redis as JavaScript sees it: memory first, and what is behind it asked only then. Owns what its calls take.
// Never fails because Redis is not there, and never makes a hit in memory wait for it.
'use strict'

const { assertInvalidated, assertPast, assertPrefix, expiryOf, lookOf, versionGiven } = require('./cache-calls.js')
const { CacheHandle } = require('./cache-handle.js')
const { settingOf } = require('./cache-shape.js')
const { culprit, getMany, settingsOf } = require('./many.js')
const { slots } = require('./native.js')
const { Options } = require('./options.js')
const { MOST_TAGS } = require('./tags.js')
const { NOTHING, UP_TO } = require('./values.js')

class RemoteCache extends CacheHandle {
  /** Set here and never again, as in cache-handle.js. */
  #copies = CacheHandle.copiesOf(this)
  #values = CacheHandle.valuesOf(this)
  #behind = CacheHandle.behindOf(this)

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
    const ask = values.native.cacheSetFar(values.id, key, encoded, ttl, tags, since)
    await this.#behind.changed(ask, key, encoded)
  }

  async moment() {
    return this.#moment()
  }

  #moment() {
    const { native, id } = this.#values
    const moment = native.cacheMoment(id)
    if (moment === undefined) throw this.#values.trouble(undefined)
    return moment
  }

  /** @param {string} key */
  async delete(key) {
    const { native, id } = this.#values
    return (await this.#behind.changed(native.cacheDeleteFar(id, key), key)) > 0
  }

  /** @param {string} key */
  async expire(key) {
    const { native, id } = this.#values
    return (await this.#behind.changed(native.cacheExpireFar(id, key), key)) > 0
  }

  /** @param {string} prefix */
  async deletePrefix(prefix) {
    const { native, id } = this.#values
    assertPrefix(this.name, prefix)
    return this.#behind.changed(native.cacheDeletePrefixFar(id, prefix))
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
    const { native, id } = this.#values
    await this.#behind.changed(native.cacheClearFar(id))
  }

  /** @param {string | number} version */
  async setVersion(version) {
    const { native, id } = this.#values
    const text = versionGiven(this.name, version)
    return (await this.#behind.changed(native.cacheVersionFar(id, text))) > 0
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
    const { native, id } = this.#values
    const { keys, encoded, ttlsMs, tags } = settingsOf(this.#values, entries)
    if (keys.length === 0) return
    const ask = native.cacheSetManyFar(id, keys, encoded, ttlsMs, tags)
    if (ask === undefined) throw culprit(this.#values, keys, encoded)
    await this.#behind.changed(ask)
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

  /**
   * @param {readonly string[]} tags
   * @param {boolean | number} soft
   */
  async #overTags(tags, soft) {
    const { native, id } = this.#values
    const changes = []
    // Native code reads as many as an entry may have. All are gone from memory before any of Redis is waited for.
    for (let index = 0; index < tags.length; index += MOST_TAGS) {
      const ask = native.cacheTagsFar(id, tags.slice(index, index + MOST_TAGS), soft)
      changes.push(this.#behind.changed(ask))
    }
    await Promise.all(changes)
  }
}

module.exports = { RemoteCache }
