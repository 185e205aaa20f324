// Owns the honest baselines: the same token bucket on a JavaScript Map, answering with the same Decision.
// Must never be more than a careful author would write: no cap on keys, no checks, no counters, no other thread.
'use strict'

class Decision {
  /**
   * @param {boolean} ok
   * @param {string} reason
   * @param {number} limit
   * @param {number} remaining
   * @param {number} cost
   * @param {number} retryAfterMs
   * @param {number} resetMs
   * @param {string} limiter
   */
  constructor(ok, reason, limit, remaining, cost, retryAfterMs, resetMs, limiter) {
    this.ok = ok
    this.reason = reason
    this.limit = limit
    this.remaining = remaining
    this.cost = cost
    this.retryAfterMs = retryAfterMs
    this.resetMs = resetMs
    this.decidedBy = 'local'
    this.limiter = limiter
  }
}

/** One number per key: what most would write first. Two lookups a call, and a boxed number for each write. */
class MapLimiter {
  /**
   * @param {string} name
   * @param {{ limit: number, windowMs: number }} options
   */
  constructor(name, { limit, windowMs }) {
    this.name = name
    this.limit = limit
    this.period = windowMs / limit
    this.depth = this.period * limit
    /** @type {Map<string, number>} */
    this.cells = new Map()
  }

  /**
   * @param {string} key
   * @param {number} [cost]
   * @returns {Decision}
   */
  consume(key, cost = 1) {
    // The cheapest clock there is. A careful author would pay for one that does not jump when somebody sets the time.
    const now = Date.now()
    const seen = this.cells.get(key)
    const base = seen !== undefined && seen > now ? seen : now
    const tat = base + cost * this.period
    if (tat - now <= this.depth) {
      this.cells.set(key, tat)
      const remaining = Math.floor((this.depth - (tat - now)) / this.period)
      return new Decision(true, 'allowed', this.limit, remaining, cost, 0, Math.ceil(tat - now), this.name)
    }
    const remaining = Math.floor((this.depth - (base - now)) / this.period)
    const retryAfterMs = Math.ceil(tat - this.depth - now)
    return new Decision(false, 'limited', this.limit, remaining, cost, retryAfterMs, Math.ceil(base - now), this.name)
  }
}

/** One object per key, changed in place: what one arrives at who measures. The code is repeated, so that neither shares a profile. */
class CellLimiter {
  /**
   * @param {string} name
   * @param {{ limit: number, windowMs: number }} options
   */
  constructor(name, { limit, windowMs }) {
    this.name = name
    this.limit = limit
    this.period = windowMs / limit
    this.depth = this.period * limit
    /** @type {Map<string, { tat: number }>} */
    this.cells = new Map()
  }

  /**
   * @param {string} key
   * @param {number} [cost]
   * @returns {Decision}
   */
  consume(key, cost = 1) {
    const now = Date.now()
    let cell = this.cells.get(key)
    if (cell === undefined) {
      cell = { tat: now }
      this.cells.set(key, cell)
    }
    const base = cell.tat > now ? cell.tat : now
    const tat = base + cost * this.period
    if (tat - now <= this.depth) {
      cell.tat = tat
      const remaining = Math.floor((this.depth - (tat - now)) / this.period)
      return new Decision(true, 'allowed', this.limit, remaining, cost, 0, Math.ceil(tat - now), this.name)
    }
    const remaining = Math.floor((this.depth - (base - now)) / this.period)
    const retryAfterMs = Math.ceil(tat - this.depth - now)
    return new Decision(false, 'limited', this.limit, remaining, cost, retryAfterMs, Math.ceil(base - now), this.name)
  }
}

module.exports = { MapLimiter, CellLimiter }
