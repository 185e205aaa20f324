// Owns the face for Web handlers, Request in and Response out: Next route handlers, Hono, Bun, Deno.
// Never needs the native binding, Node's http or a global at import, so it loads in edge and browser bundles too.
'use strict'

const { Refusal, isRefusal } = require('../lib/refusals.js')
const { RateLimitFields } = require('./ratelimit-fields.js')
const { termsOf, requireHandler, requireKey } = require('./charge.js')
const { problemOf } = require('./problem.js')

/**
 * @typedef {(request: Request, ...rest: any[]) => Response | Promise<Response>} Handler
 * @typedef {import('../index').Decision} Decision
 * @typedef {import('../index').Refusal} Refused
 * @typedef {InstanceType<typeof RateLimitFields>} Fields
 * @typedef {import('../index').Limiter<import('../index').Mode>} Limiter
 * @typedef {import('./charge.js').Terms<
 *   (request: any, ...rest: any[]) => string | Promise<string>,
 *   number | ((request: any, ...rest: any[]) => number)
 * >} Terms
 */

/**
 * Charges each request to `limiter` before `handler` sees it, and answers refusals, its own and those of the handler.
 * @param {Handler} handler
 * @param {Limiter} limiter
 * @param {Terms} options
 */
function limited(handler, limiter, options) {
  const caller = 'limited(handler, limiter, { key })'
  requireHandler(caller, handler)
  const { keyOf, cost, costOf, headers } = termsOf(caller, limiter, options)
  const fields = headers ? new RateLimitFields(limiter) : undefined

  return named(
    handler,
    /** @this {unknown} @param {Request} request @param {unknown[]} rest @returns {Promise<Response>} */
    async function (request, ...rest) {
      const key = requireKey(caller, await keyOf(request, ...rest))
      const units = costOf === undefined ? cost : costOf(request, ...rest)
      const decision = await limiter.consume(key, units)
      const response = decision.ok
        ? await answered(handler, this, request, rest)
        : problemResponse(Refusal.of(decision))
      return fields === undefined ? response : told(response, fields, decision)
    },
  )
}

/**
 * Answers the Refusals that `handler` throws; every other error goes on as it came.
 * @param {Handler} handler
 */
function refusals(handler) {
  requireHandler('refusals(handler)', handler)
  return named(
    handler,
    /** @this {unknown} @param {Request} request @param {unknown[]} rest @returns {Promise<Response>} */
    async function (request, ...rest) {
      return answered(handler, this, request, rest)
    },
  )
}

/** @type {(handler: Handler, self: unknown, request: Request, rest: unknown[]) => Promise<Response>} */
async function answered(handler, self, request, rest) {
  try {
    return await handler.call(self, request, ...rest)
  } catch (error) {
    if (isRefusal(error)) return problemResponse(error)
    throw error
  }
}

function problemResponse(/** @type {Refused} */ refusal) {
  const { status, fields, body } = problemOf(refusal)
  return new Response(body, { status, headers: fields })
}

/** @type {(response: Response, fields: Fields, decision: Decision) => Response} */
function told(response, fields, decision) {
  // Nothing to write on: an upgrade, Response.error(), or a handler that forgot to answer, as its framework will say.
  if (response?.headers === undefined || response.status < 200) return response
  const member = fields.limit(decision)
  const before = response.headers.get('RateLimit-Policy')
  // A member of this very policy is from an earlier request that was answered with the same object.
  const more = before !== null && before !== fields.policy
  const policy = more ? `${before}, ${fields.policy}` : fields.policy
  const limit = more ? `${response.headers.get('RateLimit')}, ${member}` : member
  const writable = withHeader(response, 'RateLimit-Policy', policy)
  writable.headers.set('RateLimit', limit)
  return writable
}

/** Headers of Response.redirect() and of a fetched response are immutable: those responses are answered as a copy. */
function withHeader(/** @type {Response} */ response, /** @type {string} */ name, /** @type {string} */ value) {
  try {
    response.headers.set(name, value)
    return response
  } catch {
    const copy = new Response(response.body, response)
    copy.headers.set(name, value)
    return copy
  }
}

/**
 * The wrapper goes by the handler's name, in stack traces and wherever a framework looks at it.
 * @template {Function} F
 * @param {Function} handler
 * @param {F} wrapper
 * @returns {F}
 */
function named(handler, wrapper) {
  return Object.defineProperty(wrapper, 'name', { value: handler.name, configurable: true })
}

module.exports = { limited, refusals }
