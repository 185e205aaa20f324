// Decoded copies of what a cache holds, and whether each is still current. Owns their bound. Never asks native code on a hit.
//
// A copy carries the numbers its key's slot and its cache's epoch slot had before the bytes were read. Whoever changes what a
// reader may see raises them in every thread before his call returns, so equal numbers mean that nothing has changed. Unequal
// ones need not mean that this very entry has: its stamp tells, and native code then spares the decoding.
'use strict'

const { slots } = require('./native.js')
const { READINGS, turn } = require('./turn.js')

const MAX_COPIES = 8_192
const MAX_TEXT = 8 * 1024 * 1024

/**
 * After so many hits, of whichever copies, native code is told of them as hits of the one that came last. Over time each copy is
 * named as often as it is hit, so eviction learns what is in use; and no hit is left out of the counters.
 */
const TOLD_EVERY = 256

/**
 * @typedef {object} Numbers as they were before the look that the copy comes from
 * @property {number} slot
 * @property {number} seen
 * @property {number} epochSlot the same for all keys of a cache
 * @property {number} epochSeen
 */

class Copy {
  /**
   * @param {string} key
   * @param {any} value
   * @param {Numbers} numbers
   * @param {number} freshUntil
   * @param {number} stamp of the entry it was decoded from
   * @param {number} size of its key and text
   * @param {number} place in the ring
   */
  constructor(key, value, numbers, freshUntil, stamp, size, place) {
    // First what every hit looks at, side by side.
    this.value = value
    this.freshUntil = freshUntil
    this.slot = numbers.slot
    this.seen = numbers.seen
    this.epochSeen = numbers.epochSeen
    /** Since it was last spared from going. */
    this.used = false
    /** Of the value, one for all who await it. @type {Promise<any> | undefined} */
    this.promise = undefined
    this.stamp = stamp
    this.key = key
    this.size = size
    this.place = place
  }
}

/** @typedef {Copy} Copied */

/** Made before its bounds are known and then opened: only a field that is set once is a constant to V8. */
class Copies {
  /** Of the cache, as numbers of copies have it. */
  epochSlot = 0
  /** Hits until the clock is read again. */
  left = READINGS
  /** For whoever looks for them; changed here alone. @type {Map<string, Copy>} */
  byKey = new Map()
  /** Of the clock by which copies are fresh. */
  turn = turn
  /** All of them once more, for the hand that looks for one to go. @type {Copy[]} */
  #ring = []
  #hand = 0
  #size = 0
  #maxSize = 0
  /** Hits that nobody was told of, without those since the clock was read. */
  #untold = 0
  /** @type {(key: string, hits: number) => void} */
  #onHits = () => {}

  /**
   * @param {number} maxBytes of the cache
   * @param {InstanceType<typeof import('./turn.js').Turn>} turn
   * @param {(key: string, hits: number) => void} onHits
   */
  open(maxBytes, turn, onHits) {
    this.#maxSize = Math.min(MAX_TEXT, maxBytes / 8)
    this.turn = turn
    this.#onHits = onHits
  }

  /**
   * The copy of `key`, if it is current and fresh.
   * @param {string} key
   * @returns {Copy | undefined}
   */
  current(key) {
    const copy = this.byKey.get(key)
    return copy !== undefined && this.isCurrent(copy) ? copy : undefined
  }

  /**
   * Whether it is current and fresh, which counts as a hit. A look by another that has lowered `left` to 0, and not taken it for one,
   * is made good here.
   * @param {Copy} copy
   */
  isCurrent(copy) {
    if (this.left < 1) this.left = 1
    if (slots[copy.slot] !== copy.seen || slots[this.epochSlot] !== copy.epochSeen) return false
    const known = this.left > 1 && this.turn.time < copy.freshUntil
    if (!known && this.turn.read() >= copy.freshUntil) return false
    copy.used = true
    if (--this.left === 0) {
      this.left = READINGS
      this.#untold += READINGS
      if (this.#untold >= TOLD_EVERY) this.#tell(copy.key)
    }
    return true
  }

  /**
   * The stamp of what `key` was decoded from, current or not; 0 without a copy.
   * @param {string} key
   */
  stampOf(key) {
    return this.byKey.get(key)?.stamp ?? 0
  }

  /**
   * Native code says that what the copy was decoded from is there still.
   * @param {string} key
   * @param {Numbers} numbers
   * @param {number} freshUntil
   * @returns {any} its value
   */
  renewed(key, { slot, seen, epochSlot, epochSeen }, freshUntil) {
    const copy = /** @type {Copy} */ (this.byKey.get(key))
    copy.slot = slot
    copy.seen = seen
    copy.epochSeen = epochSeen
    copy.freshUntil = freshUntil
    this.epochSlot = epochSlot
    return copy.value
  }

  /**
   * @param {string} key
   * @param {any} value
   * @param {Numbers} numbers
   * @param {number} freshUntil
   * @param {number} stamp
   * @param {number} textLength
   */
  keep(key, value, numbers, freshUntil, stamp, textLength) {
    this.drop(key)
    const size = key.length + textLength
    if (size > this.#maxSize) return
    while (this.#ring.length >= MAX_COPIES || this.#size + size > this.#maxSize) this.#makeRoom()
    const copy = new Copy(key, value, numbers, freshUntil, stamp, size, this.#ring.length)
    this.byKey.set(key, copy)
    this.#ring.push(copy)
    this.#size += size
    this.epochSlot = numbers.epochSlot
  }

  /** @param {string} key */
  drop(key) {
    const copy = this.byKey.get(key)
    if (copy !== undefined) this.#remove(copy)
  }

  /** Tell of all hits nobody was told of yet. */
  tellAll() {
    const any = this.#ring.at(-1)
    if (any === undefined) return
    this.#untold += READINGS - this.left
    this.left = READINGS
    this.#tell(any.key)
  }

  clear() {
    this.tellAll()
    this.byKey.clear()
    this.#ring.length = 0
    this.#size = 0
  }

  /** @param {string} key */
  #tell(key) {
    const hits = this.#untold
    this.#untold = 0
    if (hits > 0) this.#onHits(key, hits)
  }

  /** The next in the ring goes, but one that was used since it was last looked at is spared once (second chance). */
  #makeRoom() {
    for (;;) {
      // Never the last one, which has come last, unless it is alone; whoever goes, it moves into that place, behind the hand.
      if (this.#hand >= this.#ring.length - 1) this.#hand = 0
      const copy = this.#ring[this.#hand++]
      if (!copy.used) return this.#remove(copy)
      copy.used = false
    }
  }

  /** @param {Copy} copy */
  #remove(copy) {
    // With the last one would go the key to tell of.
    if (this.#ring.length === 1) this.tellAll()
    this.byKey.delete(copy.key)
    this.#size -= copy.size
    const last = /** @type {Copy} */ (this.#ring.pop())
    if (last === copy) return
    this.#ring[copy.place] = last
    last.place = copy.place
  }
}

module.exports = { Copies }
