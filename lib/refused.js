// A "no" on its way through a policy. Owns when it becomes an Error: only when somebody looks at one.
// Never leaves the policy as it is.
'use strict'

const { Refusal, refusalInfo } = require('./refusals.js')

/** @typedef {import('../index').RefusalCode} RefusalCode */

class Refused {
  #message
  #cause
  /** @type {(() => InstanceType<typeof Refusal>) | undefined} */
  #make
  /** @type {InstanceType<typeof Refusal> | undefined} */
  #error
  /** The cause that is on it. @type {unknown} */
  #written

  /**
   * @param {RefusalCode} code
   * @param {string} primitive
   * @param {{ retryAfterMs?: number, message?: string, cause?: unknown, make?: () => InstanceType<typeof Refusal> }} [more]
   * `make` answers the error where there is more to it
   */
  constructor(code, primitive, { retryAfterMs, message, cause, make } = {}) {
    this.code = code
    this.primitive = primitive
    this.retryAfterMs = retryAfterMs
    this.#message = message
    this.#cause = cause
    this.#make = make
  }

  /**
   * Always the same one.
   * @returns {InstanceType<typeof Refusal>}
   */
  error() {
    if (this.#error === undefined) {
      this.#error = this.#make?.() ?? this.#refusal()
      this.#written = this.#make === undefined ? this.#cause : undefined
    }
    // It may have been looked at before it was known.
    if (this.#cause !== this.#written) {
      this.#written = this.#cause
      Object.defineProperty(this.#error, 'cause', {
        value: shownError(this.#cause),
        writable: true,
        configurable: true,
      })
    }
    return this.#error
  }

  /**
   * What an attempt before it ended with: else nobody would ever hear why it came to this.
   * @param {unknown} error
   */
  because(error) {
    this.#cause ??= error
  }

  #refusal() {
    const { code, primitive, retryAfterMs } = this
    const cause = this.#cause === undefined ? undefined : shownError(this.#cause)
    return new Refusal({ code, primitive, retryAfterMs, message: this.#message, cause })
  }

  /** @returns {import('../index').RefusalInfo} */
  info() {
    const info = refusalInfo(this.code, this.primitive, this.retryAfterMs)
    return this.#cause === undefined ? info : { ...info, cause: shownError(this.#cause) }
  }
}

/**
 * What a user sees of what was thrown in a policy.
 * @param {unknown} error
 * @returns {unknown}
 */
function shownError(error) {
  return error instanceof Refused ? error.error() : error
}

module.exports = { Refused, shownError }
