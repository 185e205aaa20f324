// Owns the values of X-RateLimit-Limit, X-RateLimit-Remaining and X-RateLimit-Reset, as GitHub and express-rate-limit send them:
// the reset is a time of day, in seconds since 1970. Never tells a policy: these fields have no room for one.
'use strict'

const { Quotas } = require('./quotas.js')

class LegacyFields {
  #quotas

  /** @param {import('./quotas.js').Limits} limiter */
  constructor(limiter) {
    // What a rested client may spend at once, so that what remains is never above it.
    this.#quotas = new Quotas(limiter, (quotas) => quotas.map(({ burst }) => String(burst)))
  }

  /**
   * Of several limits that guard one route, the tightest is told.
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
    const before = sink.get(target, 'x-ratelimit-remaining')
    if (before != null && decision.ok && Number(before) <= decision.remaining) return
    const reset = Math.ceil(Date.now() / 1000 + quotas[place].seconds(decision))
    sink.set(target, 'X-RateLimit-Limit', told[place])
    sink.set(target, 'X-RateLimit-Remaining', String(decision.remaining))
    sink.set(target, 'X-RateLimit-Reset', String(reset))
  }
}

module.exports = { LegacyFields }
