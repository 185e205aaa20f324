// How long to wait before the next attempt. Owns the randomness; never waits.
'use strict'

/**
 * Decorrelated jitter: each wait is drawn between the base and three times the one before, up to the cap. Callers that failed together
 * do not come back together (M. Brooker, Exponential Backoff and Jitter, AWS Architecture Blog, 2015).
 */
class Backoff {
  #baseMs
  #capMs
  #lastMs

  /**
   * @param {number} baseMs
   * @param {number} capMs
   */
  constructor(baseMs, capMs) {
    this.#baseMs = baseMs
    this.#capMs = capMs
    this.#lastMs = baseMs
  }

  next() {
    const spread = Math.max(0, 3 * this.#lastMs - this.#baseMs)
    return (this.#lastMs = Math.min(this.#capMs, this.#baseMs + Math.random() * spread))
  }
}

module.exports = { Backoff }
