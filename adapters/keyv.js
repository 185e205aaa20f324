// A storage adapter for Keyv 5 and 6, and with it for cache-manager and cacheable. Owns what a namespace and an expiry mean there.
// Never makes text of a value: Keyv has done so, if it was to be done.
'use strict'

const { EventEmitter } = require('node:events')
const { Beneath, FOREVER_MS } = require('./cache/beneath.js')
const { handedCodec } = require('./cache/handed-codec.js')
const { named } = require('./cache/names.js')

/**
 * @typedef {object} Entry
 * @property {string} key
 * @property {unknown} value
 * @property {number} [ttl] milliseconds
 */

class KeyvSpillway extends EventEmitter {
  #beneath
  /** Set by Keyv, which hands over the keys as its version has them: Keyv 5 with the namespace before them, Keyv 6 without. */
  /** @type {string | undefined} */
  namespace

  /** @param {import('./keyv').KeyvSpillwayOptions} [given] */
  constructor(given) {
    super()
    const kept = { ttl: FOREVER_MS, codec: handedCodec }
    this.#beneath = new Beneath('a KeyvSpillway', given, { prefix: 'keyv', kept })
    // Where Keyv looks for what a store is; it has no dialect that could be iterated.
    this.opts = { name: this.#beneath.name }
  }

  get cache() {
    return this.#beneath.cache
  }

  /** @param {string} key */
  async get(key) {
    return this.cache.get(this.#inner(key))
  }

  /** @param {readonly string[]} keys */
  async getMany(keys) {
    return this.cache.getMany(keys.map((key) => this.#inner(key)))
  }

  /**
   * @param {string} key
   * @param {unknown} value
   * @param {number} [ttl] milliseconds; none or 0 for a value that does not expire
   */
  async set(key, value, ttl) {
    if (isOver(ttl)) await this.cache.delete(this.#inner(key))
    else await this.cache.set(this.#inner(key), value, this.#kept(ttl))
    return true
  }

  /** @param {readonly Entry[]} entries */
  async setMany(entries) {
    const live = entries.filter(({ ttl }) => !isOver(ttl))
    const over = entries.filter(({ ttl }) => isOver(ttl))
    await this.cache.setMany(live.map(({ key, value, ttl }) => [this.#inner(key), value, this.#kept(ttl)]))
    await Promise.all(over.map(({ key }) => this.cache.delete(this.#inner(key))))
    return entries.map(() => true)
  }

  /** @param {string} key */
  async delete(key) {
    return this.cache.delete(this.#inner(key))
  }

  /** @param {readonly string[]} keys */
  async deleteMany(keys) {
    return (await Promise.all(keys.map((key) => this.cache.delete(this.#inner(key))))).some(Boolean)
  }

  /** @param {string} key */
  async has(key) {
    return (await this.cache.entry(this.#inner(key))) !== undefined
  }

  /** @param {readonly string[]} keys */
  async hasMany(keys) {
    const entries = await Promise.all(keys.map((key) => this.cache.entry(this.#inner(key))))
    return entries.map((entry) => entry !== undefined)
  }

  /** What is in this namespace; without one, what is in none. */
  async clear() {
    await this.cache.invalidateTag(this.#tag())
  }

  /** @param {string} key */
  #inner(key) {
    return `${this.namespace ?? ''}\0${key}`
  }

  /** @param {number | undefined} ttl */
  #kept(ttl) {
    const tags = [this.#tag()]
    return ttl ? { ttl: Math.min(Math.max(ttl, 1), FOREVER_MS), tags } : { tags }
  }

  /** By which a namespace is forgotten at once, however much is in it. */
  #tag() {
    return named(`namespace:${this.namespace ?? ''}`)
  }
}

/** @param {number | undefined} ttl */
function isOver(ttl) {
  return ttl !== undefined && ttl < 0
}

module.exports = { KeyvSpillway }
