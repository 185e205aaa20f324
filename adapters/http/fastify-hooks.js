// Owns what Fastify calls on a request's way: limit() and shed() as hooks, refusals() as error handler.
// Never keeps state of its own, and never turns an error that is not a refusal into an answer.
'use strict'

const { misuse, shown } = require('../../lib/misuse.js')
const { Refusal, isRefusal } = require('../../lib/refusals.js')
const { isPromise } = require('./answers.js')
const { charge } = require('./charge.js')
const { onEnd } = require('./ended.js')
const { termsOf } = require('./limit-options.js')
const { FORBIDDEN, OF_THE_UNSENT_BODY, problemOf } = require('./problem.js')
const { retryAfterSeconds } = require('./ratelimit-fields.js')
const { sheddingOf } = require('./shedding.js')

/**
 * @typedef {any} Request Fastify's, of version 4 or 5
 * @typedef {any} Reply
 * @typedef {(error?: unknown) => void} Done
 * @typedef {(request: Request, reply: Reply, done: Done) => void} Hook
 * @typedef {(error: unknown, request: Request, reply: Reply) => unknown} ErrorHandler
 */

/** @type {import('./ratelimit-fields.js').Sink<Reply>} */
const SINK = {
  get: (reply, name) => reply.getHeader(name),
  set: (reply, name, value) => reply.header(name, value),
}

/** Fastify knows who was behind a trusted proxy. */
const addressOf = (/** @type {Request} */ request) => request.ip

/**
 * A hook that charges each request to `limiter` and answers 429 by itself when it is over.
 * @param {import('./limit-options.js').Limiter} limiter
 * @param {unknown} options
 * @returns {Hook}
 */
function limit(limiter, options) {
  return hookOf('limit(limiter, { key })', limiter, options)
}

/** @type {(caller: string, limiter: unknown, options: unknown) => Hook} */
function hookOf(caller, limiter, options) {
  const terms = termsOf(caller, limiter, options, { addressOf })
  const { fields, listed, onLimited } = terms

  /** @type {(charged: import('./charge.js').Charged, request: Request, reply: Reply, done: Done) => void} */
  function conclude(charged, request, reply, done) {
    const { decision } = charged
    // While a key was being looked up, somebody else may have answered.
    const late = reply.sent || reply.raw.headersSent
    if (fields !== undefined && !charged.isBlind) fields.tell(SINK, reply, decision, charged.override)
    if (decision.ok) {
      if (charged.pending) onEnd(reply.raw, charged)
      done()
      return
    }
    const refusal = Refusal.of(decision)
    if (late) {
      done(refusal)
    } else if (onLimited === undefined || charged.isBlind) {
      send(problemOf(refusal), reply)
    } else {
      const retryAfter = retryAfterSeconds(decision.retryAfterMs)
      if (retryAfter !== undefined) reply.header('Retry-After', String(retryAfter))
      reply.code(refusal.status)
      answerWith(onLimited(request, reply, decision), reply, done)
    }
  }

  return function spillwayLimit(request, reply, done) {
    const side = listed?.(request)
    if (side === 'allow') {
      done()
    } else if (side === 'deny') {
      send(FORBIDDEN, reply)
    } else {
      const charged = charge(terms, request)
      if (isPromise(charged)) charged.then((later) => conclude(later, request, reply, done)).then(undefined, done)
      else conclude(charged, request, reply, done)
    }
  }
}

/**
 * A hook that answers 503 by itself while `guard` sheds load.
 * @param {import('./shedding.js').Guard} guard
 * @param {unknown} [options]
 * @returns {Hook}
 */
function shed(guard, options) {
  const shedOf = sheddingOf('shed(guard)', guard, options)

  return function spillwayShed(request, reply, done) {
    const shed = shedOf(request)
    if (shed === null) done()
    else send(shed.problem, reply)
  }
}

/**
 * An error handler that answers a Refusal; every other error goes to `otherwise`, or to the handler of the scope around.
 * @param {ErrorHandler} [otherwise]
 * @returns {ErrorHandler}
 */
function refusals(otherwise) {
  if (otherwise !== undefined && typeof otherwise !== 'function') {
    throw misuse('E_OPTION', `refusals(otherwise): otherwise must be an error handler; got ${shown(otherwise)}`)
  }
  /** @this {unknown} @param {unknown} error @param {Request} request @param {Reply} reply */
  return function spillwayRefusals(error, request, reply) {
    if (isRefusal(error)) {
      send(problemOf(error), reply)
      return reply
    }
    if (otherwise !== undefined) return otherwise.call(this, error, request, reply)
    // Thrown from an error handler, Fastify hands it to the next one.
    throw error
  }
}

/** What a custom answer comes back as: a body, a promise of one (as `reply` is), or nothing where it used `reply` itself. */
function answerWith(/** @type {any} */ body, /** @type {Reply} */ reply, /** @type {Done} */ done) {
  if (isPromise(body)) body.then((later) => answerWith(later, reply, done)).then(undefined, done)
  else if (body !== undefined) reply.send(body)
}

function send(/** @type {import('./problem.js').Problem} */ { status, fields, body }, /** @type {Reply} */ reply) {
  for (const name of OF_THE_UNSENT_BODY) reply.removeHeader(name)
  for (const [name, value] of fields) reply.header(name, value)
  reply.code(status).send(body)
}

module.exports = { hookOf, limit, shed, refusals }
