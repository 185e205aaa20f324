// Who calls a bulkhead from inside of itself and has to wait there: for a permit that it may hold itself. Owns the warning, one for
// each bulkhead. Never made outside of development: to know who calls from inside of what costs every call.
'use strict'

/** @typedef {{ bulkhead: object, key: string, outer: Frame | undefined }} Frame */

/** @type {import('node:async_hooks').AsyncLocalStorage<Frame> | undefined} */
let frames

class Nesting {
  #bulkhead
  #frames
  #warned = false

  /** @param {{ name: string }} bulkhead */
  constructor(bulkhead) {
    this.#bulkhead = bulkhead
    this.#frames = frames ??= new (require('node:async_hooks').AsyncLocalStorage)()
  }

  /**
   * A function that is known to run inside of this bulkhead.
   * @template {(call: any) => any} F
   * @param {F} fn
   * @param {string} key
   * @returns {F}
   */
  within(fn, key) {
    const inside = (/** @type {any} */ call) => {
      const frame = { bulkhead: this.#bulkhead, key, outer: this.#frames.getStore() }
      return this.#frames.run(frame, () => fn(call))
    }
    return /** @type {F} */ (inside)
  }

  /**
   * Somebody has to wait here.
   * @param {string} key
   */
  waits(key) {
    if (this.#warned) return
    for (let frame = this.#frames.getStore(); frame !== undefined; frame = frame.outer) {
      if (frame.bulkhead !== this.#bulkhead || frame.key !== key) continue
      this.#warned = true
      const { name } = this.#bulkhead
      const message =
        `a function that runs in the bulkhead "${name}" calls it again and has to wait there, while it holds a permit itself: when ` +
        'all permits are held by functions that wait so, none of them ever ends. Call it once, around the whole, or give the inner ' +
        'call a bulkhead of its own'
      process.emitWarning(message, { type: 'SpillwayWarning', code: 'SPILLWAY_BULKHEAD_NESTED' })
      return
    }
  }
}

/** @param {{ name: string }} bulkhead */
function nestingOf(bulkhead) {
  return process.env.NODE_ENV === 'development' ? new Nesting(bulkhead) : undefined
}

module.exports = { nestingOf }
