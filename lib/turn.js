// The time as of this turn of the event loop. Owns how old that may be. Never to be used where a millisecond decides.
'use strict'

/** A turn that never ends must not stop time: after so many readings the clock is asked anyway. */
const READINGS = 64

// As it was at the start: a test that fakes timers must not keep this from ever firing.
const { setTimeout } = globalThis

class Turn {
  /** Milliseconds, as of this turn; Infinity as long as nobody has asked in it. */
  time = Infinity

  /** @param {() => number} read asks the clock */
  constructor(read) {
    this.read = read
  }
}

/** Of the clock that never jumps. Whoever looks at its time by himself sees to it that the clock is read every 64 times. */
const turn = new Turn(read)
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
    return turn.time
  }
  return read()
}

function read() {
  if (!armed) {
    armed = true
    setTimeout(forget, 1).unref()
  }
  readings = 0
  return (turn.time = performance.now())
}

function forget() {
  armed = false
  readings = READINGS
  turn.time = Infinity
}

module.exports = { recent, turn, Turn, READINGS }
