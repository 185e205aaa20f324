// A storm for tests: calls that are late, fail, throw or hang, in a way that a seed decides. Owns what happens to each, and the log of it.
// Never does anything that the same seed would not do again.
'use strict'

const { assertFunction } = require('../../lib/call.js')
const { Clock } = require('../../lib/clock.js')
const deadlines = require('../../lib/deadlines.js')
const { Options } = require('../../lib/options.js')
const { STRATEGY } = require('../../lib/strategy.js')
const { Schedule } = require('./schedule.js')
const { WEATHER, fateOf, weatherOf } = require('./weather.js')

/** @typedef {{ -readonly [K in keyof import('../testing').ChaosCall]: import('../testing').ChaosCall[K] }} Call */

const OPTIONS = ['seed', ...WEATHER, 'error', 'answer', 'schedule', 'clock']

/** How many calls the log remembers. */
const KEPT = 1000

class Chaos {
  /** @type {'chaos'} */
  kind = 'chaos'
  #weather
  #schedule
  #error
  #answer
  #now
  #began
  #calls = 0
  #hanging = 0
  /** @type {Call[]} the latest, and up to as many before them */
  #log = []

  /** @param {unknown} given */
  constructor(given) {
    const options = new Options('chaos()', given, OPTIONS)
    this.seed = options.whole('seed', { min: 0, max: Number.MAX_SAFE_INTEGER, fallback: 1 })
    this.#weather = weatherOf(options)
    this.#schedule = new Schedule(options, this.#weather)
    this.#error = options.callback('error')
    this.#answer = options.callback('answer')
    if (this.#error !== undefined && this.#answer !== undefined) {
      throw options.wrong(
        'answer',
        'of chaos() is what a failing call answers with instead of an `error`; give one of them',
      )
    }
    const read = options.callback('clock')
    const clock = read && new Clock(read)
    this.#now = clock === undefined ? deadlines.now : () => clock.now()
    this.#began = this.#now()
  }

  get calls() {
    return this.#calls
  }

  get hanging() {
    return this.#hanging
  }

  get log() {
    return this.#log.slice(-KEPT).map((call) => ({ ...call }))
  }

  /** @param {number} call */
  fate(call) {
    const number = new Options('fate()', { call }, ['call']).whole('call', { min: 0, max: Number.MAX_SAFE_INTEGER })
    const { fate, latencyMs } = this.#fateOf(number)
    return { fate, latencyMs }
  }

  /**
   * @template {(...args: any[]) => any} F
   * @param {F} fn
   */
  wrap(fn) {
    assertFunction('wrap() of chaos()', fn)
    const storm = this
    /**
     * @this {unknown}
     * @param {Parameters<F>} args
     * @returns {Promise<Awaited<ReturnType<F>>>}
     */
    return function stormy(...args) {
      const call = storm.#begin()
      if (call.fate === 'throwSync') throw storm.#errorOf(call)
      return storm.#pass(
        call,
        () => signalAmong(args),
        () => fn.apply(this, args),
      )
    }
  }

  /** In a policy: in front of all that is within. */
  [STRATEGY]() {
    return (
      /** @type {{ readonly signal: AbortSignal }} */ scope,
      /** @type {(scope: any) => Promise<unknown>} */ next,
    ) => {
      const call = this.#begin()
      if (call.fate === 'throwSync') return Promise.reject(this.#errorOf(call))
      return this.#pass(
        call,
        () => scope.signal,
        () => next(scope),
      )
    }
  }

  toString() {
    const counts = new Map()
    for (const { fate } of this.#log.slice(-KEPT)) counts.set(fate, (counts.get(fate) ?? 0) + 1)
    const fates = [...counts].map(([fate, count]) => `${count} ${fate}`).join(', ')
    const of = this.#calls > KEPT ? `, of the last ${KEPT}` : ''
    return `chaos({ seed: ${this.seed} }) after ${this.#calls} calls${of}${fates && `: ${fates}`}`
  }

  #begin() {
    /** @type {Call} */
    const call = { ...this.#fateOf(this.#calls), aborted: false }
    this.#calls++
    this.#log.push(call)
    if (this.#log.length === 2 * KEPT) this.#log.splice(0, KEPT)
    return call
  }

  /** @param {number} call */
  #fateOf(call) {
    const atMs = this.#now() - this.#began
    const { phase, weather } = this.#schedule.at(call, atMs) ?? { phase: null, weather: this.#weather }
    return { call, ...fateOf(this.seed, call, weather), phase, atMs }
  }

  /**
   * @param {Call} call
   * @param {() => AbortSignal | undefined} signalOf looked at by calls alone that have to wait
   * @param {() => any} go on to what is behind the storm
   */
  async #pass(call, signalOf, go) {
    if (call.fate === 'hang') await this.#hang(call, signalOf())
    if (call.latencyMs > 0) await wait(call, call.latencyMs, signalOf())
    if (call.fate !== 'failure') return go()
    if (this.#answer !== undefined) return this.#answer(call.call)
    throw this.#errorOf(call)
  }

  /**
   * @param {Call} call
   * @param {AbortSignal | undefined} signal
   */
  async #hang(call, signal) {
    this.#hanging++
    try {
      await wait(call, Infinity, signal)
    } finally {
      this.#hanging--
    }
  }

  /** @param {Call} call */
  #errorOf({ call, fate }) {
    if (this.#error !== undefined) return this.#error(call)
    const does = fate === 'throwSync' ? 'throws' : 'fails'
    const message = `call ${call} ${does}, as chaos({ seed: ${this.seed} }) has it [E_CHAOS]`
    return Object.assign(new Error(message), { code: 'E_CHAOS' })
  }
}

/**
 * @param {Call} call
 * @param {number} milliseconds Infinity for ever
 * @param {AbortSignal | undefined} signal ends it at once
 * @returns {Promise<void>}
 */
function wait(call, milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const abort = () => {
      if (deadline !== undefined) deadlines.cancel(deadline)
      call.aborted = true
      reject(signal?.reason)
    }
    const pass = () => {
      signal?.removeEventListener('abort', abort)
      resolve()
    }
    const deadline = milliseconds === Infinity ? undefined : deadlines.schedule(milliseconds, pass)
    if (signal?.aborted) abort()
    else signal?.addEventListener('abort', abort, { once: true })
  })
}

/**
 * The signal of a call, where functions usually take one: in a context or an options object, or by itself.
 * @param {readonly any[]} args
 * @returns {AbortSignal | undefined}
 */
function signalAmong(args) {
  for (const arg of args) {
    if (isSignal(arg)) return arg
    if (typeof arg === 'object' && arg !== null && isSignal(arg.signal)) return arg.signal
  }
  return undefined
}

/** By its looks: that of another realm is one too. */
function isSignal(/** @type {any} */ value) {
  return typeof value?.aborted === 'boolean' && typeof value.addEventListener === 'function'
}

/** @param {import('../testing').ChaosOptions} [options] */
function chaos(options) {
  return new Chaos(options)
}

module.exports = { chaos }
