// What a spillway over Redis has for its store: the registry, what was asked of it, whether it has signed on, and the warnings about
// that. Never shows a user or a password, and never fails a call because Redis is not there.
'use strict'

const { hostname } = require('node:os')
const { Asks, heard } = require('./asks.js')
const { misuse } = require('./misuse.js')

/** @typedef {import('./native.js').Native} Native */
/** @typedef {import('./redis-options.js').Target} Target */

/**
 * By the code of the answer: the code of the error, and the sentence around the reason that comes with it.
 * @type {readonly (readonly [code: string, sentence: (why: string) => string])[]}
 */
const TROUBLES = [
  ['', String],
  ['E_REDIS_AUTH', (why) => `Redis does not let us in: ${why}; set user and password in the URL or beside it`],
  ['E_REDIS_DENIED', (why) => `Redis lets us in, but ${why}; docs/redis.md has the ACL that is needed`],
  ['E_REDIS_VERSION', (why) => `this server will not do: ${why}; Redis 6.2, Valkey 7.2 or newer will`],
  ['E_REDIS_DATABASE', (why) => `Redis is there, but has ${why}; choose another in the URL or by \`database\``],
  ['E_REDIS_TLS', (why) => `Redis cannot be reached by TLS: ${why}; \`tls\` says which certificates count`],
  ['E_REDIS_MODE', (why) => `another kind of server was expected: ${why}`],
  [
    'E_REDIS_DOWN',
    (why) => `Redis is not reached: ${why}; connecting goes on, and until then each limiter's failMode counts`,
  ],
]

/** How much later than its deadline an answer may come. */
const LATE_MS = 50

/** What was warned of in this thread. @type {Set<string>} */
const warned = new Set()
const MOST_WARNINGS = 100

class RedisStore {
  #native
  #deadlineMs
  /** As text, with what it signs on with: to compare, and never to be shown. */
  #target
  /** Whether somebody asked by ready(): he is told, and needs no warning. */
  #isAsked = false
  #isClosed = false

  /**
   * @param {Native} native
   * @param {Target} target
   * @param {string} prefix
   * @param {boolean} isolated
   */
  constructor(native, target, prefix, isolated) {
    this.#native = native
    this.#target = JSON.stringify(target)
    this.#deadlineMs = target.deadlineMs
    this.registry = native.openRedis(
      this.#target,
      prefix,
      isolated,
      JSON.stringify({ host: hostname(), pid: process.pid }),
    )
    this.asks = new Asks(native, this.registry)
    this.#examined(false).then(
      () => {},
      (error) => this.#warn(error),
    )
  }

  /**
   * Resolves when Redis was reached, let us in and has what is needed.
   * @returns {Promise<void>}
   */
  ready() {
    this.#isAsked = true
    return this.#examined(true)
  }

  /** @returns {Pick<import('../index').RemoteSnapshot, 'store' | 'fleet'>} */
  report() {
    return JSON.parse(this.#native.redisReport(this.registry))
  }

  /** What was asked before is answered first. */
  async close() {
    this.#isClosed = true
    await this.asks.over(this.#deadlineMs + LATE_MS)
    this.#native.closeRegistry(this.registry)
  }

  /**
   * Whether both go over the same Redis.
   * @param {RedisStore | undefined} other
   */
  isSame(other) {
    return other !== undefined && (other === this || other.#target === this.#target)
  }

  /** @param {boolean} keepsAlive whether the process waits for the answer */
  #examined(keepsAlive) {
    const ask = this.#native.redisReady(this.registry, keepsAlive)
    return heard(ask, (code) => {
      const text = /** @type {string | undefined} */ (this.asks.payload()) ?? ''
      if (code !== 0) {
        const [name, sentence] = TROUBLES[code]
        throw misuse(name, sentence(text), { Base: Error })
      }
      const { eviction, dropsLimits } = JSON.parse(text)
      if (dropsLimits) warn({ code: 'SPILLWAY_REDIS_EVICTION' }, evictionOf(eviction))
    })
  }

  /** @param {any} error */
  #warn(error) {
    if (!this.#isAsked && !this.#isClosed) warn({ code: 'SPILLWAY_REDIS' }, String(error?.message))
  }
}

/**
 * @param {{ code: string }} warning
 * @param {string} message
 */
function warn(warning, message) {
  if (warned.has(message) || warned.size >= MOST_WARNINGS) return
  warned.add(message)
  process.emitWarning(message, { type: 'SpillwayWarning', ...warning })
}

/** @param {string} policy */
function evictionOf(policy) {
  return (
    `Redis has the maxmemory-policy ${policy}: when its memory is full it drops limits, blocks and leases that still count. ` +
    'Give them a Redis of their own with noeviction'
  )
}

module.exports = { RedisStore }
