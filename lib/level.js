// How much a shed refuses: the admission level. Owns when it goes up and down, and whose turn it is to be refused.
// Never reads time and never decides by chance: it is told once an interval how that was.
'use strict'

const { PRIORITIES } = require('./priorities.js')

const CRITICAL = PRIORITIES.indexOf('critical')

/**
 * What of sixteen calls of a priority is refused, step by step: at first a quarter, then half of what is left. The level counts the
 * steps of all three: 6 is all of `low`, 7 a quarter of `normal` as well, 18 everything but `critical`.
 */
const SIXTEENTHS = [0, 4, 8, 12, 14, 15, 16]
const STEPS = SIXTEENTHS.length - 1
const HIGHEST = STEPS * CRITICAL

/**
 * Calm intervals before a step down. Down to a level that was found to be too low, they double each time that is found, up to the
 * second.
 */
const PATIENCE = 2
const MOST_PATIENCE = 16

class Level {
  #at = 0
  #calm = 0
  /** Whether the last step was down, and has not yet held. */
  #stepped = false
  /** Where a step down was last taken back from. To it and below, `patience` is needed. */
  #tooLow = -1
  #patience = PATIENCE
  /** By rank: sixteenths of a refusal that are owed. */
  #owed = [0, 0, 0, 0]

  get at() {
    return this.#at
  }

  /**
   * Overloaded: a step up.
   * @param {readonly number[]} came by rank, how many came in the interval
   */
  rise(came) {
    this.#calm = 0
    if (this.#stepped) {
      this.#stepped = false
      this.#tooLow = this.#at
      this.#patience = Math.min(2 * this.#patience, MOST_PATIENCE)
    }
    if (this.#at === HIGHEST) return
    this.#at++
    // A step that would concern nobody is no step, as long as there is somebody of a higher priority whom one would.
    const lowest = came.findIndex((count) => count > 0)
    if (lowest < CRITICAL) this.#at = Math.max(this.#at, lowest * STEPS + 1)
  }

  /** Neither overloaded nor calm: what one step has cured is not undone by the next. */
  stay() {
    this.#calm = 0
  }

  /**
   * Calm: a step down, once that has lasted.
   * @param {number} intervals
   */
  rest(intervals) {
    // A night, or a clock that jumps, is not gone through interval by interval: this much brings down any level.
    this.#calm += Math.min(intervals, HIGHEST * MOST_PATIENCE)
    for (;;) {
      const needed = this.#at - 1 <= this.#tooLow ? this.#patience : PATIENCE
      if (this.#calm < needed) return
      this.#calm -= needed
      // It was too low once, and has held now.
      if (this.#at <= this.#tooLow) this.#patience = Math.max(PATIENCE, this.#patience / 2)
      this.#stepped = this.#at > 0
      if (this.#at > 0) this.#at--
    }
  }

  /**
   * Whether the next call of this rank is refused: in turn, so that of any sixteen in a row exactly so many are.
   * @param {number} rank
   */
  refuses(rank) {
    if (this.#at === 0) return false
    this.#owed[rank] += this.#sixteenths(rank)
    if (this.#owed[rank] < 16) return false
    this.#owed[rank] -= 16
    return true
  }

  /**
   * The share of a rank that is refused.
   * @param {number} rank
   */
  share(rank) {
    return this.#sixteenths(rank) / 16
  }

  /** @param {number} rank */
  #sixteenths(rank) {
    return SIXTEENTHS[Math.min(STEPS, Math.max(0, this.#at - rank * STEPS))]
  }
}

module.exports = { Level }
