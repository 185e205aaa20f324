// When somebody of this thread who waits for a permit has to look whether one has expired: at the end of the first lease, one
// deadline for each key waited for. Never a deadline for each permit, and none while nobody waits.
'use strict'

const deadlines = require('./deadlines.js')

/** A clock that stands still, as those of tests do, is not asked more often. */
const LEAST_MS = 1

class LeaseWatch {
  #look
  /** @type {Map<string, { waiting: number, deadline: import('./deadlines.js').Deadline | undefined }>} */
  #keys = new Map()

  /** @param {(key: string) => number} look what has expired passes on; answers the milliseconds the next lease has, or NaN */
  constructor(look) {
    this.#look = look
  }

  /**
   * One more waits.
   * @param {string} key
   * @param {number} ms that the first lease has left, or NaN
   */
  begin(key, ms) {
    const watched = this.#keys.get(key)
    if (watched !== undefined) watched.waiting++
    else this.#arm(key, ms, 1)
  }

  /**
   * One less waits.
   * @param {string} key
   */
  end(key) {
    const watched = this.#keys.get(key)
    if (watched === undefined || --watched.waiting > 0) return
    this.#keys.delete(key)
    if (watched.deadline !== undefined) deadlines.cancel(watched.deadline)
  }

  /**
   * @param {string} key
   * @param {number} ms
   * @param {number} waiting
   */
  #arm(key, ms, waiting) {
    /** @type {{ waiting: number, deadline: import('./deadlines.js').Deadline | undefined }} */
    const watched = { waiting, deadline: undefined }
    this.#keys.set(key, watched)
    this.#schedule(key, watched, ms)
  }

  /**
   * @param {string} key
   * @param {{ waiting: number, deadline: import('./deadlines.js').Deadline | undefined }} watched
   * @param {number} ms
   */
  #schedule(key, watched, ms) {
    if (Number.isNaN(ms)) return
    watched.deadline = deadlines.schedule(Math.max(LEAST_MS, ms), () => {
      watched.deadline = undefined
      const next = this.#look(key)
      // Those who waited may all have been served by this look.
      if (this.#keys.get(key) === watched && watched.deadline === undefined) this.#schedule(key, watched, next)
    })
  }
}

module.exports = { LeaseWatch }
