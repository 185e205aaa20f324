// Owns the notations of IP addresses: what is read as an address, and what is none.
// Never asks Node or a URL parser, so that it is the same in every runtime, and never throws at what it is given.
'use strict'

/** @typedef {import('./addresses.js').Groups} Groups */

/** Eight groups with a dotted end, in brackets, with a zone as long as an interface has, and a port. */
const MAX_LENGTH = 72

const [DOT, COLON, PERCENT, OPEN, CLOSE, ZERO, NINE] = Array.from('.:%[]09', (sign) => sign.charCodeAt(0))

/** What stands in for a group or an octet that is none. */
const NONE = -1

/**
 * Reads the address that is the whole of `text` from `start` to `end`, with its zone and its port if it has them, which
 * are no part of it. Answers whether there was one; if not, what is in `groups` means nothing.
 * @param {Groups} groups
 * @param {string} text
 * @param {number} [start]
 * @param {number} [end]
 */
function readAddress(groups, text, start = 0, end = text.length) {
  if (end - start > MAX_LENGTH) return false
  if (text.charCodeAt(start) === OPEN) {
    const close = indexOf(text, CLOSE, start, end)
    return close !== NONE && isPort(text, close + 1, end) && readIPv6(groups, text, start + 1, close)
  }
  const colon = indexOf(text, COLON, start, end)
  if (colon === NONE) return readIPv4(groups, text, start, end)
  // A port without brackets can only follow an IPv4 address: after an IPv6 one it would be a group.
  if (indexOf(text, COLON, colon + 1, end) !== NONE) return readIPv6(groups, text, start, end)
  return isPort(text, colon, end) && readIPv4(groups, text, start, colon)
}

/** @type {(groups: Groups, text: string, start: number, end: number) => boolean} */
function readIPv4(groups, text, start, end) {
  // Assigned one by one here and below: on arrays this short, what fill() does before it fills costs more.
  for (let i = 0; i < 5; i++) groups[i] = 0
  groups[5] = 0xffff
  return readDotted(groups, 6, text, start, end)
}

/**
 * Four octets into two groups. A leading zero is octal to some and decimal to others, fewer octets are filled up by some, so
 * that both are no address here: nobody may read another one in it.
 * @type {(groups: Groups, at: number, text: string, start: number, end: number) => boolean}
 */
function readDotted(groups, at, text, start, end) {
  let octets = 0
  let octet = NONE
  let before = 0
  for (let i = start; i <= end; i++) {
    const code = i < end ? text.charCodeAt(i) : DOT
    if (code === DOT) {
      if (octet === NONE) return false
      if ((octets & 1) === 1) groups[at + (octets >> 1)] = before * 256 + octet
      before = octet
      octet = NONE
      octets++
    } else {
      if (code < ZERO || code > NINE || octet === 0) return false
      octet = (octet === NONE ? 0 : octet * 10) + code - ZERO
      if (octet > 255) return false
    }
  }
  return octets === 4
}

/** @type {(groups: Groups, text: string, start: number, end: number) => boolean} */
function readIPv6(groups, text, start, end) {
  const percent = indexOf(text, PERCENT, start, end)
  if (percent !== NONE) {
    if (!isZone(text, percent + 1, end)) return false
    end = percent
  }
  let count = 0
  // Where `::` stands, for as many groups of zeros as are missing.
  let gap = NONE
  let i = start
  if (end - start > 1 && text.charCodeAt(start) === COLON && text.charCodeAt(start + 1) === COLON) {
    gap = 0
    i += 2
  }
  while (i < end) {
    if (count === 8) return false
    const begin = i
    let group = 0
    for (let digit; i < end && (digit = hexDigit(text.charCodeAt(i))) !== NONE; i++) group = group * 16 + digit
    if (i < end && text.charCodeAt(i) === DOT) {
      if (count > 6 || !readDotted(groups, count, text, begin, end)) return false
      count += 2
      break
    }
    if (i === begin || i - begin > 4) return false
    groups[count++] = group
    if (i === end) break
    if (text.charCodeAt(i++) !== COLON || i === end) return false
    if (text.charCodeAt(i) === COLON) {
      if (gap !== NONE) return false
      gap = count
      i++
    }
  }
  if (gap === NONE) return count === 8
  if (count === 8) return false
  for (let from = count - 1, to = 7; to >= gap; from--, to--) groups[to] = from >= gap ? groups[from] : 0
  return true
}

/** Nothing at all, or a colon and a number up to 65535. @type {(text: string, start: number, end: number) => boolean} */
function isPort(text, start, end) {
  if (start === end) return true
  if (text.charCodeAt(start) !== COLON || end - start < 2 || end - start > 6) return false
  let port = 0
  for (let i = start + 1; i < end; i++) {
    const code = text.charCodeAt(i)
    if (code < ZERO || code > NINE) return false
    port = port * 10 + code - ZERO
  }
  return port <= 65_535
}

/** The name or number of an interface. @type {(text: string, start: number, end: number) => boolean} */
function isZone(text, start, end) {
  if (start === end) return false
  for (let i = start; i < end; i++) if (!/[\w.~@:-]/.test(text[i])) return false
  return true
}

/** @type {(code: number) => number} */
function hexDigit(code) {
  if (code >= ZERO && code <= NINE) return code - ZERO
  // The bit between capital and small letters.
  const small = code | 0x20
  return small >= 0x61 && small <= 0x66 ? small - 0x57 : NONE
}

/** @type {(text: string, sought: number, start: number, end: number) => number} */
function indexOf(text, sought, start, end) {
  for (let i = start; i < end; i++) if (text.charCodeAt(i) === sought) return i
  return NONE
}

module.exports = { readAddress }
