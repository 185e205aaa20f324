// The bulkhead as JavaScript sees it: permits, and waiting for one. Never holds a permit longer than the call it is for.
'use strict'

const { CallContext, assertFunction, signalOf } = require('./call.js')
const deadlines = require('./deadlines.js')
const { Events } = require('./events.js')
const { isKey, keyTrouble } = require('./keys.js')
const { blamed, knobsOf } = require('./knobs.js')
const { LeaseWatch } = require('./lease-watch.js')
const mailbox = require('./mailbox.js')
const { misuse, shown } = require('./misuse.js')
const { details, troubleOf } = require('./native.js')
const { nestingOf } = require('./nesting.js')
const { Options, DAY } = require('./options.js')
const { Permit, hold, holdFar, release } = require('./permit.js')
const { NORMAL, rankOf } = require('./priorities.js')
const { Refusal, refusalInfo } = require('./refusals.js')
const { Rights } = require('./rights.js')

/** @typedef {InstanceType<typeof import('./place.js').Place>} Place */
/** @typedef {import('./permit.js').Held} Held */
/** @typedef {{ refusal: import('../index').RefusalInfo, message?: string }} Refused */
/** @typedef {{ rank: number, key: string, readonly signal: AbortSignal | undefined }} Asking */
/** @typedef {typeof COUNTED | Held | Refused} Turn */

const OPTIONS = ['limit', 'queue', 'queueTimeout', 'perKey', 'lease', 'env']
/** And over Redis. */
const REMOTE_OPTIONS = [...OPTIONS, 'maxStall', 'failMode']
/** Under this, what a renewal takes on a slow network would be a good part of a lease over hosts. */
const LEAST_LEASE_MS = 100
const MILLION = 1_000_000
/** What a call without options asks for. @type {Asking} */
const USUAL = Object.freeze({ rank: NORMAL, key: '', signal: undefined })

/** Of a permit that was free and is only counted. */
const COUNTED = Symbol('counted')

const { then } = Promise.prototype

/**
 * @param {unknown} given
 * @param {string} name
 * @param {Record<string, string | undefined> | false} env
 */
function bulkheadShape(given, name, env) {
  return overridden(given, name, env, OPTIONS, shapeOf)
}

/**
 * The same of a bulkhead over hosts, whose permits always have a lease.
 * @param {unknown} given
 * @param {string} name
 * @param {Record<string, string | undefined> | false} env
 */
function remoteBulkheadShape(given, name, env) {
  return overridden(given, name, env, REMOTE_OPTIONS, remoteShapeOf)
}

/**
 * @template S
 * @param {unknown} given
 * @param {string} name
 * @param {Record<string, string | undefined> | false} env
 * @param {readonly string[]} known
 * @param {(options: InstanceType<typeof Options>, provenance: string) => S} read
 * @returns {S}
 */
function overridden(given, name, env, known, read) {
  // First as they were given, so that what is wrong in them is told before what is wrong in the environment.
  new Options('a bulkhead', given, known)
  const { options, provenance } = knobsOf('bulkhead', name, given, env)
  try {
    const shape = read(new Options('a bulkhead', options, known), JSON.stringify(provenance))
    // Out of sight of who compares two openings: the same values from elsewhere are the same bulkhead, and one handle.
    return Object.defineProperty(shape, 'provenance', { enumerable: false })
  } catch (fault) {
    throw blamed(fault, provenance)
  }
}

/**
 * @param {InstanceType<typeof Options>} options
 * @param {string} provenance
 */
function shapeOf(options, provenance) {
  return {
    limit: options.whole('limit', { min: 1, max: MILLION }),
    queue: options.whole('queue', { min: 0, max: MILLION, fallback: 0 }),
    queueTimeoutMs: options.duration('queueTimeout', { max: DAY, fallback: 30_000 }),
    perKey: options.flag('perKey'),
    leaseMs: options.get('lease') === undefined ? undefined : options.duration('lease', { max: DAY }),
    provenance,
  }
}

/**
 * @param {InstanceType<typeof Options>} options
 * @param {string} provenance
 */
function remoteShapeOf(options, provenance) {
  const leaseMs = options.duration('lease', { min: LEAST_LEASE_MS, max: DAY, fallback: 30_000 })
  return {
    ...shapeOf(options, provenance),
    leaseMs,
    maxStallMs: options.duration('maxStall', { min: LEAST_LEASE_MS, max: DAY, fallback: 60_000 }),
    failMode: options.word('failMode', ['open', 'closed', 'local'], 'local'),
  }
}

class Bulkhead {
  #native
  #id
  #place
  #shape
  #leased
  /** Whether a free permit is only counted, and needs no receipt. */
  #counted
  #events = new Events('bulkhead', ['refused', 'waited', 'expired', 'unavailable'])
  #nesting = nestingOf(this)
  /** @type {InstanceType<typeof LeaseWatch> | undefined} */
  #watch
  /** Over hosts, where it is asked; undefined where permits are this process's. @type {InstanceType<typeof Rights> | undefined} */
  #rights
  /** How a call under a counted permit ends: one function for all of them. */
  #went
  #failed
  /** @type {'bulkhead'} */
  kind = 'bulkhead'

  /**
   * @param {Place} place
   * @param {number} id
   * @param {ReturnType<typeof bulkheadShape>} shape
   */
  constructor(place, id, shape) {
    this.#native = place.native
    this.#id = id
    this.#place = place
    this.#shape = shape
    this.#leased = shape.leaseMs !== undefined
    this.#counted = !shape.perKey && !this.#leased
    if (place.asks !== undefined) this.#rights = new Rights(place, id)
    else if (this.#leased) this.#watch = new LeaseWatch((key) => this.#look(key))
    this.#went = (/** @type {any} */ value) => {
      this.#exit()
      return value
    }
    this.#failed = (/** @type {unknown} */ error) => {
      this.#exit()
      throw error
    }
    this.name = place.name
    this.limit = shape.limit
    this.perKey = shape.perKey
  }

  /**
   * A permit for a call through a policy, after a wait if need be.
   * @param {Bulkhead} bulkhead
   * @param {Asking} asking whose signal is read only for a wait
   * @returns {Turn | Promise<Turn>}
   */
  static turn(bulkhead, asking) {
    if (bulkhead.#entered()) return COUNTED
    const turn = bulkhead.#ask(asking)
    return turn instanceof Promise ? turn.then((held) => wanted(held, asking.signal)) : turn
  }

  /**
   * Its id where a free permit is only counted, so that it can be taken together with something else.
   * @param {Bulkhead} bulkhead
   */
  static countedId(bulkhead) {
    return bulkhead.#counted ? bulkhead.#id : undefined
  }

  /**
   * Whether a permit was free and is counted now.
   * @param {Bulkhead} bulkhead
   */
  static enter(bulkhead) {
    return bulkhead.#entered()
  }

  /**
   * A permit that was counted comes back.
   * @param {Bulkhead} bulkhead
   */
  static exit(bulkhead) {
    bulkhead.#exit()
  }

  /**
   * That permit comes back.
   * @param {Bulkhead} bulkhead
   * @param {Turn} turn
   */
  static over(bulkhead, turn) {
    if (turn === COUNTED) bulkhead.#exit()
    else if ('out' in turn) release(turn)
  }

  /**
   * What runs under a permit, known to do so in development.
   * @template {(call: any) => any} F
   * @param {Bulkhead} bulkhead
   * @param {F} fn
   * @param {string} key
   */
  static within(bulkhead, fn, key) {
    return bulkhead.#nesting === undefined ? fn : bulkhead.#nesting.within(fn, key)
  }

  /**
   * @template T
   * @param {(call: import('../index').CallContext) => T | PromiseLike<T>} fn
   * @param {import('../index').BulkheadCall} [options]
   * @returns {Promise<T>}
   */
  run(fn, options) {
    let asking
    // Not an async function: with a permit free, the promise of the call itself is all there is.
    try {
      if (typeof fn !== 'function') this.#assertFunction(fn)
      asking = this.#asking(options)
      if (this.#nesting !== undefined) fn = this.#nesting.within(fn, asking.key)
      if (this.#entered()) return this.#counting(fn, asking.signal)
    } catch (error) {
      return Promise.reject(error)
    }
    return this.#inTurn(fn, asking)
  }

  /**
   * @template T
   * @param {(call: import('../index').CallContext) => T | PromiseLike<T>} fn
   * @param {import('../index').BulkheadCall} [options]
   * @returns {Promise<import('../index').Attempt<T>>}
   */
  async attempt(fn, options) {
    if (typeof fn !== 'function') this.#assertFunction(fn)
    const asking = this.#asking(options)
    if (this.#nesting !== undefined) fn = this.#nesting.within(fn, asking.key)
    if (this.#entered()) return { ok: true, value: await this.#counting(fn, asking.signal) }
    let turn = this.#ask(asking)
    if (turn instanceof Promise) turn = wanted(await turn, asking.signal)
    if ('refusal' in turn) return { ok: false, refusal: turn.refusal }
    return { ok: true, value: await this.#holding(turn, fn, asking.signal) }
  }

  /**
   * @param {string} [key]
   * @returns {any} over hosts a promise
   */
  tryAcquire(key) {
    if (this.#rights !== undefined) return this.#tryAcquireFar(this.#rights, key)
    const known = this.#keyOf(key)
    const receipt = this.#native.bulkheadTryAcquire(this.#id, known)
    if (receipt === undefined) throw troubleOf(this.kind, this.name)
    if (receipt >= 0) return new Permit(this.#hold(receipt, known))
    this.#refused(known, this.#retryAfterMs())
    return null
  }

  /** @param {import('../index').BulkheadCall} [options] */
  async acquire(options) {
    const asking = this.#asking(options)
    let turn = this.#ask(asking)
    if (turn instanceof Promise) turn = wanted(await turn, asking.signal)
    if ('refusal' in turn) throw this.#error(turn)
    return new Permit(turn)
  }

  /**
   * @param {'refused' | 'waited' | 'expired' | 'unavailable'} event
   * @param {(message: any) => void} listener
   */
  on(event, listener) {
    return this.#events.on(event, listener)
  }

  dispose() {
    this.#place.dispose(this.#id)
  }

  /**
   * @param {import('../index').BulkheadCall | undefined} options
   * @returns {Asking}
   */
  #asking(options) {
    if (options === undefined && !this.#shape.perKey) return USUAL
    const signal = options === undefined ? undefined : signalOf(options)
    return { rank: rankOf(this, options?.priority), key: this.#keyOf(options?.key), signal }
  }

  /** Whether a permit was free and is counted now. */
  #entered() {
    if (!this.#counted) return false
    const answer = this.#native.bulkheadEnter(this.#id)
    // The usual answer is the cheapest to make.
    if (answer === undefined) return true
    if (answer) throw troubleOf(this.kind, this.name)
    return false
  }

  #exit() {
    if (this.#native.bulkheadExit(this.#id)) mailbox.collect()
  }

  /**
   * The call itself, under a permit that is counted.
   * @template T
   * @param {(call: import('../index').CallContext) => T | PromiseLike<T>} fn
   * @param {AbortSignal | undefined} signal
   * @returns {Promise<T>}
   */
  #counting(fn, signal) {
    let answer
    try {
      answer = fn(new CallContext(signal))
      if (isPlain(answer)) return answer.then(this.#went, this.#failed)
    } catch (error) {
      this.#exit()
      return Promise.reject(error)
    }
    return this.#settling(answer)
  }

  /**
   * @template T
   * @param {T | PromiseLike<T>} answer no promise of ours: a value, or a thenable that may settle as often as it likes
   * @returns {Promise<T>}
   */
  async #settling(answer) {
    try {
      return await answer
    } finally {
      this.#exit()
    }
  }

  /**
   * @template T
   * @param {(call: import('../index').CallContext) => T | PromiseLike<T>} fn
   * @param {Asking} asking
   * @returns {Promise<T>}
   */
  async #inTurn(fn, asking) {
    let turn = this.#ask(asking)
    if (turn instanceof Promise) turn = wanted(await turn, asking.signal)
    if ('refusal' in turn) throw this.#error(turn)
    return this.#holding(turn, fn, asking.signal)
  }

  /**
   * The call itself, under a permit with a receipt.
   * @template T
   * @param {Held} held
   * @param {(call: import('../index').CallContext) => T | PromiseLike<T>} fn
   * @param {AbortSignal | undefined} signal
   * @returns {Promise<T>}
   */
  async #holding(held, fn, signal) {
    try {
      return await fn(new CallContext(signal))
    } finally {
      release(held)
    }
  }

  /**
   * @param {Asking} asking
   * @returns {Held | Refused | Promise<Held | Refused>}
   */
  #ask(asking) {
    const { rank, key } = asking
    if (this.#rights !== undefined) return this.#askFar(this.#rights, asking, this.#shape.queue > 0)
    const receipt = this.#native.bulkheadAcquire(this.#id, rank, key)
    if (receipt === undefined) throw troubleOf(this.kind, this.name)
    if (receipt < 0) return this.#refused(key, this.#retryAfterMs())
    if (details[0] !== 1) return this.#hold(receipt, key)
    const leaseLeftMs = details[1]
    this.#nesting?.waits(key)
    return this.#wait(receipt, key, asking.signal, leaseLeftMs)
  }

  /**
   * @param {number} receipt
   * @param {string} key
   * @param {AbortSignal | undefined} signal
   * @param {number} leaseLeftMs until the first lease ends; NaN without
   * @returns {Promise<Held | Refused>}
   */
  #wait(receipt, key, signal, leaseLeftMs) {
    const native = this.#native
    return new Promise((resolve, reject) => {
      const { queueTimeoutMs } = this.#shape
      const began = this.#place.now()
      const abort = () => leave(() => reject(signal?.reason))
      const deadline = deadlines.schedule(queueTimeoutMs, () => {
        leave(() => resolve(this.#refused(key, undefined, lateOf(this.name, queueTimeoutMs))))
      })
      this.#watch?.begin(key, leaseLeftMs)
      signal?.addEventListener('abort', abort, { once: true })
      /** @param {boolean} served */
      const over = (served) => {
        deadlines.cancel(deadline)
        this.#watch?.end(key)
        signal?.removeEventListener('abort', abort)
        this.#waited(key, this.#place.now() - began, served)
      }
      /** @param {() => void} answer */
      const leave = (answer) => {
        // If the turn has come already, a letter is on its way and decides.
        if (!native.leave(receipt)) return
        mailbox.expectNoMore(receipt)
        over(false)
        answer()
      }
      mailbox.expect(receipt, {
        onYours: () => {
          over(true)
          resolve(this.#hold(receipt, key))
        },
      })
    })
  }

  /**
   * @param {InstanceType<typeof Rights>} rights
   * @param {string | undefined} key
   */
  async #tryAcquireFar(rights, key) {
    const turn = await this.#askFar(rights, { rank: 0, key: this.#keyOf(key), signal: undefined }, false)
    return 'refusal' in turn ? null : new Permit(turn)
  }

  /**
   * @param {InstanceType<typeof Rights>} rights
   * @param {Asking} asking
   * @param {boolean} willingToWait
   * @returns {Promise<Held | Refused>}
   */
  async #askFar(rights, { rank, key, signal }, willingToWait) {
    const { queueTimeoutMs } = this.#shape
    const began = this.#place.now()
    const right = await rights.ask(key, rank, willingToWait ? queueTimeoutMs : 0, signal)
    if (right === 'unavailable' || (typeof right !== 'string' && right.isAlone)) this.#unavailable(key)
    if (right === 'full') return this.#refused(key)
    if (right === 'unavailable') return this.#refused(key, undefined, undefined, 'E_STORE_UNAVAILABLE')
    const served = typeof right !== 'string'
    if (!served || right.isQueued) this.#waited(key, this.#place.now() - began, served)
    if (!served) return this.#refused(key, undefined, lateOf(this.name, queueTimeoutMs))
    const held = holdFar(this.#native, right.receipt, right.fence || undefined, this.#place.asks)
    rights.watch(right, () => {
      held.out = false
      this.#expired(key)
    })
    return held
  }

  /**
   * @param {number} receipt
   * @param {string} key
   * @returns {Held}
   */
  #hold(receipt, key) {
    return hold(this.#native, receipt, this.#leased ? () => this.#expired(key) : undefined)
  }

  /**
   * Permits that have expired pass on.
   * @param {string} key
   * @returns {number} the milliseconds that the next lease has, or NaN
   */
  #look(key) {
    const mailWaits = this.#native.bulkheadExpire(this.#id, key)
    // Let go of meanwhile, for good: each of those who wait still has its own deadline.
    if (mailWaits === undefined) return NaN
    const nextMs = details[0]
    if (mailWaits) mailbox.collect()
    return nextMs
  }

  /** How long until a permit is there for sure, as far as that is known: nobody is in front, and the first lease ends then. */
  #retryAfterMs() {
    const leftMs = details[1]
    return this.#shape.queue > 0 || Number.isNaN(leftMs) ? undefined : Math.ceil(leftMs)
  }

  /**
   * @param {string} key
   * @param {number | undefined} [retryAfterMs]
   * @param {string} [message]
   * @param {import('../index').RefusalCode} [code]
   * @returns {Refused}
   */
  #refused(key, retryAfterMs, message, code = 'E_FULL') {
    const refusal = refusalInfo(code, this.name, retryAfterMs)
    if (this.#events.wanted('refused')) this.#events.emit('refused', { ...this.#about(key), refusal })
    return { refusal, message }
  }

  /**
   * @param {string} key
   * @param {number} waitMs
   * @param {boolean} served
   */
  #waited(key, waitMs, served) {
    if (this.#events.wanted('waited')) this.#events.emit('waited', { ...this.#about(key), waitMs, served })
  }

  /** @param {string} key */
  #expired(key) {
    if (this.#events.wanted('expired')) this.#events.emit('expired', this.#about(key))
  }

  /** @param {string} key */
  #unavailable(key) {
    if (this.#events.wanted('unavailable')) this.#events.emit('unavailable', this.#about(key))
  }

  /** @param {string} key */
  #about(key) {
    return this.#shape.perKey ? { bulkhead: this, key } : { bulkhead: this }
  }

  /** @param {Refused} refused */
  #error({ refusal: { code, primitive, retryAfterMs }, message }) {
    return new Refusal({ code, primitive, retryAfterMs, message })
  }

  /** @param {unknown} fn */
  #assertFunction(fn) {
    assertFunction(`the bulkhead "${this.name}"`, fn)
  }

  /** @param {unknown} key */
  #keyOf(key) {
    if (this.#shape.perKey) {
      if (isKey(key)) return key
      throw keyTrouble(this, key)
    }
    if (key === undefined) return ''
    const rule = 'is for a bulkhead with `perKey: true`, where each key has permits of its own'
    throw misuse('E_OPTION', `\`key\` of a call to the bulkhead "${this.name}" ${rule}; got ${shown(key)}`, {
      option: 'key',
    })
  }
}

/**
 * @param {string} name
 * @param {number} timeoutMs
 */
function lateOf(name, timeoutMs) {
  return `no permit of the bulkhead "${name}" came free within ${timeoutMs} ms`
}

/**
 * Whether it is a promise as the language makes them, whose `then` calls one of two functions, once.
 * @param {any} answer
 * @returns {answer is Promise<any>}
 */
function isPlain(answer) {
  return answer instanceof Promise && answer.constructor === Promise && answer.then === then
}

/**
 * What came of a wait, unless the caller has given up in the very moment his turn came.
 * @param {Held | Refused} turn
 * @param {AbortSignal | undefined} signal
 */
function wanted(turn, signal) {
  if (signal?.aborted !== true || 'refusal' in turn) return turn
  release(turn)
  throw signal.reason
}

module.exports = { Bulkhead, bulkheadShape, remoteBulkheadShape }
