// The breaker as JavaScript sees it: run, attempt, enter and exit. Owns who is let in and what is told of it. Never crosses into
// native code for a call that went well through a closed breaker: those are counted in memory that native code reads.
'use strict'

const { BreakerPermit } = require('./breaker-permit.js')
const { CallContext, assertFunction, signalOf } = require('./call.js')
const { Events } = require('./events.js')
const { isKey, keyTrouble } = require('./keys.js')
const loop = require('./loop.js')
const { collect } = require('./mailbox.js')
const { misuse, shown } = require('./misuse.js')
const { details, movers, slots, TROUBLE, troubleOf } = require('./native.js')
const { Options, DAY } = require('./options.js')
const { outcomeOfError, outcomeOfValue } = require('./outcome.js')
const { Refused } = require('./refused.js')
const { Refusal, refusalInfo } = require('./refusals.js')
const { Rejected } = require('./rejected.js')
const { savedBreaker, VERSION } = require('./saved-breaker.js')
const { recent } = require('./turn.js')

/** @typedef {InstanceType<typeof import('./place.js').Place>} Place */
/** @typedef {import('./breaker-shape.js').BreakerShape} BreakerShape */
/** @typedef {import('../index').BreakerCall} BreakerCall */
/** @typedef {import('../index').BreakerOptions} BreakerOptions */
/** @typedef {import('../index').Outcome} Outcome */
/** @typedef {{ generation: number, place: number, began: number }} Pass */
/** @typedef {{ ok: true, value: unknown } | { ok: false, error: unknown }} Settled */
/** @typedef {{ aborted: boolean, reason: unknown }} Signal */
/** @typedef {{ reason: unknown }} Aborted */

/** @type {readonly import('../index').BreakerState[]} */
const STATES = ['closed', 'open', 'half-open', 'isolated']
/** As src/hot/breaker.rs numbers them. @type {readonly Outcome[]} */
const OUTCOMES = ['ok', 'fail', 'ignore']
const OK = 0
const IGNORE = 2
/** The place of who has no key, as src/hot/breaker.rs numbers it in 32 bits. */
const NO_PLACE = -1

// As it is for everybody: a promise may have a method of its own.
const { then } = Promise.prototype

/** What `passIn` answers where no permit is free. */
const NO_PERMIT = -2

/** What the last entry left, besides the generation. */
let wait = NaN
let place = NO_PLACE

class Breaker {
  #native
  #id
  #place
  /** Where this environment sees that it is closed. -1: nowhere, so one has to ask. */
  #slot
  /** Where calls that went well are counted, until that time on `recent()`; then native code must be told that time goes on. */
  #counter
  #countsUntil = -Infinity
  #perKey
  /** Calls that took longer are slow; undefined where nobody wants to know. */
  #slowOverMs
  /** Whether the event loop's lateness is on the same clock. */
  #onSystemClock
  #events = new Events('breaker', ['transition', 'refused'])
  /** @type {BreakerOptions['classify']} */
  #classify
  /** @type {(() => void) | undefined} */
  #offTransition
  /** @type {'breaker'} */
  kind = 'breaker'

  /**
   * To be called right after it was opened, which leaves its slots.
   * @param {Place} place
   * @param {number} id
   * @param {BreakerShape} shape
   */
  constructor(place, id, shape) {
    this.#native = place.native
    this.#id = id
    this.#place = place
    // As small integers, which is what an index has to be to cost nothing.
    this.#slot = details[0] | 0
    this.#counter = details[1] | 0
    this.#perKey = shape.maxKeys !== undefined
    this.#slowOverMs = shape.slowOverMs
    this.#onSystemClock = place.recent === recent
    this.name = place.name
    this.perKey = this.#perKey
    movers.set(id, (from, to, key) => this.#moved(from, to, key))
  }

  /**
   * Functions belong to this thread's handle, and the last ones given count.
   * @param {Breaker} breaker
   * @param {Pick<BreakerOptions, 'classify' | 'onTransition'>} functions
   */
  static setFunctions(breaker, { classify, onTransition }) {
    breaker.#classify = classify
    breaker.#offTransition?.()
    breaker.#offTransition = onTransition && breaker.#events.on('transition', onTransition)
  }

  /**
   * The handle is let go: it must ask, and be told so, and the memory it counted in will be another's.
   * @param {Breaker} breaker
   */
  static letGo(breaker) {
    breaker.#slot = -1
    breaker.#counter = -1
    movers.delete(breaker.#id)
  }

  /**
   * Lets a call through a policy in, or refuses it.
   * @param {Breaker} breaker
   * @param {string | undefined} key
   * @returns {Pass | InstanceType<typeof Refused>}
   */
  static letIn(breaker, key) {
    return breaker.#passed(breaker.#enter(key), key)
  }

  /**
   * How that call counts, now that it has ended.
   * @param {Breaker} breaker
   * @param {Pass} pass
   * @param {Settled} settled
   * @param {Aborted | undefined} aborted what the call was to be aborted by
   */
  static letOut(breaker, { generation, place, began }, settled, aborted) {
    const outcome = breaker.#outcomeOf(settled, asSignal(aborted), generation, place)
    breaker.#leave(generation, place, outcome, breaker.#took(began))
  }

  /**
   * Whether everybody may enter without asking.
   * @param {Breaker} breaker
   * @returns {Pass | undefined}
   */
  static freely(breaker) {
    const shown = slots[breaker.#slot]
    return shown > 0 ? breaker.#pass(shown - 1, NO_PLACE) : undefined
  }

  /**
   * Lets a call through a policy in together with a permit of a bulkhead, or refuses it.
   * @param {Breaker} breaker without keys
   * @param {number} bulkheadId
   * @param {boolean} bulkheadFirst
   * @returns {Pass | InstanceType<typeof Refused> | undefined} nothing where no permit is free
   */
  static letInto(breaker, bulkheadId, bulkheadFirst) {
    const generation = breaker.#native.passIn(breaker.#id, bulkheadId, bulkheadFirst ? 1 : 0)
    if (generation === NO_PERMIT) return undefined
    return breaker.#passed(breaker.#entered(generation, undefined), undefined)
  }

  /**
   * How that call counts, and the permit comes back.
   * @param {Breaker} breaker
   * @param {Pass} pass
   * @param {Settled} settled
   * @param {Aborted | undefined} aborted
   * @param {number} bulkheadId
   * @param {() => void} release the permit alone
   */
  static letOutOf(breaker, { generation, place, began }, settled, aborted, bulkheadId, release) {
    let outcome
    try {
      outcome = breaker.#outcomeOf(settled, asSignal(aborted), generation, place)
    } catch (error) {
      release()
      throw error
    }
    const tookMs = breaker.#took(began)
    if (breaker.#counts(generation, outcome, tookMs)) return release()
    if (breaker.#native.passOut(breaker.#id, generation, outcome, tookMs, bulkheadId)) collect()
  }

  /**
   * @param {number} generation
   * @param {string | undefined} key
   * @returns {Pass | InstanceType<typeof Refused>}
   */
  #passed(generation, key) {
    if (generation >= 0) return this.#pass(generation, place)
    return new Refused('E_OPEN', this.name, { retryAfterMs: this.#refused({ key }) })
  }

  /**
   * @param {number} generation
   * @param {number} place
   * @returns {Pass}
   */
  #pass(generation, place) {
    return { generation, place, began: this.#slowOverMs === undefined ? 0 : this.#begin() }
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
      generation = this.#enter(options?.key)
      if (generation < 0)
        throw new Refusal({ code: 'E_OPEN', primitive: this.name, retryAfterMs: this.#refused(options) })
    } catch (error) {
      return Promise.reject(error)
    }
    return this.#call(generation, place, fn, signal, undefined)
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
      generation = this.#enter(options?.key)
      if (generation < 0) {
        return Promise.resolve({ ok: false, refusal: refusalInfo('E_OPEN', this.name, this.#refused(options)) })
      }
    } catch (error) {
      return Promise.reject(error)
    }
    return this.#call(generation, place, fn, signal, attempted)
  }

  /** @param {string} [key] */
  enter(key) {
    const generation = this.#enter(key)
    if (generation >= 0) return new BreakerPermit(this, generation, place)
    this.#refused({ key })
    return null
  }

  /**
   * @param {import('../index').BreakerPermit} permit
   * @param {Outcome} outcome
   * @param {number} ms
   */
  exit(permit, outcome, ms = 0) {
    const number = this.#numberOf(outcome)
    if (typeof ms !== 'number' || !(ms >= 0)) {
      throw misuse('E_OPTION', `\`ms\` of exit() must be milliseconds, 0 or more; got ${shown(ms)}`, { option: 'ms' })
    }
    const taken = BreakerPermit.take(permit, this)
    if (taken !== undefined) this.#leave(permit.generation, taken, number, ms)
  }

  /** @param {string} [key] */
  isolate(key) {
    this.#assertKey(key)
    const placed = this.#native.breakerIsolate(this.#id, key)
    if (placed === undefined) throw this.#trouble(key)
    if (details[1] !== 0) collect()
    if (!placed) {
      const rule = 'has as many keys that count as it may hold, `maxKeys`; this one is not isolated'
      throw misuse('E_KEYS_FULL', `the breaker "${this.name}" ${rule}`, { Base: RangeError })
    }
  }

  /** @param {string} [key] */
  reset(key) {
    this.#assertKey(key)
    if (this.#native.breakerReset(this.#id, key) === undefined) throw this.#trouble(key)
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
    if (json === undefined) throw this.#trouble(undefined)
    const saved = JSON.parse(json)
    const takenAt = this.#place.wall()
    return { version: VERSION, takenAt, ...(this.#perKey ? saved : { circuit: saved }) }
  }

  /**
   * @param {import('../index').SavedBreaker} data
   * @param {{ maxAge?: import('../index').Duration }} [options]
   */
  restore(data, options) {
    const maxAge = new Options('restore()', options, ['maxAge']).duration('maxAge', {
      max: 365 * DAY,
      fallback: 3_600_000,
    })
    const saved = savedBreaker(data, this.#perKey)
    if (saved === undefined) return false
    const { takenAt, circuits } = saved
    const elapsedMs = this.#place.wall() - takenAt
    if (elapsedMs < 0 || elapsedMs > maxAge) return false
    // Those that refuse first: should there be fewer places than keys, they are what matters.
    for (const open of [true, false]) {
      for (const { key, json } of circuits.filter((circuit) => circuit.open === open)) {
        if (this.#native.breakerRestore(this.#id, key, json, elapsedMs) === undefined) throw this.#trouble(key)
        if (details[1] !== 0) collect()
      }
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
    const began = this.#slowOverMs === undefined ? 0 : this.#begin()
    let running
    try {
      running = Promise.resolve(fn(new CallContext(signal)))
    } catch (error) {
      running = Promise.reject(error)
    }
    return then.call(
      running,
      (value) => {
        this.#succeeded(value, signal, generation, place, began)
        return answered === undefined ? value : answered(value)
      },
      (error) => {
        const outcome = this.#outcomeOf({ ok: false, error }, signal, generation, place)
        this.#leave(generation, place, outcome, this.#took(began))
        return new Rejected(error)
      },
    )
  }

  /**
   * @param {unknown} value
   * @param {AbortSignal | undefined} signal
   * @param {number} generation
   * @param {number} place
   * @param {number} began
   */
  #succeeded(value, signal, generation, place, began) {
    const plain = this.#classify === undefined && typeof value !== 'object'
    const outcome = plain ? OK : this.#outcomeOf({ ok: true, value }, signal, generation, place)
    this.#leave(generation, place, outcome, this.#took(began))
  }

  /** The time at which a call begins that may be slow. */
  #begin() {
    if (this.#onSystemClock) loop.watch()
    return this.#place.now()
  }

  /**
   * How long the dependency took: what this thread's event loop was late is not its fault.
   * @param {number} began
   */
  #took(began) {
    if (this.#slowOverMs === undefined) return 0
    const tookMs = this.#place.now() - began
    if (tookMs <= this.#slowOverMs || !this.#onSystemClock) return tookMs
    return Math.max(0, tookMs - loop.lateness(began))
  }

  /**
   * The generation of who is let in, with its `place`; -1 for who is not, with the `wait`.
   * @param {string | undefined} key
   */
  #enter(key) {
    if (key === undefined && !this.#perKey) {
      // While it is closed, its slot shows the generation plus one in every thread's memory: nothing to ask, nothing to write.
      place = NO_PLACE
      const shown = slots[this.#slot]
      if (shown > 0) return shown - 1
      return this.#entered(this.#native.breakerEnter(this.#id), key)
    }
    if (!this.#perKey) this.#assertKey(key)
    return this.#entered(this.#native.breakerEnterKey(this.#id, key), key)
  }

  /**
   * @param {number | undefined} generation
   * @param {string | undefined} key
   */
  #entered(generation, key) {
    if (generation === undefined) throw this.#trouble(key)
    const waitMs = details[0]
    const mail = details[1]
    const at = details[2] | 0
    // Listeners may enter as well.
    if (mail !== 0) collect()
    wait = waitMs
    place = at
    return generation
  }

  /**
   * Somebody was refused: who wants to know is told, and the wait is answered, if it is known.
   * @param {BreakerCall | undefined} options
   */
  #refused(options) {
    const retryAfterMs = Number.isNaN(wait) ? undefined : wait
    if (this.#events.wanted('refused')) {
      this.#events.emit('refused', { breaker: this, key: options?.key, retryAfterMs })
    }
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

  /**
   * @param {number} generation
   * @param {number} place
   * @param {number} outcome
   * @param {number} tookMs
   */
  #leave(generation, place, outcome, tookMs) {
    if (this.#counts(generation, outcome, tookMs)) return
    let mail
    if (place !== NO_PLACE) mail = this.#native.breakerExitKey(this.#id, generation, outcome, tookMs, place)
    // An argument more is a call into Node more.
    else if (tookMs === 0) mail = this.#native.breakerExit(this.#id, generation, outcome)
    else mail = this.#native.breakerExit(this.#id, generation, outcome, tookMs)
    if (mail) collect()
  }

  /**
   * Whether the call went well and is counted, without a crossing.
   * @param {number} generation
   * @param {number} outcome
   * @param {number} tookMs
   */
  #counts(generation, outcome, tookMs) {
    const slow = this.#slowOverMs !== undefined && tookMs > this.#slowOverMs
    if (outcome !== OK || slow || slots[this.#slot] !== generation + 1 || !this.#mayCount()) return false
    slots[this.#counter]++
    return true
  }

  /** Whether a call that went well may be counted here: native code knows of which moment. */
  #mayCount() {
    if (recent() < this.#countsUntil) return true
    if (this.#counter < 0) return false
    const forMs = this.#native.breakerTurn(this.#id)
    if (forMs === undefined) return false
    this.#countsUntil = recent() + forMs
    return true
  }

  /**
   * @param {{ ok: true, value: unknown } | { ok: false, error: unknown }} settled
   * @param {Signal | undefined} signal
   * @param {number} generation
   * @param {number} place
   */
  #outcomeOf(settled, signal, generation, place) {
    const classify = this.#classify
    if (classify === undefined) {
      return OUTCOMES.indexOf(settled.ok ? outcomeOfValue(settled.value) : outcomeOfError(settled.error, signal))
    }
    try {
      return this.#numberOf(classify(settled))
    } catch (error) {
      // The permit must come back, and a defect in classify says nothing about the dependency.
      this.#leave(generation, place, IGNORE, 0)
      throw error
    }
  }

  /** @param {unknown} outcome */
  #numberOf(outcome) {
    const number = OUTCOMES.indexOf(/** @type {Outcome} */ (outcome))
    if (number < 0) {
      throw misuse(
        'E_OUTCOME',
        `an outcome at the breaker "${this.name}" is 'ok', 'fail' or 'ignore'; got ${shown(outcome)}`,
      )
    }
    return number
  }

  /** @param {string | undefined} key */
  #state(key) {
    this.#assertKey(key)
    const state = key === undefined ? this.#native.breakerState(this.#id) : this.#native.breakerState(this.#id, key)
    if (state === undefined) throw this.#trouble(key)
    return STATES[state]
  }

  /**
   * A breaker of keys needs one, and another has none.
   * @param {unknown} key
   */
  #assertKey(key) {
    if (this.#perKey && !isKey(key)) throw keyTrouble(this, key)
    if (!this.#perKey && key !== undefined) {
      const rule = 'has no keys; open it with `perKey`, or leave the key out'
      throw misuse('E_OPTION', `the breaker "${this.name}" ${rule}; got ${shown(key)}`, { option: 'key' })
    }
  }

  /** @param {unknown} key */
  #trouble(key) {
    return details[7] === TROUBLE.KEY ? keyTrouble(this, key) : troubleOf(this.kind, this.name)
  }
}

/**
 * @param {Aborted | undefined} aborted
 * @returns {Signal | undefined}
 */
function asSignal(aborted) {
  return aborted && { aborted: true, reason: aborted.reason }
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
