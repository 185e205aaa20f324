// The policies of one spillway by their names. Owns what each has counted, and the warning about an order that cannot work.
// Never shares one with another thread: functions belong to theirs. Budgets are shared, and native.
'use strict'

const { HttpPreset } = require('./http-preset.js')
const { nameOf } = require('./options.js')
const { faultsOf } = require('./order.js')
const { Policy } = require('./policy.js')
const { PolicyBook } = require('./policy-book.js')

/** @typedef {InstanceType<typeof import('./spillway.js').Spillway>} Spillway */
/** @typedef {InstanceType<typeof import('./budget.js').Budget>} Budget */

/** Names whose order has been spoken of: a policy made for each request would speak of it each time. @type {Set<string>} */
const warned = new Set()
const MOST_WARNINGS = 100

class Policies {
  #spillway
  #now
  #openBudget
  #releaseBudget
  #closed = false
  /** @type {Map<string, { policy: InstanceType<typeof Policy>, book: InstanceType<typeof PolicyBook>, strategies: string[] }>} */
  #named = new Map()

  /**
   * @param {Spillway} spillway whose primitives a preset opens
   * @param {{ now: () => number, openBudget: (name: string, figures: object) => Budget, releaseBudget: (name: string) => void }} terms
   */
  constructor(spillway, { now, openBudget, releaseBudget }) {
    this.#spillway = spillway
    this.#now = now
    this.#openBudget = openBudget
    this.#releaseBudget = releaseBudget
  }

  /**
   * A name opened again stands for the new strategies, and goes on counting where the old ones were.
   * @param {unknown} given
   * @param {readonly any[]} strategies
   */
  open(given, strategies) {
    const name = nameOf('policy', given)
    const flat = strategies.flatMap((strategy) =>
      strategy instanceof HttpPreset ? strategy.strategies(this.#spillway, name) : [strategy],
    )
    const book = this.#named.get(name)?.book ?? new PolicyBook()
    /** @type {InstanceType<typeof Policy>} */
    const policy = new Policy(
      {
        name,
        now: this.#now,
        openBudget: (figures) => this.#openBudget(name, figures),
        dispose: () => this.#drop(name, policy),
        isClosed: () => this.#closed,
      },
      book,
      flat,
    )
    this.#named.set(name, { policy, book, strategies: flat.map(described) })
    warn(name, faultsOf(flat))
    return policy
  }

  /**
   * @param {string} name
   * @param {InstanceType<typeof Policy>} policy
   */
  #drop(name, policy) {
    if (this.#named.get(name)?.policy !== policy) return
    this.#named.delete(name)
    this.#releaseBudget(name)
  }

  /** @param {string} prefix of the spillway, which its primitives have in a snapshot, too */
  report(prefix) {
    const reports = [...this.#named].map(([name, { book, strategies }]) => {
      return [prefix === '' ? name : `${prefix}:${name}`, reportOf(book, strategies)]
    })
    return Object.fromEntries(reports)
  }

  /** Handles of names that were opened again end, too. */
  close() {
    this.#closed = true
    for (const { policy } of [...this.#named.values()]) policy.dispose()
  }
}

/**
 * @param {InstanceType<typeof PolicyBook>} book
 * @param {string[]} strategies
 * @returns {import('../index').PolicySnapshot}
 */
function reportOf({ running, ok, failed, refused, events, latency }, strategies) {
  const { retry, hedge, timeout, fallback, exhausted } = events
  return {
    strategies: [...strategies],
    running,
    ok,
    failed,
    refused,
    retries: retry,
    hedges: hedge,
    timeouts: timeout,
    fallbacks: fallback,
    exhausted,
    latency: latency.report(),
  }
}

/** @param {any} strategy */
function described({ kind, name, milliseconds, max }) {
  if (name !== undefined) return `${kind} ${name}`
  if (milliseconds !== undefined) return `${kind} ${milliseconds} ms`
  return max === undefined ? kind : `${kind} ${max}`
}

/**
 * @param {string} name
 * @param {string[]} faults
 */
function warn(name, faults) {
  if (faults.length === 0 || warned.has(name) || warned.size >= MOST_WARNINGS) return
  warned.add(name)
  for (const fault of faults) {
    process.emitWarning(`in the policy "${name}" ${fault}`, { type: 'SpillwayWarning', code: 'SPILLWAY_POLICY_ORDER' })
  }
}

module.exports = { Policies }
