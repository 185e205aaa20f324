// One call through a policy, or a part of it that can be aborted by itself. Owns its signal, its deadlines, and what goes on after
// it was answered. Never makes a signal nobody reads, and leaves no listener behind on the caller's.
'use strict'

const deadlines = require('./deadlines.js')

/** @typedef {import('./deadlines.js').Deadline} Deadline */
/**
 * What the caller asked for, the same for every part of the call.
 * @typedef {object} Request
 * @property {(call: any) => unknown} fn
 * @property {string | undefined} key
 * @property {number} cost
 * @property {import('../index').Priority | undefined} priority
 */

class Scope {
  #parent
  /** The caller's signal, in the outermost scope alone. */
  #source
  #request
  #attempt
  /** @type {Deadline | undefined} */
  #deadline
  /** @type {{ reason: unknown } | undefined} */
  #aborted
  /** @type {AbortController | undefined} */
  #controller
  /** @type {Set<(reason: unknown) => void> | undefined} */
  #listeners
  /** @type {(() => void) | undefined} */
  #unlink
  #ended = false
  /** Functions that run on though they were answered for: of this scope and those within. */
  #leftBehind = 0
  /** @type {(() => void) | undefined} */
  #onQuiet

  /**
   * @param {Request} request
   * @param {Scope | undefined} parent
   * @param {AbortSignal | undefined} source
   * @param {number} attempt
   */
  constructor(request, parent, source, attempt) {
    this.#request = request
    this.#parent = parent
    this.#source = source
    this.#attempt = attempt
  }

  /**
   * @param {Scope} scope
   * @returns {Request}
   */
  static request(scope) {
    return scope.#request
  }

  /** For the function that is guarded: aborted by the caller, a timeout, or a hedge that another attempt has overtaken. */
  get signal() {
    // Without anything of ours that could abort it, the caller's own is handed on.
    if (this.#parent === undefined) return (this.#source ??= new AbortController().signal)
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      const aborted = Scope.abortedBy(this)
      if (aborted !== undefined) this.#controller.abort(aborted.reason)
      else Scope.onAbort(this, () => {})
    }
    return this.#controller.signal
  }

  /** Milliseconds until the nearest deadline around this call; Infinity without one, 0 when it is over. */
  get remainingMs() {
    /** @type {Scope | undefined} */
    let scope = this
    let at = Infinity
    for (; scope !== undefined; scope = scope.#parent) {
      if (scope.#deadline !== undefined && scope.#deadline.at < at) at = scope.#deadline.at
    }
    return at === Infinity ? at : Math.max(0, at - deadlines.now())
  }

  /** Which attempt this is; 0 is the first. */
  get attempt() {
    return this.#attempt
  }

  /**
   * A part of the call that can be aborted, limited and waited for by itself.
   * @param {Scope} scope
   * @param {number} [attempt]
   */
  static within(scope, attempt = scope.#attempt) {
    return new Scope(scope.#request, scope, undefined, attempt)
  }

  /**
   * @param {Scope} scope
   * @param {Deadline} deadline
   */
  static limit(scope, deadline) {
    scope.#deadline = deadline
  }

  /**
   * What aborted it, or anything around it.
   * @param {Scope} scope
   * @returns {{ reason: unknown } | undefined}
   */
  static abortedBy(scope) {
    /** @type {Scope | undefined} */
    let each = scope
    for (; each !== undefined; each = each.#parent) {
      if (each.#aborted !== undefined) return each.#aborted
      if (each.#source?.aborted) return { reason: each.#source.reason }
    }
    return undefined
  }

  /**
   * @param {Scope} scope
   * @param {unknown} reason
   */
  static abort(scope, reason) {
    if (scope.#aborted !== undefined) return
    scope.#aborted = { reason }
    const listeners = scope.#listeners
    Scope.end(scope)
    scope.#controller?.abort(reason)
    if (listeners !== undefined) for (const listener of listeners) listener(reason)
  }

  /**
   * Tell `listener` when it is aborted, from whichever side.
   * @param {Scope} scope that is not aborted yet
   * @param {(reason: unknown) => void} listener
   * @returns {() => void} takes it off
   */
  static onAbort(scope, listener) {
    scope.#listeners ??= new Set()
    scope.#listeners.add(listener)
    scope.#unlink ??= scope.#link()
    return () => {
      scope.#listeners?.delete(listener)
      if (scope.#listeners?.size === 0) scope.#forget()
    }
  }

  /**
   * It is over: what is around it need not tell it anything any more, nor a signal that is first read from then on.
   * @param {Scope} scope
   */
  static end(scope) {
    scope.#ended = true
    scope.#forget()
  }

  #forget() {
    this.#listeners = undefined
    this.#unlink?.()
    this.#unlink = undefined
  }

  #link() {
    const source = this.#source
    if (this.#ended) return () => {}
    if (this.#parent !== undefined) return Scope.onAbort(this.#parent, (reason) => Scope.abort(this, reason))
    if (source === undefined) return () => {}
    const onAbort = () => Scope.abort(this, source.reason)
    source.addEventListener('abort', onAbort, { once: true })
    return () => source.removeEventListener('abort', onAbort)
  }

  /**
   * It is answered for, and its function runs on: whoever holds something for it must go on holding it.
   * @param {Scope} scope
   */
  static leaveBehind(scope) {
    /** @type {Scope | undefined} */
    let each = scope
    for (; each !== undefined; each = each.#parent) each.#leftBehind++
  }

  /**
   * The function that was left behind has settled.
   * @param {Scope} scope
   */
  static catchUp(scope) {
    /** @type {Scope | undefined} */
    let each = scope
    for (; each !== undefined; each = each.#parent) {
      if (--each.#leftBehind > 0) continue
      const onQuiet = each.#onQuiet
      each.#onQuiet = undefined
      onQuiet?.()
    }
  }

  /**
   * Whether nothing in it runs any more. If something does, `onQuiet` is called once that has settled.
   * @param {Scope} scope
   * @param {() => void} onQuiet
   */
  static isQuiet(scope, onQuiet) {
    if (scope.#leftBehind === 0) return true
    scope.#onQuiet = onQuiet
    return false
  }
}

module.exports = { Scope }
