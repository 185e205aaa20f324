// Who waits for a letter from native code, or may get one for what is held. Never runs a user's code itself: a delivery settles promises.
'use strict'

const { native, details, waits, asks, movers, deliver } = require('./native.js')

/**
 * @typedef {object} Wait
 * @property {(receipt: number) => void} [onYours] what was waited for is held under the receipt from now on
 * @property {(value: string | Uint8Array | false) => void} [onLanded] another environment's load has landed; false for a negative result
 * @property {() => void} [onExpired] what was held under the receipt is not any more
 * @property {(code: number) => void} [onSettled] what became of a wait for a right; the rest is in the details
 */

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

/** After a call that says mail waits: deliver it now, since nothing else will for letters of this thread's own. */
function collect() {
  deliver(native(), { details, waits, asks, movers })
}

module.exports = { expect, expectNoMore, collect }
