// Owns the longest turn of the event loop, less what other processes took of it.
// Must never judge.
'use strict'

const { waitedNs } = require('./processor.js')

/**
 * Counts the time in which this thread was let run, and no more than the processor time of the whole process, since it may have been
 * V8's other threads that were not let.
 */
class Pauses {
  longestNs = 0
  #began = 0n
  #waited = 0
  #cpu = process.cpuUsage()

  begin() {
    this.#waited = waitedNs()
    this.#cpu = process.cpuUsage()
    this.#began = process.hrtime.bigint()
  }

  /** A turn ends where the next one begins: what the collector does in between is a pause like any other. */
  next() {
    const ran = Number(process.hrtime.bigint() - this.#began) - (waitedNs() - this.#waited)
    const { user, system } = process.cpuUsage(this.#cpu)
    this.longestNs = Math.max(this.longestNs, Math.min(ran, (user + system) * 1000))
    this.begin()
  }
}

module.exports = { Pauses }
