// Owns lists of addresses and of ranges of them, as an allow list, a deny list or a list of proxies needs them.
// Never decides what being in one means, and never answers for an entry it could not read: a bad list is not made.
'use strict'

const { addressText, clip, emptyGroups, isIPv4 } = require('./addresses.js')
const { misuse, shown } = require('../../lib/misuse.js')
const { readAddress } = require('./notations.js')
const { Ranges } = require('./ip-ranges.js')

/** @typedef {import('./addresses.js').Groups} Groups */
/** @typedef {import('./ip-ranges.js').Range} Range */

/** How much of a family counts as everybody. All the private networks of IPv4 together are less than a hundredth of it. */
const EVERYBODY = 1 / 8

const scratch = emptyGroups()

class IpList {
  /** @type {'ip-list'} */
  kind = 'ip-list'
  #four
  #six

  /** @param {Range[]} ranges */
  constructor(ranges) {
    this.#four = new Ranges(ranges.filter(({ base }) => isIPv4(base)))
    this.#six = new Ranges(ranges.filter(({ base }) => !isIPv4(base)))
  }

  /** @param {unknown} text */
  has(text) {
    if (typeof text !== 'string') return false
    const slash = text.lastIndexOf('/')
    if (slash < 0) return readAddress(scratch, text) && IpList.holds(this, scratch)
    const prefix = rangeInto(scratch, text, slash)
    return prefix >= 0 && !clip(scratch, prefix) && IpList.holds(this, scratch, prefix)
  }

  /** @param {unknown} list @returns {list is IpList} */
  static is(list) {
    return typeof list === 'object' && list !== null && #four in list
  }

  /**
   * @param {IpList} list
   * @param {Groups} groups
   * @param {number} [prefix]
   */
  static holds(list, groups, prefix = 128) {
    return (isIPv4(groups) ? list.#four : list.#six).hold(groups, prefix)
  }

  /** @param {IpList} list */
  static isEmpty(list) {
    return list.#four.size + list.#six.size === 0
  }

  /**
   * Whether being in the list says nothing about an address, of one family at least.
   * @param {IpList} list
   */
  static holdsEverybody(list) {
    return list.#four.shareOf(IPV4) >= EVERYBODY || list.#six.shareOf(GLOBAL_IPV6) >= EVERYBODY
  }
}

/**
 * Reads the address of a range and answers its prefix of all 128 bits, or -1.
 * @param {Groups} groups
 * @param {string} text
 * @param {number} slash
 */
function rangeInto(groups, text, slash) {
  const digits = text.slice(slash + 1)
  if (!isBare(text) || !/^(?:0|[1-9]\d{0,2})$/.test(digits) || !readAddress(groups, text, 0, slash)) return -1
  // Dotted alone, it counts the 32 bits of an IPv4 address; in an IPv6 notation, mapped or not, all 128.
  const prefix = text.includes(':') ? Number(digits) : 96 + Number(digits)
  return prefix <= 128 ? prefix : -1
}

/** An entry of a list has no port, no brackets and no zone: they could be meant to say something that is not looked at. */
function isBare(/** @type {string} */ text) {
  return !/[[\]%]|\..*:/.test(text)
}

/**
 * @param {string} entry
 * @returns {Range}
 */
function rangeOf(entry) {
  const base = emptyGroups()
  const slash = entry.lastIndexOf('/')
  const prefix = slash >= 0 ? rangeInto(base, entry, slash) : isBare(entry) && readAddress(base, entry) ? 128 : -1
  return { base, prefix }
}

/**
 * A list made of addresses and ranges; one that is made already stays as it is.
 * @param {unknown} entries
 * @param {string} [option] what the list is for, as messages name it
 */
function ipList(entries, option = 'entries') {
  if (IpList.is(entries)) return entries
  if (!Array.isArray(entries)) {
    throw wrong(`\`${option}\` must be an array of addresses and ranges, like ['192.0.2.7', '10.0.0.0/8']`, entries)
  }
  return new IpList(Array.from(entries, checked))

  /** @type {(entry: unknown, i: number) => Range} */
  function checked(entry, i) {
    const range = typeof entry === 'string' ? rangeOf(entry) : undefined
    if (range === undefined || range.prefix < 0) {
      throw wrong(`\`${option}[${i}]\` must be an IP address or a range, like '192.0.2.7' or '2001:db8::/32'`, entry)
    }
    const address = addressText(range.base)
    // Cleared without a word, a slip of the pen (/3 for /32) would let half a continent in.
    if (clip(range.base, range.prefix)) {
      const bits = isIPv4(range.base) ? range.prefix - 96 : range.prefix
      throw wrong(
        `\`${option}[${i}]\` has bits set after its prefix: write '${addressText(range.base)}/${bits}' for the range or ` +
          `'${address}' for the one address`,
        entry,
      )
    }
    return range
  }

  function wrong(/** @type {string} */ rule, /** @type {unknown} */ given) {
    return misuse('E_OPTION', `${rule}; got ${shown(given)}`, { option })
  }
}

const IPV4 = rangeOf('0.0.0.0/0')
/** What is given out to be reached from everywhere; the rest of the family is local or reserved. */
const GLOBAL_IPV6 = rangeOf('2000::/3')

module.exports = { IpList, ipList }
