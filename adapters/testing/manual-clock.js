// A clock that stands still until the test moves it. Owns its time.
// Never needs the native side, and never fakes a timer: that is the test runner's.
'use strict'

const durations = require('../../lib/durations.js')
const { misuse, shown } = require('../../lib/misuse.js')

/**
 * A clock for `spillway({ clock })`.
 * @param {number} [start] milliseconds
 * @returns {import('../testing').ManualClock}
 */
function manualClock(start = 0) {
  let time = finite('start', start)
  const clock = () => time
  return Object.defineProperties(/** @type {any} */ (clock), {
    now: { get: clock, enumerable: true },
    advance: { value: advance, enumerable: true },
    set: { value: set, enumerable: true },
  })

  /** @param {unknown} duration */
  function advance(duration) {
    return (time += span(duration))
  }

  /** @param {unknown} ms */
  function set(ms) {
    return (time = finite('ms', ms))
  }
}

/** @param {unknown} duration */
function span(duration) {
  const milliseconds = durations.milliseconds(duration)
  if (Number.isNaN(milliseconds)) {
    const rule = "must be milliseconds as a number, or a number with ms, s, m, h or d, like '30s'"
    throw misuse('E_DURATION', `\`duration\` of advance() ${rule}; got ${shown(duration)}`, { option: 'duration' })
  }
  if (milliseconds < 0) {
    const message = `\`duration\` of advance() must be 0 or more; got ${shown(duration)}. To jump back, use set()`
    throw misuse('E_DURATION', message, { Base: RangeError, option: 'duration' })
  }
  return milliseconds
}

/**
 * @param {string} option
 * @param {unknown} value
 */
function finite(option, value) {
  if (typeof value !== 'number' || !Number.isFinite(value)) {
    const message = `\`${option}\` of a manual clock must be milliseconds as a finite number; got ${shown(value)}`
    throw misuse('E_OPTION', message, { option })
  }
  return value
}

module.exports = { manualClock }
