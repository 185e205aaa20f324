// Owns the face for Web handlers, Request in and Response out: Next route handlers, Bun, Deno, whatever speaks Fetch.
// Never needs the native binding, Node's http or a global at import, so it loads in edge and browser bundles too.
'use strict'

const { misuse, shown } = require('../lib/misuse.js')
const { Refusal, isRefusal } = require('../lib/refusals.js')
const { charge } = require('./http/charge.js')
const { termsOf } = require('./http/limit-options.js')
const { FORBIDDEN, problemOf } = require('./http/problem.js')
const { problemResponse, told, watched, withRetryAfter } = require('./http/response.js')
const { sheddingOf } = require('./http/shedding.js')

/**
 * @typedef {(request: Request, ...rest: any[]) => Response | Promise<Response>} Handler
 * @typedef {import('./http/limit-options.js').Terms} Terms
 * @typedef {import('./http/charge.js').Charged} Charged
 */

/**
 * Charges each request to `limiter` before `handler` sees it, and answers refusals, its own and those of the handler.
 * @param {Handler} handler
 * @param {import('./http/limit-options.js').Limiter} limiter
 * @param {unknown} options
 */
function limited(handler, limiter, options) {
  const caller = 'limited(handler, limiter, { key })'
  requireHandler(caller, handler)
  const terms = termsOf(caller, limiter, options)

  return named(
    handler,
    /** @this {unknown} @param {Request} request @param {unknown[]} rest @returns {Promise<Response>} */
    async function (request, ...rest) {
      const side = terms.listed?.(request, rest)
      if (side === 'deny') return problemResponse(FORBIDDEN)
      if (side === 'allow') return answered(handler, this, request, rest)
      const charged = await charge(terms, request, rest)
      const response = charged.decision.ok
        ? await carriedOut(handler, this, request, rest, charged)
        : await denied(terms, request, rest, charged)
      return told(response, terms.fields, charged)
    },
  )
}

/**
 * Answers 503 while `guard` sheds load, without calling the handler.
 * @param {Handler} handler
 * @param {import('./http/shedding.js').Guard} guard
 * @param {unknown} [options]
 */
function shedding(handler, guard, options) {
  const caller = 'shedding(handler, guard)'
  requireHandler(caller, handler)
  const shedOf = sheddingOf(caller, guard, options)

  return named(
    handler,
    /** @this {unknown} @param {Request} request @param {unknown[]} rest @returns {Promise<Response>} */
    async function (request, ...rest) {
      const shed = shedOf(request, ...rest)
      return shed !== null ? problemResponse(shed.problem) : answered(handler, this, request, rest)
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
    if (isRefusal(error)) return problemResponse(problemOf(error))
    throw error
  }
}

/** @type {(handler: Handler, self: unknown, request: Request, rest: unknown[], charged: Charged) => Promise<Response>} */
async function carriedOut(handler, self, request, rest, charged) {
  try {
    return watched(await answered(handler, self, request, rest), charged, request)
  } catch (error) {
    charged.end(500, request?.signal?.aborted === true)
    throw error
  }
}

/** @type {(terms: Terms, request: Request, rest: unknown[], charged: Charged) => Promise<Response>} */
async function denied(terms, request, rest, { decision, isBlind }) {
  if (terms.onLimited === undefined || isBlind) return problemResponse(problemOf(Refusal.of(decision)))
  return withRetryAfter(await terms.onLimited(request, decision, ...rest), decision.retryAfterMs)
}

/** A wrapper around what is not a function would fail at the first request rather than here. */
function requireHandler(/** @type {string} */ caller, /** @type {unknown} */ handler) {
  if (typeof handler === 'function') return
  throw misuse(
    'E_OPTION',
    `${caller}: the handler must be a function from a Request to a Response; got ${shown(handler)}`,
  )
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

module.exports = { limited, shedding, refusals }
