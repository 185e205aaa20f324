// The gate of a breaker in this thread: who is let in, how each call counts, who has left. Owns what is counted here without a
// crossing. Never tells anybody of a refusal, and never calls what is guarded.
'use strict'

const { isKey, keyTrouble } = require('./keys.js')
const loop = require('./loop.js')
const { collect } = require('./mailbox.js')
const { misuse, shown } = require('./misuse.js')
const { details, slots, TROUBLE, troubleOf } = require('./native.js')
const { outcomeOfError, outcomeOfValue } = require('./outcome.js')
const { recent } = require('./turn.js')

/** @typedef {InstanceType<typeof import('./place.js').Place>} Place */
/** @typedef {import('../index').Outcome} Outcome */
/** @typedef {{ ok: true, value: unknown } | { ok: false, error: unknown }} Settled */
/** @typedef {{ aborted: boolean, reason: unknown }} Signal */

/** As src/hot/breaker.rs numbers them. @type {readonly Outcome[]} */
const OUTCOMES = ['ok', 'fail', 'ignore']
const OK = 0
const IGNORE = 2
/** The place of who has no key, as src/hot/breaker.rs numbers it in 32 bits. */
const NO_PLACE = -1

class Gate {
  #now
  /** Where this environment sees that it is closed. -1: nowhere, so one has to ask. */
  #slot
  /** Where calls that went well are counted, until that time on `recent()`; then native code must be told that time goes on. */
  #counter
  #countsUntil = -Infinity
  /** Calls that took longer are slow; undefined where nobody wants to know. */
  #slowOverMs
  /** Whether the event loop's lateness is on the same clock. */
  #onSystemClock
  /** Of whoever opened the handle. @type {import('../index').BreakerOptions['classify']} */
  classify
  /** What the last entry left besides the generation; read before anybody may enter again. */
  place = NO_PLACE
  waitMs = NaN
  /** @type {'breaker'} */
  kind = 'breaker'

  /**
   * To be called right after the breaker was opened, which leaves its slots.
   * @param {Place} place
   * @param {number} id
   * @param {import('./breaker-shape.js').BreakerShape} shape
   */
  constructor(place, id, shape) {
    this.native = place.native
    this.id = id
    this.#now = place.now
    // As small integers, which is what an index has to be to cost nothing.
    this.#slot = details[0] | 0
    this.#counter = details[1] | 0
    this.#slowOverMs = shape.slowOverMs
    this.#onSystemClock = place.recent === recent
    this.name = place.name
    this.perKey = shape.maxKeys !== undefined
  }

  /** The handle is let go: it must ask, and be told so, and the memory it counted in will be another's. */
  forget() {
    this.#slot = -1
    this.#counter = -1
  }

  /** The generation in which everybody may enter without asking; -1 where one has to ask. */
  freely() {
    const shown = slots[this.#slot]
    return shown > 0 ? shown - 1 : -1
  }

  /**
   * The generation of who is let in, with its `place`; -1 for who is not, with `waitMs`.
   * @param {string | undefined} key
   */
  enter(key) {
    if (key === undefined && !this.perKey) {
      // While it is closed, its slot shows the generation plus one in every thread's memory: nothing to ask, nothing to write.
      this.place = NO_PLACE
      const shown = slots[this.#slot]
      if (shown > 0) return shown - 1
      return this.entered(this.native.breakerEnter(this.id), key)
    }
    if (!this.perKey) this.assertKey(key)
    return this.entered(this.native.breakerEnterKey(this.id, key), key)
  }

  /**
   * The same, for who has asked already.
   * @param {number | undefined} generation
   * @param {string | undefined} key
   */
  entered(generation, key) {
    if (generation === undefined) throw this.trouble(key)
    const waitMs = details[0]
    const mail = details[1]
    const at = details[2] | 0
    // Listeners may enter as well.
    if (mail !== 0) collect()
    this.waitMs = waitMs
    this.place = at
    return generation
  }

  /** The time at which a call begins, where calls may be slow. */
  begin() {
    if (this.#slowOverMs === undefined) return 0
    if (this.#onSystemClock) loop.watch()
    return this.#now()
  }

  /**
   * How long the dependency took: what this thread's event loop was late is not its fault.
   * @param {number} began
   */
  took(began) {
    if (this.#slowOverMs === undefined) return 0
    const tookMs = this.#now() - began
    if (tookMs <= this.#slowOverMs || !this.#onSystemClock) return tookMs
    return Math.max(0, tookMs - loop.lateness(began))
  }

  /**
   * @param {number} generation
   * @param {number} place
   * @param {number} outcome
   * @param {number} tookMs
   */
  leave(generation, place, outcome, tookMs) {
    if (this.counts(generation, outcome, tookMs)) return
    let mail
    if (place !== NO_PLACE) mail = this.native.breakerExitKey(this.id, generation, outcome, tookMs, place)
    // An argument more is a call into Node more.
    else if (tookMs === 0) mail = this.native.breakerExit(this.id, generation, outcome)
    else mail = this.native.breakerExit(this.id, generation, outcome, tookMs)
    if (mail) collect()
  }

  /**
   * Whether the call went well and is counted, without a crossing.
   * @param {number} generation
   * @param {number} outcome
   * @param {number} tookMs
   */
  counts(generation, outcome, tookMs) {
    const slow = this.#slowOverMs !== undefined && tookMs > this.#slowOverMs
    if (outcome !== OK || slow || slots[this.#slot] !== generation + 1 || !this.#mayCount()) return false
    slots[this.#counter]++
    return true
  }

  /** Whether a call that went well may be counted here: native code knows of which moment. */
  #mayCount() {
    if (recent() < this.#countsUntil) return true
    if (this.#counter < 0) return false
    const forMs = this.native.breakerTurn(this.id)
    if (forMs === undefined) return false
    this.#countsUntil = recent() + forMs
    return true
  }

  /**
   * How a call that went well counts.
   * @param {unknown} value
   * @param {Signal | undefined} signal
   * @param {number} generation
   * @param {number} place
   */
  outcomeOfValue(value, signal, generation, place) {
    const plain = this.classify === undefined && typeof value !== 'object'
    return plain ? OK : this.outcomeOf({ ok: true, value }, signal, generation, place)
  }

  /**
   * @param {Settled} settled
   * @param {Signal | undefined} signal
   * @param {number} generation
   * @param {number} place
   */
  outcomeOf(settled, signal, generation, place) {
    const classify = this.classify
    if (classify === undefined) {
      return OUTCOMES.indexOf(settled.ok ? outcomeOfValue(settled.value) : outcomeOfError(settled.error, signal))
    }
    try {
      return this.numberOf(classify(settled))
    } catch (error) {
      // The permit must come back, and a defect in classify says nothing about the dependency.
      this.leave(generation, place, IGNORE, 0)
      throw error
    }
  }

  /** @param {unknown} outcome */
  numberOf(outcome) {
    const number = OUTCOMES.indexOf(/** @type {Outcome} */ (outcome))
    if (number < 0) {
      throw misuse(
        'E_OUTCOME',
        `an outcome at the breaker "${this.name}" is 'ok', 'fail' or 'ignore'; got ${shown(outcome)}`,
      )
    }
    return number
  }

  /**
   * A breaker of keys needs one, and another has none.
   * @param {unknown} key
   */
  assertKey(key) {
    if (this.perKey && !isKey(key)) throw keyTrouble(this, key)
    if (!this.perKey && key !== undefined) {
      const rule = 'has no keys; open it with `perKey`, or leave the key out'
      throw misuse('E_OPTION', `the breaker "${this.name}" ${rule}; got ${shown(key)}`, { option: 'key' })
    }
  }

  /** @param {unknown} key */
  trouble(key) {
    return details[7] === TROUBLE.KEY ? keyTrouble(this, key) : troubleOf(this.kind, this.name)
  }
}

module.exports = { Gate, NO_PLACE }
