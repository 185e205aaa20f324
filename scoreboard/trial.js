// Owns what a scenario is given beside the guards: time that passes when it is told to, and what became of a promise.
// Never waits for real under fake time, and never judges.
'use strict'

const { mock } = require('node:test')

// As they were at the start: under fake timers these go on.
const { setImmediate, setTimeout } = globalThis

/** Turns of the loop after which whatever was due has run, a bulkhead's letters and a timer's callbacks included. */
const TURNS = 4

/** @typedef {{ how: 'pending', value?: undefined, error?: undefined } | { how: 'answered', value: unknown, error?: undefined } | { how: 'failed', error: unknown, value?: undefined }} Ending */

class Trial {
  /** What nobody caught. @type {unknown[]} */
  uncaught = []
  #faked

  /** @param {boolean} faked whether `Date`, `setTimeout` and `setInterval` are from now on the trial's */
  constructor(faked) {
    this.#faked = faked
    if (faked) mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'], now: Date.now() })
    const hear = (/** @type {unknown} */ error) => this.uncaught.push(error)
    process.on('uncaughtException', hear).on('unhandledRejection', hear)
  }

  /** Time since 1970, in milliseconds, on the clock that goes with the timers. */
  now() {
    return Date.now()
  }

  /**
   * Lets time pass, and in it whatever falls due, one thing after the other.
   * @param {number} ms
   * @param {number} [step] how exactly the things that fall due are told apart
   */
  async pass(ms, step = Math.ceil(ms / 100)) {
    if (!this.#faked) await new Promise((resolve) => setTimeout(resolve, ms))
    for (let left = ms; this.#faked && left > 0; left -= step) {
      mock.timers.tick(Math.min(step, left))
      await this.settle()
    }
    await this.settle()
  }

  /** Lets everything run that waits for nothing but its turn. */
  async settle() {
    for (let turn = 0; turn < TURNS; turn++) await new Promise((resolve) => setImmediate(resolve))
  }

  /**
   * What has become of a promise by now.
   * @param {PromiseLike<unknown>} promise
   * @returns {Promise<Ending>}
   */
  async ending(promise) {
    /** @type {Ending} */
    let ending = { how: 'pending' }
    promise.then(
      (value) => (ending = { how: 'answered', value }),
      (error) => (ending = { how: 'failed', error }),
    )
    await this.settle()
    return ending
  }
}

module.exports = { Trial }
