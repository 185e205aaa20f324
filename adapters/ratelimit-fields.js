// Owns the values of RateLimit-Policy and RateLimit, structured fields of draft-ietf-httpapi-ratelimit-headers-11.
// Never touches a request or a response, so that every adapter can share it.
'use strict'

/**
 * @typedef {import('../index').Decision} Decision
 * @typedef {Pick<import('../index').Limiter, 'name' | 'limit' | 'windowMs' | 'burst'>} Quota
 */

/** A String of RFC 9651 holds printable ASCII, with quotes escaped; whatever else is in a name is percent-encoded. */
const quoted = (/** @type {string} */ name) =>
  `"${name.replace(/[^\x20-\x7e]+/g, percentEncoded).replace(/["\\]/g, '\\$&')}"`

// TextEncoder rather than encodeURIComponent: a lone surrogate in a name must not throw while an answer is on its way.
const percentEncoded = (/** @type {string} */ text) =>
  Array.from(new TextEncoder().encode(text), (byte) => '%' + byte.toString(16).toUpperCase().padStart(2, '0')).join('')

/** Whole seconds for Retry-After; undefined when waiting does not help. */
function retryAfterSeconds(/** @type {number | undefined} */ milliseconds) {
  return milliseconds === undefined || !Number.isFinite(milliseconds) ? undefined : Math.ceil(milliseconds / 1000)
}

/** The two fields of one limiter. What does not change between requests is made once. */
class RateLimitFields {
  /** @type {string} */ #prefix
  /** @type {number} */ #unitMs
  /** @type {number} */ #burst

  /** @param {Quota} quota */
  constructor({ name, limit, windowMs, burst }) {
    const item = quoted(name)
    this.#prefix = `${item};r=`
    this.#unitMs = windowMs / limit
    this.#burst = burst
    // Windows are told in whole seconds: rounding up promises less than is given, never more.
    const policy = `${item};q=${limit};w=${Math.ceil(windowMs / 1000)}`
    /** @readonly */
    this.policy = burst === limit ? policy : `${policy};spillway-burst=${burst}`
  }

  /**
   * `r` is what may be spent now, `t` for how long it will not be more: the time to the next whole unit. The time to
   * the full burst, which `resetMs` says, would tell a client that has spent all to wait for thirty units when it
   * needs one.
   * @param {Decision} decision
   */
  limit(decision) {
    const { remaining, retryAfterMs } = decision
    // A denial repeats Retry-After, which must not point before the end of `t`.
    const ms =
      retryAfterMs > 0 && retryAfterMs !== Infinity
        ? retryAfterMs
        : decision.resetMs - (this.#burst - remaining - 1) * this.#unitMs
    return this.#prefix + remaining + (ms > 0 ? ';t=' + Math.ceil(ms / 1000) : ';t=0')
  }
}

module.exports = { RateLimitFields, retryAfterSeconds }
