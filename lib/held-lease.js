// A lease in a user's hands. Owns that it ends once: by release, or because it was lost. Never ends because it is collected: whoever
// holds one for the life of the process need not keep it in reach.
'use strict'

/** @typedef {InstanceType<typeof import('./rights.js').Rights>} Rights */
/** @typedef {import('./rights.js').Right} Right */

class HeldLease {
  #rights
  #right
  #hear
  /** @type {AbortController | undefined} */
  #controller
  /** Why the signal is aborted; undefined while it is not. @type {unknown} */
  #ended
  /** @type {Promise<void> | undefined} */
  #released
  #parent
  #follow = () => this.#abort(this.#parent?.reason)

  /**
   * @param {Rights} rights
   * @param {Right} right
   * @param {string | undefined} key
   * @param {AbortSignal | undefined} parent what else aborts the signal, for as long as it is held
   * @param {{ onLost: () => unknown, onOver: (held: HeldLease) => void }} hear who is told of its end; of a loss answers the reason
   */
  constructor(rights, right, key, parent, hear) {
    this.#rights = rights
    this.#right = right
    this.#parent = parent
    this.#hear = hear
    this.key = key
    this.fence = right.fence
    this.tookOver = right.tookOver
    parent?.addEventListener('abort', this.#follow, { once: true })
    rights.watch(right, () => this.#lost())
  }

  /**
   * What it was had by has ended: it is given back, and to its holder it is lost.
   * @param {HeldLease} held
   */
  static end(held) {
    if (held.#released !== undefined) return
    const released = held.#rights.release(held.#right)
    released.catch(() => {})
    held.#lost()
  }

  get token() {
    return this.#rights.tokenOf(this.#right)
  }

  get signal() {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#ended !== undefined) this.#controller.abort(this.#ended)
    }
    return this.#controller.signal
  }

  get expiresInMs() {
    return this.#released === undefined ? this.#rights.leftMs(this.#right) : 0
  }

  /** @returns {Promise<boolean>} */
  async renew() {
    if (this.#released !== undefined) return false
    const held = await this.#rights.renew(this.#right)
    // Where the store cannot be asked it is held for as long as it was.
    return held ?? this.expiresInMs > 0
  }

  /** @returns {Promise<void>} */
  release() {
    if (this.#released !== undefined) return this.#released
    this.#over()
    return (this.#released = this.#rights.release(this.#right))
  }

  [Symbol.dispose]() {
    void this.release()
  }

  [Symbol.asyncDispose]() {
    return this.release()
  }

  #lost() {
    // Released a moment ago, and the letter was on its way already.
    if (this.#released !== undefined) return
    this.#released = Promise.resolve()
    this.#over()
    this.#abort(this.#hear.onLost())
  }

  #over() {
    this.#parent?.removeEventListener('abort', this.#follow)
    this.#hear.onOver(this)
  }

  /** @param {unknown} reason */
  #abort(reason) {
    this.#ended ??= reason
    this.#controller?.abort(reason)
  }
}

module.exports = { HeldLease }
