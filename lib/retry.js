// The retry: another attempt after a failure, if it is worth one, in time, and within the budget. Owns these three questions.
// Never waits past a deadline, and never runs anything once the caller has gone.
'use strict'

const { Backoff } = require('./backoff.js')
const deadlines = require('./deadlines.js')
const { Options, DAY, yesOrNo } = require('./options.js')
const { Refused, shownError } = require('./refused.js')
const { isRefusal } = require('./refusals.js')
const { Scope } = require('./scope.js')
const { STRATEGY } = require('./strategy.js')
const { discard, verdictOf } = require('./verdict.js')

/** @typedef {InstanceType<typeof Scope>} Call */
/** @typedef {import('./strategy.js').Next} Next */
/** @typedef {import('./strategy.js').Site} Site */
/** @typedef {{ ok: true, value: unknown } | { ok: false, error: unknown }} Settled */

const OPTIONS = ['max', 'budget', 'base', 'cap', 'maxWait', 'when']

/** Refusals of ours that may be over by the next attempt. An open breaker, a shed or a spent budget says: not now. */
const PASSING = new Set(['E_TIMEOUT', 'E_LIMITED', 'E_FULL'])

class Retry {
  /** @type {'retry'} */
  kind = 'retry'
  #when

  /** @param {unknown} given */
  constructor(given) {
    const options = new Options('retry()', given, OPTIONS)
    this.max = options.whole('max', { min: 0, max: 100, fallback: 3 })
    this.budget = budgetOf(options)
    this.baseMs = options.duration('base', { fallback: 100 })
    this.capMs = options.duration('cap', { min: this.baseMs, fallback: Math.max(10_000, this.baseMs) })
    this.maxWaitMs = options.duration('maxWait', { max: DAY, fallback: 30_000 })
    this.#when = options.callback('when')
    Object.freeze(this)
  }

  /** @param {Site} site */
  [STRATEGY](site) {
    const budget = this.budget === null ? null : site.budget()
    return (/** @type {Call} */ scope, /** @type {Next} */ next) => this.#run(site, budget, scope, next)
  }

  /**
   * @param {Site} site
   * @param {import('./strategy.js').Budget | null} budget
   * @param {Call} scope
   * @param {Next} next
   */
  async #run(site, budget, scope, next) {
    budget?.deposit()
    let backoff
    /** @type {{ error: unknown } | undefined} */
    let last
    let attempt = 0
    let inner = scope
    for (;;) {
      /** @type {Settled} */
      let settled
      try {
        const value = await next(inner)
        if (this.#when === undefined && verdictOf(value)?.retry !== true) return value
        settled = { ok: true, value }
      } catch (error) {
        settled = { ok: false, error }
      }
      if (inner !== scope) Scope.end(inner)
      if (!settled.ok) {
        if (last !== undefined && settled.error instanceof Refused) settled.error.because(last.error)
        last = settled
      }
      if (attempt >= this.max || !this.#isAsked(settled, attempt, scope)) return ended(settled)
      backoff ??= new Backoff(this.baseMs, this.capMs)
      const asked = askedWait(settled)
      const waitMs = asked ?? backoff.next()
      if ((asked !== undefined && asked > this.maxWaitMs) || waitMs >= scope.remainingMs) return ended(settled)
      if (budget !== null && !budget.take()) {
        site.note('exhausted', () => ({ attempt, ...shownEnd(settled) }))
        if (settled.ok) return settled.value
        throw new Refused('E_RETRY_BUDGET', site.name, { cause: settled.error })
      }
      attempt++
      site.note('retry', () => ({ attempt, waitMs, ...shownEnd(settled) }))
      if (settled.ok) discard(settled.value)
      await pause(waitMs, scope)
      inner = Scope.within(scope, attempt)
    }
  }

  /**
   * Whether it is worth another attempt. A value that nobody will get, since `when` throws, is let go.
   * @param {Settled} settled
   * @param {number} attempt
   * @param {Call} scope
   */
  #isAsked(settled, attempt, scope) {
    try {
      return this.#isWorth(settled, attempt, scope)
    } catch (error) {
      if (settled.ok) discard(settled.value)
      throw error
    }
  }

  /**
   * @param {Settled} settled
   * @param {number} attempt
   * @param {Call} scope
   */
  #isWorth(settled, attempt, scope) {
    if (Scope.abortedBy(scope) !== undefined || isForOnce(scope)) return false
    if (this.#when !== undefined) {
      const error = settled.ok ? undefined : shownError(settled.error)
      const shown = settled.ok ? settled : { ok: false, error }
      return yesOrNo('`when` of retry()', this.#when(shown, { attempt }), error)
    }
    const marked = verdictOf(settled.ok ? settled.value : settled.error)?.retry
    if (marked !== undefined || settled.ok) return marked === true
    const { error } = settled
    return error instanceof Refused || isRefusal(error) ? PASSING.has(error.code) : true
  }
}

/**
 * The figures that were given; null for none at all, undefined where the policy's are good enough.
 * @param {InstanceType<typeof Options>} options
 * @returns {import('./strategy.js').BudgetFigures | null | undefined}
 */
function budgetOf(options) {
  const given = options.get('budget')
  if (given === undefined) return undefined
  if (given === false) return null
  if (typeof given === 'number') return { ratio: options.share('budget', {}), floor: 10 }
  const figures = options.nested('budget', ['ratio', 'floor'])
  return {
    ratio: figures.share('ratio', { fallback: 0.2 }),
    floor: figures.whole('floor', { min: 0, max: 10_000, fallback: 10 }),
  }
}

/** @param {Settled} settled */
function ended(settled) {
  if (settled.ok) return settled.value
  throw settled.error
}

/** @param {Settled} settled */
function shownEnd(settled) {
  return settled.ok ? { value: settled.value } : { error: shownError(settled.error) }
}

/**
 * Whether the function is marked as one to be called a single time, such as one that sends an order.
 * @param {Call} scope
 */
function isForOnce(scope) {
  return verdictOf(Scope.request(scope).fn)?.retry === false
}

/**
 * How long whoever refused wants to be left alone. Anything but a time is nobody's wish.
 * @param {Settled} settled
 * @returns {number | undefined}
 */
function askedWait(settled) {
  const thing = settled.ok ? settled.value : settled.error
  const wait = verdictOf(thing)?.retryAfterMs ?? (settled.ok ? undefined : ownWait(thing))
  return typeof wait === 'number' && wait >= 0 ? wait : undefined
}

/** @param {unknown} error */
function ownWait(error) {
  return typeof error === 'object' && error !== null && 'retryAfterMs' in error ? error.retryAfterMs : undefined
}

/**
 * Wait, unless the call is aborted: then it ends at once, and nothing is run any more.
 * @param {number} milliseconds
 * @param {Call} scope
 * @returns {Promise<void>}
 */
function pause(milliseconds, scope) {
  return new Promise((resolve, reject) => {
    const aborted = Scope.abortedBy(scope)
    if (aborted !== undefined) return reject(aborted.reason)
    const deadline = deadlines.schedule(milliseconds, () => {
      forget()
      resolve()
    })
    const forget = Scope.onAbort(scope, (reason) => {
      deadlines.cancel(deadline)
      reject(reason)
    })
  })
}

/** @param {import('../index').RetryOptions} [options] */
function retry(options) {
  return new Retry(options)
}

module.exports = { Retry, retry, budgetOf, isForOnce }
