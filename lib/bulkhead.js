// The bulkhead as JavaScript sees it: permits, and waiting for one. Never holds a permit longer than the call it is for.
'use strict'

const { CallContext, assertFunction, signalOf } = require('./call.js')
const deadlines = require('./deadlines.js')
const mailbox = require('./mailbox.js')
const { details, troubleOf } = require('./native.js')
const { Options, DAY } = require('./options.js')
const { Refusal } = require('./refusals.js')

/** @typedef {InstanceType<typeof import('./spillway.js').Place>} Place */
/** @typedef {import('./native.js').Native} Native */

const OPTIONS = ['limit', 'queue', 'queueTimeout']
const MILLION = 1_000_000

/** @param {unknown} given */
function bulkheadShape(given) {
  const options = new Options('a bulkhead', given, OPTIONS)
  return {
    limit: options.whole('limit', { min: 1, max: MILLION }),
    queue: options.whole('queue', { min: 0, max: MILLION, fallback: 0 }),
    queueTimeoutMs: options.duration('queueTimeout', { max: DAY, fallback: 30_000 }),
  }
}

/**
 * Give back what a receipt stands for, and deliver the letters that may cause here.
 * @param {Native} native
 * @param {number} receipt
 */
function giveBack(native, receipt) {
  if (native.giveBack(receipt)) mailbox.collect()
}

/** @type {FinalizationRegistry<{ native: Native, receipt: number }>} */
const collected = new FinalizationRegistry(({ native, receipt }) => giveBack(native, receipt))

class Permit {
  /** @type {{ native: Native, receipt: number } | null} */
  #held

  /**
   * @param {Native} native
   * @param {number} receipt
   */
  constructor(native, receipt) {
    this.#held = { native, receipt }
    collected.register(this, this.#held, this.#held)
  }

  release() {
    const held = this.#held
    if (held === null) return
    this.#held = null
    collected.unregister(held)
    giveBack(held.native, held.receipt)
  }

  [Symbol.dispose]() {
    this.release()
  }
}

class Bulkhead {
  #native
  #id
  #place
  #queueTimeoutMs
  /** @type {'bulkhead'} */
  kind = 'bulkhead'

  /**
   * @param {Place} place
   * @param {number} id
   * @param {ReturnType<typeof bulkheadShape>} shape
   */
  constructor(place, id, shape) {
    this.#native = place.native
    this.#id = id
    this.#place = place
    this.#queueTimeoutMs = shape.queueTimeoutMs
    this.name = place.name
    this.limit = shape.limit
  }

  /**
   * @template T
   * @param {(call: import('../index').CallContext) => T | PromiseLike<T>} fn
   * @param {import('../index').CallOptions} [options]
   * @returns {Promise<T>}
   */
  async run(fn, options) {
    assertFunction(`the bulkhead "${this.name}"`, fn)
    const signal = options === undefined ? undefined : signalOf(options)
    let receipt = this.#ask()
    if (details[0] === 1) receipt = await this.#wait(receipt, signal)
    try {
      return await fn(new CallContext(signal))
    } finally {
      giveBack(this.#native, receipt)
    }
  }

  tryAcquire() {
    const receipt = this.#native.bulkheadTryAcquire(this.#id)
    if (receipt === undefined) throw troubleOf(this.kind, this.name)
    return receipt < 0 ? null : new Permit(this.#native, receipt)
  }

  /** @param {import('../index').CallOptions} [options] */
  async acquire(options) {
    const signal = options === undefined ? undefined : signalOf(options)
    let receipt = this.#ask()
    if (details[0] === 1) receipt = await this.#wait(receipt, signal)
    return new Permit(this.#native, receipt)
  }

  dispose() {
    this.#place.dispose(this.#id)
  }

  /** A receipt; whether it is a permit or a place in the queue is in the details. */
  #ask() {
    const receipt = this.#native.bulkheadAcquire(this.#id)
    if (receipt === undefined) throw troubleOf(this.kind, this.name)
    if (receipt < 0) throw new Refusal({ code: 'E_FULL', primitive: this.name })
    return receipt
  }

  /**
   * @param {number} receipt
   * @param {AbortSignal | undefined} signal
   * @returns {Promise<number>} the receipt, once it is a permit
   */
  #wait(receipt, signal) {
    const native = this.#native
    return new Promise((resolve, reject) => {
      const abort = () => leave(() => signal?.reason)
      const deadline = deadlines.schedule(this.#queueTimeoutMs, () => {
        const message = `no permit of the bulkhead "${this.name}" came free within ${this.#queueTimeoutMs} ms`
        leave(() => new Refusal({ code: 'E_FULL', primitive: this.name, message }))
      })
      signal?.addEventListener('abort', abort, { once: true })
      const settle = () => {
        deadlines.cancel(deadline)
        signal?.removeEventListener('abort', abort)
      }
      /** @param {() => unknown} why */
      const leave = (why) => {
        // If the turn has come already, a letter is on its way and decides.
        if (!native.leave(receipt)) return
        mailbox.expectNoMore(receipt)
        settle()
        reject(why())
      }
      mailbox.expect(receipt, {
        onYours: () => {
          settle()
          if (signal?.aborted) {
            giveBack(native, receipt)
            reject(signal.reason)
          } else {
            native.bulkheadArrived(this.#id)
            resolve(receipt)
          }
        },
      })
    })
  }
}

module.exports = { Bulkhead, bulkheadShape }
