// A permit in a user's hands, and how one comes back. Owns that it does so once: by release, by its lease, or when it is collected.
// Never knows what it is a permit of.
'use strict'

const mailbox = require('./mailbox.js')

/** @typedef {import('./native.js').Native} Native */

/**
 * Give back what a receipt stands for, and deliver the letters that may cause here.
 * @param {Native} native
 * @param {number} receipt
 */
function giveBack(native, receipt) {
  if (native.giveBack(receipt)) mailbox.collect()
}

/**
 * What was got in return for a receipt, for as long as it stands for it: a lease may end before.
 * @typedef {{ native: Native, receipt: number, out: boolean, leased: boolean }} Held
 */

/**
 * @param {Native} native
 * @param {number} receipt
 * @param {(() => void) | undefined} onExpired where permits expire: what else to do then
 * @returns {Held}
 */
function hold(native, receipt, onExpired) {
  const held = { native, receipt, out: true, leased: onExpired !== undefined }
  if (onExpired !== undefined) {
    mailbox.expect(receipt, {
      onExpired: () => {
        // The number may come to stand for somebody else's.
        held.out = false
        onExpired()
      },
    })
  }
  return held
}

/**
 * A second time, or after its lease has ended, this does nothing.
 * @param {Held} held
 */
function release(held) {
  if (!held.out) return
  held.out = false
  giveBack(held.native, held.receipt)
  // Not before: if its lease has ended, the letter that says so may have come with this call.
  if (held.leased) mailbox.expectNoMore(held.receipt)
}

/** @type {FinalizationRegistry<Held>} */
const collected = new FinalizationRegistry(release)

class Permit {
  #held

  /** @param {Held} held */
  constructor(held) {
    this.#held = held
    collected.register(this, held, held)
  }

  release() {
    if (!this.#held.out) return
    collected.unregister(this.#held)
    release(this.#held)
  }

  [Symbol.dispose]() {
    this.release()
  }
}

module.exports = { Permit, hold, release }
