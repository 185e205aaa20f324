// Owns the values of RateLimit-Policy and RateLimit, structured fields of draft-ietf-httpapi-ratelimit-headers-11.
// Never touches a request or a response itself, so that every adapter can share it.
'use strict'

const { Quotas } = require('./quotas.js')

/** A String of RFC 9651 holds printable ASCII, with quotes escaped; whatever else is in a name is percent-encoded. */
const quoted = (/** @type {string} */ name) =>
  `"${name.replace(/[^\x20-\x7e]+/g, percentEncoded).replace(/["\\]/g, '\\$&')}"`

// TextEncoder rather than encodeURIComponent: a lone surrogate in a name must not throw while an answer is on its way.
const percentEncoded = (/** @type {string} */ text) =>
  Array.from(new TextEncoder().encode(text), (byte) => '%' + byte.toString(16).toUpperCase().padStart(2, '0')).join('')

/** @typedef {import('./quotas.js').Decision} Decision */

/** Two lists: every policy there is, and what is left of the tightest. What does not change between requests is made once. */
class StructuredFields {
  #quotas

  /** @param {import('./quotas.js').Limits} limiter */
  constructor(limiter) {
    this.#quotas = new Quotas(limiter, (quotas) => ({
      policy: quotas.map(policyOf).join(', '),
      prefixes: quotas.map(({ name }) => `${quoted(name)};r=`),
    }))
  }

  /**
   * Several limits may guard one route: each adds its members to the two lists.
   * @template T
   * @param {import('./ratelimit-fields.js').Sink<T>} sink
   * @param {T} target
   * @param {Decision} decision
   * @param {import('./quotas.js').Override} [override]
   */
  tell(sink, target, decision, override) {
    const plan = this.#quotas.of(override)
    const place = this.#quotas.speaking(plan, decision)
    if (place < 0) return
    const { quotas, told } = plan
    const member = `${told.prefixes[place]}${decision.remaining};t=${quotas[place].seconds(decision)}`
    // Lower case saves Node making it so.
    const before = sink.get(target, 'ratelimit-policy')
    // The same policy told twice is one limit that stands twice on the way: the later answer is the truer one.
    if (before == null || before === told.policy) {
      sink.set(target, 'RateLimit-Policy', told.policy)
      sink.set(target, 'RateLimit', member)
    } else {
      sink.set(target, 'RateLimit-Policy', `${before}, ${told.policy}`)
      sink.set(target, 'RateLimit', `${sink.get(target, 'ratelimit')}, ${member}`)
    }
  }
}

/** @type {(quota: { name: string, limit: number, burst: number, windowSeconds: number }) => string} */
function policyOf({ name, limit, burst, windowSeconds }) {
  const policy = `${quoted(name)};q=${limit};w=${windowSeconds}`
  return burst === limit ? policy : `${policy};spillway-burst=${burst}`
}

module.exports = { StructuredFields }
