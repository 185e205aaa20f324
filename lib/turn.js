// The time as of this turn of the event loop. Owns how old that may be. Never to be used where a millisecond decides.
'use strict'

/** A turn that never ends must not stop time: after so many readings the clock is asked anyway. */
const READINGS = 64

// As it was at the start: a test that fakes timers must not keep this from ever firing.
const { setTimeout } = globalThis

let time = 0
let readings = READINGS
let armed = false

/**
 * Milliseconds on a clock that never jumps, read when this was last asked in an earlier turn, or 64 askings ago.
 *
 * Reading the clock costs as much as all the rest of a hot cache hit.
 */
function recent() {
  if (readings < READINGS) {
    readings++
    return time
  }
  return read()
}

function read() {
  if (!armed) {
    armed = true
    setTimeout(forget, 1).unref()
  }
  readings = 0
  return (time = performance.now())
}

function forget() {
  armed = false
  readings = READINGS
}

module.exports = { recent }
