// One configured set of primitives. Owns names, handles and their end. Never holds any state of a primitive: that is native.
'use strict'

const { Breaker } = require('./breaker.js')
const { breakerFunctions } = require('./breaker-shape.js')
const { CacheHandle } = require('./cache-handle.js')
const { cacheFunctions } = require('./cache-shape.js')
const { chargesOf } = require('./charges.js')
const { onClock } = require('./clock.js')
const { KINDS, REMOTE_KINDS } = require('./kinds.js')
const { Lease } = require('./lease.js')
const { Limiter } = require('./limiter.js')
const { limitsBlamed } = require('./limits.js')
const { loop, over } = require('./loop.js')
const mailbox = require('./mailbox.js')
const { misuse } = require('./misuse.js')
const { native: load, details } = require('./native.js')
const { nameOf } = require('./options.js')
const { Place } = require('./place.js')
const { Policies } = require('./policies.js')
const { RedisStore } = require('./redis-store.js')
const { RemoteLimiter } = require('./remote-limiter.js')
const { Sheds } = require('./sheds.js')
const { spillwayShape } = require('./spillway-shape.js')
const { recent } = require('./turn.js')

/** @typedef {import('./kinds.js').Handle} Handle */
/** @typedef {import('./kinds.js').KindName} KindName */
/** @typedef {import('./kinds.js').Environment} Environment */

class Spillway {
  #native
  #prefix
  #env
  #replace
  /** @type {InstanceType<typeof import('./clock.js').Clock> | undefined} */
  #clock
  /** Milliseconds on a clock that never jumps, unless it is the user's. */
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
    const { prefix, replace, env, clock, target, isolated } = spillwayShape(given)
    this.#prefix = prefix
    this.#replace = replace
    this.#env = env
    const native = load()
    this.#clock = clock
    this.#native = clock === undefined ? native : onClock(native, clock)
    this.#now = clock === undefined ? () => performance.now() : () => clock.now()
    this.#wall = clock === undefined ? () => Date.now() : () => clock.read()
    this.#store = target && new RedisStore(native, target, this.#prefix, isolated)
    this.#registry = this.#store?.registry ?? (isolated ? native.newRegistry(clock?.now()) : undefined)
    this.#sheds = new Sheds(this.#now, over, this.#replace)
    this.#policies = new Policies(this, {
      now: this.#now,
      openBudget: (name, figures) =>
        /** @type {import('./kinds.js').BudgetHandle} */ (this.#openOne('budget', name, figures)),
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
    return /** @type {import('./kinds.js').LeaseHandle} */ (spillway.#openOne('lease', name, options))
  }

  /**
   * @param {string} name
   * @param {import('../index').LimiterOptions | readonly import('../index').LimitOptions[]} options
   */
  limiter(name, options) {
    return /** @type {import('./kinds.js').LimiterHandle} */ (this.#openOne('limiter', name, options))
  }

  /**
   * @param {string} name
   * @param {import('../index').BreakerOptions} [options]
   */
  breaker(name, options) {
    const functions = breakerFunctions(options)
    const breaker = /** @type {import('./kinds.js').BreakerHandle} */ (this.#openOne('breaker', name, options))
    Breaker.setFunctions(breaker, functions)
    return breaker
  }

  /**
   * @param {string} name
   * @param {import('../index').BulkheadOptions} options
   */
  bulkhead(name, options) {
    return /** @type {import('./kinds.js').BulkheadHandle} */ (this.#openOne('bulkhead', name, options))
  }

  /**
   * @param {string} name
   * @param {import('../index').CacheOptions} [options]
   */
  cache(name, options) {
    const cache = /** @type {import('./kinds.js').AnyCache} */ (this.#openOne('cache', name, options))
    CacheHandle.setFunctions(cache, cacheFunctions(options))
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
    const [native, store] = [this.#native, this.#store]
    if (store === undefined) {
      this.#assertOpen()
      return Limiter.consumeAll(native, chargesOf(charges, native, undefined))
    }
    try {
      this.#assertOpen()
      return RemoteLimiter.consumeAll(chargesOf(charges, native, store))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** @returns {import('../index').Snapshot} */
  snapshot() {
    this.#assertOpen()
    for (const handle of this.#handles.values()) {
      if (handle instanceof CacheHandle) CacheHandle.tellHits(handle)
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
    if (handle instanceof CacheHandle) CacheHandle.forgetCopies(handle)
    if (handle instanceof Breaker) Breaker.letGo(handle)
    if (handle instanceof Lease) Lease.letGo(handle)
    this.#native.letGo(id, end)
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

module.exports = { Spillway }
