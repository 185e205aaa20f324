// What run() throws when a call was not let through. Owns codes, statuses and the brand; never depends on native code.
'use strict'

const { misuse, shown } = require('./misuse.js')

/** @typedef {import('../index').RefusalCode} RefusalCode */

// Registered, so that an error of one copy of the package is known by another.
const BRAND = Symbol.for('spillway.refusal')

/** @type {Record<RefusalCode, { status: 429 | 503 | 504, title: string, type: string }>} */
const KINDS = {
  E_LIMITED: kind(429, 'Too many requests', 'quota-exceeded'),
  E_OPEN: kind(503, 'A dependency is failing', 'temporary-reduced-capacity'),
  E_FULL: kind(503, 'Too many calls at the same time', 'temporary-reduced-capacity'),
  E_TIMEOUT: kind(504, 'A dependency took too long'),
  E_RETRY_BUDGET: kind(503, 'Too many retries', 'temporary-reduced-capacity'),
  E_SHED: kind(503, 'The service is overloaded', 'temporary-reduced-capacity'),
  E_SATURATED: kind(503, 'The queue is full', 'temporary-reduced-capacity'),
  E_STORE_UNAVAILABLE: kind(503, 'The limit cannot be checked'),
  E_LEASE_LOST: kind(503, 'A lease was lost'),
}

/**
 * The problem types are those of draft-ietf-httpapi-ratelimit-headers.
 * @param {429 | 503 | 504} status
 * @param {string} title
 * @param {string} [type]
 */
function kind(status, title, type) {
  return { status, title, type: type ? `https://iana.org/assignments/http-problem-types#${type}` : 'about:blank' }
}

/** @type {Record<RefusalCode, (primitive: string) => string>} */
const MESSAGES = {
  E_LIMITED: (name) => `the limit of "${name}" is reached`,
  E_OPEN: (name) => `the breaker "${name}" is open`,
  E_FULL: (name) => `the bulkhead "${name}" is full`,
  E_TIMEOUT: (name) => `"${name}" took too long`,
  E_RETRY_BUDGET: (name) => `the retry budget of "${name}" is spent`,
  E_SHED: (name) => `"${name}" sheds load`,
  E_SATURATED: (name) => `the queue "${name}" is full`,
  E_STORE_UNAVAILABLE: (name) => `the store of "${name}" is unavailable`,
  E_LEASE_LOST: (name) => `the lease "${name}" was lost`,
}

/** Denials that waiting for quota does not change; of those the problem type that says so would tell a client to wait. */
const NOT_FOR_QUOTA = /** @type {const} */ ({
  impossible: (/** @type {string} */ name) => `the cost is more than the limit of "${name}" ever allows`,
  blocked: (/** @type {string} */ name) => `this key of "${name}" is blocked`,
})

class Refusal extends Error {
  /** Whether it is one of those. */
  #notForQuota = false

  /** @param {{ code: RefusalCode, primitive: string, retryAfterMs?: number, message?: string, cause?: unknown }} info */
  constructor({ code, primitive, retryAfterMs, message, cause }) {
    if (!Object.hasOwn(KINDS, code)) {
      const rule = `must be one of ${Object.keys(KINDS).join(', ')}`
      throw misuse('E_OPTION', `\`code\` of a Refusal ${rule}; got ${shown(code)}`, { option: 'code' })
    }
    const text = String(message ?? MESSAGES[code](primitive))
    // Without frames: walking the stack would cost several times the refusal itself, at the very moment there is no time to
    // lose, and would only show where run() was called. Which primitive refused, the message says.
    const limit = Error.stackTraceLimit
    Error.stackTraceLimit = 0
    super(text, cause === undefined ? undefined : { cause })
    Error.stackTraceLimit = limit
    this.code = code
    this.primitive = primitive
    this.status = KINDS[code].status
    if (retryAfterMs !== undefined) this.retryAfterMs = retryAfterMs
  }

  /** @param {import('../index').Decision} decision */
  static of(decision) {
    const { reason, limiter: primitive, retryAfterMs } = decision
    if (reason !== 'impossible' && reason !== 'blocked') {
      const code = reason === 'store-unavailable' ? 'E_STORE_UNAVAILABLE' : 'E_LIMITED'
      return new Refusal({ code, primitive, retryAfterMs })
    }
    const message = NOT_FOR_QUOTA[reason](primitive)
    const refusal = new Refusal({ code: 'E_LIMITED', primitive, retryAfterMs, message })
    refusal.#notForQuota = true
    return refusal
  }

  /** @param {unknown} value */
  static [Symbol.hasInstance](value) {
    // A class of the user's that extends this one is asked the ordinary way.
    return this === Refusal ? isRefusal(value) : Function.prototype[Symbol.hasInstance].call(this, value)
  }

  /** @returns {import('../index').ProblemDetails} */
  toProblem() {
    const { type, title, status } = KINDS[this.code]
    // A copy that somebody made of one has no private fields.
    const unfit = #notForQuota in this && this.#notForQuota
    /** @type {import('../index').ProblemDetails} */
    const problem = { type: unfit ? 'about:blank' : type, title, status, detail: this.message, code: this.code }
    if (this.retryAfterMs !== undefined && Number.isFinite(this.retryAfterMs)) {
      problem.retryAfter = Math.ceil(this.retryAfterMs / 1000)
    }
    if (this.code === 'E_LIMITED' && !unfit) problem['violated-policies'] = [this.primitive]
    return problem
  }
}
Object.defineProperty(Refusal.prototype, 'name', { value: 'Refusal', configurable: true, writable: true })
Object.defineProperty(Refusal.prototype, BRAND, { value: true })

/**
 * @param {unknown} value
 * @returns {value is import('../index').Refusal}
 */
function isRefusal(value) {
  return typeof value === 'object' && value !== null && /** @type {any} */ (value)[BRAND] === true
}

/**
 * The plain data of a refusal, for who wants no Error.
 * @param {RefusalCode} code
 * @param {string} primitive
 * @param {number} [retryAfterMs]
 * @returns {import('../index').RefusalInfo}
 */
function refusalInfo(code, primitive, retryAfterMs) {
  const status = KINDS[code].status
  return retryAfterMs === undefined ? { code, primitive, status } : { code, primitive, status, retryAfterMs }
}

module.exports = { Refusal, isRefusal, refusalInfo }
