// What Next's two cache handlers store. Owns how long a record lives, which tags it goes by, and when it is stale or gone.
// Never keeps a list of keys by tag, or of tags: what is invalidated is compared when a record is read.
'use strict'

const { Beneath, FOREVER_MS } = require('../cache/beneath.js')
const { named, tagLists } = require('../cache/names.js')

/**
 * @template R
 * @typedef {{ record: R, lifeMs: number, others: string[][] }} Stored with the tags beyond those that an entry can have
 */

/** Once its tags are stale, a record may be served until it is replaced: by this, or by the end of its life. */
const GRACE_MS = 365 * 86_400_000

/** @template R */
class Records {
  #beneath

  /**
   * @param {string} of whose options they are, as messages name it
   * @param {string} prefix
   * @param {unknown} given
   */
  constructor(of, prefix, given) {
    const kept = { ttl: FOREVER_MS, grace: GRACE_MS, codec: /** @type {const} */ ('v8') }
    this.#beneath = new Beneath(of, given, { prefix, kept })
    const clock = this.#beneath.options.callback('clock')
    // As Next measures time, so that what it compares stays comparable when the date is set.
    this.now = clock ?? (() => performance.timeOrigin + performance.now())
  }

  get cache() {
    return this.#beneath.cache
  }

  /**
   * @param {string} key
   * @param {Iterable<unknown>} tags further ones that it has for this reader
   * @returns {Promise<{ record: R, isStale: boolean } | undefined>}
   */
  async read(key, tags) {
    try {
      return await this.#read(named(key), tagLists(tags))
    } catch (error) {
      if (/** @type {any} */ (error)?.code !== 'E_VALUE_DECODE') throw error
      await this.cache.delete(named(key))
      return undefined
    }
  }

  /**
   * @param {string} key
   * @param {R} record
   * @param {object} about
   * @param {Iterable<unknown>} about.tags
   * @param {number | undefined} about.lifeS seconds after which it is not to be served, stale or not
   * @param {number} about.since the moment from which on an invalidated tag concerns it
   */
  async write(key, record, { tags, lifeS, since }) {
    const [own, ...others] = tagLists(tags)
    const lifeMs = Math.min((lifeS ?? Infinity) * 1000, FOREVER_MS)
    const name = named(key)
    try {
      await this.cache.set(name, { record, lifeMs, others }, { ttl: Math.max(lifeMs, 1), tags: own, since })
    } catch (error) {
      // What is there is older than what could not be stored.
      await this.cache.delete(name)
      throw error
    }
  }

  /**
   * Without durations what has one of these tags is gone; with them it is stale, and gone once `expire` is over.
   * @param {Iterable<unknown>} tags
   * @param {{ expire?: number }} [durations] in seconds
   */
  async invalidate(tags, durations) {
    const graceMs = durations && (durations.expire ?? Infinity) * 1000
    await Promise.all(
      tagLists(tags).map((list) => {
        if (graceMs === undefined || graceMs < 1) return this.cache.invalidateTag(...list)
        if (graceMs >= GRACE_MS) return this.cache.expireTag(...list)
        return this.cache.expireTag(...list, { grace: graceMs })
      }),
    )
  }

  /**
   * @param {string} name
   * @param {string[][]} lists
   */
  async #read(name, [first, ...more]) {
    const found = await this.#look(name, first)
    if (found === undefined) return undefined
    const { stored } = found
    let { isStale } = found
    for (const tags of [...more, ...stored.others]) {
      const entry = await this.cache.entry(name, { tags })
      if (entry === undefined) return undefined
      isStale ||= entry.state !== 'fresh'
    }
    return { record: stored.record, isStale }
  }

  /**
   * @param {string} name
   * @param {string[] | undefined} tags
   * @returns {Promise<{ stored: Stored<R>, isStale: boolean } | undefined>}
   */
  async #look(name, tags) {
    const fresh = await this.cache.get(name, tags && { tags })
    if (fresh !== undefined) return { stored: fresh, isStale: false }
    const entry = await this.cache.entry(name, tags && { tags })
    if (entry === undefined) return undefined
    // In grace is what has outlived itself as well as what has a stale tag; fresh is what has come since it was looked for.
    if (entry.ageMs < entry.value.lifeMs) return { stored: entry.value, isStale: entry.state !== 'fresh' }
    await this.cache.delete(name)
    return undefined
  }
}

module.exports = { Records }
