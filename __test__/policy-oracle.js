// What a policy of timeouts, retries, fallbacks, a breaker and a bulkhead does with a call, as arithmetic on times: one after the other, without
// a timer or a promise. Owns that reckoning for the fuzzing. Never shares a line with lib/.
'use strict'

/** Two things at the same time: whose turn it is first is nobody's promise. */
class Tie extends Error {}

/** Whether `a` comes before `b`. */
function before(a, b) {
  if (a === b && a !== Infinity) throw new Tie()
  return a < b
}

/** Closed, open or half-open with one probe; opens after so many failures in a row, for the same time each time. */
class BreakerOracle {
  state = 'closed'
  generation = 0
  failures = 0
  until = 0
  probing = false
  exits = []

  constructor({ consecutive, openMs }) {
    this.consecutive = consecutive
    this.openMs = openMs
  }

  /** A permit's generation, or null. */
  enter(at) {
    this.settle(at)
    if (this.state === 'open' && before(this.until, at)) {
      this.state = 'half-open'
      this.generation++
      this.probing = false
    }
    if (this.state === 'open' || (this.state === 'half-open' && this.probing)) return null
    this.probing = this.state === 'half-open'
    return this.generation
  }

  exit(at, generation, outcome) {
    this.exits.push({ at, generation, outcome })
  }

  /** Everything that ended before `at`, in its order. */
  settle(at) {
    this.exits.sort((one, two) => one.at - two.at)
    while (this.exits.length > 0 && before(this.exits[0].at, at)) {
      const { generation, outcome, at: time } = this.exits.shift()
      if (this.exits[0]?.at === time) throw new Tie()
      if (generation !== this.generation) continue
      if (outcome === 'ignore') this.probing = false
      else if (this.state === 'half-open' && outcome === 'ok') this.#close()
      else if (this.state === 'half-open') this.#open(time)
      else if (outcome === 'ok') this.failures = 0
      else if (++this.failures === this.consecutive) this.#open(time)
    }
  }

  #open(at) {
    this.state = 'open'
    this.generation++
    this.until = at + this.openMs
    this.failures = 0
  }

  #close() {
    this.state = 'closed'
    this.generation++
    this.failures = 0
  }
}

/** So many permits, each held until all has settled that runs under it. */
class BulkheadOracle {
  releases = []

  constructor({ limit }) {
    this.limit = limit
  }

  /** Whether a permit is free. */
  enter(at) {
    this.releases = this.releases.filter((time) => before(at, time))
    return this.releases.length < this.limit
  }
}

const IGNORED = ['E_OPEN', 'E_FULL', 'gone']

/** How an error counts at a breaker. */
const outcomeOf = ({ ok, error }) => (ok ? 'ok' : IGNORED.includes(error) ? 'ignore' : 'fail')

class Call {
  ran = 0
  counts = { retries: 0, timeouts: 0, fallbacks: 0 }

  /**
   * @param {object[]} strategies outermost first
   * @param {{ takes: number, ok: boolean, heeds: boolean }[]} script what the function does, call by call; the last one goes on
   * @param {number} goneAt when the caller aborts
   * @param {Map<object, BreakerOracle | BulkheadOracle>} primitives
   */
  constructor(strategies, script, goneAt, primitives) {
    Object.assign(this, { strategies, script, goneAt, primitives })
  }

  /**
   * When and how it ends, from the strategy of that index inwards, and when it is quiet: nothing of it runs any more. `deadlines` are
   * those around it.
   */
  from(index, at, deadlines) {
    const strategy = this.strategies[index]
    const within = (time, more = deadlines) => this.from(index + 1, time, more)
    switch (strategy?.kind) {
      case undefined:
        return this.#fn(at, deadlines)
      case 'timeout':
        return this.#timeout(strategy, at, deadlines, within)
      case 'retry':
        return this.#retry(strategy, at, deadlines, within)
      case 'fallback':
        return this.#fallback(at, deadlines, within)
      case 'breaker':
        return this.#breaker(strategy, at, within)
      case 'bulkhead':
        return this.#bulkhead(strategy, at, deadlines, within)
    }
  }

  /** When the call is aborted from around, and by what. */
  #aborted(deadlines) {
    const deadline = Math.min(...deadlines)
    return before(this.goneAt, deadline) ? { at: this.goneAt, reason: 'gone' } : { at: deadline, reason: 'E_TIMEOUT' }
  }

  #fn(at, deadlines) {
    const { takes, ok, heeds } = this.script[Math.min(this.ran++, this.script.length - 1)]
    const abort = this.#aborted(deadlines)
    if (heeds && before(abort.at, at + takes)) {
      // Of an abort that came before, it hears as it begins.
      const heard = Math.max(at, abort.at)
      return { at: heard, quiet: heard, ok: false, error: abort.reason }
    }
    const end = { at: at + takes, quiet: at + takes, ok }
    return ok ? end : { ...end, error: 'down' }
  }

  #timeout({ milliseconds }, at, deadlines, within) {
    const due = at + milliseconds
    const end = within(at, [...deadlines, due])
    if (before(end.at, due)) return end
    this.counts.timeouts++
    return { at: due, quiet: end.quiet, ok: false, error: 'E_TIMEOUT' }
  }

  #retry({ max, waitMs }, at, deadlines, within) {
    let quiet = 0
    for (let attempt = 0; ; attempt++) {
      const end = within(at)
      end.quiet = quiet = Math.max(quiet, end.quiet)
      const abort = this.#aborted(deadlines)
      if (end.ok || attempt === max || end.error === 'E_OPEN' || before(abort.at, end.at)) return end
      // A wait that takes all that is left is not begun.
      if (end.at + waitMs >= Math.min(...deadlines)) return end
      this.counts.retries++
      at = end.at + waitMs
      if (before(abort.at, at))
        return { at: abort.at, quiet: Math.max(quiet, abort.at), ok: false, error: abort.reason }
    }
  }

  #fallback(at, deadlines, within) {
    const end = within(at)
    if (end.ok || before(this.#aborted(deadlines).at, end.at)) return end
    this.counts.fallbacks++
    return { at: end.at, quiet: end.quiet, ok: true }
  }

  #breaker(strategy, at, within) {
    const breaker = this.primitives.get(strategy)
    const generation = breaker.enter(at)
    if (generation === null) return { at, quiet: at, ok: false, error: 'E_OPEN' }
    const end = within(at)
    breaker.exit(end.at, generation, outcomeOf(end))
    return end
  }

  #bulkhead(strategy, at, deadlines, within) {
    const bulkhead = this.primitives.get(strategy)
    // For a call that is over nothing is taken.
    const abort = this.#aborted(deadlines)
    if (before(abort.at, at)) return { at, quiet: at, ok: false, error: abort.reason }
    if (!bulkhead.enter(at)) return { at, quiet: at, ok: false, error: 'E_FULL' }
    const end = within(at)
    bulkhead.releases.push(end.quiet)
    return end
  }
}

module.exports = { BreakerOracle, BulkheadOracle, Call, Tie }
