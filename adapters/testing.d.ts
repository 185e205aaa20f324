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
