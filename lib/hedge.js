// The hedge: a second attempt when the first takes longer than nearly all do, and whichever is right first answers. Owns the race.
// Never leaves a loser's signal alone or its rejection unheard, and never doubles the load: it shares the budget of retries.
'use strict'

const deadlines = require('./deadlines.js')
const { onceRead } = require('./late.js')
const { Latency } = require('./latency.js')
const { Options } = require('./options.js')
const { budgetOf, isForOnce } = require('./retry.js')
const { Scope } = require('./scope.js')
const { STRATEGY } = require('./strategy.js')
const { discard, verdictOf } = require('./verdict.js')

/** @typedef {InstanceType<typeof Scope>} Call */
/** @typedef {import('./strategy.js').Next} Next */
/** @typedef {import('./strategy.js').Site} Site */
/** @typedef {{ scope: Call, began: number, done: boolean }} Runner an attempt of a race */

const OPTIONS = ['after', 'max', 'budget']

/** Calls before a percentile says anything, and the share of calls a hedge is not for. */
const ENOUGH = 20
const USUAL = 0.95
/** Calls after which half of them are forgotten. */
const MEMORY = 1024

class Hedge {
  /** @type {'hedge'} */
  kind = 'hedge'

  /** @param {unknown} given */
  constructor(given) {
    const options = new Options('hedge()', given, OPTIONS)
    this.afterMs = options.get('after') === undefined ? null : options.duration('after', {})
    this.max = options.whole('max', { min: 1, max: 10, fallback: 1 })
    this.budget = budgetOf(options)
    Object.freeze(this)
  }

  /** @param {Site} site */
  [STRATEGY](site) {
    const budget = this.budget === null ? null : site.budget()
    const usual = new Usual(this.afterMs)
    return (/** @type {Call} */ scope, /** @type {Next} */ next) => {
      budget?.deposit()
      if (isForOnce(scope)) return next(scope)
      const afterMs = usual.afterMs()
      // So soon that the first attempts are still the measure.
      if (afterMs === undefined) return usual.measured(site, () => next(scope))
      return new Promise((resolve, reject) => {
        const race = new Race({ site, budget, usual, afterMs, max: this.max, scope, next, resolve, reject })
        race.start()
      })
    }
  }
}

/** How long an attempt usually takes: what the option says, or the live 95th percentile. */
class Usual {
  #fixedMs
  #latency = new Latency()

  /** @param {number | null} fixedMs */
  constructor(fixedMs) {
    this.#fixedMs = fixedMs
  }

  /** @returns {number | undefined} */
  afterMs() {
    if (this.#fixedMs !== null) return this.#fixedMs
    return this.#latency.count < ENOUGH ? undefined : Math.max(1, this.#latency.percentile(USUAL))
  }

  /** @param {number} milliseconds */
  record(milliseconds) {
    if (this.#fixedMs !== null) return
    this.#latency.record(milliseconds)
    if (this.#latency.count >= MEMORY) this.#latency.halve()
  }

  /**
   * @param {Site} site
   * @param {() => Promise<unknown>} call
   */
  async measured(site, call) {
    const began = site.now()
    const value = await call()
    this.record(site.now() - began)
    return value
  }
}

class Race {
  #terms
  #settled = false
  /** @type {Runner[]} */
  #runners = []
  /** @type {{ ok: boolean, end: unknown } | undefined} what to answer when nobody does better */
  #worst
  /** @type {import('./deadlines.js').Deadline | undefined} */
  #deadline
  /** @type {(() => void) | undefined} */
  #forget

  /**
   * @param {{ site: Site, budget: import('./strategy.js').Budget | null, usual: Usual, afterMs: number, max: number, scope: Call,
   *   next: Next, resolve: (value: unknown) => void, reject: (error: unknown) => void }} terms
   */
  constructor(terms) {
    this.#terms = terms
  }

  start() {
    const { scope } = this.#terms
    if (Scope.abortedBy(scope) === undefined) {
      this.#forget = Scope.onAbort(scope, () => this.#stopClock())
      this.#startClock()
    }
    this.#run()
  }

  #startClock() {
    const { scope, afterMs } = this.#terms
    // By way of a promise, so that the next attempt runs in the asynchronous context of the call, not in that of the timer.
    const due = new Promise((resolve) => {
      const open = () => resolve(undefined)
      this.#deadline = deadlines.schedule(afterMs, (lateMs) => onceRead(lateMs, open))
    })
    due.then(() => {
      if (this.#settled || isForOnce(scope)) return
      if (Scope.abortedBy(scope) === undefined && scope.remainingMs > 0) this.#another()
    })
  }

  #stopClock() {
    if (this.#deadline !== undefined) deadlines.cancel(this.#deadline)
  }

  #another() {
    const { site, budget, afterMs, max } = this.#terms
    if (budget !== null && !budget.take()) {
      site.note('exhausted', () => ({ attempt: this.#runners.length }))
      return
    }
    const attempt = this.#runners.length
    site.note('hedge', () => ({ attempt, afterMs }))
    if (attempt < max) this.#startClock()
    this.#run()
  }

  #run() {
    const { site, scope, next } = this.#terms
    const number = this.#runners.length
    const inner = Scope.within(scope, number === 0 ? scope.attempt : number)
    const runner = { scope: inner, began: site.now(), done: false }
    this.#runners.push(runner)
    next(inner).then(
      (value) => this.#arrive(runner, true, value),
      (error) => this.#arrive(runner, false, error),
    )
  }

  /**
   * @param {Runner} runner
   * @param {boolean} ok
   * @param {unknown} end
   */
  #arrive(runner, ok, end) {
    runner.done = true
    Scope.end(runner.scope)
    if (this.#settled) {
      if (ok) discard(end)
      Scope.catchUp(runner.scope)
      return
    }
    if (ok && runner === this.#runners[0]) this.#measure(runner)
    const fails = !ok || verdictOf(end)?.outcome === 'fail' || verdictOf(end)?.retry === true
    if (!fails) return this.#answer(ok, end)
    // Another may still do better. If none runs, this was an answer before a hedge was due: whether to try again is not asked here.
    if (this.#worst === undefined || (ok && !this.#worst.ok)) this.#worst = { ok, end }
    else if (ok) discard(end)
    if (this.#runners.every((each) => each.done)) this.#answer(this.#worst.ok, this.#worst.end)
  }

  /** @param {Runner} runner */
  #measure({ began }) {
    const { site, usual } = this.#terms
    usual.record(site.now() - began)
  }

  /**
   * @param {boolean} ok
   * @param {unknown} end
   */
  #answer(ok, end) {
    const { resolve, reject } = this.#terms
    const [first] = this.#runners
    this.#settled = true
    this.#stopClock()
    // So far, at least: without the attempts that were overtaken the usual time would seem ever shorter.
    if (!first.done) this.#measure(first)
    this.#forget?.()
    if (this.#worst !== undefined && this.#worst.ok && this.#worst.end !== end) discard(this.#worst.end)
    for (const runner of this.#runners) {
      if (!runner.done) Scope.leaveBehind(runner.scope)
    }
    if (ok) resolve(end)
    else reject(end)
    for (const runner of this.#runners) {
      if (!runner.done) Scope.abort(runner.scope, overtaken())
    }
  }
}

/** Why a loser is aborted: nobody's failure. */
function overtaken() {
  return new DOMException('another attempt has answered first', 'AbortError')
}

/** @param {import('../index').HedgeOptions} [options] */
function hedge(options) {
  return new Hedge(options)
}

module.exports = { hedge }
