// The values of one cache as a thread sees them: encoded ones behind native calls, decoded copies in front. Owns both ways.
// Never starts a load, and never hands one mutable value to two callers.
'use strict'

const { keyTrouble } = require('./keys.js')
const { misuse, shown } = require('./misuse.js')
const { details, TROUBLE, troubleOf } = require('./native.js')
const { Refusal } = require('./refusals.js')
const { Turn, turn } = require('./turn.js')

/** @typedef {InstanceType<typeof import('./place.js').Place>} Place */
/** @typedef {import('./codecs.js').Codec} Codec */
/** @typedef {import('./copies.js').Numbers} Numbers */
/** @typedef {{ -readonly [Field in keyof import('../index').CacheEntry<any>]: import('../index').CacheEntry<any>[Field] }} Entry */
/** @typedef {string | Uint8Array | undefined} Encoded undefined is a negative result */
/** @typedef {string | Uint8Array | boolean} Found by native code: `false` is a negative result, `true` the copy that is there */

/** Up to which state a value is wanted. The last one also looks at all there is, and counts as neither hit nor miss. */
const UP_TO = /** @type {const} */ ({ FRESH: 0, STALE: 1, GRACE: 2, ANY: 3 })

const STATES = /** @type {const} */ (['fresh', 'stale', 'grace'])
const NEGATIVE = 1
const RESTORED = 2

/** Where there is no value, since `undefined` may be one. */
const NOTHING = Symbol('nothing')

class Values {
  /** @type {'cache'} */
  kind = 'cache'
  /** The state of what was read last. */
  state = 0
  /** The stamp of what was looked at last. */
  stamp = 0

  /**
   * @param {Place} place
   * @param {number} id
   * @param {import('./cache-shape.js').CacheShape} shape
   * @param {InstanceType<typeof import('./copies.js').Copies>} copies of the cache, to be opened here
   */
  constructor(place, id, shape, copies) {
    const { native } = place
    this.native = native
    this.id = id
    this.name = place.name
    this.place = place
    this.shape = shape
    const time = place.isManual ? new Turn(place.now) : turn
    this.copies = copies
    copies.open(shape.maxBytes, time, (key, hits) => native.cacheTouch(id, key, hits))
    /** Given by whoever opened the handle. @type {Codec} */
    this.codec = /** @type {any} */ (undefined)
  }

  /**
   * @param {string} key
   * @param {number} upTo
   * @returns {any} or NOTHING
   */
  read(key, upTo) {
    const found = this.native.cacheGet(this.id, key, upTo, this.copies.stampOf(key))
    if (found === null) {
      this.copies.drop(key)
      return NOTHING
    }
    if (found === undefined) throw this.trouble(key)
    const state = details[6]
    const value = this.taken(key, found)
    // Only now: a codec of the user's may have read other keys.
    this.state = state
    return value
  }

  /**
   * @param {string} key
   * @param {number} upTo
   * @param {string[]} [tags] compared as if the entry had them, too
   * @returns {Entry | undefined}
   */
  look(key, upTo, tags) {
    const { native, id, copies } = this
    const stamp = copies.stampOf(key)
    const found =
      tags === undefined ? native.cacheGet(id, key, upTo, stamp) : native.cacheTagged(id, key, upTo, stamp, tags)
    if (found === null) return undefined
    if (found === undefined) throw this.trouble(key)
    return this.entryTaken(key, found)
  }

  /**
   * Whatever is there still, for who is about to replace it.
   * @param {string} key
   */
  previous(key) {
    try {
      return this.look(key, UP_TO.ANY)?.value
    } catch {
      // Unreadable, or the cache has ended: there is nothing to go by.
      return undefined
    }
  }

  /**
   * Whether there is something fresh: counts as neither hit nor miss, and decodes nothing.
   * @param {string} key
   */
  isFresh(key) {
    const found = this.native.cacheGet(this.id, key, UP_TO.ANY, this.copies.stampOf(key))
    if (found === undefined) throw this.trouble(key)
    return found !== null && details[6] === 0
  }

  /**
   * The entry of what native code has just answered.
   * @param {string} key
   * @param {Found} found
   * @returns {Entry}
   */
  entryTaken(key, found) {
    const [freshForMs, stamp, state, ageMs, flags] = [details[4], details[5], details[6], details[8], details[9]]
    const value = this.taken(key, found)
    this.stamp = stamp
    return entryWith(value, state, ageMs, freshForMs, flags)
  }

  /**
   * The entry of a value that was just loaded, which need not have been kept.
   * @param {string} key
   * @param {unknown} value
   * @param {number} stamp
   * @returns {Entry}
   */
  entryOf(key, value, stamp) {
    try {
      const kept = this.look(key, UP_TO.ANY)
      if (kept !== undefined && this.stamp === stamp) return { ...kept, value }
    } catch {
      // The cache has ended, or what somebody else has put there cannot be read: this value is there all the same.
    }
    return { value, state: 'fresh', ageMs: 0, freshForMs: 0, negative: value === undefined, restored: false }
  }

  /**
   * The value of what native code has just answered, whose numbers it has left.
   * @param {string} key
   * @param {Found} found
   */
  taken(key, found) {
    if (found !== true && found !== false && !this.codec.shared) return this.decoded(key, found)
    const numbers = numbersIn(details, 0)
    const stamp = details[5]
    const freshUntil = this.place.now() + details[4]
    if (found === true) return this.copies.renewed(key, numbers, freshUntil)
    const value = found === false ? undefined : this.decoded(key, found)
    this.copies.keep(key, value, numbers, freshUntil, stamp, found === false ? 0 : found.length)
    return value
  }

  /**
   * @param {unknown} value
   * @param {unknown} key whose value it is, for messages
   * @returns {Encoded}
   */
  encoded(value, key) {
    if (value !== undefined) return this.codec.encode(this.name, value, key)
    if (this.shape.negativeTtlMs > 0) return undefined
    const advice = 'there is `delete`, and `negativeTtl` to keep that there is nothing'
    const what = `the value of ${shown(key)} for the cache "${this.name}"`
    throw misuse('E_VALUE_ENCODE', `${what} is undefined, which is no value; ${advice}`)
  }

  /**
   * @param {string} key
   * @param {string | Uint8Array} encoded of which bytes are nobody else's
   */
  decoded(key, encoded) {
    try {
      return this.codec.decode(encoded)
    } catch (cause) {
      const why = cause instanceof Error ? cause.message.split('\n', 1)[0] : shown(cause)
      const message = `the value of ${shown(key)} in the cache "${this.name}" cannot be decoded: ${why}`
      throw misuse('E_VALUE_DECODE', message, { Base: Error, cause })
    }
  }

  /**
   * For how long it is kept, in milliseconds; undefined for the cache's own ttl.
   * @param {Encoded} encoded
   * @param {number | undefined} ttlMs
   */
  ttlMsOf(encoded, ttlMs) {
    return encoded === undefined ? this.shape.negativeTtlMs : ttlMs
  }

  /**
   * Why a native call has answered nothing.
   * @param {unknown} key
   * @param {Encoded} [encoded]
   */
  trouble(key, encoded) {
    if (details[7] === TROUBLE.KEY) return keyTrouble(this, key)
    if (details[7] === TROUBLE.VALUE_TOO_LARGE) return this.tooLarge(key, encoded ?? '')
    return troubleOf(this.kind, this.name)
  }

  /** Why a load brought nothing: it took longer than one may. */
  tooLate() {
    const message = `a load for the cache "${this.name}" took longer than ${this.shape.loadTimeoutMs} ms`
    return new Refusal({ code: 'E_TIMEOUT', primitive: this.name, message })
  }

  /**
   * @param {unknown} key
   * @param {string | Uint8Array} encoded
   */
  tooLarge(key, encoded) {
    const rule = `\`maxValueBytes\` of the cache "${this.name}" is ${this.shape.maxValueBytes}`
    const bytes = Buffer.byteLength(encoded)
    const message = `${rule}; the encoded value of ${shown(key)} has ${bytes} bytes: raise it, or cache less`
    return misuse('E_VALUE_TOO_LARGE', message, { Base: RangeError })
  }
}

/**
 * The entry that native code's numbers are of.
 * @param {any} value
 * @param {number} state
 * @param {number} ageMs
 * @param {number} freshForMs
 * @param {number} flags
 * @returns {Entry}
 */
function entryWith(value, state, ageMs, freshForMs, flags) {
  return {
    value,
    state: STATES[state],
    ageMs,
    freshForMs,
    negative: (flags & NEGATIVE) !== 0,
    restored: (flags & RESTORED) !== 0,
  }
}

/**
 * The numbers of a key's slot and its cache's epoch, from before the bytes were read: see copies.js.
 * @param {Float64Array} numbers
 * @param {number} at
 * @returns {Numbers}
 */
function numbersIn(numbers, at) {
  // Whole numbers, so that each comparison is one of integers.
  return {
    slot: numbers[at] | 0,
    seen: numbers[at + 1] | 0,
    epochSlot: numbers[at + 2] | 0,
    epochSeen: numbers[at + 3] | 0,
  }
}

module.exports = { Values, NOTHING, UP_TO, NEGATIVE, numbersIn, entryWith }
