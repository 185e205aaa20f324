// A store for express-rate-limit whose counts are one for all threads of the process. Owns what a hit, a window and a key mean there.
// Never decides who is over: that is express-rate-limit's.
'use strict'

const { Limiter } = require('../lib/limiter.js')
const { misuse } = require('../lib/misuse.js')
const { Options, nameOf } = require('../lib/options.js')
const { Spillway } = require('../lib/spillway.js')

/** @typedef {InstanceType<typeof Spillway>} Bound */
/** @typedef {InstanceType<typeof Limiter>} Handle */

/**
 * More hits than any limit asks about: the limiter beneath only counts, and a hit beyond would say no to somebody whose limit
 * is not known here. It may be a function of the request.
 */
const COUNTED = 1_000_000_000

/** In the identity of every counter, so that a limiter of the application's may have the same name. */
const PREFIX = 'express-rate-limit'

class SpillwayStore {
  #name
  #maxKeys
  #clock
  /** What this store opened, and gives back when it is shut down. @type {Bound | undefined} */
  #spillway
  /** @type {Handle | undefined} */
  #counter
  /** Known from init() on. @type {number | undefined} */
  #windowMs

  /** Hits of a key in one store count in every other store of its name: express-rate-limit then compares prefixes. */
  localKeys = false

  /** @param {import('./express-rate-limit').SpillwayStoreOptions} given */
  constructor(given) {
    const options = new Options('a SpillwayStore', given, ['name', 'maxKeys', 'clock'])
    this.#name = nameOf('SpillwayStore', options.get('name'))
    this.#maxKeys = options.whole('maxKeys', { min: 1, max: 100_000_000, fallback: 1_000_000 })
    this.#clock = options.callback('clock')
    this.prefix = `${this.#name}:`
  }

  /** @param {{ windowMs: number }} options of rateLimit() */
  init({ windowMs }) {
    if (windowMs !== this.#windowMs) this.shutdown()
    this.#windowMs = windowMs
    this.#open()
  }

  /** @param {string} key */
  increment(key) {
    const name = keyOf(key)
    try {
      return this.#told((this.#counter ?? this.#open()).consume(name))
    } catch (error) {
      return this.#told(this.#reopened(error).consume(name))
    }
  }

  /** @param {string} key */
  get(key) {
    const name = keyOf(key)
    let decision
    try {
      decision = (this.#counter ?? this.#open()).peek(name)
    } catch (error) {
      decision = this.#reopened(error).peek(name)
    }
    return decision.remaining === COUNTED ? undefined : this.#told(decision)
  }

  /** @param {string} key */
  decrement(key) {
    const name = keyOf(key)
    try {
      Limiter.uncount(this.#counter ?? this.#open(), name, 1)
    } catch (error) {
      // What was reset has nothing to give back.
      this.#reopened(error)
    }
  }

  /** @param {string} key */
  resetKey(key) {
    const name = keyOf(key)
    try {
      ;(this.#counter ?? this.#open()).reset(name)
    } catch (error) {
      this.#reopened(error)
    }
  }

  resetAll() {
    // Opened again first, since what is known here may have been reset by another store since. It ends for everybody: whoever
    // asks next, in whichever thread, opens it anew.
    this.#open().dispose()
  }

  shutdown() {
    this.#counter = undefined
    void this.#spillway?.close()
    this.#spillway = undefined
  }

  #open() {
    if (this.#windowMs === undefined) {
      throw misuse('E_OPTION', `the SpillwayStore "${this.#name}" has no window yet: hand it to rateLimit({ store })`, {
        option: 'store',
      })
    }
    this.#spillway ??= new Spillway({ prefix: PREFIX, env: false, ...(this.#clock && { clock: this.#clock }) })
    const counter = this.#spillway.limiter(this.#name, {
      algorithm: 'fixed-window',
      limit: COUNTED,
      window: this.#windowMs,
      maxKeys: this.#maxKeys,
    })
    return (this.#counter = /** @type {Handle} */ (counter))
  }

  /**
   * Another store of this name, perhaps in another thread, has reset them all: begin anew, as that one does.
   * @param {any} error
   */
  #reopened(error) {
    if (error?.code !== 'E_DISPOSED') throw error
    return this.#open()
  }

  /** @param {import('../index').Decision} decision */
  #told({ remaining, resetMs }) {
    const now = this.#clock === undefined ? Date.now() : this.#clock()
    const windowMs = /** @type {number} */ (this.#windowMs)
    // Windows begin at whole multiples of their length; rounding takes back what two readings of the clock and the rounding
    // up of `resetMs` have added.
    const resetTime = new Date(Math.round((now + resetMs) / windowMs) * windowMs)
    return { totalHits: COUNTED - remaining, resetTime }
  }
}

/**
 * A key as the limiter takes it. Whatever else a keyGenerator answers counts where express-rate-limit's own store would count it:
 * numbers apart from their texts, and all requests that have no key together.
 * @param {unknown} key
 * @returns {string}
 */
function keyOf(key) {
  if (typeof key === 'string' && key !== '') return key
  // An object is left to the limiter, which refuses it.
  if ((typeof key === 'object' && key !== null) || typeof key === 'symbol' || typeof key === 'function') {
    return /** @type {any} */ (key)
  }
  return `\0${typeof key} ${key}`
}

module.exports = { SpillwayStore }
