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
 * What was got in return for a receipt, for as long as it stands for it: a lease may end before. Over Redis it has a fence, and what
 * is asked in a turn.
 * @typedef {{ native: Native, receipt: number, out: boolean, leased: boolean, fence: number | undefined, asks: Asks | undefined }} Held
 */
/** @typedef {Pick<InstanceType<typeof import('./asks.js').Asks>, 'turn'>} Asks */

/**
 * @param {Native} native
 * @param {number} receipt
 * @param {(() => void) | undefined} onExpired where permits expire: what else to do then
 * @returns {Held}
 */
function hold(native, receipt, onExpired) {
  const held = { native, receipt, out: true, leased: onExpired !== undefined, fence: undefined, asks: undefined }
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
 * The same over Redis; whoever asked hears when it is lost.
 * @param {Native} native
 * @param {number} receipt
 * @param {number | undefined} fence
 * @param {Asks | undefined} asks
 * @returns {Held}
 */
function holdFar(native, receipt, fence, asks) {
  return { native, receipt, out: true, leased: true, fence, asks }
}

/**
 * A second time, or after its lease has ended, this does nothing.
 * @param {Held} held
 */
function release(held) {
  if (!held.out) return
  held.out = false
  giveBack(held.native, held.receipt)
  held.asks?.turn()
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

  get fence() {
    return this.#held.fence
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

module.exports = { Permit, hold, holdFar, release }
