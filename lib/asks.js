// What has been asked of Redis in one registry. Owns the promises of the answers, and that each turn's asks leave together.
// Never runs a user's code itself, but for listeners of what was answered: an answer settles a promise.
'use strict'

const { misuse } = require('./misuse.js')
const { asks, details } = require('./native.js')

// As they were at the start: a test that fakes timers must not keep a close from ever ending.
const { setTimeout, clearTimeout } = globalThis

/** The code of an answer that nobody gave. */
const LOST = -1

/** The two ends of the promise that was made last. @type {(value: any) => void} */
let resolveLast
/** @type {(error: unknown) => void} */
let rejectLast

/** One function for all promises: one for each would be garbage by the thousand. */
function take(/** @type {(value: any) => void} */ resolve, /** @type {(error: unknown) => void} */ reject) {
  resolveLast = resolve
  rejectLast = reject
}

/** What was asked, until it is answered. Made right after its promise. */
class Ask {
  #resolve = resolveLast
  #reject = rejectLast
  #read
  #asks

  /**
   * @param {(code: number) => any} read
   * @param {Asks | undefined} asks who counts it
   */
  constructor(read, asks) {
    this.#read = read
    this.#asks = asks
  }

  /** @param {number} code */
  settle(code) {
    this.#asks?.ended()
    if (code === LOST) return this.#reject(lost())
    try {
      this.#resolve(this.#read(code))
    } catch (error) {
      this.#reject(error)
    }
  }
}

class Asks {
  #native
  #registry
  #isArmed = false
  #flush
  /** Asks whose answers are to come. */
  #pending = 0
  /** Who waits for the last of them. @type {(() => void)[]} */
  #leaving = []

  /**
   * @param {import('./native.js').Native} native
   * @param {number} registry
   */
  constructor(native, registry) {
    this.#native = native
    this.#registry = registry
    this.#flush = () => {
      this.#isArmed = false
      this.#native.flushRemote(this.#registry)
    }
  }

  /**
   * The promise of an answer. Whoever asks calls this in the same turn.
   * @template T
   * @param {number} ask
   * @param {(code: number) => T} read makes a value of what the answer left in the details; may take its payload, may throw
   * @returns {Promise<T>}
   */
  settled(ask, read) {
    this.turn()
    this.#pending++
    const promise = new Promise(take)
    asks[ask] = new Ask(read, this)
    return promise
  }

  /**
   * Resolves when all that was asked is answered, or after so long: what waits for another host's load may take its time.
   * @param {number} withinMs
   * @returns {Promise<void>}
   */
  async over(withinMs) {
    if (this.#pending === 0) return
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, withinMs)
      this.#leaving.push(() => {
        clearTimeout(timer)
        resolve(undefined)
      })
    })
  }

  /** One of them is answered. */
  ended() {
    if (--this.#pending > 0 || this.#leaving.length === 0) return
    for (const leave of this.#leaving.splice(0)) leave()
  }

  /** Something was asked in this turn: it is sent at its end, with all else that is asked until then. */
  turn() {
    if (this.#isArmed) return
    this.#isArmed = true
    process.nextTick(this.#flush)
  }

  /** What came with the answer that is being read: a string, bytes, or false for a cached nothing; once. */
  payload() {
    return details[12] === 1 ? this.#native.payload() : undefined
  }
}

/**
 * The promise of an answer that no store counts: of what needs no flush, or what a close need not wait for.
 * @template T
 * @param {number} ask
 * @param {(code: number) => T} read
 * @returns {Promise<T>}
 */
function heard(ask, read) {
  const promise = new Promise(take)
  asks[ask] = new Ask(read, undefined)
  return promise
}

function lost() {
  return misuse('E_INTERNAL', 'a defect in spillway: an answer of Redis was lost; please report it', { Base: Error })
}

module.exports = { Asks, heard }
