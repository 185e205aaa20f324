// Owns the course of one call of a handler: limit, cache, runners, handler, and how each hands on signal and key.
// Never decides: whether a call goes on is up to what stands around the handler.
'use strict'

const { CallContext } = require('../../lib/call.js')
const { convexErrorOf, ownCopy } = require('./convex-error.js')

/**
 * @typedef {(ctx: any, args: any, call: HandlerCall) => any} Handler
 * @typedef {import('../../index').LoadContext} LoadContext
 * @typedef {{ readonly signal: AbortSignal }} Call
 * @typedef {{ perKey?: boolean, run(fn: (call: Call) => any, options?: { signal?: AbortSignal, key?: string }): Promise<any> }} Runner
 *
 * @typedef {object} Kept
 * @property {import('../../index').Cache<any, import('../../index').Mode>} cache
 * @property {(...args: any[]) => any} keyOf
 * @property {{ ttl: number } | undefined} ttl
 *
 * @typedef {object} Guards what stands around a handler, the first outermost
 * @property {InstanceType<typeof import('../http/call-limit.js').CallLimit>} [limit]
 * @property {Kept} [kept]
 * @property {readonly Runner[]} [runners]
 * @property {import('./convex-error.js').ErrorClass} [ConvexError]
 */

/** What a handler is told of its call, whatever it runs under. */
class HandlerCall {
  #call

  /**
   * @param {Call} call
   * @param {LoadContext | undefined} load
   */
  constructor(call, load) {
    this.#call = call
    // A function of its own: handlers take their parameters apart.
    this.ttl = (/** @type {import('../../index').Duration} */ duration) => load?.ttl(duration)
  }

  get signal() {
    return this.#call.signal
  }
}

class GuardedHandler {
  #handler
  #limit
  #kept
  #runners
  #ConvexError

  /**
   * @param {Handler} handler
   * @param {Guards} guards
   */
  constructor(handler, { limit, kept, runners = [], ConvexError }) {
    this.#handler = handler
    this.#limit = limit
    this.#kept = kept
    this.#runners = runners
    this.#ConvexError = ConvexError
  }

  /**
   * @param {unknown} ctx
   * @param {unknown} args
   * @returns {Promise<any>}
   */
  async call(ctx, args) {
    try {
      if (this.#limit === undefined) return await this.#answer(ctx, args, undefined)
      return await this.#limit.run([ctx, args], (key) => this.#answer(ctx, args, key))
    } catch (error) {
      throw convexErrorOf(this.#kept === undefined ? error : ownCopy(error), this.#ConvexError)
    }
  }

  /**
   * @param {unknown} ctx
   * @param {unknown} args
   * @param {string | undefined} key who was charged
   */
  async #answer(ctx, args, key) {
    const kept = this.#kept
    if (kept === undefined) return this.#run(0, ctx, args, key)
    const name = await kept.keyOf(ctx, args)
    return kept.cache.getOrSet(name, (load) => this.#run(0, ctx, args, key, load, load), kept.ttl)
  }

  /**
   * Runs the rest of the way inwards.
   * @param {number} at how many runners it is inside of
   * @param {unknown} ctx
   * @param {unknown} args
   * @param {string | undefined} key
   * @param {Call} [call] of the next one outwards
   * @param {LoadContext} [load]
   * @returns {Promise<any>}
   */
  async #run(at, ctx, args, key, call, load) {
    if (at === this.#runners.length) return this.#handler(ctx, args, new HandlerCall(call ?? new CallContext(), load))
    const inwards = (/** @type {Call} */ inner) => this.#run(at + 1, ctx, args, key, inner, load)
    const runner = this.#runners[at]
    // A breaker or a bulkhead of all keys takes none.
    return runner.run(inwards, { signal: call?.signal, key: runner.perKey === false ? undefined : key })
  }
}

module.exports = { GuardedHandler }
