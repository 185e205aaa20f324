// How late the event loop of this thread is. Owns the one beat that measures it; what is asked is always of the last moments.
// Never keeps the process alive, and never takes for lateness what was sleep: a stopped process, a frozen container.
'use strict'

/**
 * Not `monitorEventLoopDelay`: after its histogram is reset, the first tick only sets a mark, so what is read and reset every
 * interval shows nothing at all once each turn of the loop takes longer than an interval, when it matters most.
 */
const BEAT = 20
/** After so long without a request or a scrape of metrics there is no beat any more, until somebody asks: idle processes may sleep. */
const ATTENTION = 90_000
/** Beats that are kept: some twenty seconds, and longer when they are late. */
const KEPT = 1024
/** The longest span that can be asked for, in milliseconds. */
const LONGEST = 10_000

/**
 * Where a loop reads from; another in tests.
 * @typedef {object} Source
 * @property {() => number} now milliseconds on a clock that never jumps
 * @property {(() => { active: number, idle: number }) | undefined} usage milliseconds at work and asleep since the loop began
 * @property {(beat: () => void, milliseconds: number) => void} after calls once, without keeping anybody alive
 */

class Loop {
  #source
  #asked = 0
  #beating = false
  /** Beats so far, the first of them the beginning. Each is kept at its number modulo KEPT. */
  #beats = 0
  #at = new Float64Array(KEPT)
  #late = new Float64Array(KEPT)
  #active = new Float64Array(KEPT)
  #idle = new Float64Array(KEPT)

  /** @param {Source} source */
  constructor(source) {
    this.#source = source
    this.#attend()
  }

  #beat = () => {
    const at = this.#mark()
    this.#beats++
    this.#beating = at - this.#asked < ATTENTION
    if (this.#beating) this.#source.after(this.#beat, BEAT)
  }

  /** Somebody asks. The first to do so after a block sees it, though no timer has had its turn: this moment is marked too. */
  #attend() {
    if (!this.#beating) {
      this.#beats = 0
      this.#beating = true
      this.#mark()
      this.#beats = 1
      this.#source.after(this.#beat, BEAT)
    }
    return (this.#asked = this.#mark())
  }

  /** Writes down this moment as the next beat. It is none yet: a block that goes on is one, however often it is looked at. */
  #mark() {
    const at = this.#source.now()
    const { active, idle } = this.#source.usage?.() ?? { active: 0, idle: 0 }
    const index = this.#beats % KEPT
    let late = 0
    if (this.#beats > 0) {
      const before = (this.#beats - 1) % KEPT
      late = Math.max(0, at - this.#at[before] - BEAT)
      if (this.#source.usage !== undefined) late = Math.min(late, Math.max(0, active - this.#active[before]))
    }
    this.#at[index] = at
    this.#late[index] = late
    this.#active[index] = active
    this.#idle[index] = idle
    return at
  }

  /** Somebody will ask for how long it was late from here on. */
  watch() {
    if (this.#beating) this.#asked = this.#source.now()
    else this.#attend()
  }

  /**
   * For how many of the milliseconds since then it was late: all that came in that time waited for it, and not for anybody else.
   * @param {number} from
   */
  lateness(from) {
    const now = this.#attend()
    const beginning = this.#beginning(from)
    let late = 0
    for (let beat = beginning + 1; beat <= this.#beats; beat++) late += this.#late[beat % KEPT]
    return Math.min(late, Math.max(0, now - from))
  }

  /**
   * The number of the last beat that is not after `from`, or the oldest.
   * @param {number} from
   */
  #beginning(from) {
    const oldest = Math.max(0, this.#beats - KEPT + 1)
    let beat = this.#beats
    while (beat > oldest && this.#at[beat % KEPT] > from) beat--
    return beat
  }

  /**
   * The last so many milliseconds; longer where a block began before them.
   * @param {number} milliseconds up to LONGEST
   */
  over(milliseconds) {
    const beginning = this.#beginning(this.#attend() - milliseconds)
    const first = beginning % KEPT
    const last = this.#beats % KEPT
    const intervalMs = this.#at[last] - this.#at[first]
    // Who comes as a block of length L begins waits for L, who comes at its end for nothing: L²/2 in all.
    let waited = 0
    for (let beat = beginning + 1; beat <= this.#beats; beat++) waited += this.#late[beat % KEPT] ** 2 / 2
    const active = this.#active[last] - this.#active[first]
    const lived = active + this.#idle[last] - this.#idle[first]
    return {
      waitMs: intervalMs > 0 ? waited / intervalMs : 0,
      utilization: lived > 0 ? Math.min(1, Math.max(0, active / lived)) : 0,
      intervalMs,
    }
  }

  /**
   * The same, with how late the beats were.
   * @param {number} milliseconds
   */
  report(milliseconds) {
    const { waitMs, utilization, intervalMs } = this.over(milliseconds)
    /** @type {number[]} */
    const late = []
    const beginning = this.#beginning(this.#asked - milliseconds)
    for (let beat = beginning + 1; beat <= this.#beats; beat++) late.push(this.#late[beat % KEPT])
    late.sort((a, b) => a - b)
    /** @param {number} share */
    const rank = (share) => late[Math.max(0, Math.ceil(late.length * share) - 1)] ?? 0
    const mean = late.length > 0 ? late.reduce((sum, each) => sum + each, 0) / late.length : 0
    return { delayMs: { mean, p50: rank(0.5), p99: rank(0.99), max: rank(1) }, waitMs, utilization, intervalMs }
  }
}

// As they are in Node, whatever a test has put in their place: no fake time decides how late the real loop is. Where there is no
// such module, what the environment has.
const { setTimeout } = builtin('node:timers') ?? globalThis
const { performance } = builtin('node:perf_hooks') ?? globalThis

/** @type {Loop | undefined} */
let own

/** The loop of this thread, measured from the first time that somebody wants to know. */
function ownLoop() {
  // Not every environment that has the rest counts its sleep.
  const usage =
    typeof performance.eventLoopUtilization === 'function' ? () => performance.eventLoopUtilization() : undefined
  return (own ??= new Loop({ now: () => performance.now(), usage, after }))
}

/** @type {Source['after']} */
function after(beat, milliseconds) {
  setTimeout(beat, milliseconds).unref?.()
}

/** @param {string} name */
function builtin(name) {
  try {
    return require(name)
  } catch {
    return undefined
  }
}

/**
 * How the event loop of this thread was in the last so many milliseconds.
 * @param {number} milliseconds
 */
function over(milliseconds) {
  return ownLoop().over(milliseconds)
}

/** Have lateness() know of the time from here on. */
function watch() {
  ownLoop().watch()
}

/**
 * For how many of the milliseconds since then, on `performance.now()`, the event loop of this thread was late.
 * @param {number} from
 */
function lateness(from) {
  return ownLoop().lateness(from)
}

/** How late the event loop of this thread was in the last second. */
function loop() {
  return ownLoop().report(1_000)
}

module.exports = { Loop, loop, over, watch, lateness, LONGEST }
