// The loads of one cache in this thread: who begins one, who shares it, who only waits for another thread's. Owns their course.
// Never lets two run for one key unless it was changed between, and never stores what was found once somebody has changed it.
'use strict'

const { inThisContext } = require('./async-context.js')
const deadlines = require('./deadlines.js')
const { landedFrom, landedOf } = require('./landed.js')
const { onceRead } = require('./late.js')
const { LoadContext } = require('./load-context.js')
const mailbox = require('./mailbox.js')
const { details, slots, TROUBLE } = require('./native.js')
const { numbersIn } = require('./values.js')

/** @typedef {import('./values.js').Encoded} Encoded */
/** @typedef {import('./landed.js').Landed} Landed */
/** @typedef {import('./load-wait.js').Asked} Asked */
/** @typedef {(call: any) => any} Loader */
/** @typedef {import('./second-tier.js').Found} Found */

/**
 * A load of this thread, or its wait for another's. Who asks meanwhile shares its promise, unless the key was changed since.
 * @typedef {object} Flight
 * @property {Promise<Landed>} promise
 * @property {import('./copies.js').Numbers} numbers
 */

/**
 * One load from its beginning: whose key, with what, and what for.
 * @typedef {object} Course
 * @property {string} key
 * @property {Loader} load
 * @property {Asked} asked
 * @property {number} purpose
 */

/** What a caller boards for. */
const BOARD = /** @type {const} */ ({ MISSING: 0, REFRESH: 1, RELOAD: 2 })

class Loads {
  #values
  #events
  #cache
  #behind
  /** @type {Map<string, Flight>} */
  #flights = new Map()
  /** Whose permits bound the loads of all threads. @type {import('../index').Bulkhead | undefined} */
  bulkhead

  /**
   * @param {InstanceType<typeof import('./values.js').Values>} values
   * @param {InstanceType<typeof import('./events.js').Events>} events
   * @param {object} cache the handle, as events show it
   * @param {InstanceType<typeof import('./second-tier.js').SecondTier>} [behind] is asked before anything is loaded
   */
  constructor(values, events, cache, behind) {
    this.#values = values
    this.#events = events
    this.#cache = cache
    this.#behind = behind
  }

  /**
   * Take part in a load of `key`, or begin one.
   * @param {string} key
   * @param {Loader} load
   * @param {Asked} asked
   * @returns {Promise<Landed> | import('./values.js').Entry} what has arrived meanwhile
   */
  join(key, load, asked) {
    const flying = this.#flying(key)
    if (flying !== undefined) return flying.promise
    const { native, id } = this.#values
    const purpose = asked.reload ? BOARD.RELOAD : BOARD.MISSING
    const boarded = native.cacheBoard(id, key, purpose)
    if (typeof boarded === 'number') return this.#begin(boarded, { key, load, asked, purpose })
    // null: the cache has ended between.
    if (boarded === undefined || boarded === null) throw this.#values.trouble(key)
    return this.#values.entryTaken(key, boarded)
  }

  /**
   * Have what is stale loaded, if nobody does so already.
   * @param {string} key
   * @param {Loader} load
   * @param {Asked} asked
   * @returns {Promise<Landed> | undefined}
   */
  refresh(key, load, asked) {
    if (this.#flying(key) !== undefined) return undefined
    const { native, id } = this.#values
    const boarded = native.cacheBoard(id, key, BOARD.REFRESH)
    if (boarded === undefined) throw this.#values.trouble(key)
    return typeof boarded === 'number' ? this.#begin(boarded, { key, load, asked, purpose: BOARD.REFRESH }) : undefined
  }

  /** @param {string} key */
  #flying(key) {
    const flight = this.#flights.get(key)
    if (flight === undefined) return undefined
    const { slot, seen, epochSlot, epochSeen } = flight.numbers
    return slots[slot] === seen && slots[epochSlot] === epochSeen ? flight : undefined
  }

  /**
   * @param {number} boarded
   * @param {Course} course
   */
  #begin(boarded, course) {
    const numbers = numbersIn(details, 0)
    const { key } = course
    const promise = boarded >= 0 ? this.#lead(course, boarded) : this.#follow(course, -1 - boarded)
    const flight = { promise, numbers }
    this.#flights.set(key, flight)
    const over = () => {
      if (this.#flights.get(key) === flight) this.#flights.delete(key)
    }
    promise.then(over, over)
    return promise
  }

  /**
   * Load, unless what is behind memory has it, or will have it.
   * @param {Course} course
   * @param {number} receipt
   * @returns {Promise<Landed>}
   */
  #lead(course, receipt) {
    if (this.#behind === undefined) return this.#load(course, receipt)
    try {
      const claim = this.#behind.claim(course.key, receipt, course.purpose)
      return claim === undefined ? this.#load(course, receipt) : this.#afterClaim(claim, course, receipt)
    } catch (error) {
      this.#fail(receipt)
      return Promise.reject(error)
    }
  }

  /**
   * @param {Promise<Found | undefined>} claim
   * @param {Course} course
   * @param {number} receipt is used up when something was found
   * @returns {Promise<Landed>}
   */
  async #afterClaim(claim, course, receipt) {
    const found = await claim
    return found === undefined ? this.#load(course, receipt) : landedFrom(found)
  }

  /**
   * Load, and land what comes of it.
   * @param {Course} course
   * @param {number} receipt
   * @returns {Promise<Landed>}
   */
  #load(course, receipt) {
    const { key, load, asked } = course
    const values = this.#values
    const context = new LoadContext(asked, () => values.previous(key))
    const began = values.place.now()
    return new Promise((resolve, reject) => {
      // From the end on the receipt is given up, and its number may come to stand for somebody else's.
      let ended = false
      /** @param {unknown} error */
      const failed = (error) => {
        if (ended) return
        ended = true
        deadlines.cancel(deadline)
        this.#fail(receipt)
        this.#tell('failed', course, began, error)
        reject(error)
      }
      /** @param {unknown} value */
      const loaded = (value) => {
        if (ended) return
        try {
          const encoded = value === undefined ? undefined : values.encoded(value, key)
          const stamp = this.#land(receipt, key, encoded, LoadContext.kept(context))
          ended = true
          deadlines.cancel(deadline)
          this.#tell('loaded', course, began)
          resolve(landedOf(encoded, stamp))
        } catch (error) {
          failed(error)
        }
      }
      const expire = () => {
        if (ended) return
        const refusal = values.tooLate()
        failed(refusal)
        LoadContext.abort(context, refusal)
      }
      const deadline = deadlines.schedule(values.shape.loadTimeoutMs, (lateMs) => onceRead(lateMs, expire))
      // The loader starts now, in this turn, as the caller of an async function expects.
      new Promise((begin) => begin(this.#run(load, context, key))).then(loaded, failed)
    })
  }

  /**
   * @param {Loader} load
   * @param {InstanceType<typeof LoadContext>} context
   * @param {string} key
   */
  #run(load, context, key) {
    const { bulkhead } = this
    if (bulkhead === undefined) return load(context)
    const { signal } = context
    return bulkhead.run(() => load(context), bulkhead.perKey ? { signal, key } : { signal })
  }

  /**
   * Wait for another's load; if that fails, or hangs, lead.
   * @param {Course} waited
   * @param {number} receipt
   * @returns {Promise<Landed>}
   */
  #follow(waited, receipt) {
    const { native, id, shape } = this.#values
    // It may come to load out of somebody else's call, or out of a timer: in whose context, its loader must not be.
    const course = { ...waited, load: inThisContext(waited.load) }
    return new Promise((resolve, reject) => {
      let ended = false
      // The leader has a deadline of its own, which a blocked event loop cannot keep.
      const usurp = () => {
        if (ended) return
        const usurped = native.cacheUsurp(id, receipt)
        const againMs = details[4]
        // A letter is on its way.
        if (usurped === false && Number.isNaN(againMs)) return
        if (usurped === false) return wait(Math.max(1, againMs))
        if (usurped === undefined && !native.leave(receipt)) return
        ended = true
        mailbox.expectNoMore(receipt)
        if (usurped) resolve(this.#lead(course, receipt))
        else reject(this.#values.tooLate())
      }
      /** @type {ReturnType<typeof deadlines.schedule>} */
      let deadline
      /** @param {number} milliseconds */
      const wait = (milliseconds) => {
        deadline = deadlines.schedule(milliseconds, (lateMs) => onceRead(lateMs, usurp))
      }
      const over = () => {
        ended = true
        deadlines.cancel(deadline)
      }
      mailbox.expect(receipt, {
        onLanded: (found) => {
          const stamp = details[5]
          over()
          resolve(landedOf(found === false ? undefined : found, stamp))
        },
        onYours: () => {
          over()
          native.cacheLeads(id)
          resolve(this.#lead(course, receipt))
        },
      })
      wait(shape.loadTimeoutMs)
    })
  }

  /**
   * @param {number} receipt
   * @param {string} key
   * @param {Encoded} encoded
   * @param {import('./cache-shape.js').Kept} kept
   */
  #land(receipt, key, encoded, { ttlMs, tags }) {
    const values = this.#values
    const { native, id } = values
    const mailWaits = native.cacheLand(id, receipt, encoded, values.ttlMsOf(encoded, ttlMs), tags)
    const stamp = details[5]
    if (mailWaits === undefined && details[7] === TROUBLE.VALUE_TOO_LARGE) throw values.tooLarge(key, encoded ?? '')
    // Disposed of meanwhile: there is nowhere to store it, but the caller gets his value.
    if (mailWaits === undefined ? native.giveBack(receipt) : mailWaits) mailbox.collect()
    return stamp
  }

  /** @param {number} receipt */
  #fail(receipt) {
    const { native, id } = this.#values
    if (native.cacheFail(id, receipt) ?? native.giveBack(receipt)) mailbox.collect()
  }

  /**
   * @param {'loaded' | 'failed'} event
   * @param {Course} course
   * @param {number} began
   * @param {unknown} [error]
   */
  #tell(event, { key, purpose }, began, error) {
    if (!this.#events.wanted(event)) return
    const ms = this.#values.place.now() - began
    const message = { cache: this.#cache, key, ms, background: purpose === BOARD.REFRESH }
    this.#events.emit(event, event === 'failed' ? { ...message, error } : message)
  }
}

module.exports = { Loads }
