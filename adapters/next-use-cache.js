// Next's `cacheHandlers`: what `use cache` keeps, in one native cache of the process or of all. Owns what is asked of it by Next.
// Never keeps a stream, nor a promise longer than it is pending: either would hold on to the request that made it.
'use strict'

const { Moments } = require('./next/moments.js')
const { Records } = require('./next/records.js')

/**
 * @typedef {import('./next-use-cache').UseCacheEntry} Entry
 * @typedef {Omit<Entry, 'value'> & { bytes: Uint8Array }} Record
 */

/** What Next takes for "due at once": the entry is served, and made anew. */
const DUE = -1

/**
 * What a name in `cacheHandlers` of next.config.js is to lead to.
 * @param {import('./next-use-cache').NextUseCacheOptions} [options]
 */
function nextUseCache(options) {
  return new UseCacheHandler(options)
}

class UseCacheHandler {
  /** @type {InstanceType<typeof Records<Record>>} */
  #records
  #moments = new Moments()
  /** Sets under way in this thread, by key. @type {Map<string, Promise<void>>} */
  #pending = new Map()
  #warned = false

  /** @param {import('./next-use-cache').NextUseCacheOptions} [options] */
  constructor(options) {
    this.#records = new Records('nextUseCache()', 'next-use-cache', options)
  }

  get cache() {
    return this.#records.cache
  }

  /**
   * @param {string} key
   * @param {readonly string[]} [softTags]
   * @returns {Promise<Entry | undefined>}
   */
  async get(key, softTags = []) {
    for (let set = this.#pending.get(key); set !== undefined; set = this.#pending.get(key)) await set
    this.#note()
    const found = await this.#records.read(key, softTags)
    if (found === undefined) return undefined
    const { bytes, ...about } = found.record
    return { ...about, revalidate: found.isStale ? DUE : about.revalidate, value: streamOf(bytes) }
  }

  /**
   * @param {string} key
   * @param {Promise<Entry>} entry
   */
  async set(key, entry) {
    this.#note()
    const set = this.#store(key, entry)
    const over = set
      .catch(() => {})
      .finally(() => {
        if (this.#pending.get(key) === over) this.#pending.delete(key)
      })
    this.#pending.set(key, over)
    await set
  }

  /** Nobody has to be asked which tags were revalidated: the cache knows, also of other processes. */
  async refreshTags() {}

  /** Tells Next to hand the tags of a path to `get`, where they are compared as the entry's own. */
  async getExpiration() {
    return Infinity
  }

  /**
   * @param {readonly string[]} tags
   * @param {{ expire?: number }} [durations]
   */
  async updateTags(tags, durations) {
    await this.#records.invalidate(tags, durations)
    // What is made from here on has seen it.
    this.#note({ exactly: true })
  }

  /**
   * @param {string} key
   * @param {Promise<Entry>} pending
   */
  async #store(key, pending) {
    const made = await readOf(pending)
    if (made === undefined) return
    const ageS = (this.#records.now() - made.timestamp) / 1000
    const lifeS = made.expire - Math.max(ageS, 0)
    // What may not be served afterwards is asked for anew each time.
    if (!(lifeS > 0)) return
    try {
      const since = await this.#moments.before(made.timestamp)
      await this.#records.write(key, made, { tags: made.tags, lifeS, since })
    } catch (error) {
      if (/** @type {any} */ (error)?.code !== 'E_VALUE_TOO_LARGE') throw error
      this.#warn(/** @type {Error} */ (error))
    }
  }

  /** @param {{ exactly?: boolean }} [how] */
  #note(how) {
    this.#moments.note(this.#records.now(), () => this.cache.moment(), how)
  }

  /** @param {Error} error */
  #warn({ message }) {
    if (this.#warned) return
    this.#warned = true
    process.emitWarning(`a result of 'use cache' is not kept: ${message}`, { code: 'E_VALUE_TOO_LARGE' })
  }
}

/**
 * The entry with its bytes; nothing when it could not be made, which whoever has asked for it is told by Next.
 * @param {Promise<Entry>} pending
 * @returns {Promise<Record | undefined>}
 */
async function readOf(pending) {
  const chunks = []
  try {
    const { value, tags, stale, timestamp, expire, revalidate } = await pending
    for await (const chunk of /** @type {any} */ (value)) chunks.push(chunk)
    return { bytes: Buffer.concat(chunks), tags, stale, timestamp, expire, revalidate }
  } catch {
    return undefined
  }
}

/** @param {Uint8Array} bytes */
function streamOf(bytes) {
  return new ReadableStream({
    start(controller) {
      if (bytes.byteLength > 0) controller.enqueue(bytes)
      controller.close()
    },
  })
}

module.exports = { nextUseCache }
