// Waiting for a right over hosts or threads: a permit of a bulkhead over Redis, or a lease. Owns how a wait ends: by a letter, at its
// deadline, or by the caller. Never knows what the right is for.
'use strict'

const { heard } = require('./asks.js')
const deadlines = require('./deadlines.js')
const mailbox = require('./mailbox.js')
const { details, troubleOf } = require('./native.js')

/** @typedef {InstanceType<typeof import('./place.js').Place>} Place */

/**
 * What is held, and by which numbers it is known.
 * @typedef {object} Right
 * @property {number} receipt
 * @property {number} ticket 0 where the fail mode let in
 * @property {number} fence 0 where the fail mode let in
 * @property {boolean} isAlone whether the fail mode let in
 * @property {boolean} tookOver whether somebody had held it who never released it
 * @property {boolean} isQueued whether it was waited for in the line
 * @property {boolean} isLost whether it was lost before it was released
 * @property {(() => void) | undefined} onLost
 */
/** Why nothing came of it. @typedef {'full' | 'unavailable' | 'late'} No */

/** How src/hot/rights.rs tells what became of a wait. */
const ADMITTED = 1
const UNAVAILABLE = 3
/** And what it answers to a release or a renewal where nobody knows. */
const UNKNOWN = -1

class Rights {
  #native
  #id
  #place
  /** How each wait is ended from outside. @type {Set<(error: unknown) => void>} */
  #waiting = new Set()

  /**
   * @param {Place} place
   * @param {number} id
   */
  constructor(place, id) {
    this.#native = place.native
    this.#id = id
    this.#place = place
    // process.exit() runs no hook of native code.
    if (place.native.rightsWatchEnd()) process.once('exit', () => place.native.rightsEnd())
  }

  /**
   * A right, if one is free or comes free in time.
   * @param {string} key
   * @param {number} rank
   * @param {number} waitMs 0: not waiting at all
   * @param {AbortSignal} [signal]
   * @returns {Promise<Right | No>} rejects with the signal's reason
   */
  ask(key, rank, waitMs, signal) {
    const native = this.#native
    const receipt = native.rightsAcquire(this.#id, key, rank, waitMs > 0 ? 1 : 0)
    if (receipt === undefined) throw troubleOf(this.#place.kind, this.#place.name)
    if (receipt < 0) return Promise.resolve('full')
    const mailWaits = details[0] === 1
    this.turn()
    return new Promise((resolve, reject) => {
      /** @type {import('./deadlines.js').Deadline | undefined} */
      let deadline
      const abort = () => leave(() => reject(signal?.reason))
      /** @param {unknown} error */
      const end = (error) => leave(() => reject(error))
      this.#waiting.add(end)
      const over = () => {
        this.#waiting.delete(end)
        if (deadline !== undefined) deadlines.cancel(deadline)
        signal?.removeEventListener('abort', abort)
      }
      /** @param {() => void} answer */
      const leave = (answer) => {
        // If its turn has come already, a letter is on its way and decides.
        if (!native.leave(receipt)) return
        mailbox.expectNoMore(receipt)
        over()
        answer()
      }
      if (waitMs > 0) deadline = deadlines.schedule(waitMs, () => leave(() => resolve('late')))
      signal?.addEventListener('abort', abort, { once: true })
      mailbox.expect(receipt, {
        onSettled: (code) => {
          over()
          if (code === ADMITTED) resolve(held(rightOf(receipt)))
          else resolve(code === UNAVAILABLE ? 'unavailable' : 'full')
        },
      })
      // What is decided at once is told by a letter that nobody else delivers.
      if (mailWaits) mailbox.collect()
    })
  }

  /**
   * Nobody waits any more.
   * @param {unknown} error
   */
  endWaits(error) {
    for (const end of [...this.#waiting]) end(error)
  }

  /**
   * Hears of it once: when it is lost, or has been.
   * @param {Right} right
   * @param {() => void} onLost
   */
  watch(right, onLost) {
    if (right.isLost) onLost()
    else right.onLost = onLost
  }

  /**
   * Give it back; resolves when the store knows, or after the deadline of the question: then it is told again behind the scenes.
   * @param {Right} right
   * @returns {Promise<void>}
   */
  async release({ receipt, ticket }) {
    const ask = this.#native.rightsRelease(this.#id, receipt, ticket)
    mailbox.expectNoMore(receipt)
    if (ask !== undefined) await this.#settled(ask, () => undefined)
    else this.giveBack(receipt)
  }

  /** @param {number} receipt */
  giveBack(receipt) {
    if (this.#native.giveBack(receipt)) mailbox.collect()
    this.turn()
  }

  /**
   * Whether it is held, and from now on for its whole time again; undefined where the store cannot be asked.
   * @param {Right} right
   * @returns {Promise<boolean | undefined>}
   */
  async renew({ ticket }) {
    const ask = this.#native.rightsRenew(this.#id, ticket)
    if (ask === undefined) return undefined
    return this.#settled(ask, () => (details[0] === UNKNOWN ? undefined : details[0] === 1))
  }

  /**
   * For how many milliseconds it is good, as far as this process knows.
   * @param {Right} right
   */
  leftMs({ ticket }) {
    return (this.#native.rightsLeft(this.#id, ticket) ?? 0) / 1_000
  }

  /**
   * By which token the store knows it.
   * @param {Right} right
   */
  tokenOf({ ticket }) {
    return this.#native.rightsToken(this.#id, ticket) ?? ''
  }

  /** Something was asked in this turn. */
  turn() {
    this.#place.asks?.turn()
  }

  /**
   * @template T
   * @param {number} ask
   * @param {(code: number) => T} read
   * @returns {Promise<T>}
   */
  #settled(ask, read) {
    return this.#place.asks === undefined ? heard(ask, read) : this.#place.asks.settled(ask, read)
  }
}

/**
 * What the letter that is being delivered has left.
 * @param {number} receipt
 * @returns {Right}
 */
function rightOf(receipt) {
  const [, , fence, ticket, alone, tookOver, queued] = details
  const right = { receipt, ticket, fence, isAlone: alone === 1, tookOver: tookOver === 1, isQueued: queued === 1 }
  return { ...right, isLost: false, onLost: undefined }
}

/**
 * From the very letter on that says it is held: the one that says it is lost may be the next, before whoever waited runs.
 * @param {Right} right
 */
function held(right) {
  mailbox.expect(right.receipt, {
    onExpired: () => {
      right.isLost = true
      right.onLost?.()
    },
  })
  return right
}

module.exports = { Rights }
