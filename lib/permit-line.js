// The way to a permit of a bulkhead that is held by a receipt: at once, or after a wait in line. Owns how that wait ends, and who hears
// of it. Never knows what the permit is for.
'use strict'

const deadlines = require('./deadlines.js')
const { Events } = require('./events.js')
const { LeaseWatch } = require('./lease-watch.js')
const mailbox = require('./mailbox.js')
const { details, troubleOf } = require('./native.js')
const { hold, holdFar } = require('./permit.js')
const { refusalInfo } = require('./refusals.js')
const { Rights } = require('./rights.js')

/** @typedef {InstanceType<typeof import('./place.js').Place>} Place */
/** @typedef {import('./permit.js').Held} Held */
/** @typedef {{ refusal: import('../index').RefusalInfo, message?: string }} Refused */
/** @typedef {import('./asking.js').Asking} Asking */

class PermitLine {
  #native
  #id
  #place
  #name
  #shape
  #bulkhead
  #nesting
  #events = new Events('bulkhead', ['refused', 'waited', 'expired', 'unavailable'])
  /** @type {InstanceType<typeof LeaseWatch> | undefined} */
  #watch
  /** Over hosts, where it is asked; undefined where permits are this process's. @type {InstanceType<typeof Rights> | undefined} */
  #rights

  /**
   * @param {Place} place
   * @param {number} id
   * @param {ReturnType<typeof import('./bulkhead-shape.js').bulkheadShape>} shape
   * @param {object} bulkhead the handle, as events show it
   * @param {ReturnType<typeof import('./nesting.js').nestingOf>} nesting
   */
  constructor(place, id, shape, bulkhead, nesting) {
    this.#native = place.native
    this.#id = id
    this.#place = place
    this.#name = place.name
    this.#shape = shape
    this.#bulkhead = bulkhead
    this.#nesting = nesting
    if (place.asks !== undefined) this.#rights = new Rights(place, id)
    else if (shape.leaseMs !== undefined) this.#watch = new LeaseWatch((key) => this.#look(key))
    this.isFar = this.#rights !== undefined
  }

  /**
   * @param {'refused' | 'waited' | 'expired' | 'unavailable'} event
   * @param {(message: any) => void} listener
   */
  on(event, listener) {
    return this.#events.on(event, listener)
  }

  /**
   * A permit that is free, without waiting for one.
   * @param {string} key
   * @returns {Held | Refused | Promise<Held | Refused>}
   */
  askNow(key) {
    if (this.#rights !== undefined) return this.#askFar(this.#rights, { rank: 0, key, signal: undefined }, false)
    const receipt = this.#native.bulkheadTryAcquire(this.#id, key)
    if (receipt === undefined) throw troubleOf('bulkhead', this.#name)
    return receipt >= 0 ? this.#hold(receipt, key) : this.#refused(key, this.#retryAfterMs())
  }

  /**
   * A permit, after a wait if need be.
   * @param {Asking} asking
   * @returns {Held | Refused | Promise<Held | Refused>}
   */
  ask(asking) {
    const { rank, key } = asking
    if (this.#rights !== undefined) return this.#askFar(this.#rights, asking, this.#shape.queue > 0)
    const receipt = this.#native.bulkheadAcquire(this.#id, rank, key)
    if (receipt === undefined) throw troubleOf('bulkhead', this.#name)
    if (receipt < 0) return this.#refused(key, this.#retryAfterMs())
    if (details[0] !== 1) return this.#hold(receipt, key)
    const leaseLeftMs = details[1]
    this.#nesting?.waits(key)
    return this.#wait(receipt, key, asking.signal, leaseLeftMs)
  }

  /**
   * @param {number} receipt
   * @param {string} key
   * @param {AbortSignal | undefined} signal
   * @param {number} leaseLeftMs until the first lease ends; NaN without
   * @returns {Promise<Held | Refused>}
   */
  #wait(receipt, key, signal, leaseLeftMs) {
    const native = this.#native
    return new Promise((resolve, reject) => {
      const { queueTimeoutMs } = this.#shape
      const began = this.#place.now()
      const abort = () => leave(() => reject(signal?.reason))
      const deadline = deadlines.schedule(queueTimeoutMs, () => {
        leave(() => resolve(this.#refused(key, undefined, lateOf(this.#name, queueTimeoutMs))))
      })
      this.#watch?.begin(key, leaseLeftMs)
      signal?.addEventListener('abort', abort, { once: true })
      /** @param {boolean} served */
      const over = (served) => {
        deadlines.cancel(deadline)
        this.#watch?.end(key)
        signal?.removeEventListener('abort', abort)
        this.#waited(key, this.#place.now() - began, served)
      }
      /** @param {() => void} answer */
      const leave = (answer) => {
        // If the turn has come already, a letter is on its way and decides.
        if (!native.leave(receipt)) return
        mailbox.expectNoMore(receipt)
        over(false)
        answer()
      }
      mailbox.expect(receipt, {
        onYours: () => {
          over(true)
          resolve(this.#hold(receipt, key))
        },
      })
    })
  }

  /**
   * @param {InstanceType<typeof Rights>} rights
   * @param {Asking} asking
   * @param {boolean} willingToWait
   * @returns {Promise<Held | Refused>}
   */
  async #askFar(rights, { rank, key, signal }, willingToWait) {
    const { queueTimeoutMs } = this.#shape
    const began = this.#place.now()
    const right = await rights.ask(key, rank, willingToWait ? queueTimeoutMs : 0, signal)
    if (right === 'unavailable' || (typeof right !== 'string' && right.isAlone)) this.#unavailable(key)
    if (right === 'full') return this.#refused(key)
    if (right === 'unavailable') return this.#refused(key, undefined, undefined, 'E_STORE_UNAVAILABLE')
    const served = typeof right !== 'string'
    if (!served || right.isQueued) this.#waited(key, this.#place.now() - began, served)
    if (!served) return this.#refused(key, undefined, lateOf(this.#name, queueTimeoutMs))
    const held = holdFar(this.#native, right.receipt, right.fence || undefined, this.#place.asks)
    rights.watch(right, () => {
      held.out = false
      this.#expired(key)
    })
    return held
  }

  /**
   * @param {number} receipt
   * @param {string} key
   * @returns {Held}
   */
  #hold(receipt, key) {
    return hold(this.#native, receipt, this.#shape.leaseMs !== undefined ? () => this.#expired(key) : undefined)
  }

  /**
   * Permits that have expired pass on.
   * @param {string} key
   * @returns {number} the milliseconds that the next lease has, or NaN
   */
  #look(key) {
    const mailWaits = this.#native.bulkheadExpire(this.#id, key)
    // Let go of meanwhile, for good: each of those who wait still has its own deadline.
    if (mailWaits === undefined) return NaN
    const nextMs = details[0]
    if (mailWaits) mailbox.collect()
    return nextMs
  }

  /** How long until a permit is there for sure, as far as that is known: nobody is in front, and the first lease ends then. */
  #retryAfterMs() {
    const leftMs = details[1]
    return this.#shape.queue > 0 || Number.isNaN(leftMs) ? undefined : Math.ceil(leftMs)
  }

  /**
   * @param {string} key
   * @param {number | undefined} [retryAfterMs]
   * @param {string} [message]
   * @param {import('../index').RefusalCode} [code]
   * @returns {Refused}
   */
  #refused(key, retryAfterMs, message, code = 'E_FULL') {
    const refusal = refusalInfo(code, this.#name, retryAfterMs)
    if (this.#events.wanted('refused')) this.#events.emit('refused', { ...this.#about(key), refusal })
    return { refusal, message }
  }

  /**
   * @param {string} key
   * @param {number} waitMs
   * @param {boolean} served
   */
  #waited(key, waitMs, served) {
    if (this.#events.wanted('waited')) this.#events.emit('waited', { ...this.#about(key), waitMs, served })
  }

  /** @param {string} key */
  #expired(key) {
    if (this.#events.wanted('expired')) this.#events.emit('expired', this.#about(key))
  }

  /** @param {string} key */
  #unavailable(key) {
    if (this.#events.wanted('unavailable')) this.#events.emit('unavailable', this.#about(key))
  }

  /** @param {string} key */
  #about(key) {
    return this.#shape.perKey ? { bulkhead: this.#bulkhead, key } : { bulkhead: this.#bulkhead }
  }
}

/**
 * @param {string} name
 * @param {number} timeoutMs
 */
function lateOf(name, timeoutMs) {
  return `no permit of the bulkhead "${name}" came free within ${timeoutMs} ms`
}

module.exports = { PermitLine }
