// Owns how the hops of a request are read out of a header, from the right: the nearest proxy wrote the last one.
// Never looks further to the left than it is asked to: what stands there may be anybody's.
'use strict'

const { readAddress } = require('./notations.js')

/** @typedef {import('./addresses.js').Groups} Groups */

/**
 * Reads the last hop of what stands before `end` into `groups`. Answers where the rest ends: what comes before that place is
 * left to read; -1 means nothing is; NO_HOP means that there was no address to read, and that reading must end.
 * @typedef {(groups: Groups, text: string, end: number) => number} ReadHop
 */

const NO_HOP = -2

/** X-Forwarded-For: addresses with commas between them. @type {ReadHop} */
function forwardedFor(groups, text, end) {
  const comma = text.lastIndexOf(',', end - 1)
  return readTrimmed(groups, text, comma + 1, end) ? comma : NO_HOP
}

/** A header that is one address and no list. @type {ReadHop} */
function single(groups, text, end) {
  return readTrimmed(groups, text, 0, end) ? -1 : NO_HOP
}

/**
 * Forwarded (RFC 7239): elements with commas between them, of pairs with semicolons between them, of which `for` is read.
 *
 * Quotes are followed from the right as well: those of the nearest proxy are balanced, and one that a client has left open
 * must not swallow what was added behind it.
 * @type {ReadHop}
 */
function forwarded(groups, text, end) {
  let quoted = false
  let found = false
  let pairEnd = end
  for (let i = end - 1; i >= -1; i--) {
    const sign = i < 0 ? ',' : text[i]
    // Within quotes, a backslash makes a quote a sign like others; the one that opens them stands behind an equals sign.
    if (sign === '"' && !(quoted && text[i - 1] === '\\')) quoted = !quoted
    if (i >= 0 && (quoted || (sign !== ',' && sign !== ';'))) continue
    const start = valueOfFor(text, i + 1, pairEnd)
    if (start >= 0) {
      // Which of two would be meant?
      if (found || !readNode(groups, text, start, pairEnd)) return NO_HOP
      found = true
    }
    if (sign === ',') return found && !quoted ? i : NO_HOP
    pairEnd = i
  }
  return NO_HOP
}

/** Where the value of a `for` pair begins, or -1 for another pair. @type {(text: string, start: number, end: number) => number} */
function valueOfFor(text, start, end) {
  while (start < end && isSpace(text, start)) start++
  return start + 4 <= end && text.slice(start, start + 4).toLowerCase() === 'for=' ? start + 4 : -1
}

/** @type {(groups: Groups, text: string, start: number, end: number) => boolean} */
function readNode(groups, text, start, end) {
  while (start < end && isSpace(text, end - 1)) end--
  const isQuoted = text[start] === '"' && text[end - 1] === '"'
  return isQuoted ? readAddress(groups, text, start + 1, end - 1) : readAddress(groups, text, start, end)
}

/** @type {(groups: Groups, text: string, start: number, end: number) => boolean} */
function readTrimmed(groups, text, start, end) {
  while (start < end && isSpace(text, start)) start++
  while (start < end && isSpace(text, end - 1)) end--
  return readAddress(groups, text, start, end)
}

/** @type {(text: string, at: number) => boolean} */
function isSpace(text, at) {
  const code = text.charCodeAt(at)
  return code === 0x20 || code === 0x09
}

module.exports = { NO_HOP, forwarded, forwardedFor, single }
