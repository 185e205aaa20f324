// Owns the Express face, on nothing but what node:http gives: limit() before a handler, refusals() behind them all.
// Never keeps state of its own and never turns an error that is not a refusal into an answer.
'use strict'

const { Refusal, isRefusal } = require('../lib/refusals.js')
const { RateLimitFields } = require('./ratelimit-fields.js')
const { termsOf, requireKey } = require('./charge.js')
const { problemOf, OF_THE_UNSENT_BODY } = require('./problem.js')

/**
 * @typedef {import('node:http').IncomingMessage} Request
 * @typedef {import('node:http').ServerResponse} Response
 * @typedef {(error?: unknown) => void} Next
 * @typedef {import('../index').Decision} Decision
 * @typedef {import('../index').Refusal} Refused
 * @typedef {InstanceType<typeof RateLimitFields>} Fields
 * @typedef {import('../index').Limiter<import('../index').Mode>} Limiter
 * @typedef {import('./charge.js').Terms<(req: any) => string, number | ((req: any) => number)>} Terms
 */

/**
 * Middleware that charges each request to `limiter` and answers 429 by itself when it is over.
 * @param {Limiter} limiter
 * @param {Terms} options
 */
function limit(limiter, options) {
  const caller = 'limit(limiter, { key })'
  const { keyOf, cost, costOf, headers } = termsOf(caller, limiter, options)
  const fields = headers ? new RateLimitFields(limiter) : undefined

  /** @type {(decision: Decision, res: Response, next: Next) => void} */
  function conclude(decision, res, next) {
    if (fields !== undefined && !res.headersSent) tell(res, fields, decision)
    if (decision.ok) next()
    else refuse(Refusal.of(decision), res, next)
  }

  /** @type {(req: Request, res: Response, next: Next) => void} */
  return function spillwayLimit(req, res, next) {
    const key = requireKey(caller, keyOf(req))
    const answer = limiter.consume(key, costOf === undefined ? cost : costOf(req))
    if ('then' in answer) answer.then((decision) => conclude(decision, res, next)).then(undefined, next)
    else conclude(answer, res, next)
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

/** Several limits may guard one route: each adds its member to the two lists. */
function tell(/** @type {Response} */ res, /** @type {Fields} */ fields, /** @type {Decision} */ decision) {
  const before = res.getHeader('RateLimit-Policy')
  const member = fields.limit(decision)
  if (before === undefined) {
    res.setHeader('RateLimit-Policy', fields.policy)
    res.setHeader('RateLimit', member)
  } else {
    res.setHeader('RateLimit-Policy', `${before}, ${fields.policy}`)
    res.setHeader('RateLimit', `${res.getHeader('RateLimit')}, ${member}`)
  }
}

function refuse(/** @type {Refused} */ refusal, /** @type {Response} */ res, /** @type {Next} */ next) {
  // Half an answer cannot be taken back; the framework then cuts the connection.
  if (res.headersSent) {
    next(refusal)
    return
  }
  const { status, fields, body } = problemOf(refusal)
  for (const name of OF_THE_UNSENT_BODY) res.removeHeader(name)
  for (const [name, value] of fields) res.setHeader(name, value)
  // Node does not work the length out again once that header was taken away.
  res.setHeader('Content-Length', Buffer.byteLength(body))
  res.statusCode = status
  res.end(body)
}

module.exports = { limit, refusals }
