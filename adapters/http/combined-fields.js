// Owns the values of RateLimit-Policy and RateLimit as draft-ietf-httpapi-ratelimit-headers-07 had them: one field with
// limit, remaining and reset. Never tells a name: that draft has none.
'use strict'

const { Quotas } = require('./quotas.js')

class CombinedFields {
  #quotas

  /** @param {import('./quotas.js').Limits} limiter */
  constructor(limiter) {
    this.#quotas = new Quotas(limiter, (quotas) => ({
      policy: quotas.map(policyOf).join(', '),
      // What a rested client may spend at once, so that `remaining` is never above it.
      prefixes: quotas.map(({ burst }) => `limit=${burst}, remaining=`),
    }))
  }

  /**
   * Of several limits that guard one route all policies are told, and what is left of the tightest.
   * @template T
   * @param {import('./ratelimit-fields.js').Sink<T>} sink
   * @param {T} target
   * @param {import('./quotas.js').Decision} decision
   * @param {import('./quotas.js').Override} [override]
   */
  tell(sink, target, decision, override) {
    const plan = this.#quotas.of(override)
    const place = this.#quotas.speaking(plan, decision)
    if (place < 0) return
    const { quotas, told } = plan
    const before = sink.get(target, 'ratelimit-policy')
    const alone = before == null || before === told.policy
    sink.set(target, 'RateLimit-Policy', alone ? told.policy : `${before}, ${told.policy}`)
    if (!alone && decision.ok && remainingIn(sink.get(target, 'ratelimit')) <= decision.remaining) return
    const reset = quotas[place].seconds(decision)
    sink.set(target, 'RateLimit', `${told.prefixes[place]}${decision.remaining}, reset=${reset}`)
  }
}

/** NaN, which is smaller than nothing, where another program wrote something else. */
function remainingIn(/** @type {unknown} */ field) {
  return Number(/remaining=(\d+)/.exec(String(field))?.[1])
}

/** @type {(quota: { limit: number, burst: number, windowSeconds: number }) => string} */
function policyOf({ limit, burst, windowSeconds }) {
  return burst === limit ? `${limit};w=${windowSeconds}` : `${limit};w=${windowSeconds};burst=${burst}`
}

module.exports = { CombinedFields }
