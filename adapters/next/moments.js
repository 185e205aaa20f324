// Which moment of a cache a time belongs to. Owns a short history of the two, side by side.
// Never says too late a moment: what has been invalidated since must not be taken for older.
'use strict'

/** Noted at most this often, and for about this long. */
const EVERY_MS = 20
const MOST = 8192

class Moments {
  /** In the order of time. @type {{ at: number, moment: number | Promise<number> }[]} */
  #noted = []

  /**
   * @param {number} at milliseconds
   * @param {() => number | Promise<number>} momentOf a promise is of the moment at which it was made
   * @param {{ exactly?: boolean }} [how] also when the last note is but a moment ago
   */
  note(at, momentOf, { exactly = false } = {}) {
    const since = at - (this.#noted.at(-1)?.at ?? -Infinity)
    // Of a clock that was set back, nothing is known of the time before.
    if (since < 0) this.#noted.length = 0
    else if (since < EVERY_MS && !exactly) return
    this.#noted.push({ at, moment: momentOf() })
    if (this.#noted.length > MOST) this.#noted.splice(0, MOST / 2)
  }

  /**
   * The moment at that time, or an earlier one.
   * @param {number} at milliseconds
   */
  before(at) {
    const noted = this.#noted
    for (let index = noted.length - 1; index >= 0; index--) {
      if (noted[index].at <= at) return noted[index].moment
    }
    return 0
  }
}

module.exports = { Moments }
