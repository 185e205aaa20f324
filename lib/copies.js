// Decoded copies of what a cache holds, and whether each is still current. Owns their bound. Never asks native code on a hit.
//
// A copy carries the numbers its key's slot and its cache's epoch slot had before the bytes were read. Whoever changes what a
// reader may see raises them in every thread before his call returns, so equal numbers mean that nothing has changed.
'use strict'

const { slots } = require('./native.js')

const MAX_COPIES = 1_024
const MAX_TEXT = 8 * 1024 * 1024

/** Every so many hits of a copy, native code is told, so that its eviction knows what is in use. */
const TOLD_EVERY = 64

/**
 * @typedef {object} Copy
 * @property {any} value
 * @property {number} slot
 * @property {number} seen
 * @property {number} epochSlot
 * @property {number} epochSeen
 * @property {number} freshUntil
 * @property {number} hits that nobody was told of yet
 * @property {boolean} used since it was last spared from going
 * @property {number} size of its key and text
 */

class Copies {
  /** @type {Map<string, Copy>} */
  #copies = new Map()
  #size = 0
  #maxSize
  #onHits

  /**
   * @param {number} maxBytes of the cache
   * @param {(key: string, hits: number) => void} onHits
   */
  constructor(maxBytes, onHits) {
    this.#maxSize = Math.min(MAX_TEXT, maxBytes / 8)
    this.#onHits = onHits
  }

  /**
   * The copy of `key`, if it is current and fresh.
   * @param {string} key
   * @param {number} now
   * @returns {Copy | undefined}
   */
  current(key, now) {
    const copy = this.#copies.get(key)
    if (copy === undefined) return undefined
    if (slots[copy.slot] !== copy.seen || slots[copy.epochSlot] !== copy.epochSeen || now >= copy.freshUntil)
      return undefined
    copy.used = true
    if (++copy.hits === TOLD_EVERY) this.#tell(key, copy)
    return copy
  }

  /**
   * @param {string} key
   * @param {Copy} copy
   */
  keep(key, copy) {
    this.drop(key)
    if (copy.size > this.#maxSize) return
    this.#size += copy.size
    this.#copies.set(key, copy)
    if (this.#copies.size > MAX_COPIES || this.#size > this.#maxSize) this.#makeRoom()
  }

  /** @param {string} key */
  drop(key) {
    const copy = this.#copies.get(key)
    if (copy === undefined) return
    this.#copies.delete(key)
    this.#size -= copy.size
    this.#tell(key, copy)
  }

  /** Tell of all hits nobody was told of yet. */
  tellAll() {
    for (const [key, copy] of this.#copies) this.#tell(key, copy)
  }

  clear() {
    this.#copies.clear()
    this.#size = 0
  }

  /**
   * @param {string} key
   * @param {Copy} copy
   */
  #tell(key, copy) {
    const { hits } = copy
    copy.hits = 0
    if (hits > 0) this.#onHits(key, hits)
  }

  /** The oldest go, but one that was used since it was last looked at is spared once (second chance). */
  #makeRoom() {
    for (const [key, copy] of this.#copies) {
      if (this.#copies.size <= MAX_COPIES && this.#size <= this.#maxSize) return
      if (copy.used) {
        copy.used = false
        this.#copies.delete(key)
        this.#copies.set(key, copy)
      } else {
        this.drop(key)
      }
    }
  }
}

module.exports = { Copies }
