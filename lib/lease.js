// The lease as JavaScript sees it: one holder of each key at a time, or a few. Owns its options and what is said to who does not get
// it. Never renews: that is native, so that a busy event loop does not lose it.
'use strict'

const { assertFunction, signalOf } = require('./call.js')
const deadlines = require('./deadlines.js')
const { Events } = require('./events.js')
const { HeldLease } = require('./held-lease.js')
const { misuse, shown } = require('./misuse.js')
const { Options, DAY } = require('./options.js')
const { Refusal } = require('./refusals.js')
const { Rights } = require('./rights.js')

/** @typedef {InstanceType<typeof import('./place.js').Place>} Place */
/** @typedef {import('./rights.js').No} No */
/** @typedef {import('../kit/lease').LeaseCall} LeaseCall */

const OPTIONS = ['ttl', 'maxStall', 'holders']
const CALL_OPTIONS = ['key', 'wait', 'signal']
/** Under this, what a renewal takes on a slow network would be a good part of it. */
const LEAST_MS = 100
const MILLION = 1_000_000
/** How long before a store that could not be asked is asked again. */
const RETRY_MS = 100
/** The key of who names none, which nobody can name. */
const NO_KEY = '\0'

/** @param {unknown} given */
function leaseShape(given) {
  const options = new Options('a lease', given, OPTIONS)
  const ttlMs = options.duration('ttl', { min: LEAST_MS, max: DAY, fallback: 30_000 })
  return {
    holders: options.whole('holders', { min: 1, max: MILLION, fallback: 1 }),
    ttlMs,
    maxStallMs: options.duration('maxStall', { min: LEAST_MS, max: DAY, fallback: 60_000 }),
  }
}

class Lease {
  #place
  #id
  #rights
  /** What this handle has given out, and waits for nothing but its end. @type {Set<InstanceType<typeof HeldLease>>} */
  #held = new Set()
  #isLetGo = false
  #events = new Events('lease', ['lost', 'tookOver'])
  /** @type {'lease'} */
  kind = 'lease'

  /**
   * @param {Place} place
   * @param {number} id
   * @param {ReturnType<typeof leaseShape>} shape
   */
  constructor(place, id, shape) {
    this.#place = place
    this.#id = id
    this.#rights = new Rights(place, id)
    this.name = place.name
    this.ttlMs = shape.ttlMs
    this.maxStallMs = shape.maxStallMs
    this.holders = shape.holders
  }

  /**
   * Its name has ended, or its spillway: so has all that was had by it.
   * @param {Lease} lease
   */
  static letGo(lease) {
    lease.#isLetGo = true
    lease.#rights.endWaits(lease.#ended())
    for (const held of [...lease.#held]) HeldLease.end(held)
  }

  /** @param {string} [key] */
  async tryAcquire(key) {
    const known = this.#keyOf(key)
    const right = await this.#rights.ask(known, 0, 0)
    if (right === 'full') return null
    if (typeof right === 'string') throw this.#refusal(right, 0)
    return this.#hold(right, known, undefined)
  }

  /** @param {LeaseCall} [options] */
  async acquire(options) {
    const { key, waitMs, signal } = this.#asking(options)
    const right = await this.#ask(key, waitMs, signal)
    if (typeof right === 'string') throw this.#refusal(right, waitMs)
    const held = this.#hold(right, key, undefined)
    // Whoever gave up in the very moment his turn came does not hold it.
    if (signal?.aborted) {
      await held.release()
      throw signal.reason
    }
    return held
  }

  /**
   * @template T
   * @param {(held: InstanceType<typeof HeldLease>) => T | PromiseLike<T>} fn
   * @param {LeaseCall} [options]
   * @returns {Promise<T>}
   */
  async run(fn, options) {
    assertFunction(`the lease "${this.name}"`, fn)
    const { key, waitMs, signal } = this.#asking(options)
    const right = await this.#ask(key, waitMs, signal)
    if (typeof right === 'string') throw this.#refusal(right, waitMs)
    const held = this.#hold(right, key, signal)
    try {
      signal?.throwIfAborted()
      return await fn(held)
    } finally {
      await held.release()
    }
  }

  /**
   * @param {'lost' | 'tookOver'} event
   * @param {(message: any) => void} listener
   */
  on(event, listener) {
    return this.#events.on(event, listener)
  }

  dispose() {
    this.#place.dispose(this.#id)
  }

  /**
   * Whoever is willing to wait also waits for a store that is not there, or not yet.
   * @param {string} key
   * @param {number} waitMs
   * @param {AbortSignal | undefined} signal
   */
  async #ask(key, waitMs, signal) {
    const over = performance.now() + waitMs
    for (let leftMs = waitMs; ; leftMs = over - performance.now()) {
      const right = await this.#rights.ask(key, 0, leftMs, signal)
      if (right !== 'unavailable' || over - performance.now() <= RETRY_MS) return right
      await new Promise((resolve) => deadlines.schedule(RETRY_MS, resolve))
      signal?.throwIfAborted()
      if (this.#isLetGo) throw this.#ended()
    }
  }

  /**
   * @param {import('./rights.js').Right} right
   * @param {string} key
   * @param {AbortSignal | undefined} parent
   */
  #hold(right, key, parent) {
    if (this.#isLetGo) {
      this.#rights.giveBack(right.receipt)
      throw this.#ended()
    }
    const about = key === NO_KEY ? { lease: this } : { lease: this, key }
    const held = new HeldLease(this.#rights, right, about.key, parent, {
      onLost: () => {
        if (this.#events.wanted('lost')) this.#events.emit('lost', { ...about, fence: right.fence })
        return new Refusal({ code: 'E_LEASE_LOST', primitive: this.name })
      },
      onOver: (over) => this.#held.delete(over),
    })
    if (!right.isLost) this.#held.add(held)
    if (right.tookOver && this.#events.wanted('tookOver'))
      this.#events.emit('tookOver', { ...about, fence: right.fence })
    return held
  }

  #ended() {
    const message = `the lease "${this.name}" has been disposed of or its spillway closed; open it again`
    return misuse('E_DISPOSED', message, { Base: Error })
  }

  /** @param {LeaseCall | undefined} given */
  #asking(given) {
    const options = new Options(`a call to the lease "${this.name}"`, given, CALL_OPTIONS)
    const waitMs = options.duration('wait', { min: 0, max: DAY, fallback: 30_000 })
    const signal = signalOf(given)
    return { key: this.#keyOf(options.get('key')), waitMs, signal }
  }

  /** @param {unknown} key */
  #keyOf(key) {
    if (key === undefined) return NO_KEY
    if (typeof key === 'string' && key !== '' && key !== NO_KEY) return key
    const rule = 'must be a non-empty string, or be left out where there is only one'
    throw misuse('E_KEY', `\`key\` of the lease "${this.name}" ${rule}; got ${shown(key)}`, { option: 'key' })
  }

  /**
   * @param {No} no
   * @param {number} waitMs
   */
  #refusal(no, waitMs) {
    const primitive = this.name
    if (no === 'unavailable') return new Refusal({ code: 'E_STORE_UNAVAILABLE', primitive })
    const message =
      no === 'late'
        ? `the lease "${primitive}" did not come free within ${waitMs} ms`
        : `the lease "${primitive}" is held by another`
    return new Refusal({ code: 'E_FULL', primitive, message })
  }
}

module.exports = { Lease, leaseShape }
