// How a reaction to a failure passes it on. Owns that it costs nothing: a throw would cost half of what the failure itself does.
// Never seen by anybody but the promise it is the answer of.
'use strict'

/** Rejects the promise it is the answer of. */
class Rejected {
  #error

  /** @param {unknown} error */
  constructor(error) {
    this.#error = error
  }

  /**
   * @param {unknown} _resolve
   * @param {(error: unknown) => void} reject
   */
  then(_resolve, reject) {
    reject(this.#error)
  }
}

module.exports = { Rejected }
