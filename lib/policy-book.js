// What all policies of one name in a thread have counted. Owns the counters. Never holds anything of a single call.
'use strict'

const { Latency } = require('./latency.js')

/** @typedef {import('./strategy.js').PolicyEvent} PolicyEvent */

/** @type {readonly PolicyEvent[]} */
const EVENTS = ['retry', 'hedge', 'timeout', 'fallback', 'exhausted']

class PolicyBook {
  running = 0
  ok = 0
  failed = 0
  refused = 0
  /** By event. @type {Record<PolicyEvent, number>} */
  events = { retry: 0, hedge: 0, timeout: 0, fallback: 0, exhausted: 0 }
  latency = new Latency()

  /**
   * One call of those that are running.
   * @param {'ok' | 'failed' | 'refused'} outcome
   * @param {number} ms
   */
  ended(outcome, ms) {
    this.running--
    this[outcome]++
    this.latency.record(ms)
  }
}

module.exports = { PolicyBook, EVENTS }
