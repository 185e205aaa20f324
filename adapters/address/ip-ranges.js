// Owns ranges of addresses in order, and the search for the one that holds an address.
// Never reads a notation: what comes here is bits.
'use strict'

/** @typedef {import('./addresses.js').Groups} Groups */
/** @typedef {{ base: Groups, prefix: number }} Range whose bits after the prefix are zero; the prefix is of all 128 */

/** Ranges of one family. One either holds another or has nothing in common with it, and what is held is left out. */
class Ranges {
  /** @type {readonly Range[]} */
  #ranges

  /** @param {Range[]} given */
  constructor(given) {
    /** @type {Range[]} */
    const ranges = []
    for (const range of given.sort((a, b) => order(a.base, b.base) || a.prefix - b.prefix)) {
      const last = ranges.at(-1)
      if (last === undefined || !holds(last, range.base)) ranges.push(range)
    }
    this.#ranges = ranges
  }

  get size() {
    return this.#ranges.length
  }

  /**
   * Whether one range holds all addresses that begin with the first `prefix` bits of `groups`.
   * @param {Groups} groups
   * @param {number} prefix
   */
  hold(groups, prefix) {
    // The last one that begins at or before it is the only one that can.
    let low = 0
    let high = this.#ranges.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (order(this.#ranges[middle].base, groups) <= 0) low = middle + 1
      else high = middle
    }
    if (low === 0) return false
    const range = this.#ranges[low - 1]
    return range.prefix <= prefix && holds(range, groups)
  }

  /**
   * What part of `whole` these are.
   * @param {Range} whole
   */
  shareOf(whole) {
    let share = 0
    for (const range of this.#ranges) {
      if (holds(range, whole.base) && range.prefix <= whole.prefix) return 1
      if (holds(whole, range.base)) share += 2 ** (whole.prefix - range.prefix)
    }
    return share
  }
}

/** @type {(a: Groups, b: Groups) => number} */
function order(a, b) {
  for (let i = 0; i < 8; i++) if (a[i] !== b[i]) return a[i] - b[i]
  return 0
}

/** @type {(range: Range, groups: Groups) => boolean} */
function holds({ base, prefix }, groups) {
  const whole = prefix >> 4
  for (let i = 0; i < whole; i++) if (base[i] !== groups[i]) return false
  return (prefix & 15) === 0 || (base[whole] ^ groups[whole]) >> (16 - (prefix & 15)) === 0
}

module.exports = { Ranges }
