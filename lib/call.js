// What a guarded function is called with. Never makes a signal nobody reads.
'use strict'

const { misuse, shown } = require('./misuse.js')

class CallContext {
  /** @type {AbortSignal | undefined} */
  #signal

  /** @param {AbortSignal} [parent] the caller's, handed on as it is */
  constructor(parent) {
    this.#signal = parent
  }

  /** The caller's, or one that nobody aborts. */
  get signal() {
    return (this.#signal ??= new AbortController().signal)
  }

  /** A primitive by itself has no deadline, */
  get remainingMs() {
    return Infinity
  }

  /** and makes one attempt. */
  get attempt() {
    return 0
  }
}

/**
 * @param {string} what
 * @param {unknown} fn
 */
function assertFunction(what, fn) {
  if (typeof fn !== 'function') throw misuse('E_FUNCTION', `${what} needs a function to call; got ${shown(fn)}`)
}

/**
 * The signal of call options; throws its reason if it is aborted already.
 * @param {import('../index').CallOptions | undefined} options
 * @returns {AbortSignal | undefined}
 */
function signalOf(options) {
  const signal = options?.signal
  if (signal === undefined || signal === null) return undefined
  if (typeof signal !== 'object' || typeof signal.addEventListener !== 'function') {
    throw misuse('E_OPTION', `\`signal\` must be an AbortSignal; got ${shown(signal)}`, { option: 'signal' })
  }
  if (signal.aborted) throw signal.reason
  return signal
}

module.exports = { CallContext, assertFunction, signalOf }
