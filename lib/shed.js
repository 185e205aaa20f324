// The guard against overload of this thread: who is refused while the event loop is late, the lowest priorities first.
// Never refuses `critical`, and never decides by chance or by one bad moment: one step at a time, and one step back.
//
// For who asks it in front of a handler: guard.admit(priority) → null, or a RefusalInfo (E_SHED, 503, retryAfterMs) that is one
// frozen object for all. At once, without an Error; priority is 'low' | 'normal' | 'high' | 'critical' or undefined for 'normal',
// any other E_OPTION. Nothing has to be given back.
'use strict'

const { CallContext, assertFunction, signalOf } = require('./call.js')
const { Level } = require('./level.js')
const { LONGEST } = require('./loop.js')
const { misuse, shown } = require('./misuse.js')
const { Options } = require('./options.js')
const { PRIORITIES, rankOf } = require('./priorities.js')
const { Refusal, refusalInfo } = require('./refusals.js')

/** @typedef {import('./priorities.js').Priority} Priority */
/** @typedef {{ priority?: Priority, signal?: AbortSignal }} ShedCall */
/** @typedef {import('../index').RefusalInfo} RefusalInfo */

const OPTIONS = ['delay', 'utilization', 'interval', 'measure']

/** @param {unknown} given */
function shedShape(given) {
  const options = new Options('a shed', given, OPTIONS)
  return {
    delayMs: options.duration('delay', { max: 60_000, fallback: 100 }),
    utilization: options.get('utilization') === undefined ? null : options.share('utilization', { aboveZero: true }),
    intervalMs: options.duration('interval', { min: 100, max: LONGEST, fallback: 500 }),
  }
}

/** @param {unknown} given */
function shedMeasure(given) {
  return new Options('a shed', given, OPTIONS).callback('measure')
}

class Shed {
  #place
  #shape
  #refusal
  /** @type {(() => number) | undefined} */
  #measure
  #level = new Level()
  #judgedAt
  /** What the last judgement went by. */
  #reading
  /** NaN once disposed of, which no time is before. */
  #due
  /** By rank: who came since the last judgement, and who was let through and refused since the beginning. */
  #came = [0, 0, 0, 0]
  #admitted = [0, 0, 0, 0]
  #refused = [0, 0, 0, 0]
  /** @type {'shed'} */
  kind = 'shed'

  /**
   * @param {{ name: string, now: () => number, over: (ms: number) => { waitMs: number, utilization: number, intervalMs: number }, dispose: () => void }} place
   * `over` answers how the loop was in the last so many milliseconds
   * @param {ReturnType<typeof shedShape>} shape
   */
  constructor(place, shape) {
    this.#place = place
    this.#shape = shape
    this.#refusal = Object.freeze(refusalInfo('E_SHED', place.name, shape.intervalMs))
    this.#judgedAt = place.now()
    this.#due = this.#judgedAt + shape.intervalMs
    this.name = place.name
    // The first to be judged finds a loop that has been measured.
    this.#reading = place.over(shape.intervalMs)
  }

  /**
   * The function belongs to this thread's handle, and the last one given counts.
   * @param {Shed} shed
   * @param {(() => number) | undefined} measure
   */
  static setMeasure(shed, measure) {
    shed.#measure = measure
  }

  /** @returns {'calm' | 'shedding'} */
  get state() {
    this.#attend()
    return this.#level.at === 0 ? 'calm' : 'shedding'
  }

  /**
   * Whether a call of this priority is refused now; null when it is not.
   * @param {Priority} [priority]
   * @returns {RefusalInfo | null}
   */
  admit(priority) {
    const rank = rankOf(this, priority)
    this.#came[rank]++
    this.#attend()
    if (this.#level.refuses(rank)) {
      this.#refused[rank]++
      return this.#refusal
    }
    this.#admitted[rank]++
    return null
  }

  /**
   * @template T
   * @param {(call: import('../index').CallContext) => T | PromiseLike<T>} fn
   * @param {ShedCall} [options]
   * @returns {Promise<T>}
   */
  async run(fn, options) {
    const signal = this.#check(fn, options)
    if (this.admit(options?.priority) !== null) {
      throw new Refusal({ code: 'E_SHED', primitive: this.name, retryAfterMs: this.#shape.intervalMs })
    }
    return fn(new CallContext(signal))
  }

  /**
   * @template T
   * @param {(call: import('../index').CallContext) => T | PromiseLike<T>} fn
   * @param {ShedCall} [options]
   * @returns {Promise<import('../index').Attempt<T>>}
   */
  async attempt(fn, options) {
    const signal = this.#check(fn, options)
    const refusal = this.admit(options?.priority)
    if (refusal !== null) return { ok: false, refusal }
    return { ok: true, value: await fn(new CallContext(signal)) }
  }

  /** What it is set to, where it stands and what it has counted. */
  report() {
    this.#attend()
    const [low, normal, high] = PRIORITIES.map((_, rank) => this.#level.share(rank))
    return {
      config: { ...this.#shape },
      state: this.state,
      level: this.#level.at,
      reading: { ...this.#reading },
      refusing: { low, normal, high },
      admitted: byPriority(this.#admitted),
      refused: byPriority(this.#refused),
    }
  }

  dispose() {
    this.#due = NaN
    this.#place.dispose()
  }

  /** The level moves here, at most once in an interval. */
  #attend() {
    const time = this.#place.now()
    // A clock that went back must not keep the level where it is until it has caught up.
    if (time < this.#due && time >= this.#judgedAt) return
    if (Number.isNaN(this.#due)) {
      const message = `the shed "${this.name}" has been disposed of or its spillway closed; open it again`
      throw misuse('E_DISPOSED', message, { Base: Error })
    }
    const { delayMs, intervalMs } = this.#shape
    const utilizationLimit = this.#shape.utilization ?? Infinity
    const passed = Math.max(1, Math.floor((time - this.#judgedAt) / intervalMs))
    this.#judgedAt = time
    this.#due = time + intervalMs
    const reading = (this.#reading = this.#place.over(intervalMs))
    if (this.#measure !== undefined) reading.waitMs = this.#measured(this.#measure)
    const { waitMs, utilization } = reading
    if (waitMs >= delayMs || utilization >= utilizationLimit) this.#level.rise(this.#came)
    else if (waitMs < delayMs / 2 && utilization < 0.9 * utilizationLimit) this.#level.rest(passed)
    else this.#level.stay()
    this.#came.fill(0)
  }

  /**
   * @param {unknown} fn
   * @param {ShedCall | undefined} options
   */
  #check(fn, options) {
    assertFunction(`the shed "${this.name}"`, fn)
    return options === undefined ? undefined : signalOf(options)
  }

  /** @param {() => number} measure */
  #measured(measure) {
    const wait = measure()
    if (typeof wait !== 'number' || !(wait >= 0)) {
      const rule = 'must answer milliseconds as a number, 0 or more'
      throw misuse('E_OPTION', `\`measure\` of the shed "${this.name}" ${rule}; got ${shown(wait)}`, {
        option: 'measure',
      })
    }
    return wait
  }
}

/** @param {number[]} counts by rank */
function byPriority([low, normal, high, critical]) {
  return { low, normal, high, critical }
}

module.exports = { Shed, shedShape, shedMeasure }
