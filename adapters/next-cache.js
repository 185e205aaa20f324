// Next's `cacheHandler`: pages, route handlers and fetches, in one native cache of the process or of all. Owns what is asked of it by Next.
// Never brings a Next along: what is needed of it is the application's own.
'use strict'

const { prerenderedOf } = require('./next/prerendered.js')
const { Records } = require('./next/records.js')

/**
 * @typedef {import('./next-cache').NextCacheValue} Value
 * @typedef {{ lastModified: number, value: Value | null, cacheControl?: { revalidate: number | false, expire?: number } }} Entry
 * @typedef {{ kind?: string, tags?: string[], softTags?: string[], revalidate?: number | false }} Asked
 * @typedef {{ tags?: string[], cacheControl?: Entry['cacheControl'] }} Told
 */

/** Where Next writes the tags of a page or a route. */
const TAGS_HEADER = 'x-next-cache-tags'

/**
 * What `cacheHandler` of next.config.js is to lead to: a class, of which Next makes an instance for each request.
 * @param {import('./next-cache').NextCacheOptions} [options]
 */
function nextCache(options) {
  /** @type {InstanceType<typeof Records<Entry>>} */
  const records = new Records('nextCache()', 'next-cache', options)

  return class SpillwayNextCache {
    /** Tags that another server has revalidated, of which this request was told. @type {Set<string>} */
    #revalidated
    /** The moments at which this request has looked in vain, by key: what it stores is no younger. @type {Map<string, number>} */
    #looked = new Map()
    #began
    #prerendered

    static get cache() {
      return records.cache
    }

    /** @param {{ revalidatedTags?: string[], [name: string]: unknown }} [context] */
    constructor(context) {
      this.#revalidated = new Set(context?.revalidatedTags)
      this.#began = records.cache.moment()
      this.#prerendered = prerenderedOf(context)
    }

    /**
     * @param {string} key
     * @param {Asked} [asked]
     * @returns {Promise<Entry | null>}
     */
    async get(key, asked = {}) {
      const moment = await records.cache.moment()
      const tags = [...(asked.tags ?? []), ...(asked.softTags ?? [])]
      const found = tags.some((tag) => this.#revalidated.has(tag))
        ? undefined
        : ((await records.read(key, tags)) ?? (await this.#built(key, asked, tags)))
      if (found !== undefined && !found.isStale) return found.record
      // Of several looks the first: what is stored may come from it.
      if (!this.#looked.has(key)) this.#looked.set(key, moment)
      return found === undefined ? null : stale(found.record, asked, records.now())
    }

    /**
     * @param {string} key
     * @param {Value | null} value
     * @param {Told} [told]
     */
    async set(key, value, told = {}) {
      const { cacheControl } = told
      const since = this.#looked.get(key) ?? (await this.#began)
      const tags = [...tagsOf(value), ...(told.tags ?? [])]
      const entry = { lastModified: records.now(), value, cacheControl }
      await records.write(key, entry, { tags, lifeS: cacheControl?.expire, since })
    }

    /**
     * @param {string | string[]} tags
     * @param {{ expire?: number }} [durations]
     */
    async revalidateTag(tags, durations) {
      await records.invalidate(typeof tags === 'string' ? [tags] : tags, durations)
    }

    /** Nothing is kept by the request but when it has looked; without that, what it stores is as old as the request. */
    resetRequestCache() {
      this.#looked.clear()
    }

    /**
     * What the build has made of a page. It is as old as the cache can be: once a tag of it was revalidated, it is not taken.
     * @param {string} key
     * @param {Asked} asked
     * @param {string[]} tags
     */
    async #built(key, asked, tags) {
      if (asked.kind === 'FETCH') return undefined
      const built = await this.#prerendered?.get(key, asked)
      if (!built?.value) return undefined
      // While the file was read, another request may have made the page anew.
      const there = await records.read(key, tags)
      if (there !== undefined) return there
      const { lastModified, value, cacheControl } = built
      const about = { tags: tagsOf(value), lifeS: cacheControl?.expire, since: 0 }
      await records.write(key, { lastModified, value, cacheControl }, about)
      return records.read(key, [])
    }
  }
}

/**
 * @param {Value | null} value
 * @returns {string[]}
 */
function tagsOf(value) {
  if (value?.kind === 'FETCH') return value.tags ?? []
  const header = value?.headers?.[TAGS_HEADER]
  return typeof header === 'string' ? header.split(',') : []
}

/**
 * The entry as one whose time to be made anew has just come. Next has no word for stale in what a handler answers: it goes by times.
 * @param {Entry} entry
 * @param {Asked} asked
 * @param {number} now
 * @returns {Entry}
 */
function stale(entry, asked, now) {
  const revalidate = entry.value?.kind === 'FETCH' ? asked.revalidate || entry.value.revalidate : 1
  const lastModified = Math.min(entry.lastModified, now - (revalidate + 1) * 1000)
  if (entry.value?.kind === 'FETCH') return { ...entry, lastModified }
  // A second is the least that Next takes, and as long a cache in front may keep what it is answered.
  return { ...entry, lastModified, cacheControl: { ...entry.cacheControl, revalidate } }
}

module.exports = { nextCache }
