// What has been asked of Redis in one registry. Owns the promises of the answers, and that each turn's asks leave together.
// Never runs a user's code itself, but for listeners of what was answered: an answer settles a promise.
'use strict'

const { misuse } = require('./misuse.js')
const { asks, details } = require('./native.js')

// As they were at the start: a test that fakes timers must not keep a close from ever ending.
const { setTimeout, clearTimeout } = globalThis

/** The code of an answer that nobody gave. */
const LOST = -1

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
    return new Promise((resolve, reject) => {
      asks.set(ask, (code) => {
        if (--this.#pending === 0) this.#leave()
        settle(code, read, resolve, reject)
      })
    })
  }

  /**
   * The promise of an answer that nobody need wait for: neither the process nor who closes the store.
   * @template T
   * @param {number} ask
   * @param {(code: number) => T} read
   * @returns {Promise<T>}
   */
  heard(ask, read) {
    return new Promise((resolve, reject) => {
      asks.set(ask, (code) => settle(code, read, resolve, reject))
    })
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

  #leave() {
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
 * @template T
 * @param {number} code
 * @param {(code: number) => T} read
 * @param {(value: T) => void} resolve
 * @param {(error: unknown) => void} reject
 */
function settle(code, read, resolve, reject) {
  if (code === LOST) return reject(lost())
  try {
    resolve(read(code))
  } catch (error) {
    reject(error)
  }
}

function lost() {
  return misuse('E_INTERNAL', 'a defect in spillway: an answer of Redis was lost; please report it', { Base: Error })
}

module.exports = { Asks }
