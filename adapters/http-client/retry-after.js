// Reads how long a server asks to be left alone (RFC 9110 §10.2.3). Owns what is believed of it.
// Never takes part of a value: what is not written as it should be asks for nothing.
'use strict'

const { httpDate } = require('./http-date.js')

/** Whole seconds in the standard; fractions are seen, and can mean nothing else. */
const SECONDS = /^\d+(?:\.\d+)?$/

/**
 * The wait in milliseconds, above 0 and perhaps Infinity; undefined where none is asked for: no field, one that is no wait, or a
 * wait that is over. A date goes by the server's own clock, if its answer tells the time: it is the distance that was meant.
 * @param {Headers} headers
 * @param {number} now milliseconds since 1970
 * @returns {number | undefined}
 */
function retryAfterMs(headers, now) {
  const asked = headers.get('retry-after')
  if (asked === null) return undefined
  const wait = SECONDS.test(asked) ? Number(asked) * 1_000 : httpDate(asked, now) - timeOf(headers, now)
  return wait > 0 ? wait : undefined
}

/**
 * @param {Headers} headers
 * @param {number} now
 */
function timeOf(headers, now) {
  const told = httpDate(headers.get('date') ?? '', now)
  return Number.isNaN(told) ? now : told
}

module.exports = { retryAfterMs }
