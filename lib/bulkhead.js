// The bulkhead as JavaScript sees it: calls under a permit. Owns that the permit of a call comes back when the call has ended.
// Never holds a permit longer than the call it is for.
'use strict'

const { askingOf, partitionOf } = require('./asking.js')
const { CallContext, assertFunction } = require('./call.js')
const mailbox = require('./mailbox.js')
const { troubleOf } = require('./native.js')
const { nestingOf } = require('./nesting.js')
const { Permit, release } = require('./permit.js')
const { PermitLine } = require('./permit-line.js')
const { Refusal } = require('./refusals.js')

/** @typedef {InstanceType<typeof import('./place.js').Place>} Place */
/** @typedef {import('./permit.js').Held} Held */
/** @typedef {import('./permit-line.js').Refused} Refused */
/** @typedef {import('./asking.js').Asking} Asking */
/** @typedef {ReturnType<typeof import('./bulkhead-shape.js').bulkheadShape>} BulkheadShape */
/** @typedef {typeof COUNTED | Held | Refused} Turn */

/** Of a permit that was free and is only counted. */
const COUNTED = Symbol('counted')

const { then } = Promise.prototype

class Bulkhead {
  #native
  #id
  #place
  /** Whether a free permit is only counted, and needs no receipt. */
  #counted
  #nesting = nestingOf(this)
  #line
  /** How a call under a counted permit ends: one function for all of them. */
  #went
  #failed
  /** @type {'bulkhead'} */
  kind = 'bulkhead'

  /**
   * @param {Place} place
   * @param {number} id
   * @param {BulkheadShape} shape
   */
  constructor(place, id, shape) {
    this.#native = place.native
    this.#id = id
    this.#place = place
    this.#counted = !shape.perKey && shape.leaseMs === undefined
    this.#line = new PermitLine(place, id, shape, this, this.#nesting)
    this.#went = (/** @type {any} */ value) => {
      this.#exit()
      return value
    }
    this.#failed = (/** @type {unknown} */ error) => {
      this.#exit()
      throw error
    }
    this.name = place.name
    this.limit = shape.limit
    this.perKey = shape.perKey
  }

  /**
   * A permit for a call through a policy, after a wait if need be.
   * @param {Bulkhead} bulkhead
   * @param {Asking} asking whose signal is read only for a wait
   * @returns {Turn | Promise<Turn>}
   */
  static turn(bulkhead, asking) {
    if (bulkhead.#entered()) return COUNTED
    const turn = bulkhead.#line.ask(asking)
    return turn instanceof Promise ? turn.then((held) => wanted(held, asking.signal)) : turn
  }

  /**
   * Its id where a free permit is only counted, so that it can be taken together with something else.
   * @param {Bulkhead} bulkhead
   */
  static countedId(bulkhead) {
    return bulkhead.#counted ? bulkhead.#id : undefined
  }

  /**
   * Whether a permit was free and is counted now.
   * @param {Bulkhead} bulkhead
   */
  static enter(bulkhead) {
    return bulkhead.#entered()
  }

  /**
   * A permit that was counted comes back.
   * @param {Bulkhead} bulkhead
   */
  static exit(bulkhead) {
    bulkhead.#exit()
  }

  /**
   * That permit comes back.
   * @param {Bulkhead} bulkhead
   * @param {Turn} turn
   */
  static over(bulkhead, turn) {
    if (turn === COUNTED) bulkhead.#exit()
    else if ('out' in turn) release(turn)
  }

  /**
   * What runs under a permit, known to do so in development.
   * @template {(call: any) => any} F
   * @param {Bulkhead} bulkhead
   * @param {F} fn
   * @param {string} key
   */
  static within(bulkhead, fn, key) {
    return bulkhead.#nesting === undefined ? fn : bulkhead.#nesting.within(fn, key)
  }

  /**
   * @template T
   * @param {(call: import('../index').CallContext) => T | PromiseLike<T>} fn
   * @param {import('../index').BulkheadCall} [options]
   * @returns {Promise<T>}
   */
  run(fn, options) {
    let asking
    // Not an async function: with a permit free, the promise of the call itself is all there is.
    try {
      if (typeof fn !== 'function') assertFunction(`the bulkhead "${this.name}"`, fn)
      asking = askingOf(this, options)
      if (this.#nesting !== undefined) fn = this.#nesting.within(fn, asking.key)
      if (this.#entered()) return this.#counting(fn, asking.signal)
    } catch (error) {
      return Promise.reject(error)
    }
    return this.#inTurn(fn, asking)
  }

  /**
   * @template T
   * @param {(call: import('../index').CallContext) => T | PromiseLike<T>} fn
   * @param {import('../index').BulkheadCall} [options]
   * @returns {Promise<import('../index').Attempt<T>>}
   */
  async attempt(fn, options) {
    if (typeof fn !== 'function') assertFunction(`the bulkhead "${this.name}"`, fn)
    const asking = askingOf(this, options)
    if (this.#nesting !== undefined) fn = this.#nesting.within(fn, asking.key)
    if (this.#entered()) return { ok: true, value: await this.#counting(fn, asking.signal) }
    let turn = this.#line.ask(asking)
    if (turn instanceof Promise) turn = wanted(await turn, asking.signal)
    if ('refusal' in turn) return { ok: false, refusal: turn.refusal }
    return { ok: true, value: await this.#holding(turn, fn, asking.signal) }
  }

  /**
   * @param {string} [key]
   * @returns {any} over hosts a promise
   */
  tryAcquire(key) {
    if (this.#line.isFar) return this.#tryAcquireFar(key)
    return permitOf(/** @type {Held | Refused} */ (this.#line.askNow(partitionOf(this, key))))
  }

  /** @param {string | undefined} key */
  async #tryAcquireFar(key) {
    return permitOf(await this.#line.askNow(partitionOf(this, key)))
  }

  /** @param {import('../index').BulkheadCall} [options] */
  async acquire(options) {
    const asking = askingOf(this, options)
    let turn = this.#line.ask(asking)
    if (turn instanceof Promise) turn = wanted(await turn, asking.signal)
    if ('refusal' in turn) throw this.#error(turn)
    return new Permit(turn)
  }

  /**
   * @param {'refused' | 'waited' | 'expired' | 'unavailable'} event
   * @param {(message: any) => void} listener
   */
  on(event, listener) {
    return this.#line.on(event, listener)
  }

  dispose() {
    this.#place.dispose(this.#id)
  }

  /** Whether a permit was free and is counted now. */
  #entered() {
    if (!this.#counted) return false
    const answer = this.#native.bulkheadEnter(this.#id)
    // The usual answer is the cheapest to make.
    if (answer === undefined) return true
    if (answer) throw troubleOf(this.kind, this.name)
    return false
  }

  #exit() {
    if (this.#native.bulkheadExit(this.#id)) mailbox.collect()
  }

  /**
   * The call itself, under a permit that is counted.
   * @template T
   * @param {(call: import('../index').CallContext) => T | PromiseLike<T>} fn
   * @param {AbortSignal | undefined} signal
   * @returns {Promise<T>}
   */
  #counting(fn, signal) {
    let answer
    try {
      answer = fn(new CallContext(signal))
      if (isPlain(answer)) return answer.then(this.#went, this.#failed)
    } catch (error) {
      this.#exit()
      return Promise.reject(error)
    }
    return this.#settling(answer)
  }

  /**
   * @template T
   * @param {T | PromiseLike<T>} answer no promise of ours: a value, or a thenable that may settle as often as it likes
   * @returns {Promise<T>}
   */
  async #settling(answer) {
    try {
      return await answer
    } finally {
      this.#exit()
    }
  }

  /**
   * @template T
   * @param {(call: import('../index').CallContext) => T | PromiseLike<T>} fn
   * @param {Asking} asking
   * @returns {Promise<T>}
   */
  async #inTurn(fn, asking) {
    let turn = this.#line.ask(asking)
    if (turn instanceof Promise) turn = wanted(await turn, asking.signal)
    if ('refusal' in turn) throw this.#error(turn)
    return this.#holding(turn, fn, asking.signal)
  }

  /**
   * The call itself, under a permit with a receipt.
   * @template T
   * @param {Held} held
   * @param {(call: import('../index').CallContext) => T | PromiseLike<T>} fn
   * @param {AbortSignal | undefined} signal
   * @returns {Promise<T>}
   */
  async #holding(held, fn, signal) {
    try {
      return await fn(new CallContext(signal))
    } finally {
      release(held)
    }
  }

  /** @param {Refused} refused */
  #error({ refusal: { code, primitive, retryAfterMs }, message }) {
    return new Refusal({ code, primitive, retryAfterMs, message })
  }
}

/**
 * Whether it is a promise as the language makes them, whose `then` calls one of two functions, once.
 * @param {any} answer
 * @returns {answer is Promise<any>}
 */
function isPlain(answer) {
  return answer instanceof Promise && answer.constructor === Promise && answer.then === then
}

/** @param {Held | Refused} turn */
function permitOf(turn) {
  return 'refusal' in turn ? null : new Permit(turn)
}

/**
 * What came of a wait, unless the caller has given up in the very moment his turn came.
 * @param {Held | Refused} turn
 * @param {AbortSignal | undefined} signal
 */
function wanted(turn, signal) {
  if (signal?.aborted !== true || 'refusal' in turn) return turn
  release(turn)
  throw signal.reason
}

module.exports = { Bulkhead }
