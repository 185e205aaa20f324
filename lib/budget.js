// A policy's share of its budget: deposits are counted here and handed in when an extra attempt is asked for, so that a call which
// needs none costs nothing. Never grants anything itself: the budget is native, and one for all threads.
'use strict'

class Budget {
  #native
  #id
  /** Calls since this thread last asked. */
  #calls = 0

  /**
   * @param {InstanceType<typeof import('./place.js').Place>} place
   * @param {number} id
   */
  constructor(place, id) {
    this.#native = place.native
    this.#id = id
  }

  /** A call, which pays its share. */
  deposit() {
    this.#calls++
  }

  /** Whether there may be an extra attempt. Once the budget has ended, there is none. */
  take() {
    const calls = this.#calls
    this.#calls = 0
    return this.#native.budgetTake(this.#id, calls) === true
  }
}

/** The same budget for who asks for attempts of calls that another has counted. */
class SharedBudget {
  #budget

  /** @param {Budget} budget */
  constructor(budget) {
    this.#budget = budget
  }

  deposit() {}

  take() {
    return this.#budget.take()
  }
}

module.exports = { Budget, SharedBudget }
