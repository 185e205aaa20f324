// The standard order around calls over HTTP: limiter, total timeout, retry, breaker, attempt timeout. Owns its figures.
// Never opens anything before a policy is made of it.
'use strict'

const { Options } = require('./options.js')
const { retry } = require('./retry.js')
const { timeout } = require('./timeout.js')

/** @typedef {InstanceType<typeof import('./spillway.js').Spillway>} Spillway */

const TOTAL_MS = 30_000
const ATTEMPT_MS = 10_000
const OPTIONS = ['limiter', 'timeout', 'retry', 'breaker', 'bulkhead', 'attemptTimeout']

class HttpPreset {
  /** @type {'http'} */
  kind = 'http'
  #options

  /** @param {unknown} given */
  constructor(given) {
    this.#options = new Options('presets.http()', given, OPTIONS)
    // What is wrong is told where it is written, not where a policy is made.
    this.#timeouts()
    this.#retry()
    Object.freeze(this)
  }

  /**
   * Its strategies, outermost first. Those that are given by options are opened under the policy's name.
   * @param {Spillway} spillway
   * @param {string} name
   */
  strategies(spillway, name) {
    const breaker = this.#options.get('breaker') ?? {}
    const [total, each] = this.#timeouts()
    return [
      this.#primitive('limiter', (options) => spillway.limiter(name, options)),
      total,
      this.#retry(),
      breaker === false ? [] : isOpen(breaker, 'breaker') ? breaker : spillway.breaker(name, breaker),
      this.#primitive('bulkhead', (options) => spillway.bulkhead(name, options)),
      each,
    ].flat()
  }

  /**
   * @param {'limiter' | 'bulkhead'} kind
   * @param {(options: any) => object} open
   */
  #primitive(kind, open) {
    const given = this.#options.get(kind)
    if (given === undefined || given === false) return []
    return isOpen(given, kind) ? given : open(given)
  }

  /** Of the whole call and of each attempt, which by default has one where it is the shorter. */
  #timeouts() {
    const total = this.#milliseconds('timeout', TOTAL_MS)
    const own = this.#options.get('attemptTimeout') !== undefined
    const each = own || total > ATTEMPT_MS ? this.#milliseconds('attemptTimeout', ATTEMPT_MS) : Infinity
    return [total, each].map((milliseconds) => (milliseconds === Infinity ? [] : timeout(milliseconds)))
  }

  /**
   * @param {'timeout' | 'attemptTimeout'} option
   * @param {number} fallback
   */
  #milliseconds(option, fallback) {
    return this.#options.get(option) === false ? Infinity : this.#options.duration(option, { fallback })
  }

  #retry() {
    const given = this.#options.get('retry') ?? {}
    return given === false ? [] : retry(/** @type {any} */ (given))
  }
}

/**
 * @param {any} given
 * @param {string} kind
 */
function isOpen(given, kind) {
  return typeof given === 'object' && given !== null && given.kind === kind
}

/** @param {import('../index').HttpPresetOptions} [options] */
function http(options) {
  return new HttpPreset(options)
}

module.exports = { HttpPreset, http }
