// How the process itself is while something outside of it is broken: the delay of its event loop and the memory it takes.
// Owns those two figures. Never measures calls.
'use strict'

const { monitorEventLoopDelay } = require('node:perf_hooks')

const RESOLUTION_MS = 1
const SAMPLE_MS = 50

class Health {
  #loop = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  #peak = 0
  #timer

  constructor() {
    this.#loop.enable()
    this.#timer = setInterval(() => (this.#peak = Math.max(this.#peak, process.memoryUsage.rss())), SAMPLE_MS)
    this.#timer.unref()
  }

  /** From here on. */
  reset() {
    globalThis.gc?.()
    this.#loop.reset()
    this.#peak = 0
    return { rss: process.memoryUsage.rss() }
  }

  /** Since the last reset. */
  read() {
    const ms = (nanoseconds) => Math.max(0, nanoseconds / 1e6 - RESOLUTION_MS)
    const rss = process.memoryUsage.rss()
    return { loopP99: ms(this.#loop.percentile(99)), loopMax: ms(this.#loop.max), rss, peak: Math.max(this.#peak, rss) }
  }

  end() {
    this.#loop.disable()
    clearInterval(this.#timer)
  }
}

module.exports = { Health }
