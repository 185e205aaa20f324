// What became of each call of a load: when it was asked, how long it took, who decided. Owns arrays made in advance, so that recording does
// not show in the memory that is measured. Never judges.
'use strict'

const { now } = require('./moment.js')

/** Calls that took longer than this, and a turn of the loop, have waited for something: half a deadline. */
const SLOW_MS = 25

const BY = ['redis', 'lease', 'fail-mode', 'local', 'memory', 'error']
const OK = 8
const UNAVAILABLE = 16
/** Answered in the turn in which it was asked. However long that was, it has waited for nothing. */
const AT_ONCE = 32

class Record {
  /** Calls without an answer so far, and the most there ever were. */
  pending = 0
  mostPending = 0
  /** Codes of rejections, with how often. @type {Record<string, number>} */
  codes = {}
  #asked
  #took
  #how
  #length = 0
  #turn = 0
  #isTurning = false

  /** @param {number} capacity calls at most */
  constructor(capacity) {
    this.#asked = new Float64Array(capacity).fill(1)
    this.#took = new Float32Array(capacity).fill(1)
    this.#how = new Uint8Array(capacity).fill(1)
  }

  /** From here on it is counted anew how many wait at once. */
  mark() {
    this.mostPending = this.pending
  }

  /** Notes what becomes of a decision. */
  follow(promise) {
    const asked = now()
    const turn = this.#turnNow()
    this.mostPending = Math.max(this.mostPending, ++this.pending)
    promise.then(
      ({ ok, decidedBy, reason }) => {
        const how = (ok ? OK : 0) | (reason === 'store-unavailable' ? UNAVAILABLE : 0)
        this.#note(asked, turn, BY.indexOf(decidedBy) | how)
      },
      (error) => {
        const code = error?.code ?? String(error)
        this.codes[code] = (this.codes[code] ?? 0) + 1
        this.#note(asked, turn, BY.indexOf('error'))
      },
    )
  }

  #turnNow() {
    if (!this.#isTurning) {
      this.#isTurning = true
      setImmediate(() => {
        this.#turn++
        this.#isTurning = false
      })
    }
    return this.#turn
  }

  #note(asked, turn, how) {
    this.pending--
    const at = this.#length++
    if (at >= this.#took.length) throw new Error('more calls than there is room for')
    this.#asked[at] = asked
    this.#took[at] = now() - asked
    this.#how[at] = how | (turn === this.#turn ? AT_ONCE : 0)
  }

  /** Figures of the calls asked between two moments. */
  between(from = 0, to = Infinity) {
    const by = Object.fromEntries(BY.map((name) => [name, 0]))
    const first = {}
    const last = {}
    const took = []
    const figures = { calls: 0, ok: 0, okByRedis: 0, unavailable: 0, slow: 0, lastSlowAt: 0 }
    for (let at = 0; at < this.#length; at++) {
      const asked = this.#asked[at]
      if (asked < from || asked >= to) continue
      const how = this.#how[at]
      const name = BY[how & 7]
      figures.calls++
      by[name]++
      // When it was answered, not asked.
      const answered = asked + this.#took[at]
      first[name] = Math.min(first[name] ?? Infinity, answered)
      last[name] = Math.max(last[name] ?? 0, answered)
      if (how & OK) figures.ok++
      if (how & OK && name === 'redis') figures.okByRedis++
      if (how & UNAVAILABLE) figures.unavailable++
      if (this.#took[at] > SLOW_MS && !(how & AT_ONCE)) {
        figures.slow++
        figures.lastSlowAt = Math.max(figures.lastSlowAt, asked)
      }
      took.push(how & AT_ONCE ? 0 : this.#took[at])
    }
    took.sort((a, b) => a - b)
    const share = (part) => took[Math.min(took.length - 1, Math.floor(part * took.length))] ?? 0
    const times = { p50: share(0.5), p99: share(0.99), p999: share(0.999), max: took.at(-1) ?? 0 }
    return {
      ...figures,
      by,
      first,
      last,
      ...times,
      codes: this.codes,
      pending: this.pending,
      mostPending: this.mostPending,
    }
  }
}

module.exports = { Record }
