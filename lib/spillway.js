// One configured set of primitives. Owns names, handles and their end. Never holds any state of a primitive: that is native.
'use strict'

const { Breaker } = require('./breaker.js')
const { breakerFunctions, breakerShape } = require('./breaker-shape.js')
const { Budget } = require('./budget.js')
const { Bulkhead, bulkheadShape, remoteBulkheadShape } = require('./bulkhead.js')
const { Cache } = require('./cache.js')
const { cacheFunctions, cacheShape } = require('./cache-shape.js')
const { Clock, onClock } = require('./clock.js')
const { Lease, leaseShape } = require('./lease.js')
const { Limiter } = require('./limiter.js')
const { limitsOf, remoteLimitsOf, limitsBlamed, TOGETHER } = require('./limits.js')
const { loop, over } = require('./loop.js')
const mailbox = require('./mailbox.js')
const { misuse, shown } = require('./misuse.js')
const { native: load, details, troubleOf } = require('./native.js')
const { Options, nameOf } = require('./options.js')
const { Policies } = require('./policies.js')
const { targetOf } = require('./redis-options.js')
const { RedisStore } = require('./redis-store.js')
const { RemoteCache } = require('./remote-cache.js')
const { RemoteLimiter } = require('./remote-limiter.js')
const { Sheds } = require('./sheds.js')
const { recent } = require('./turn.js')

/** @typedef {import('./native.js').Native} Native */
/** @typedef {InstanceType<typeof Limiter> | InstanceType<typeof RemoteLimiter>} LimiterHandle */
/** @typedef {InstanceType<typeof Breaker>} BreakerHandle */
/** @typedef {InstanceType<typeof Bulkhead>} BulkheadHandle */
/** @typedef {InstanceType<typeof Cache> | InstanceType<typeof RemoteCache>} CacheHandle */
/** @typedef {InstanceType<typeof Budget>} BudgetHandle */
/** @typedef {InstanceType<typeof Lease>} LeaseHandle */
/** @typedef {LimiterHandle | BreakerHandle | BudgetHandle | BulkheadHandle | CacheHandle | LeaseHandle} Handle */
/** @typedef {'limiter' | 'breaker' | 'budget' | 'bulkhead' | 'cache' | 'lease'} KindName */
/** @typedef {Record<string, string | undefined> | false} Environment */

const OPTIONS = ['prefix', 'env', 'onMismatch', 'isolated', 'clock', 'redis']

/**
 * What a kind of primitive is opened with: how its options are read, its native opening, and its handle.
 * @type {Record<KindName, { shape: (options: unknown, name: string, env: Environment) => any, open: (native: Native) => Function, Handle: new (...args: any[]) => Handle }>}
 */
const KINDS = {
  limiter: { shape: limitsOf, open: (native) => native.openLimiter, Handle: Limiter },
  breaker: { shape: breakerShape, open: (native) => native.openBreaker, Handle: Breaker },
  // Its figures are those of a policy's strategies, which have been read.
  budget: { shape: (figures) => figures, open: (native) => native.openBudget, Handle: Budget },
  bulkhead: { shape: bulkheadShape, open: (native) => native.openBulkhead, Handle: Bulkhead },
  cache: { shape: cacheShape, open: (native) => native.openCache, Handle: Cache },
  lease: { shape: leaseShape, open: (native) => native.openLease, Handle: Lease },
}

/** The same over Redis: what can have its state there. A breaker is this process's own, and so is a budget. @type {typeof KINDS} */
const REMOTE_KINDS = {
  ...KINDS,
  limiter: { shape: remoteLimitsOf, open: (native) => native.openRemoteLimiter, Handle: RemoteLimiter },
  bulkhead: { shape: remoteBulkheadShape, open: (native) => native.openRemoteBulkhead, Handle: Bulkhead },
  cache: { ...KINDS.cache, Handle: RemoteCache },
}

/** What a handle knows of where it was opened. */
class Place {
  #dispose

  /**
   * @param {KindName} kind
   * @param {string} name
   * @param {Native} native the calls of the hot path, on the spillway's clock
   * @param {() => number} now milliseconds, for spans
   * @param {() => number} recent the same, as of this turn of the event loop
   * @param {() => number} wall milliseconds since 1970
   * @param {boolean} isManual whether time is told by the user's clock
   * @param {InstanceType<typeof RedisStore> | undefined} store where its state is, if not in this process
   * @param {(id: number) => void} dispose
   */
  constructor(kind, name, native, now, recent, wall, isManual, store, dispose) {
    this.kind = kind
    this.name = name
    this.native = native
    this.now = now
    this.recent = recent
    this.wall = wall
    this.isManual = isManual
    this.store = store
    /** Answers of Redis; undefined where there is none. */
    this.asks = store?.asks
    this.#dispose = dispose
  }

  /** @param {number} id */
  dispose(id) {
    this.#dispose(id)
  }

  /**
   * A call beside the hot path, whose errors say what has ended.
   * @template R
   * @param {(native: Native) => R} call
   * @returns {R}
   */
  cold(call) {
    try {
      return call(this.native)
    } catch (error) {
      throw faultOf(error, this.kind, this.name)
    }
  }
}

class Spillway {
  #native
  #prefix
  #env
  #replace
  /** @type {InstanceType<typeof Clock> | undefined} */
  #clock
  #now
  #wall
  /** Registry of its own, or that of a Redis; undefined for the process's. @type {number | undefined} */
  #registry
  /** @type {InstanceType<typeof RedisStore> | undefined} */
  #store
  #closed = false
  /** @type {Promise<void> | undefined} */
  #closing
  #sheds
  #policies
  /** What each name stands for here. @type {Map<string, { handle: Handle, id: number, config: string }>} */
  #named = new Map()
  /** All that was not let go, also what has given its name to another. @type {Map<number, Handle>} */
  #handles = new Map()

  /** @param {import('../index').LocalOptions} [given] */
  constructor(given) {
    const options = new Options('spillway()', given, OPTIONS)
    this.#prefix = prefixOf(options.get('prefix'))
    const mismatch = process.env.NODE_ENV === 'development' ? 'replace' : 'throw'
    this.#replace = options.word('onMismatch', ['throw', 'replace'], mismatch) === 'replace'
    this.#env = environmentOf(options)
    const read = options.callback('clock')
    const clock = read && new Clock(read)
    const target = given !== undefined && Object.hasOwn(given, 'redis') ? targetOf(options.get('redis')) : undefined
    if (target !== undefined && clock !== undefined) {
      throw options.wrong('clock', 'and `redis` of spillway() exclude each other: over Redis time is that of Redis')
    }
    const isolated = options.flag('isolated') || clock !== undefined
    const native = load()
    this.#clock = clock
    this.#native = clock === undefined ? native : onClock(native, clock)
    this.#now = clock === undefined ? monotonic : () => clock.now()
    this.#wall = clock === undefined ? () => Date.now() : () => clock.read()
    this.#store = target && new RedisStore(native, target, this.#prefix, isolated)
    this.#registry = this.#store?.registry ?? (isolated ? native.newRegistry(clock?.now()) : undefined)
    this.#sheds = new Sheds(this.#now, over, this.#replace)
    this.#policies = new Policies(this, {
      now: this.#now,
      openBudget: (name, figures) => /** @type {BudgetHandle} */ (this.#openOne('budget', name, figures)),
      releaseBudget: (name) => this.#release('budget', name),
    })
  }

  /**
   * @param {unknown} value
   * @returns {value is Spillway}
   */
  static is(value) {
    return typeof value === 'object' && value !== null && #native in value
  }

  /**
   * A lease, which is no method: whoever needs none does not load it.
   * @param {Spillway} spillway
   * @param {string} name
   * @param {import('../kit/lease').LeaseOptions} [options]
   */
  static openLease(spillway, name, options) {
    if (spillway.#clock !== undefined) {
      const message = 'a lease goes by the clock of the system, and this spillway has one of its own; leave `clock` out'
      throw misuse('E_OPTION', message, { option: 'clock' })
    }
    return /** @type {LeaseHandle} */ (spillway.#openOne('lease', name, options))
  }

  /**
   * @param {string} name
   * @param {import('../index').LimiterOptions | readonly import('../index').LimitOptions[]} options
   */
  limiter(name, options) {
    return /** @type {LimiterHandle} */ (this.#openOne('limiter', name, options))
  }

  /**
   * @param {string} name
   * @param {import('../index').BreakerOptions} [options]
   */
  breaker(name, options) {
    const functions = breakerFunctions(options)
    const breaker = /** @type {BreakerHandle} */ (this.#openOne('breaker', name, options))
    Breaker.setFunctions(breaker, functions)
    return breaker
  }

  /**
   * @param {string} name
   * @param {import('../index').BulkheadOptions} options
   */
  bulkhead(name, options) {
    return /** @type {BulkheadHandle} */ (this.#openOne('bulkhead', name, options))
  }

  /**
   * @param {string} name
   * @param {import('../index').CacheOptions} [options]
   */
  cache(name, options) {
    const cache = /** @type {CacheHandle} */ (this.#openOne('cache', name, options))
    if (cache instanceof RemoteCache) RemoteCache.setFunctions(cache, cacheFunctions(options))
    else Cache.setFunctions(cache, cacheFunctions(options))
    return cache
  }

  /** @param {string} name */
  clearCache(name) {
    this.#assertOpen()
    const done = this.#native.clearCache(this.#registry, this.#prefix, nameOf('cache', name))
    return this.#store === undefined ? done : this.#store.asks.settled(/** @type {any} */ (done), () => details[0] > 0)
  }

  /**
   * @param {string} name
   * @param {import('../index').ShedOptions} [options]
   */
  shed(name, options) {
    this.#assertOpen()
    return this.#sheds.open(name, options)
  }

  /**
   * @param {string} name
   * @param {readonly any[]} strategies outermost first
   */
  policy(name, ...strategies) {
    this.#assertOpen()
    return this.#policies.open(name, strategies)
  }

  /**
   * @param {readonly import('../index').LimiterCharge[]} charges
   * @returns {any}
   */
  consumeAll(charges) {
    const store = this.#store
    if (store === undefined) return Limiter.consumeAll(this.#native, this.#charges(charges, undefined))
    try {
      return RemoteLimiter.consumeAll(this.#charges(charges, store))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** @returns {import('../index').Snapshot} */
  snapshot() {
    this.#assertOpen()
    for (const handle of this.#handles.values()) {
      if (handle instanceof Cache) Cache.tellHits(handle)
      else if (handle instanceof RemoteCache) RemoteCache.tellHits(handle)
    }
    const primitives = JSON.parse(this.#native.snapshot(this.#registry, this.#clock && this.#now()))
    // A permit that was found to have expired has gone to the next.
    mailbox.collect()
    const [sheds, policies] = [this.#sheds.report(), this.#policies.report(this.#prefix)]
    return { ...primitives, sheds, policies, loop: loop(), ...this.#store?.report() }
  }

  /** @returns {Promise<void>} */
  async ready() {
    this.#assertOpen()
    return this.#store?.ready()
  }

  /** Also the second to call it waits until it is. */
  close() {
    return (this.#closing ??= this.#close())
  }

  async #close() {
    this.#policies.close()
    this.#closed = true
    for (const id of this.#handles.keys()) this.#letGo(id, false)
    this.#named.clear()
    this.#sheds.close()
    if (this.#store !== undefined) await this.#store.close()
    else if (this.#registry !== undefined) this.#native.closeRegistry(this.#registry)
  }

  /**
   * A name opened twice here is one handle: opening in a request handler must not pile up handles.
   * @param {KindName} kind
   * @param {unknown} given
   * @param {unknown} options
   * @returns {Handle}
   */
  #openOne(kind, given, options) {
    this.#assertOpen()
    const name = nameOf(kind, given)
    const { shape: shapeOf, open, Handle } = (this.#store === undefined ? KINDS : REMOTE_KINDS)[kind]
    const shape = shapeOf(options, name, this.#env)
    const key = `${kind}:${name}`
    const config = JSON.stringify(shape)
    const present = this.#named.get(key)
    if (present !== undefined) {
      const ended = this.#native.hasEnded(present.id)
      if (!ended && present.config === config) return present.handle
      if (ended) this.#letGo(present.id, false)
    }
    const isManual = this.#clock !== undefined
    const now = isManual ? this.#now : recent
    const place = new Place(kind, name, this.#native, this.#now, now, this.#wall, isManual, this.#store, (id) => {
      if (this.#named.get(key)?.id === id) this.#named.delete(key)
      this.#letGo(id, true)
    })
    const opening = {
      registry: this.#registry,
      prefix: this.#prefix,
      name,
      replace: this.#replace,
      nowMs: this.#clock && this.#now(),
    }
    const id = opened(() => place.cold((native) => open(native)(opening, shape)), kind, shape)
    const handle = new Handle(place, id, shape)
    this.#named.set(key, { handle, id, config })
    this.#handles.set(id, handle)
    return handle
  }

  /**
   * Let go of a name, if it is open here; others may keep it.
   * @param {KindName} kind
   * @param {string} name
   */
  #release(kind, name) {
    const key = `${kind}:${name}`
    const present = this.#named.get(key)
    if (present === undefined) return
    this.#named.delete(key)
    this.#letGo(present.id, false)
  }

  /**
   * @param {number} id
   * @param {boolean} end for everybody, or only as far as this spillway goes
   */
  #letGo(id, end) {
    const handle = this.#handles.get(id)
    if (handle === undefined) return
    this.#handles.delete(id)
    if (handle instanceof Cache) Cache.forgetCopies(handle)
    if (handle instanceof RemoteCache) RemoteCache.forgetCopies(handle)
    if (handle instanceof Breaker) Breaker.letGo(handle)
    if (handle instanceof Lease) Lease.letGo(handle)
    this.#native.letGo(id, end)
  }

  /**
   * The charges that were asked for, each of a limiter that can be charged together with the others.
   * @param {readonly import('../index').LimiterCharge[]} charges
   * @param {InstanceType<typeof RedisStore> | undefined} store
   */
  #charges(charges, store) {
    this.#assertOpen()
    if (!Array.isArray(charges) || charges.length < 1 || charges.length > TOGETHER) {
      const got = Array.isArray(charges) ? `${charges.length} charges` : shown(charges)
      throw misuse('E_OPTION', `consumeAll() takes an array of 1 to ${TOGETHER} charges; got ${got}`, {
        option: 'charges',
      })
    }
    const made = []
    for (let index = 0; index < charges.length; index++) {
      const { limiter, key, cost = 1 } = charges[index] ?? {}
      if (!(store === undefined ? Limiter.isOn(limiter, this.#native) : RemoteLimiter.isOn(limiter, store))) {
        const rule = `must be a limiter ${store === undefined ? 'on the clock' : 'over the Redis'} of this spillway`
        const option = `charges[${index}].limiter`
        throw misuse('E_OPTION', `\`${option}\` ${rule}; got ${shown(limiter)}`, { option })
      }
      made.push({ owner: /** @type {any} */ (limiter), key, cost })
    }
    return made
  }

  #assertOpen() {
    if (this.#closed)
      throw misuse('E_DISPOSED', 'this spillway is closed; make another with spillway()', { Base: Error })
  }
}

/**
 * @param {() => number} open
 * @param {KindName} kind
 * @param {any} shape
 */
function opened(open, kind, shape) {
  try {
    return open()
  } catch (error) {
    throw kind === 'limiter' ? limitsBlamed(error, shape.limits ?? shape) : error
  }
}

/**
 * Milliseconds on a clock that never jumps.
 */
function monotonic() {
  return performance.now()
}

/**
 * Where knobs are read.
 * @param {InstanceType<typeof Options>} options
 * @returns {Environment}
 */
function environmentOf(options) {
  const env = options.get('env')
  if (env === undefined) return process.env
  if (env === false) return false
  if (typeof env !== 'object' || env === null || Array.isArray(env)) {
    throw options.wrong('env', 'of spillway() must be an object of environment variables, or false')
  }
  return /** @type {Record<string, string | undefined>} */ (env)
}

/** @param {unknown} prefix */
function prefixOf(prefix) {
  if (prefix === undefined) return ''
  if (typeof prefix !== 'string' || prefix.length > 64 || prefix.includes(':')) {
    throw misuse(
      'E_OPTION',
      `\`prefix\` of spillway() must be a string of up to 64 characters without ':'; got ${shown(prefix)}`,
      {
        option: 'prefix',
      },
    )
  }
  return prefix
}

/**
 * A native error as this package throws it.
 * @param {any} error
 * @param {string} kind
 * @param {string} name
 */
function faultOf(error, kind, name) {
  if (error?.code === 'E_DISPOSED')
    return misuse('E_DISPOSED', `the ${kind} "${name}" has been disposed of; open it again`, { Base: Error })
  if (error?.code === 'E_RATE_TOO_FINE' || error?.code === 'E_OPTION')
    return misuse(error.code, error.message, { Base: RangeError })
  if (error?.code === 'E_MISMATCH') return misuse('E_MISMATCH', error.message)
  return error?.code === 'E_INTERNAL' ? troubleOf(kind, name) : error
}

module.exports = { Spillway, Place }
