// A permit of a breaker in a user's hands. Owns that it counts once, and only where it was given.
// Never knows how the call ended.
'use strict'

const { misuse, shown } = require('./misuse.js')

/** @typedef {InstanceType<typeof import('./breaker.js').Breaker>} Breaker */

class BreakerPermit {
  #breaker
  #place
  #out = true

  /**
   * @param {Breaker} breaker
   * @param {number} generation
   * @param {number} place
   */
  constructor(breaker, generation, place) {
    this.#breaker = breaker
    this.#place = place
    this.generation = generation
  }

  /**
   * The place of a permit that is out; from then on it is not. Undefined if it was not.
   * @param {unknown} permit
   * @param {Breaker} breaker
   */
  static take(permit, breaker) {
    if (typeof permit !== 'object' || permit === null || !(#out in permit) || permit.#breaker !== breaker) {
      throw misuse(
        'E_PERMIT',
        `exit() of the breaker "${breaker.name}" needs a permit its enter() gave; got ${shown(permit)}`,
      )
    }
    const out = permit.#out
    permit.#out = false
    return out ? permit.#place : undefined
  }
}

module.exports = { BreakerPermit }
