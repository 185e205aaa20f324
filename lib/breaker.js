// The breaker as JavaScript sees it: run, attempt, enter and exit. Owns the call between, and what is told of it.
// Never crosses into native code for a call that went well through a closed breaker: its gate counts those in memory.
'use strict'

const { BreakerPermit } = require('./breaker-permit.js')
const { CallContext, assertFunction, signalOf } = require('./call.js')
const { Events } = require('./events.js')
const { Gate } = require('./gate.js')
const { collect } = require('./mailbox.js')
const { misuse, shown } = require('./misuse.js')
const { details, movers } = require('./native.js')
const { Refusal, refusalInfo } = require('./refusals.js')
const { Rejected } = require('./rejected.js')
const { maxAgeOf, savedBreaker, VERSION } = require('./saved-breaker.js')

/** @typedef {InstanceType<typeof import('./place.js').Place>} Place */
/** @typedef {import('../index').BreakerCall} BreakerCall */
/** @typedef {import('../index').BreakerOptions} BreakerOptions */
/** @typedef {import('../index').Outcome} Outcome */

/** @type {readonly import('../index').BreakerState[]} */
const STATES = ['closed', 'open', 'half-open', 'isolated']

// As it is for everybody: a promise may have a method of its own.
const { then } = Promise.prototype

class Breaker {
  #native
  #id
  #place
  #gate
  #events = new Events('breaker', ['transition', 'refused'])
  /** @type {(() => void) | undefined} */
  #offTransition
  /** @type {'breaker'} */
  kind = 'breaker'

  /**
   * To be called right after it was opened, which leaves its slots.
   * @param {Place} place
   * @param {number} id
   * @param {import('./breaker-shape.js').BreakerShape} shape
   */
  constructor(place, id, shape) {
    this.#native = place.native
    this.#id = id
    this.#place = place
    this.#gate = new Gate(place, id, shape)
    this.name = place.name
    this.perKey = this.#gate.perKey
    movers.set(id, (from, to, key) => this.#moved(from, to, key))
  }

  /**
   * Functions belong to this thread's handle, and the last ones given count.
   * @param {Breaker} breaker
   * @param {Pick<BreakerOptions, 'classify' | 'onTransition'>} functions
   */
  static setFunctions(breaker, { classify, onTransition }) {
    breaker.#gate.classify = classify
    breaker.#offTransition?.()
    breaker.#offTransition = onTransition && breaker.#events.on('transition', onTransition)
  }

  /**
   * The handle is let go: it must ask whether one may enter, and hears of nothing any more.
   * @param {Breaker} breaker
   */
  static letGo(breaker) {
    breaker.#gate.forget()
    movers.delete(breaker.#id)
  }

  /**
   * Where calls through a policy are let in and out.
   * @param {Breaker} breaker
   */
  static gateOf(breaker) {
    return breaker.#gate
  }

  /**
   * One of them was refused.
   * @param {Breaker} breaker
   * @param {string | undefined} key
   */
  static refused(breaker, key) {
    return breaker.#refused({ key })
  }

  get state() {
    return this.#state(undefined)
  }

  /** @param {string} key */
  stateOf(key) {
    return this.#state(key)
  }

  /**
   * @template T
   * @param {(call: import('../index').CallContext) => T | PromiseLike<T>} fn
   * @param {BreakerCall} [options]
   * @returns {Promise<T>}
   */
  run(fn, options) {
    let signal
    let generation
    // Not an async function: the promise of the call itself is what the caller gets, with no other around it.
    try {
      if (typeof fn !== 'function') assertFunction(`the breaker "${this.name}"`, fn)
      signal = options === undefined ? undefined : signalOf(options)
      generation = this.#gate.enter(options?.key)
      if (generation < 0)
        throw new Refusal({ code: 'E_OPEN', primitive: this.name, retryAfterMs: this.#refused(options) })
    } catch (error) {
      return Promise.reject(error)
    }
    return this.#call(generation, this.#gate.place, fn, signal, undefined)
  }

  /**
   * @template T
   * @param {(call: import('../index').CallContext) => T | PromiseLike<T>} fn
   * @param {BreakerCall} [options]
   * @returns {Promise<import('../index').Attempt<T>>}
   */
  attempt(fn, options) {
    let signal
    let generation
    try {
      if (typeof fn !== 'function') assertFunction(`the breaker "${this.name}"`, fn)
      signal = options === undefined ? undefined : signalOf(options)
      generation = this.#gate.enter(options?.key)
      if (generation < 0) {
        return Promise.resolve({ ok: false, refusal: refusalInfo('E_OPEN', this.name, this.#refused(options)) })
      }
    } catch (error) {
      return Promise.reject(error)
    }
    return this.#call(generation, this.#gate.place, fn, signal, attempted)
  }

  /** @param {string} [key] */
  enter(key) {
    const generation = this.#gate.enter(key)
    if (generation >= 0) return new BreakerPermit(this, generation, this.#gate.place)
    this.#refused({ key })
    return null
  }

  /**
   * @param {import('../index').BreakerPermit} permit
   * @param {Outcome} outcome
   * @param {number} ms
   */
  exit(permit, outcome, ms = 0) {
    const number = this.#gate.numberOf(outcome)
    if (typeof ms !== 'number' || !(ms >= 0)) {
      throw misuse('E_OPTION', `\`ms\` of exit() must be milliseconds, 0 or more; got ${shown(ms)}`, { option: 'ms' })
    }
    const taken = BreakerPermit.take(permit, this)
    if (taken !== undefined) this.#gate.leave(permit.generation, taken, number, ms)
  }

  /** @param {string} [key] */
  isolate(key) {
    this.#gate.assertKey(key)
    const placed = this.#native.breakerIsolate(this.#id, key)
    if (placed === undefined) throw this.#gate.trouble(key)
    if (details[1] !== 0) collect()
    if (!placed) {
      const rule = 'has as many keys that count as it may hold, `maxKeys`; this one is not isolated'
      throw misuse('E_KEYS_FULL', `the breaker "${this.name}" ${rule}`, { Base: RangeError })
    }
  }

  /** @param {string} [key] */
  reset(key) {
    this.#gate.assertKey(key)
    if (this.#native.breakerReset(this.#id, key) === undefined) throw this.#gate.trouble(key)
    if (details[1] !== 0) collect()
  }

  /**
   * @param {'transition' | 'refused'} event
   * @param {(message: any) => void} listener
   */
  on(event, listener) {
    return this.#events.on(event, listener)
  }

  /** @returns {import('../index').SavedBreaker} */
  snapshot() {
    const json = this.#native.breakerSave(this.#id)
    if (json === undefined) throw this.#gate.trouble(undefined)
    const saved = JSON.parse(json)
    const takenAt = this.#place.wall()
    return { version: VERSION, takenAt, ...(this.#gate.perKey ? saved : { circuit: saved }) }
  }

  /**
   * @param {import('../index').SavedBreaker} data
   * @param {{ maxAge?: import('../index').Duration }} [options]
   */
  restore(data, options) {
    const maxAge = maxAgeOf(options)
    const saved = savedBreaker(data, this.#gate.perKey)
    if (saved === undefined) return false
    const { takenAt, circuits } = saved
    const elapsedMs = this.#place.wall() - takenAt
    if (elapsedMs < 0 || elapsedMs > maxAge) return false
    for (const { key, json } of circuits) {
      if (this.#native.breakerRestore(this.#id, key, json, elapsedMs) === undefined) throw this.#gate.trouble(key)
      if (details[1] !== 0) collect()
    }
    return true
  }

  dispose() {
    this.#place.dispose(this.#id)
  }

  /**
   * The call itself, under a permit that comes back however it ends. One reaction and no async function, which would cost
   * several times as much.
   * @template T
   * @template A
   * @param {number} generation
   * @param {number} place
   * @param {(call: import('../index').CallContext) => T | PromiseLike<T>} fn
   * @param {AbortSignal | undefined} signal
   * @param {((value: T) => A) | undefined} answered what the caller gets for a value, if not the value
   * @returns {Promise<any>}
   */
  #call(generation, place, fn, signal, answered) {
    const gate = this.#gate
    const began = gate.begin()
    let running
    try {
      running = Promise.resolve(fn(new CallContext(signal)))
    } catch (error) {
      running = Promise.reject(error)
    }
    return then.call(
      running,
      (value) => {
        const outcome = gate.outcomeOfValue(value, signal, generation, place)
        gate.leave(generation, place, outcome, gate.took(began))
        return answered === undefined ? value : answered(value)
      },
      (error) => {
        const outcome = gate.outcomeOf({ ok: false, error }, signal, generation, place)
        gate.leave(generation, place, outcome, gate.took(began))
        return new Rejected(error)
      },
    )
  }

  /**
   * Somebody was refused: who wants to know is told, and the wait is answered, if it is known.
   * @param {BreakerCall | undefined} options
   */
  #refused(options) {
    const { waitMs } = this.#gate
    const retryAfterMs = Number.isNaN(waitMs) ? undefined : waitMs
    if (this.#events.wanted('refused')) this.#events.emit('refused', { breaker: this, key: options?.key, retryAfterMs })
    return retryAfterMs
  }

  /**
   * @param {number} from
   * @param {number} to
   * @param {string | undefined} key
   */
  #moved(from, to, key) {
    if (!this.#events.wanted('transition')) return
    this.#events.emit('transition', { breaker: this, key, from: STATES[from], to: STATES[to] })
  }

  /** @param {string | undefined} key */
  #state(key) {
    this.#gate.assertKey(key)
    const state = key === undefined ? this.#native.breakerState(this.#id) : this.#native.breakerState(this.#id, key)
    if (state === undefined) throw this.#gate.trouble(key)
    return STATES[state]
  }
}

/**
 * @template T
 * @param {T} value
 * @returns {import('../index').Attempt<T>}
 */
function attempted(value) {
  return { ok: true, value }
}

module.exports = { Breaker }
