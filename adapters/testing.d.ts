// Owns the types of spillway/testing, written by hand.
// Never imports the types of a test runner.

import type { Duration } from '../index.js'

/** A clock that stands still until the test moves it. Called, it answers its time: hand it to `spillway({ clock })` as it is. */
export interface ManualClock {
  /** The time in milliseconds. */
  (): number
  /** The same, to look at. */
  readonly now: number
  /**
   * Moves the time forward, and answers the new one.
   * @throws `E_DURATION` for what is no duration, or is negative
   */
  advance(duration: Duration): number
  /**
   * Jumps to a time, back as well as forward, as a wall clock does when it is corrected; answers it.
   * @throws `E_OPTION` for anything but a finite number
   */
  set(ms: number): number
}

/**
 * A clock for `spillway({ clock })`, which implies a registry of its own: no other test sees its primitives. Everything that is
 * reckoned by the clock (limits, open breakers, time to live) passes with it. Deadlines that wake somebody up (`queueTimeout`,
 * `loadTimeout`) run on the `setTimeout` of the moment: where they matter, let the test runner fake timers and give
 * `clock: () => Date.now()`.
 *
 * @param start milliseconds it begins with. Default 0.
 * @throws `E_OPTION` for a start that is no finite number
 * @example
 * const clock = manualClock()
 * const sp = spillway({ clock })
 * const codes = sp.limiter('link-code', { limit: 5, window: '10m' })
 * for (let code = 0; code < 5; code++) codes.consume('ada')
 * codes.consume('ada').ok // false
 * clock.advance('2m')
 * codes.consume('ada').ok // true
 */
export function manualClock(start?: number): ManualClock

/** How long calls take: always as long; log-normal with this median and 99th percentile; or anything in between, evenly. */
export type ChaosLatency = Duration | { p50: Duration; p99: Duration } | { min: Duration; max: Duration }

/** What befalls calls. `failure`, `throwSync` and `hang` are shares of all calls, 0 to 1, and add up to 1 at most. */
export interface ChaosWeather {
  /** The share that fails: rejects with `error`, or answers with `answer`. Default 0. */
  failure?: number
  /** The share that throws at once, where a promise is expected. Default 0. Within a policy it rejects at once. */
  throwSync?: number
  /** The share that never settles, unless its signal is aborted. Default 0. */
  hang?: number
  /**
   * How long calls take before they fail, or are handed on; 0 ms to 1 day, whole milliseconds. Default none. Waits run on the
   * `setTimeout` of the moment, so fake timers move them; they end at once when the signal of the call is aborted.
   */
  latency?: ChaosLatency
}

/**
 * A stretch of other weather. A phase that gives a share gives all three: the others are 0. One that gives none has those of the
 * options around it, and so with `latency`.
 */
export interface ChaosPhase extends ChaosWeather {
  /**
   * How long it lasts: a duration, 1 ms to 1 day, or a number of calls, 1 to 1,000,000; the same of the two in all phases. Only the
   * last may leave it out, and lasts for ever; otherwise the first follows the last again.
   */
  for?: Duration | { calls: number }
}

export interface ChaosOptions extends ChaosWeather {
  /** A whole number from 0 to 2^53 − 1. Default 1: a test does the same in each run unless it asks for something else. */
  seed?: number
  /** What call number `call`, from 0, fails with. Default an `Error` with the code `E_CHAOS`, the number and the seed. */
  error?: (call: number) => unknown
  /** Instead of `error`: what a failing call answers with, where failures are values, such as a response with status 503. */
  answer?: (call: number) => unknown
  /** Phases of other weather, one after another, from when the storm is made. */
  schedule?: readonly ChaosPhase[]
  /** What phases in durations go by, in milliseconds: `manualClock()`. Default the time that goes with the timers, fake or real. */
  clock?: () => number
}

/** `ok` is handed on; the others are named after what asks for them. */
export type ChaosFate = 'ok' | 'failure' | 'throwSync' | 'hang'

/** What was done to one call. */
export interface ChaosCall {
  /** Its number, from 0, in the order calls came. */
  readonly call: number
  readonly fate: ChaosFate
  /** What it was to take before it was handed on or failed, in whole milliseconds; 0 for who throws at once or hangs. */
  readonly latencyMs: number
  /** The phase of the schedule it fell into, from 0; null without a schedule. */
  readonly phase: number | null
  /** Milliseconds since the storm was made. */
  readonly atMs: number
  /** Whether its signal ended it while it waited or hung. */
  readonly aborted: boolean
}

/** A storm: stands in front of functions, or in a policy as a strategy. */
export interface Chaos {
  readonly kind: 'chaos'
  readonly seed: number
  /** How many calls there have been. */
  readonly calls: number
  /** How many of them hang at the moment: not 0 at the end of a test means that something did not abort what it gave up. */
  readonly hanging: number
  /** The last 1,000 calls, the oldest first. */
  readonly log: readonly ChaosCall[]
  /**
   * `fn` behind the storm, for the same arguments and the same `this`. Each call of it is a call of the storm. The signal it honours is
   * that of the first argument that is one, or has one as `signal`: the context of `run`, the options of `fetch`, a `Request`.
   * @throws `E_FUNCTION` for what is no function
   */
  wrap<A extends unknown[], R>(fn: (...args: A) => R): (...args: A) => Promise<Awaited<R>>
  /**
   * What call number `call` would meet, or has met, in the weather of this moment. Counts as no call.
   * @throws `E_OPTION` for anything but a whole number from 0
   */
  fate(call: number): { readonly fate: ChaosFate; readonly latencyMs: number }
  /** The seed, and how many calls met with what: for the message of an assertion. */
  toString(): string
}

/**
 * Trouble from a seed, for tests of how a service behaves behind its policies. What happens to a call depends on the seed, the number
 * of the call and the weather alone: not on how calls interleave, nor on how often a test is run.
 *
 * @throws `E_OPTION`, `E_DURATION` for options that cannot be
 * @example
 * const storm = chaos({ seed: 7, failure: 0.3, hang: 0.01, latency: { p50: '20ms', p99: '800ms' } })
 * const send = storm.wrap((message) => sendGrid.send(message))
 */
export function chaos(options?: ChaosOptions): Chaos
