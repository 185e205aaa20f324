// Owns the HTTP answer to a refusal: 429, 503 or 504, Retry-After, and problem details (RFC 9457).
// Never decides anything: the refusal already says what happened.
'use strict'

const { retryAfterSeconds } = require('./ratelimit-fields.js')

/** @typedef {import('../index').Refusal} Refusal */

// What a handler had already said about the body it then did not send.
const OF_THE_UNSENT_BODY = [
  'Accept-Ranges',
  'Content-Disposition',
  'Content-Encoding',
  'Content-Language',
  'Content-Length',
  'Content-Range',
  'ETag',
  'Expires',
  'Last-Modified',
  'Transfer-Encoding',
]

/**
 * @param {Refusal} refusal
 * @returns {{ status: number, fields: [name: string, value: string][], body: string }}
 */
function problemOf(refusal) {
  const retryAfter = retryAfterSeconds(refusal.retryAfterMs)
  // A Cache-Control of the handler's, meant for its answer, would let caches keep the refusal; this takes its place.
  /** @type {[string, string][]} */
  const fields = [
    ['Content-Type', 'application/problem+json'],
    ['Cache-Control', 'no-store'],
  ]
  if (retryAfter !== undefined) fields.push(['Retry-After', String(retryAfter)])
  return { status: refusal.status, fields, body: JSON.stringify(refusal.toProblem()) }
}

module.exports = { problemOf, OF_THE_UNSENT_BODY }
