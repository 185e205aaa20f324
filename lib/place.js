// What a handle knows of where it was opened: by which name, on which clock, over which store. Owns how an error of native code reads.
// Never opens anything, and never lets go of anything by itself.
'use strict'

const { misuse } = require('./misuse.js')
const { troubleOf } = require('./native.js')

/** @typedef {import('./native.js').Native} Native */

class Place {
  #dispose

  /**
   * @param {import('./kinds.js').KindName} kind
   * @param {string} name
   * @param {Native} native the calls of the hot path, on the spillway's clock
   * @param {() => number} now milliseconds, for spans
   * @param {() => number} recent the same, as of this turn of the event loop
   * @param {() => number} wall milliseconds since 1970
   * @param {boolean} isManual whether time is told by the user's clock
   * @param {InstanceType<typeof import('./redis-store.js').RedisStore> | undefined} store where its state is, if not in this process
   * @param {(id: number) => void} dispose
   */
  constructor(kind, name, native, now, recent, wall, isManual, store, dispose) {
    this.kind = kind
    this.name = name
    this.native = native
    this.now = now
    this.recent = recent
    this.wall = wall
    this.isManual = isManual
    this.store = store
    /** Answers of Redis; undefined where there is none. */
    this.asks = store?.asks
    this.#dispose = dispose
  }

  /** @param {number} id */
  dispose(id) {
    this.#dispose(id)
  }

  /**
   * A call beside the hot path, whose errors say what has ended.
   * @template R
   * @param {(native: Native) => R} call
   * @returns {R}
   */
  cold(call) {
    try {
      return call(this.native)
    } catch (error) {
      throw faultOf(error, this.kind, this.name)
    }
  }
}

/**
 * A native error as this package throws it.
 * @param {any} error
 * @param {string} kind
 * @param {string} name
 */
function faultOf(error, kind, name) {
  if (error?.code === 'E_DISPOSED')
    return misuse('E_DISPOSED', `the ${kind} "${name}" has been disposed of; open it again`, { Base: Error })
  if (error?.code === 'E_RATE_TOO_FINE' || error?.code === 'E_OPTION')
    return misuse(error.code, error.message, { Base: RangeError })
  if (error?.code === 'E_MISMATCH') return misuse('E_MISMATCH', error.message)
  return error?.code === 'E_INTERNAL' ? troubleOf(kind, name) : error
}

module.exports = { Place }
