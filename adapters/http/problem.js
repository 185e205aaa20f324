// Owns the HTTP answer to who is not let through: 403, 429, 503 or 504, Retry-After, and problem details (RFC 9457).
// Never decides anything: the refusal already says what happened.
'use strict'

const { retryAfterSeconds } = require('./ratelimit-fields.js')

/**
 * @typedef {import('../../index').Refusal} Refusal
 * @typedef {{ status: number, fields: [name: string, value: string][], body: string }} Problem
 */

// What a handler had already said about the body it then did not send. In lower case, which saves Node making it so.
const OF_THE_UNSENT_BODY = [
  'accept-ranges',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-length',
  'content-range',
  'etag',
  'expires',
  'last-modified',
  'transfer-encoding',
]

const CONTENT_TYPE = 'application/problem+json'

/**
 * @param {Refusal} refusal
 * @returns {Problem}
 */
function problemOf(refusal) {
  const problem = answer(refusal.status, refusal.toProblem())
  const retryAfter = retryAfterSeconds(refusal.retryAfterMs)
  if (retryAfter !== undefined) problem.fields.push(['Retry-After', String(retryAfter)])
  return problem
}

/** @type {Problem} */
const FORBIDDEN = answer(403, {
  type: 'about:blank',
  title: 'Forbidden',
  status: 403,
  detail: 'this client is not served here',
})

/**
 * @param {number} status
 * @param {object} details
 * @returns {Problem}
 */
function answer(status, details) {
  return {
    status,
    // A Cache-Control of the handler's, meant for its answer, would let caches keep the refusal; this takes its place.
    fields: [
      ['Content-Type', CONTENT_TYPE],
      ['Cache-Control', 'no-store'],
    ],
    body: JSON.stringify(details),
  }
}

module.exports = { problemOf, FORBIDDEN, OF_THE_UNSENT_BODY }
