// What one cache asks of Redis, behind its memory, and what the answers mean. Owns that an answer which never comes is "not there".
// Never holds a value: what is found is in native memory by then, and goes to who has asked.
'use strict'

const { shown } = require('./misuse.js')
const { details } = require('./native.js')
const { Refusal } = require('./refusals.js')
const { NEGATIVE, UP_TO, entryWith } = require('./values.js')

/** @typedef {import('./values.js').Encoded} Encoded */
/** @typedef {import('./values.js').Entry} Entry */

/** The codes of answers, as src/hot/cache/far.rs has them. */
const CODE = /** @type {const} */ ({ MISS: 0, HIT: 1, LEAD: 3, ALONE: 4, FOREIGN: 5, GONE: 6, OWED: 7 })

/**
 * What Redis has, still encoded.
 * @typedef {object} Found
 * @property {Encoded} encoded undefined for a negative result
 * @property {number} stamp which it has in memory; 0 when it is not kept there
 * @property {number} state
 * @property {number} ageMs
 * @property {number} freshForMs
 * @property {number} flags
 */

class SecondTier {
  #values
  #asks
  #warned = false

  /**
   * @param {InstanceType<typeof import('./values.js').Values>} values
   * @param {InstanceType<typeof import('./asks.js').Asks>} asks
   */
  constructor(values, asks) {
    this.#values = values
    this.#asks = asks
  }

  /**
   * The value that is there and fresh, with `tags` compared as if its entry had them too; undefined for none.
   * @param {string} key
   * @param {string[] | undefined} tags
   * @returns {Promise<any>}
   */
  get(key, tags) {
    const { native, id, codec } = this.#values
    // A codec of the user's may ask us again: never while answers are handed out.
    if (codec.name === 'custom') return this.#decodedLater(key, tags)
    const ask = native.cacheFetch(id, key, UP_TO.FRESH, tags)
    if (ask === undefined) throw this.#values.trouble(key)
    if (ask === null) return NONE
    return this.#asks.settled(ask, (code) => {
      if (code === CODE.HIT)
        return (details[9] & NEGATIVE) === 0 ? this.#values.decoded(key, this.#payload()) : undefined
      if (code === CODE.FOREIGN) this.#warn(key)
      return undefined
    })
  }

  /**
   * @param {string} key
   * @param {string[] | undefined} tags
   */
  async #decodedLater(key, tags) {
    const found = await this.fetch(key, UP_TO.FRESH, tags)
    return found === undefined ? undefined : this.#valueOf(key, found)
  }

  /**
   * What is there up to this state, with `tags` compared as if the entry had them too.
   * @param {string} key
   * @param {number} upTo
   * @param {string[]} [tags]
   * @returns {Promise<Found | undefined>}
   */
  fetch(key, upTo, tags) {
    const { native, id } = this.#values
    const ask = native.cacheFetch(id, key, upTo, tags)
    if (ask === undefined) throw this.#values.trouble(key)
    if (ask === null) return NONE
    return this.#asks.settled(ask, (code) => {
      if (code === CODE.HIT) return this.#found()
      if (code === CODE.FOREIGN) this.#warn(key)
      return undefined
    })
  }

  /**
   * Who loads, over all hosts: told once it is decided, however long another host's load takes.
   * @param {string} key
   * @param {number} receipt of the load that this process has begun
   * @param {number} purpose
   * @returns {Promise<Found | undefined> | undefined} what has been found; nothing when it is for the caller to load; no promise at
   * all when that is known already
   */
  claim(key, receipt, purpose) {
    const { native, id } = this.#values
    const ask = native.cacheClaim(id, key, receipt, purpose)
    if (ask === undefined) throw this.#values.trouble(key)
    if (typeof ask === 'boolean') return undefined
    return this.#asks.settled(ask, (code) => {
      if (code === CODE.HIT) return this.#found()
      if (code === CODE.FOREIGN) this.#warn(key)
      if (code === CODE.GONE) throw this.#values.tooLate()
      return undefined
    })
  }

  /**
   * A change that memory has made already: told once Redis has it too, or owes it.
   * @param {number | true | undefined} ask
   * @param {unknown} [key]
   * @param {Encoded} [encoded]
   * @returns {Promise<number>} how many it concerned
   */
  changed(ask, key, encoded) {
    if (ask === undefined) throw this.#values.trouble(key, encoded)
    if (ask === true) return Promise.resolve(details[0])
    return this.#asks.settled(ask, (code) => {
      if (code === CODE.FOREIGN) this.#warn(key)
      return details[0]
    })
  }

  /**
   * Some of the keys that begin with `prefix`, in no order.
   * @param {string} cursor empty to begin with
   * @param {string} prefix
   * @returns {Promise<{ cursor: string, keys: string[] }>} without a cursor at the end
   */
  async scan(cursor, prefix) {
    const { native, id, name } = this.#values
    const ask = native.cacheScan(id, cursor, prefix)
    if (ask === undefined) throw this.#values.trouble(prefix)
    const text =
      ask === null
        ? undefined
        : await this.#asks.settled(ask, (code) => (code === 0 ? this.#asks.payload() : undefined))
    if (text === undefined) throw new Refusal({ code: 'E_STORE_UNAVAILABLE', primitive: name })
    const [next, ...keys] = JSON.parse(/** @type {string} */ (text))
    return { cursor: next, keys }
  }

  /**
   * @param {string} key
   * @param {Found} found
   */
  #valueOf(key, { encoded }) {
    return encoded === undefined ? undefined : this.#values.decoded(key, encoded)
  }

  /**
   * @param {string} key
   * @param {Found} found
   * @returns {Entry}
   */
  entryOf(key, found) {
    return entryWith(this.#valueOf(key, found), found.state, found.ageMs, found.freshForMs, found.flags)
  }

  /** @returns {Found} */
  #found() {
    const [freshForMs, stamp, state, ageMs, flags] = [details[4], details[5], details[6], details[8], details[9]]
    const encoded = (flags & NEGATIVE) === 0 ? this.#payload() : undefined
    return { encoded, stamp, state, ageMs, freshForMs, flags }
  }

  #payload() {
    return /** @type {string | Uint8Array} */ (this.#asks.payload())
  }

  /** @param {unknown} key */
  #warn(key) {
    if (this.#warned) return
    this.#warned = true
    const what = `what Redis has at ${shown(key)} of the cache "${this.#values.name}" was written by something else`
    const so = 'it is left as it is, and the key is not cached there. Give this spillway a `prefix` of its own'
    process.emitWarning(`${what}: ${so}`, { type: 'SpillwayWarning', code: 'SPILLWAY_FOREIGN_DATA' })
  }
}

/** @type {Promise<undefined>} */
const NONE = Promise.resolve(undefined)

module.exports = { SecondTier }
