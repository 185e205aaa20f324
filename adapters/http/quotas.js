// Owns which quota a decision speaks of, a limiter's own or that of a plan, and for how long it will not be more.
// Never writes a field: how a quota is told is each format's own.
'use strict'

const { milliseconds } = require('../../lib/durations.js')

/**
 * @typedef {import('../../index').Decision} Decision
 * @typedef {import('../../index').LimitOverride} Override
 * @typedef {{ name: string, limit: number, windowMs: number, burst: number, algorithm?: string, shadow?: boolean }} LimitInfo
 * @typedef {LimitInfo & { limits?: readonly LimitInfo[] }} Limits
 */

/**
 * @template T
 * @typedef {{ quotas: Quota[], told: T }} Plan
 */

/** Plans are few; whoever makes up one for each request must not fill the memory. */
const MOST_PLANS = 100

class Quota {
  #algorithm
  #windowMs
  #unitMs

  /** @param {LimitInfo} info */
  constructor({ name, limit, windowMs, burst, algorithm }) {
    this.name = name
    this.limit = limit
    this.burst = burst
    /** Rounding up promises less than is given, never more. */
    this.windowSeconds = Math.ceil(windowMs / 1000)
    this.#algorithm = algorithm
    this.#windowMs = windowMs
    this.#unitMs = windowMs / limit
  }

  /**
   * Whole seconds to wait for more than `remaining`: until the next unit of a token bucket, until the end of a window. The time
   * until all is back, which `resetMs` says, would tell a client that has spent all to wait for thirty units when it needs one.
   * @param {Decision} decision
   */
  seconds({ remaining, retryAfterMs, resetMs }) {
    // A denial repeats Retry-After, which must not point before this time.
    if (retryAfterMs > 0 && retryAfterMs !== Infinity) return Math.ceil(retryAfterMs / 1000)
    // Nothing is spent, so there is nothing to wait for.
    if (resetMs === 0) return 0
    const ms = this.#untilMore(remaining, resetMs)
    return ms > 0 ? Math.ceil(ms / 1000) : 0
  }

  /** @type {(remaining: number, resetMs: number) => number} */
  #untilMore(remaining, resetMs) {
    if (this.#algorithm === 'fixed-window') return resetMs
    // What was spent in this window is forgotten at the end of the next one, and begins to fade at the end of this.
    if (this.#algorithm === 'sliding-window') return resetMs > this.#windowMs ? resetMs - this.#windowMs : resetMs
    return resetMs - (this.burst - remaining - 1) * this.#unitMs
  }
}

/**
 * What a format has to say of each quota, made once for each plan. A limit on trial (`shadow`) is told to nobody: a client that
 * obeyed it would be limited by what is not to limit anybody yet.
 * @template T
 */
class Quotas {
  #limits
  #alone
  #told
  #own
  /** @type {Map<string, Plan<T>>} */
  #plans = new Map()

  /**
   * @param {Limits} limiter
   * @param {(quotas: Quota[]) => T} told
   */
  constructor(limiter, told) {
    const limits = limiter.limits ?? [limiter]
    this.#limits = limits.filter(({ shadow }) => shadow !== true)
    this.#alone = limits.length === 1
    this.#told = told
    this.#own = this.#plan(this.#limits)
  }

  /** @param {Override | undefined} override */
  of(override) {
    if (override === undefined) return this.#own
    const key = `${override.limit} ${override.window} ${override.burst}`
    let plan = this.#plans.get(key)
    if (plan === undefined) {
      if (this.#plans.size >= MOST_PLANS) this.#plans.clear()
      plan = this.#plan(this.#limits.map((info) => overridden(info, override)))
      this.#plans.set(key, plan)
    }
    return plan
  }

  /**
   * Where in the plan the quota is that spoke, the tightest; -1 where one on trial did.
   * @param {Plan<T>} plan
   * @param {Decision} decision
   */
  speaking({ quotas }, decision) {
    return this.#alone ? quotas.length - 1 : quotas.findIndex(({ name }) => name === decision.limiter)
  }

  /** @param {readonly LimitInfo[]} limits @returns {Plan<T>} */
  #plan(limits) {
    const quotas = limits.map((info) => new Quota(info))
    return { quotas, told: this.#told(quotas) }
  }
}

/**
 * The plan as the limiter reads it.
 * @param {LimitInfo} info
 * @param {Override} override
 * @returns {LimitInfo}
 */
function overridden({ name, algorithm, ...own }, { limit, window, burst }) {
  return {
    name,
    algorithm,
    limit: limit ?? own.limit,
    windowMs: window === undefined ? own.windowMs : milliseconds(window),
    burst: burst ?? limit ?? own.burst,
  }
}

module.exports = { Quotas }
