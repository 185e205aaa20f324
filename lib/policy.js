// The policy: strategies around one call, outermost first. Owns the way through them, and what is counted on it.
// Never holds state of a primitive, and never lets what is on its way inside out as it is.
'use strict'

const { SharedBudget } = require('./budget.js')
const { assertFunction, signalOf } = require('./call.js')
const { costTrouble, isCost } = require('./costs.js')
const { Events } = require('./events.js')
const { isStrategy, layerOf, layersOf } = require('./guards.js')
const { misuse, shown } = require('./misuse.js')
const { Options } = require('./options.js')
const { outcomeOfValue } = require('./outcome.js')
const { EVENTS } = require('./policy-book.js')
const { PRIORITIES } = require('./priorities.js')
const { Refused, shownError } = require('./refused.js')
const { isRefusal } = require('./refusals.js')
const { Scope } = require('./scope.js')
const timeouts = require('./timeout.js')

/** @typedef {import('./strategy.js').Layer} Layer */
/** @typedef {import('./strategy.js').Next} Next */
/** @typedef {import('./strategy.js').PolicyEvent} PolicyEvent */
/** @typedef {import('./strategy.js').Site} Site */
/** @typedef {import('../index').PolicyCall} PolicyCall */

const OPTIONS = ['signal', 'key', 'cost', 'priority', 'timeout']

class Policy {
  #site
  #book
  #chain
  #needsKey
  #events
  #dispose
  #isClosed
  #ended = false
  /** @type {'policy'} */
  kind = 'policy'

  /**
   * @param {{ name: string, now: () => number, openBudget: (figures: { ratio: number, floor: number }) => InstanceType<typeof import('./budget.js').Budget>, dispose: () => void, isClosed: () => boolean }} place
   * @param {InstanceType<typeof import('./policy-book.js').PolicyBook>} book
   * @param {readonly any[]} strategies
   */
  constructor(place, book, strategies) {
    const { name } = place
    this.name = name
    this.#book = book
    this.#dispose = place.dispose
    this.#isClosed = place.isClosed
    this.#events = new Events('policy', ['ended', ...EVENTS])
    /** @type {InstanceType<typeof import('./budget.js').Budget> | undefined} */
    let budget
    this.#site = /** @type {Site} */ ({
      name,
      now: place.now,
      budget: () => {
        // The outermost hands in the deposits: those within see each of its attempts.
        if (budget !== undefined) return new SharedBudget(budget)
        return (budget = place.openBudget(budgetOf(name, strategies)))
      },
      note: (event, message) => this.#note(event, message),
    })
    strategies.forEach((strategy, index) => {
      if (isStrategy(strategy)) return
      const advice = Array.isArray(strategy) ? '; write ...strategies for the strategies in one' : ''
      const rule = `must be a strategy: timeout(), retry(), hedge(), fallback(), presets.http(), or a primitive${advice}`
      const option = `strategies[${index}]`
      throw misuse('E_OPTION', `\`${option}\` of the policy ${shown(name)} ${rule}; got ${shown(strategy)}`, { option })
    })
    const layers = layersOf(strategies, (strategy) => layerOf(strategy, this.#site))
    this.#chain = layers.reduceRight(around, invoke)
    this.#needsKey = strategies.find(({ kind, perKey }) => kind === 'limiter' || perKey === true)
  }

  /**
   * @template T
   * @param {(call: import('../index').CallContext) => T | PromiseLike<T>} fn
   * @param {PolicyCall} [options]
   * @returns {Promise<T>}
   */
  run(fn, options) {
    return this.#call(fn, options, undefined, (error) => {
      throw shownError(error)
    })
  }

  /**
   * @template T
   * @param {(call: import('../index').CallContext) => T | PromiseLike<T>} fn
   * @param {PolicyCall} [options]
   * @returns {Promise<import('../index').Attempt<T>>}
   */
  attempt(fn, options) {
    return this.#call(
      fn,
      options,
      (value) => ({ ok: true, value }),
      (error) => {
        if (error instanceof Refused) return { ok: false, refusal: error.info() }
        throw error
      },
    )
  }

  /**
   * The function with the policy around it, for the same arguments.
   * @template {(...args: any[]) => unknown} F
   * @param {F} fn
   * @param {{ key?: (...args: Parameters<F>) => string, cost?: (...args: Parameters<F>) => number }} [given]
   * @returns {(...args: Parameters<F>) => Promise<Awaited<ReturnType<F>>>}
   */
  bind(fn, given) {
    assertFunction(`bind() of the policy "${this.name}"`, fn)
    const options = new Options('bind()', given, ['key', 'cost'])
    const [keyOf, costOf] = [options.callback('key'), options.callback('cost')]
    const policy = this
    /** @type {any} */
    const bound = {
      /** @param {any[]} args */
      [fn.name](...args) {
        let call
        try {
          if (keyOf || costOf) call = { key: keyOf?.(...args), cost: costOf?.(...args) }
        } catch (error) {
          return Promise.reject(error)
        }
        return policy.run(() => fn.apply(this, args), call)
      },
    }[fn.name]
    return bound
  }

  /**
   * @param {PolicyEvent | 'ended'} event
   * @param {(message: any) => void} listener
   */
  on(event, listener) {
    return this.#events.on(event, listener)
  }

  dispose() {
    this.#ended = true
    this.#dispose()
  }

  /**
   * @param {any} fn
   * @param {PolicyCall | undefined} options
   * @param {((value: any) => any) | undefined} onValue
   * @param {(error: unknown) => any} onError
   * @returns {Promise<any>}
   */
  #call(fn, options, onValue, onError) {
    let scope
    let chain = this.#chain
    try {
      assertFunction(`the policy "${this.name}"`, fn)
      if (this.#ended || this.#isClosed()) throw disposed(this.name)
      scope = this.#scope(fn, options)
      const limit = options?.timeout
      if (limit !== undefined) chain = this.#within(limit)
    } catch (error) {
      return Promise.reject(error)
    }
    const began = this.#site.now()
    this.#book.running++
    return chain(scope).then(
      (value) => {
        // An answer may be a failure all the same, as an adapter knows.
        this.#end(scope, began, outcomeOfValue(value) === 'fail' ? 'failed' : 'ok')
        return onValue === undefined ? value : onValue(value)
      },
      (error) => {
        this.#end(scope, began, error instanceof Refused || isRefusal(error) ? 'refused' : 'failed', error)
        return onError(error)
      },
    )
  }

  /**
   * @param {InstanceType<typeof Scope>} scope
   * @param {number} began
   * @param {'ok' | 'failed' | 'refused'} outcome
   * @param {unknown} [error]
   */
  #end(scope, began, outcome, error) {
    const ms = this.#site.now() - began
    this.#book.ended(outcome, ms)
    Scope.end(scope)
    if (!this.#events.wanted('ended')) return
    const { key } = Scope.request(scope)
    const end = { policy: this, key, ms, outcome }
    this.#events.emit('ended', error === undefined ? end : { ...end, error: shownError(error) })
  }

  /**
   * @param {any} fn
   * @param {PolicyCall | undefined} options
   */
  #scope(fn, options) {
    if (options === undefined) {
      if (this.#needsKey !== undefined) throw this.#wrongKey(undefined)
      return new Scope({ fn, key: undefined, cost: 1, priority: undefined }, undefined, undefined, 0)
    }
    const given = new Options(`a call through the policy "${this.name}"`, options, OPTIONS)
    const signal = signalOf(/** @type {any} */ ({ signal: given.get('signal') }))
    const key = given.get('key')
    if (key !== undefined || this.#needsKey !== undefined) {
      if (typeof key !== 'string' || key === '') throw this.#wrongKey(key)
    }
    const cost = given.get('cost') ?? 1
    if (!isCost(cost)) throw costTrouble(this, cost)
    const priority = given.word('priority', PRIORITIES, 'normal')
    return new Scope({ fn, key, cost, priority }, undefined, signal, 0)
  }

  /**
   * The way with a deadline of this one call around it: what is left of somebody else's, which may be nothing, or no deadline at all.
   * @param {unknown} duration
   * @returns {Next}
   */
  #within(duration) {
    if (duration === Infinity) return this.#chain
    const of = `a call through the policy "${this.name}"`
    const milliseconds = new Options(of, { timeout: duration }, ['timeout']).duration('timeout', { min: 0 })
    if (milliseconds === 0) return () => Promise.reject(new Refused('E_TIMEOUT', this.name))
    return (/** @type {InstanceType<typeof Scope>} */ scope) =>
      timeouts.within(milliseconds, this.#site, scope, this.#chain)
  }

  /** @param {unknown} key */
  #wrongKey(key) {
    const why =
      this.#needsKey === undefined ? '' : `, since it holds the ${this.#needsKey.kind} "${this.#needsKey.name}"`
    const rule = `\`key\` of a call through the policy "${this.name}" must be a non-empty string${why}`
    return misuse('E_KEY', `${rule}; got ${shown(key)}`, { option: 'key' })
  }

  /**
   * @param {PolicyEvent} event
   * @param {() => object} message
   */
  #note(event, message) {
    this.#book.events[event]++
    if (this.#events.wanted(event)) this.#events.emit(event, { policy: this, ...message() })
  }
}

/**
 * @param {Next} next
 * @param {Layer} layer
 * @returns {Next}
 */
function around(next, layer) {
  return (scope) => layer(scope, next)
}

/** @type {Next} the function itself, which may throw, and may answer with anything */
function invoke(scope) {
  try {
    const { fn } = Scope.request(scope)
    return Promise.resolve(fn(scope))
  } catch (error) {
    return Promise.reject(error)
  }
}

/**
 * One budget for all in the policy that make extra attempts.
 * @param {string} name
 * @param {readonly any[]} strategies
 * @returns {import('./strategy.js').BudgetFigures}
 */
function budgetOf(name, strategies) {
  const given = strategies.map(({ budget }) => budget).filter((budget) => budget !== undefined && budget !== null)
  const [first = { ratio: 0.2, floor: 10 }, ...others] = given
  const other = others.find(({ ratio, floor }) => ratio !== first.ratio || floor !== first.floor)
  if (other === undefined) return first
  const figures = [first, other].map(({ ratio, floor }) => `{ ratio: ${ratio}, floor: ${floor} }`).join(' and ')
  const rule = 'is one for all its strategies: give it once, or alike'
  throw misuse('E_OPTION', `\`budget\` of the policy ${shown(name)} ${rule}; got ${figures}`, { option: 'budget' })
}

/** @param {string} name */
function disposed(name) {
  return misuse('E_DISPOSED', `the policy "${name}" has been disposed of or its spillway closed; open it again`, {
    Base: Error,
  })
}

module.exports = { Policy }
