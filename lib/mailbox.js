'use strict'
// Who waits for a letter from native code, and its delivery. Never runs a user's code itself: a delivery settles promises.

/**
 * @typedef {object} Wait
 * @property {(receipt: number) => void} onYours what was waited for is held under the receipt from now on
 * @property {(text: string) => void} [onLanded] another environment's load has landed
 */

/** @type {Map<number, Wait>} */
const waits = new Map()

/**
 * @param {number} receipt
 * @param {Wait} wait
 */
function expect(receipt, wait) {
  waits.set(receipt, wait)
}

/** @param {number} receipt */
function expectNoMore(receipt) {
  waits.delete(receipt)
}

/**
 * Deliver all letters. Called when native code wakes this environment, and by whoever made a call that says mail waits.
 * @param {{ mail: () => number | string }} native
 * @param {Float64Array} details
 */
function deliver(native, details) {
  for (;;) {
    const news = native.mail()
    if (news === -1) return
    if (typeof news === 'number') {
      take(news)?.onYours(news)
    } else {
      take(details[0])?.onLanded?.(news)
    }
  }
}

/** @param {number} receipt */
function take(receipt) {
  const wait = waits.get(receipt)
  waits.delete(receipt)
  return wait
}

module.exports = { expect, expectNoMore, deliver }
