// Owns the Hono face: limit() and shed() as middleware, refusals() for app.onError.
// Never imports Hono, never needs the native binding at import, and never turns an error that is not a refusal into an answer.
'use strict'

const { misuse, shown } = require('../lib/misuse.js')
const { Refusal, isRefusal } = require('../lib/refusals.js')
const { charge } = require('./http/charge.js')
const { termsOf } = require('./http/limit-options.js')
const { FORBIDDEN, OF_THE_UNSENT_BODY, problemOf } = require('./http/problem.js')
const { told, watched, withRetryAfter } = require('./http/response.js')
const { sheddingOf } = require('./http/shedding.js')

/**
 * @typedef {any} Context Hono's
 * @typedef {() => Promise<void>} Next
 */

/**
 * Middleware that charges each request to `limiter` and answers 429 by itself when it is over.
 * @param {import('./http/limit-options.js').Limiter} limiter
 * @param {unknown} options
 */
function limit(limiter, options) {
  const terms = termsOf('limit(limiter, { key })', limiter, options)
  const { fields, listed, onLimited } = terms

  /** @type {(c: Context, next: Next) => Promise<Response | void>} */
  return async function spillwayLimit(c, next) {
    const side = listed?.(c)
    if (side === 'deny') return answer(c, FORBIDDEN)
    if (side === 'allow') return next()
    const charged = await charge(terms, c)
    const { decision } = charged
    if (!decision.ok) {
      const response =
        onLimited === undefined || charged.isBlind
          ? answer(c, problemOf(Refusal.of(decision)))
          : withRetryAfter(await onLimited(c, decision), decision.retryAfterMs)
      return told(response, fields, charged)
    }
    const request = c.req.raw
    try {
      await next()
    } catch (error) {
      charged.end(500, request?.signal?.aborted === true)
      throw error
    }
    // Nobody has answered, as Hono will say.
    if (!c.finalized) return undefined
    const response = told(watched(c.res, charged, request), fields, charged)
    if (response !== c.res) {
      // Hono would add the fields of the response that is there to those of the one that takes its place.
      c.res = undefined
      c.res = response
    }
    return undefined
  }
}

/**
 * Middleware that answers 503 by itself while `guard` sheds load.
 * @param {import('./http/shedding.js').Guard} guard
 * @param {unknown} [options]
 */
function shed(guard, options) {
  const shedOf = sheddingOf('shed(guard)', guard, options)

  /** @type {(c: Context, next: Next) => Promise<Response | void>} */
  return async function spillwayShed(c, next) {
    const shed = shedOf(c)
    return shed === null ? next() : answer(c, shed.problem)
  }
}

/**
 * For app.onError: answers a Refusal; what to answer to every other error, `otherwise` says.
 * @param {(error: any, c: Context) => Response | Promise<Response>} otherwise
 */
function refusals(otherwise) {
  if (typeof otherwise !== 'function') {
    const rule = 'must be a function (error, c) => Response, what app.onError would be given without Spillway'
    throw misuse('E_OPTION', `refusals(otherwise): otherwise ${rule}; got ${shown(otherwise)}`)
  }
  /** @type {(error: unknown, c: Context) => Response | Promise<Response>} */
  return function spillwayRefusals(error, c) {
    return isRefusal(error) ? answer(c, problemOf(error)) : otherwise(error, c)
  }
}

/** Through the context, so that what other middleware said of every answer, as CORS is, is said of this one too. @returns {Response} */
function answer(/** @type {Context} */ c, /** @type {import('./http/problem.js').Problem} */ { status, fields, body }) {
  // Hono lets what was said before win over what a response says.
  for (const name of OF_THE_UNSENT_BODY) c.header(name, undefined)
  for (const [name] of fields) c.header(name, undefined)
  return c.body(body, status, Object.fromEntries(fields))
}

module.exports = { limit, shed, refusals }
