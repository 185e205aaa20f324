// The breaker as JavaScript sees it: run, attempt, enter and exit. Owns how an ended call counts. Never counts a refusal of ours
// as a failure of the dependency.
'use strict'

const { CallContext, assertFunction, signalOf } = require('./call.js')
const { misuse, shown } = require('./misuse.js')
const { details, slots, troubleOf } = require('./native.js')
const { Options, DAY } = require('./options.js')
const { Refusal, isRefusal, refusalInfo } = require('./refusals.js')

/** @typedef {InstanceType<typeof import('./spillway.js').Place>} Place */
/** @typedef {import('../index').Outcome} Outcome */

const OPTIONS = [
  'window',
  'failureRate',
  'minCalls',
  'consecutive',
  'slow',
  'open',
  'probes',
  'probeTimeout',
  'classify',
]
const MILLION = 1_000_000

/** @type {readonly import('../index').BreakerState[]} */
const STATES = ['closed', 'open', 'half-open', 'isolated']
/** As src/hot.rs numbers them. @type {readonly Outcome[]} */
const OUTCOMES = ['ok', 'fail', 'ignore']
const OK = 0

/** @param {unknown} given */
function breakerShape(given) {
  const options = new Options('a breaker', given, OPTIONS)
  const slow = options.get('slow') === undefined ? undefined : options.nested('slow', ['over', 'rate'])
  const asObject = typeof options.get('open') === 'object'
  const open = asObject ? options.nested('open', ['for', 'max', 'jitter']) : options
  const openForMs = open.duration(asObject ? 'for' : 'open', asObject ? {} : { fallback: 5_000 })
  return {
    windowMs: options.duration('window', { min: 10, fallback: 60_000 }),
    failureRate: options.share('failureRate', { aboveZero: true, fallback: 0.5 }),
    minCalls: options.whole('minCalls', { min: 1, max: MILLION, fallback: 10 }),
    consecutive: options.whole('consecutive', { min: 1, max: MILLION, fallback: null }) ?? undefined,
    slowOverMs: slow?.duration('over', { max: DAY }),
    slowRate: slow?.share('rate', { aboveZero: true }),
    openForMs,
    openMaxMs: asObject
      ? open.duration('max', { min: openForMs, fallback: Math.max(openForMs, 60_000) })
      : Math.max(openForMs, 60_000),
    openJitter: asObject ? open.share('jitter', { fallback: 0.2 }) : 0.2,
    probes: options.whole('probes', { min: 1, max: 65_535, fallback: 3 }),
    probeTimeoutMs: options.duration('probeTimeout', { fallback: 15_000 }),
  }
}

/** @param {unknown} given */
function breakerClassify(given) {
  return new Options('a breaker', given, OPTIONS).callback('classify')
}

class BreakerPermit {
  #breaker
  #out = true

  /**
   * @param {Breaker} breaker
   * @param {number} generation
   */
  constructor(breaker, generation) {
    this.#breaker = breaker
    this.generation = generation
  }

  /**
   * Whether the permit is out; from then on it is not.
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
    return out
  }
}

class Breaker {
  #native
  #id
  #place
  #slot
  #timed
  /** @type {import('../index').BreakerOptions['classify']} */
  #classify
  /** @type {'breaker'} */
  kind = 'breaker'

  /**
   * @param {Place} place
   * @param {number} id
   * @param {ReturnType<typeof breakerShape>} shape
   */
  constructor(place, id, shape) {
    this.#native = place.native
    this.#id = id
    this.#place = place
    this.#slot = place.cold((native) => native.breakerSlot(id))
    this.#timed = shape.slowOverMs !== undefined
    this.name = place.name
  }

  /**
   * The function belongs to this thread's handle, and the last one given counts.
   * @param {Breaker} breaker
   * @param {import('../index').BreakerOptions['classify']} classify
   */
  static setClassify(breaker, classify) {
    breaker.#classify = classify
  }

  /**
   * The handle was let go: it must ask, and be told so.
   * @param {Breaker} breaker
   */
  static forgetSlot(breaker) {
    breaker.#slot = -1
  }

  get state() {
    const state = this.#native.breakerState(this.#id)
    if (state === undefined) throw troubleOf(this.kind, this.name)
    return STATES[state]
  }

  /**
   * @template T
   * @param {(call: import('../index').CallContext) => T | PromiseLike<T>} fn
   * @param {import('../index').CallOptions} [options]
   * @returns {Promise<T>}
   */
  run(fn, options) {
    let signal
    let generation
    // Not an async function: the promise of the call itself is what the caller gets, with no other around it.
    try {
      signal = this.#check(fn, options)
      generation = this.#enter()
      if (generation < 0) throw new Refusal({ code: 'E_OPEN', primitive: this.name, retryAfterMs: waitLeft() })
    } catch (error) {
      return Promise.reject(error)
    }
    return this.#call(generation, fn, signal)
  }

  /**
   * @template T
   * @param {(call: import('../index').CallContext) => T | PromiseLike<T>} fn
   * @param {import('../index').CallOptions} [options]
   * @returns {Promise<import('../index').Attempt<T>>}
   */
  async attempt(fn, options) {
    const signal = this.#check(fn, options)
    const generation = this.#enter()
    if (generation < 0) return { ok: false, refusal: refusalInfo('E_OPEN', this.name, waitLeft()) }
    return { ok: true, value: await this.#call(generation, fn, signal) }
  }

  enter() {
    const generation = this.#enter()
    return generation < 0 ? null : new BreakerPermit(this, generation)
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
    if (BreakerPermit.take(permit, this)) this.#native.breakerExit(this.#id, permit.generation, number, ms)
  }

  isolate() {
    this.#place.cold((native) => native.breakerIsolate(this.#id))
  }

  reset() {
    this.#place.cold((native) => native.breakerReset(this.#id))
  }

  dispose() {
    this.#place.dispose(this.#id)
  }

  /**
   * The call itself, under a permit that comes back however it ends.
   * @template T
   * @param {number} generation
   * @param {(call: import('../index').CallContext) => T | PromiseLike<T>} fn
   * @param {AbortSignal | undefined} signal
   * @returns {Promise<T>}
   */
  async #call(generation, fn, signal) {
    const began = this.#timed ? this.#place.now() : 0
    let value
    try {
      value = await fn(new CallContext(signal))
    } catch (error) {
      this.#leave(generation, this.#outcomeOf({ ok: false, error }, signal, generation), began)
      throw error
    }
    const outcome = this.#classify === undefined ? OK : this.#outcomeOf({ ok: true, value }, signal, generation)
    this.#leave(generation, outcome, began)
    return value
  }

  /**
   * @param {unknown} fn
   * @param {import('../index').CallOptions | undefined} options
   */
  #check(fn, options) {
    assertFunction(`the breaker "${this.name}"`, fn)
    return options === undefined ? undefined : signalOf(options)
  }

  #enter() {
    // While it is closed, its slot shows the generation plus one in every thread's memory: nothing to ask, nothing to write.
    const shown = slots[this.#slot]
    if (shown > 0) return shown - 1
    const generation = this.#native.breakerEnter(this.#id)
    if (generation === undefined) throw troubleOf(this.kind, this.name)
    return generation
  }

  /**
   * @param {number} generation
   * @param {number} outcome
   * @param {number} began
   */
  #leave(generation, outcome, began) {
    // The usual end goes unsaid: an argument more is a call into Node more.
    if (outcome === OK && !this.#timed) this.#native.breakerExit(this.#id, generation)
    else this.#native.breakerExit(this.#id, generation, outcome, this.#timed ? this.#place.now() - began : 0)
  }

  /**
   * @param {{ ok: true, value: unknown } | { ok: false, error: unknown }} settled
   * @param {AbortSignal | undefined} signal
   * @param {number} generation
   */
  #outcomeOf(settled, signal, generation) {
    const classify = this.#classify
    if (classify === undefined) return this.#numberOf(settled.ok ? 'ok' : outcomeOfError(settled.error, signal))
    try {
      return this.#numberOf(classify(settled))
    } catch (error) {
      // The permit must come back, and a defect in classify says nothing about the dependency.
      this.#leave(generation, OUTCOMES.indexOf('ignore'), 0)
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
}

/** The wait that a refused enter left, if it is known. */
function waitLeft() {
  const wait = details[0]
  return Number.isNaN(wait) ? undefined : wait
}

/**
 * How an error counts by default.
 * @param {unknown} error
 * @param {AbortSignal | undefined} signal
 * @returns {Outcome}
 */
function outcomeOfError(error, signal) {
  if (isRefusal(error)) return tookTooLong(error) ? 'fail' : 'ignore'
  const aborted = signal?.aborted === true
  // An AbortError comes from a call of abort() somewhere; time running out is a TimeoutError.
  if (nameOf(error) !== 'AbortError' && !(aborted && error === signal.reason)) return 'fail'
  return aborted && tookTooLong(signal.reason) ? 'fail' : 'ignore'
}

/** @param {unknown} reason of an abort */
function tookTooLong(reason) {
  return nameOf(reason) === 'TimeoutError' || (isRefusal(reason) && reason.code === 'E_TIMEOUT')
}

/** @param {unknown} error */
function nameOf(error) {
  return typeof error === 'object' && error !== null && 'name' in error ? error.name : undefined
}

module.exports = { Breaker, breakerShape, breakerClassify }
