// What must hold while something is broken, in figures. Owns the promises that are measured here.
// Never loosened to make a run pass: a budget that does not hold is a row that says NOT.
'use strict'

/** A decision over Redis comes within this, whatever happens to Redis. It is the default `deadline`. */
const DEADLINE_MS = 50
/** Where it is counted who decides, and not how soon: no machine is so busy that this is too short. */
const PATIENT = '10s'
/** What a timer, the wake-up of a thread and a turn of the event loop may add on a machine that is busy. */
const SLACK_MS = 15
/** The breaker before Redis is open after one or the other. */
const OPEN_AFTER_CALLS = 20
const OPEN_AFTER_MS = 500
/** From Redis answering to decisions of Redis. */
const RECOVERY_MS = 1000
/** A connection that is dead without saying so is replaced within this. */
const RECONNECT_MS = 2000
const MIB = 1024 * 1024
/** More than before, in an outage of a minute at ten thousand calls a second. */
const MEMORY_BYTES = 32 * MIB
/** The event loop's delay, 99 in 100 times. */
const LOOP_MS = 10
/** From the last piece of work to the end of the process. */
const END_MS = 200

module.exports = {
  DEADLINE_MS,
  END_MS,
  LOOP_MS,
  MEMORY_BYTES,
  MIB,
  OPEN_AFTER_CALLS,
  OPEN_AFTER_MS,
  PATIENT,
  RECONNECT_MS,
  RECOVERY_MS,
  SLACK_MS,
}
