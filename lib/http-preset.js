// The standard order around calls over HTTP: limiter, total timeout, retry, breaker, attempt timeout. Owns its figures.
// Never opens anything before a policy is made of it.
'use strict'

const { Options } = require('./options.js')
const { retry } = require('./retry.js')
const { timeout } = require('./timeout.js')

/** @typedef {InstanceType<typeof import('./spillway.js').Spillway>} Spillway */

const OPTIONS = ['limiter', 'timeout', 'retry', 'breaker', 'bulkhead', 'attemptTimeout']

class HttpPreset {
  /** @type {'http'} */
  kind = 'http'
  #options

  /** @param {unknown} given */
  constructor(given) {
    this.#options = new Options('presets.http()', given, OPTIONS)
    // What is wrong is told where it is written, not where a policy is made.
    this.#timeout('timeout', '30s')
    this.#timeout('attemptTimeout', '10s')
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
    return [
      this.#primitive('limiter', (options) => spillway.limiter(name, options)),
      this.#timeout('timeout', '30s'),
      this.#retry(),
      breaker === false ? [] : isOpen(breaker, 'breaker') ? breaker : spillway.breaker(name, breaker),
      this.#primitive('bulkhead', (options) => spillway.bulkhead(name, options)),
      this.#timeout('attemptTimeout', '10s'),
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

  /**
   * @param {'timeout' | 'attemptTimeout'} option
   * @param {string} fallback
   */
  #timeout(option, fallback) {
    const given = this.#options.get(option) ?? fallback
    return given === false ? [] : timeout(given)
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
