// What an IP address is: its bits, and the one text each of them has.
// Never keeps an address, and knows nothing of whose it is.
'use strict'

const { readAddress } = require('./notations.js')

/**
 * 128 bits as eight numbers of 16, the first one first. An IPv4 address is its IPv4-mapped form ::ffff:a.b.c.d, which is how a
 * dual-stack socket shows it: whichever way a client came, its bits are the same.
 * @typedef {Uint16Array} Groups
 */

/** @returns {Groups} */
const emptyGroups = () => new Uint16Array(8)

/** @param {Groups} groups */
function isIPv4(groups) {
  return groups[5] === 0xffff && (groups[0] | groups[1] | groups[2] | groups[3] | groups[4]) === 0
}

/**
 * Clears what comes after the first `prefix` bits of all 128, and answers whether any of it was set.
 * @param {Groups} groups
 * @param {number} prefix
 */
function clip(groups, prefix) {
  let cleared = 0
  for (let i = prefix >> 4; i < 8; i++) {
    const kept = i === prefix >> 4 ? 0xffff << (16 - (prefix & 15)) : 0
    cleared |= groups[i] & ~kept
    groups[i] &= kept
  }
  return cleared !== 0
}

/**
 * The one text of an address: an IPv4 one dotted, an IPv6 one as RFC 5952 has it, but never with a dotted end.
 * @param {Groups} groups
 */
function addressText(groups) {
  if (isIPv4(groups)) return `${groups[6] >> 8}.${groups[6] & 255}.${groups[7] >> 8}.${groups[7] & 255}`
  let gap = 8
  let zeros = 1
  for (let i = 0; i < 8; i++) {
    let end = i
    while (end < 8 && groups[end] === 0) end++
    if (end - i > zeros) {
      gap = i
      zeros = end - i
    }
    if (end > i) i = end
  }
  let text = ''
  for (let i = 0; i < 8; i++) {
    if (i === gap) {
      text += '::'
      i += zeros - 1
    } else {
      text += (i === 0 || i === gap + zeros ? '' : ':') + groups[i].toString(16)
    }
  }
  return text
}

const scratch = emptyGroups()

/**
 * @param {unknown} text
 * @returns {string | null}
 */
function parseAddress(text) {
  return typeof text === 'string' && readAddress(scratch, text) ? addressText(scratch) : null
}

module.exports = { emptyGroups, isIPv4, clip, addressText, parseAddress }
