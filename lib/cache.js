// The cache as JavaScript sees it: decoded copies over native bytes, and one load per key. Owns the course of a load.
// Never stores what a loader found once somebody has changed the key.
'use strict'

const { assertFunction } = require('./call.js')
const { Copies } = require('./copies.js')
const deadlines = require('./deadlines.js')
const json = require('./json.js')
const { keyTrouble } = require('./keys.js')
const mailbox = require('./mailbox.js')
const { misuse } = require('./misuse.js')
const { details, slots, TROUBLE, troubleOf } = require('./native.js')
const { Options, DAY } = require('./options.js')
const { Refusal } = require('./refusals.js')

/** @typedef {InstanceType<typeof import('./spillway.js').Place>} Place */

const OPTIONS = ['ttl', 'jitter', 'maxBytes', 'maxValueBytes', 'loadTimeout', 'codec']
const MIB = 1024 ** 2
const MAX_TTL = { max: 3650 * DAY }

/** @param {unknown} given */
function cacheShape(given) {
  const options = new Options('a cache', given, OPTIONS)
  options.word('codec', ['json'], 'json')
  const maxBytes = options.size('maxBytes', { min: 64 * 1024, max: 1024 ** 4, fallback: 64 * MIB })
  return {
    ttlMs: options.duration('ttl', { ...MAX_TTL, fallback: 300_000 }),
    jitter: options.share('jitter', { fallback: 0.1 }),
    maxBytes,
    maxValueBytes: options.size('maxValueBytes', { min: 1, max: maxBytes / 8, fallback: Math.min(MIB, maxBytes / 8) }),
    loadTimeoutMs: options.duration('loadTimeout', { fallback: 30_000 }),
  }
}

/**
 * The ttl of one value, in milliseconds; undefined for the cache's own.
 * @param {unknown} given
 */
function ttlOf(given) {
  if (given === undefined) return undefined
  const options = new Options('a cached value', given, ['ttl'])
  return options.get('ttl') === undefined ? undefined : options.duration('ttl', MAX_TTL)
}

class LoadContext {
  /** @type {number | undefined} */
  #ttlMs
  /** @type {AbortController | undefined} */
  #controller
  /** @type {unknown} */
  #abortedFor

  /** @param {number | undefined} ttlMs */
  constructor(ttlMs) {
    this.#ttlMs = ttlMs
  }

  get signal() {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#abortedFor !== undefined) this.#controller.abort(this.#abortedFor)
    }
    return this.#controller.signal
  }

  /** @param {import('../index').Duration} duration */
  ttl(duration) {
    this.#ttlMs = ttlOf({ ttl: duration })
  }

  /** @param {LoadContext} context */
  static ttlOf(context) {
    return context.#ttlMs
  }

  /**
   * @param {LoadContext} context
   * @param {unknown} reason
   */
  static abort(context, reason) {
    context.#abortedFor = reason
    context.#controller?.abort(reason)
  }
}

/**
 * A load of this environment, or its wait for another's. Who asks meanwhile shares its promise, unless the key was changed since.
 * @typedef {object} Flight
 * @property {Promise<any>} promise
 * @property {number} slot
 * @property {number} seen
 * @property {number} epochSlot
 * @property {number} epochSeen
 */

class Cache {
  #native
  #id
  #place
  #copies
  #loadTimeoutMs
  #maxValueBytes
  /** @type {Map<string, Flight>} */
  #flights = new Map()
  /** @type {'cache'} */
  kind = 'cache'

  /**
   * @param {Place} place
   * @param {number} id
   * @param {ReturnType<typeof cacheShape>} shape
   */
  constructor(place, id, shape) {
    this.#native = place.native
    this.#id = id
    this.#place = place
    this.#loadTimeoutMs = shape.loadTimeoutMs
    this.#maxValueBytes = shape.maxValueBytes
    this.#copies = new Copies(shape.maxBytes, (key, hits) => this.#native.cacheTouch(id, key, hits))
    this.name = place.name
  }

  /** @param {string} key */
  get(key) {
    const copy = this.#copies.current(key, this.#place.recent())
    if (copy !== undefined) return copy.value
    const text = this.#native.cacheGet(this.#id, key)
    if (typeof text === 'string') return this.#decoded(key, text)
    if (text === undefined) throw this.#trouble(key)
    this.#copies.drop(key)
    return undefined
  }

  /**
   * @param {string} key
   * @param {unknown} value
   * @param {{ ttl?: import('../index').Duration }} [options]
   */
  set(key, value, options) {
    const ttlMs = ttlOf(options)
    const text = json.encode(this.name, value)
    if (this.#native.cacheSet(this.#id, key, text, ttlMs) === undefined) throw this.#trouble(key, text)
  }

  /** @param {string} key */
  delete(key) {
    const was = this.#native.cacheDelete(this.#id, key)
    if (was === undefined) throw this.#trouble(key)
    return was
  }

  clear() {
    if (this.#native.cacheClear(this.#id) === undefined) throw troubleOf(this.kind, this.name)
  }

  /**
   * @param {string} key
   * @param {(call: import('../index').LoadContext) => any} load
   * @param {{ ttl?: import('../index').Duration }} [options]
   * @returns {Promise<any>}
   */
  async getOrSet(key, load, options) {
    assertFunction(`getOrSet() of the cache "${this.name}"`, load)
    const found = this.get(key)
    if (found !== undefined) return found
    const ttlMs = ttlOf(options)
    const flight = this.#flights.get(key)
    if (flight !== undefined && slots[flight.slot] === flight.seen && slots[flight.epochSlot] === flight.epochSeen) {
      return flight.promise
    }
    return this.#board(key, load, ttlMs)
  }

  stats() {
    this.#copies.tellAll()
    return this.#place.cold((native) => {
      const { config: _, ...stats } = JSON.parse(native.cacheReport(this.#id))
      return stats
    })
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

  dispose() {
    this.#place.dispose(this.#id)
  }

  /**
   * The value of a text that native code just answered, kept as a copy under the numbers it left.
   * @param {string} key
   * @param {string} text
   */
  #decoded(key, text) {
    const numbers = numbersLeft()
    const freshUntil = this.#place.now() + details[4]
    const value = json.decode(text)
    this.#copies.keep(key, { value, ...numbers, freshUntil, hits: 0, used: false, size: key.length + text.length })
    return value
  }

  /**
   * @param {string} key
   * @param {(call: import('../index').LoadContext) => any} load
   * @param {number | undefined} ttlMs
   */
  #board(key, load, ttlMs) {
    const boarded = this.#native.cacheBoard(this.#id, key)
    if (typeof boarded === 'string') return this.#decoded(key, boarded)
    if (typeof boarded !== 'number') throw this.#trouble(key)
    const numbers = numbersLeft()
    const promise = boarded >= 0 ? this.#lead(key, boarded, load, ttlMs) : this.#follow(key, -1 - boarded, load, ttlMs)
    const flight = { promise, ...numbers }
    this.#flights.set(key, flight)
    const over = () => {
      if (this.#flights.get(key) === flight) this.#flights.delete(key)
    }
    promise.then(over, over)
    return promise
  }

  /**
   * Load, and land what comes of it.
   * @param {string} key
   * @param {number} receipt
   * @param {(call: import('../index').LoadContext) => any} load
   * @param {number | undefined} ttlMs
   * @returns {Promise<any>}
   */
  #lead(key, receipt, load, ttlMs) {
    const context = new LoadContext(ttlMs)
    return new Promise((resolve, reject) => {
      // From the deadline on the receipt is given up, and its number may come to stand for somebody else's.
      let tooLate = false
      const deadline = deadlines.schedule(this.#loadTimeoutMs, () => {
        tooLate = true
        const refusal = this.#tooLate()
        this.#fail(receipt)
        reject(refusal)
        LoadContext.abort(context, refusal)
      })
      /** @param {unknown} error */
      const failed = (error) => {
        if (tooLate) return
        deadlines.cancel(deadline)
        this.#fail(receipt)
        reject(error)
      }
      /** @param {unknown} value */
      const loaded = (value) => {
        if (tooLate) return
        deadlines.cancel(deadline)
        if (value === undefined) {
          // Nothing to keep: whoever waits in another thread finds out for himself.
          if (this.#native.giveBack(receipt)) mailbox.collect()
          return resolve(undefined)
        }
        try {
          const text = json.encode(this.name, value)
          this.#land(key, receipt, text, LoadContext.ttlOf(context))
          resolve(json.decode(text))
        } catch (error) {
          failed(error)
        }
      }
      // The loader starts now, in this turn, as the caller of an async function expects.
      new Promise((begin) => begin(load(context))).then(loaded, failed)
    })
  }

  /**
   * Wait for another environment's load; if that fails, lead.
   * @param {string} key
   * @param {number} receipt
   * @param {(call: import('../index').LoadContext) => any} load
   * @param {number | undefined} ttlMs
   * @returns {Promise<any>}
   */
  #follow(key, receipt, load, ttlMs) {
    return new Promise((resolve, reject) => {
      // The leader has a deadline of its own, which a blocked event loop cannot keep.
      const deadline = deadlines.schedule(this.#loadTimeoutMs, () => {
        if (!this.#native.leave(receipt)) return
        mailbox.expectNoMore(receipt)
        reject(this.#tooLate())
      })
      mailbox.expect(receipt, {
        onLanded: (text) => {
          deadlines.cancel(deadline)
          resolve(json.decode(text))
        },
        onYours: () => {
          deadlines.cancel(deadline)
          this.#native.cacheLeads(this.#id)
          resolve(this.#lead(key, receipt, load, ttlMs))
        },
      })
    })
  }

  /**
   * @param {string} key
   * @param {number} receipt
   * @param {string} text
   * @param {number | undefined} ttlMs
   */
  #land(key, receipt, text, ttlMs) {
    const mailWaits = this.#native.cacheLand(this.#id, receipt, key, text, ttlMs)
    if (mailWaits === undefined && details[7] === TROUBLE.VALUE_TOO_LARGE) throw this.#trouble(key, text)
    // Disposed of meanwhile: there is nowhere to store it, but the caller gets his value.
    if (mailWaits === undefined ? this.#native.giveBack(receipt) : mailWaits) mailbox.collect()
  }

  /** @param {number} receipt */
  #fail(receipt) {
    const mailWaits = this.#native.cacheFail(this.#id, receipt) ?? this.#native.giveBack(receipt)
    if (mailWaits) mailbox.collect()
  }

  #tooLate() {
    const message = `a load for the cache "${this.name}" took longer than ${this.#loadTimeoutMs} ms`
    return new Refusal({ code: 'E_TIMEOUT', primitive: this.name, message })
  }

  /**
   * @param {unknown} key
   * @param {string} [text]
   */
  #trouble(key, text = '') {
    if (details[7] === TROUBLE.KEY) return keyTrouble(this, key)
    if (details[7] === TROUBLE.VALUE_TOO_LARGE) {
      const rule = `\`maxValueBytes\` of the cache "${this.name}" is ${this.#maxValueBytes}`
      const message = `${rule}; the encoded value has about ${text.length} bytes: raise it, or cache less`
      return misuse('E_VALUE_TOO_LARGE', message, { Base: RangeError })
    }
    return troubleOf(this.kind, this.name)
  }
}

/** The numbers of a key's slot and its cache's epoch, from before the bytes were read: see copies.js. */
function numbersLeft() {
  // Whole numbers, so that each comparison is one of integers.
  return { slot: details[0] | 0, seen: details[1] | 0, epochSlot: details[2] | 0, epochSeen: details[3] | 0 }
}

module.exports = { Cache, cacheShape }
