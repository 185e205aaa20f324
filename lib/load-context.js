// What a loader is called with, and what it says of its result. Owns that until the load is over.
// Never makes a signal nobody reads, and never looks for an old value nobody asks for.
'use strict'

const { OF, ttlOf } = require('./cache-shape.js')
const { moreTags } = require('./tags.js')

/** @typedef {import('./cache-shape.js').Kept} Kept */

class LoadContext {
  /** @type {number | undefined} */
  #ttlMs
  /** @type {string[] | undefined} */
  #tags
  #previousOf
  /** @type {{ value: unknown } | undefined} */
  #previous
  /** @type {AbortController | undefined} */
  #controller
  /** @type {unknown} */
  #abortedFor

  /**
   * @param {Kept} kept as whoever asked has it
   * @param {() => unknown} previousOf
   */
  constructor({ ttlMs, tags }, previousOf) {
    this.#ttlMs = ttlMs
    this.#tags = tags
    this.#previousOf = previousOf
    // Handed on and taken apart by loaders, as in `({ ttl, tags }) => …`.
    this.ttl = (/** @type {import('../index').Duration} */ duration) => {
      this.#ttlMs = ttlOf(duration)
    }
    this.tags = (/** @type {string[]} */ ...tags) => {
      this.#tags = moreTags(OF, this.#tags, tags)
    }
  }

  get signal() {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#abortedFor !== undefined) this.#controller.abort(this.#abortedFor)
    }
    return this.#controller.signal
  }

  get previous() {
    return (this.#previous ??= { value: this.#previousOf() }).value
  }

  /**
   * @param {LoadContext} context
   * @returns {Kept}
   */
  static kept(context) {
    return { ttlMs: context.#ttlMs, tags: context.#tags }
  }

  /**
   * @param {LoadContext} context
   * @param {unknown} reason
   */
  static abort(context, reason) {
    context.#abortedFor = reason
    context.#controller?.abort(reason)
  }
}

module.exports = { LoadContext }
