// Calls at a steady rate, whether the last ones were answered or not: users do not wait for each other. Owns the pace.
// Never makes up in one turn for more than the event loop was late.
'use strict'

const moment = require('./moment.js')

/** What came due in longer than this is left out: catching up would be a load of its own. */
const MOST_MS = 20

class Pace {
  #call
  #now
  #perMs
  #began = 0
  #made = 0
  #timer

  /**
   * @param {number} rate calls a second
   * @param {(number: number) => void} call
   * @param {() => number} [now] milliseconds
   */
  constructor(rate, call, now = moment.now) {
    this.#now = now
    this.#perMs = rate / 1000
    this.#call = call
  }

  start() {
    this.#began = this.#now()
    this.#turn()
  }

  stop() {
    clearTimeout(this.#timer)
    return this.#made
  }

  #turn() {
    const due = Math.floor((this.#now() - this.#began) * this.#perMs)
    const last = Math.min(due, this.#made + Math.ceil(MOST_MS * this.#perMs))
    while (this.#made < last) this.#call(this.#made++)
    if (this.#made < due) {
      this.#began = this.#now() - this.#made / this.#perMs
    }
    this.#timer = setTimeout(() => this.#turn(), 1)
  }
}

module.exports = { Pace }
