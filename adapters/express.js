// Owns the Express face, on nothing but what node:http gives: limit() and shed() before a handler, refusals() behind them all.
// Never keeps state of its own and never turns an error that is not a refusal into an answer.
'use strict'

const { Refusal, isRefusal } = require('../lib/refusals.js')
const { isPromise } = require('./http/answers.js')
const { charge } = require('./http/charge.js')
const { onEnd } = require('./http/ended.js')
const { termsOf } = require('./http/limit-options.js')
const { FORBIDDEN, OF_THE_UNSENT_BODY, problemOf } = require('./http/problem.js')
const { retryAfterSeconds } = require('./http/ratelimit-fields.js')
const { sheddingOf } = require('./http/shedding.js')

/**
 * @typedef {import('node:http').IncomingMessage} Request
 * @typedef {import('node:http').ServerResponse} Response
 * @typedef {(error?: unknown) => void} Next
 * @typedef {import('./http/charge.js').Charged} Charged
 */

/** @type {import('./http/ratelimit-fields.js').Sink<Response>} */
const SINK = {
  get: (res, name) => res.getHeader(name),
  set: (res, name, value) => res.setHeader(name, value),
}

/** Express answers behind `trust proxy`; without Express there is nobody to trust. */
const addressOf = (/** @type {any} */ req) => req.ip ?? req.socket?.remoteAddress

/**
 * Middleware that charges each request to `limiter` and answers 429 by itself when it is over.
 * @param {import('./http/limit-options.js').Limiter} limiter
 * @param {unknown} options
 */
function limit(limiter, options) {
  const terms = termsOf('limit(limiter, { key })', limiter, options, { addressOf })
  const { fields, listed, onLimited } = terms

  /** @type {(charged: Charged, req: Request, res: Response, next: Next) => void} */
  function conclude(charged, req, res, next) {
    const { decision } = charged
    if (fields !== undefined && !charged.isBlind && !res.headersSent) fields.tell(SINK, res, decision, charged.override)
    if (decision.ok) {
      if (charged.pending) onEnd(res, charged)
      next()
    } else if (onLimited === undefined || charged.isBlind || res.headersSent) {
      refuse(Refusal.of(decision), res, next)
    } else {
      const retryAfter = retryAfterSeconds(decision.retryAfterMs)
      if (retryAfter !== undefined) res.setHeader('Retry-After', retryAfter)
      let answered
      try {
        answered = onLimited(req, res, next, decision)
      } catch (error) {
        next(error)
        return
      }
      if (isPromise(answered)) answered.then(undefined, next)
    }
  }

  /** @type {(req: Request, res: Response, next: Next) => void} */
  return function spillwayLimit(req, res, next) {
    let side, charged
    // Under plain node:http nobody catches what is thrown. What next() throws is not caught: it would be called again.
    try {
      side = listed?.(req)
      if (side === undefined) charged = charge(terms, req)
    } catch (error) {
      next(error)
      return
    }
    if (charged === undefined) {
      if (side === 'allow') next()
      // What somebody else has begun to answer is cut off.
      else if (res.headersSent) res.destroy()
      else send(FORBIDDEN, res)
    } else if (isPromise(charged)) {
      charged.then((later) => conclude(later, req, res, next)).then(undefined, next)
    } else {
      conclude(charged, req, res, next)
    }
  }
}

/**
 * Middleware that answers 503 by itself while `guard` sheds load.
 * @param {import('./http/shedding.js').Guard} guard
 * @param {unknown} [options]
 */
function shed(guard, options) {
  const shedOf = sheddingOf('shed(guard)', guard, options)

  /** @type {(req: Request, res: Response, next: Next) => void} */
  return function spillwayShed(req, res, next) {
    let shed
    try {
      shed = shedOf(req)
    } catch (error) {
      next(error)
      return
    }
    if (shed === null) next()
    else if (res.headersSent) next(shed.refusal)
    else send(shed.problem, res)
  }
}

/**
 * Error middleware that answers a Refusal thrown by a handler; every other error goes on as it came.
 *
 * Express knows error middleware by its four parameters.
 */
function refusals() {
  /** @type {(error: unknown, req: Request, res: Response, next: Next) => void} */
  return function spillwayRefusals(error, _req, res, next) {
    if (isRefusal(error)) refuse(error, res, next)
    else next(error)
  }
}

function refuse(
  /** @type {import('../index').Refusal} */ refusal,
  /** @type {Response} */ res,
  /** @type {Next} */ next,
) {
  // Half an answer cannot be taken back; the framework then cuts the connection.
  if (res.headersSent) next(refusal)
  else send(problemOf(refusal), res)
}

function send(
  /** @type {import('./http/problem.js').Problem} */ { status, fields, body },
  /** @type {Response} */ res,
) {
  for (const name of OF_THE_UNSENT_BODY) res.removeHeader(name)
  for (const [name, value] of fields) res.setHeader(name, value)
  // Node does not work the length out again once that header was taken away.
  res.setHeader('Content-Length', Buffer.byteLength(body))
  res.statusCode = status
  res.end(body)
}

module.exports = { limit, shed, refusals }
