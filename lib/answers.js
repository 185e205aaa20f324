// What getOrSet answers with: the value that is there, an old one while a new one is loaded, what a load has brought, or an old
// one in its place. Owns that choice. Never loads or waits by itself.
'use strict'

const { landedValue } = require('./landed.js')
const { askedOf, waited } = require('./load-wait.js')
const { shown } = require('./misuse.js')
const { NOTHING, UP_TO, entryWith } = require('./values.js')

/** @typedef {import('./load-wait.js').Asked} Asked */
/** @typedef {import('./landed.js').Landed} Landed */
/** @typedef {import('./loads.js').Loader} Loader */
/** @typedef {import('./values.js').Entry} Entry */
/**
 * What a caller gets: the value, or the entry it is in.
 * @typedef {object} View
 * @property {(key: string, landed: Landed) => any} ofLanded
 * @property {(entry: Entry) => any} ofEntry
 */

const STALE = 1

class Answers {
  #values
  #loads
  #events
  #cache
  /** @type {View} */
  #asValue
  /** @type {View} */
  #asEntry
  /** Of the handle. @type {((promise: Promise<unknown>) => void) | undefined} */
  waitUntil
  /** Whether it was told that this throws. */
  #warned = false

  /**
   * @param {InstanceType<typeof import('./values.js').Values>} values
   * @param {InstanceType<typeof import('./loads.js').Loads>} loads
   * @param {InstanceType<typeof import('./events.js').Events>} events
   * @param {object} cache the handle, as events show it
   */
  constructor(values, loads, events, cache) {
    this.#values = values
    this.#loads = loads
    this.#events = events
    this.#cache = cache
    this.#asValue = { ofLanded: (key, landed) => landedValue(values, key, landed), ofEntry: (entry) => entry.value }
    this.#asEntry = {
      ofLanded: (key, landed) => {
        const value = landedValue(values, key, landed)
        if (landed.found === undefined) return values.entryOf(key, value, landed.stamp)
        const { state, ageMs, freshForMs, flags } = landed.found
        return entryWith(value, state, ageMs, freshForMs, flags)
      },
      ofEntry: (entry) => entry,
    }
  }

  /**
   * @param {string} key
   * @param {Loader} load
   * @param {unknown} options
   * @returns {Promise<any>}
   */
  value(key, load, options) {
    const asked = askedOf(options)
    if (!asked.reload) {
      const found = this.#found(key)
      if (found !== NOTHING) {
        if (this.#values.state === STALE) this.#refresh(key, load, asked)
        return Promise.resolve(found)
      }
    }
    return this.#load(key, load, asked, this.#asValue)
  }

  /**
   * @param {string} key
   * @param {Loader} load
   * @param {unknown} options
   * @returns {Promise<Entry>}
   */
  entry(key, load, options) {
    const asked = askedOf(options)
    if (!asked.reload) {
      const entry = this.#foundEntry(key)
      if (entry !== undefined) {
        if (entry.state === 'stale') this.#refresh(key, load, asked)
        return Promise.resolve(entry)
      }
    }
    return this.#load(key, load, asked, this.#asEntry)
  }

  /**
   * What may be answered at once. What cannot be decoded any more is as good as nothing: it is loaded anew.
   * @param {string} key
   */
  #found(key) {
    try {
      return this.#values.read(key, UP_TO.STALE)
    } catch (error) {
      if (isUnreadable(error)) this.#forget(key)
      else throw error
      return NOTHING
    }
  }

  /** @param {string} key */
  #foundEntry(key) {
    try {
      return this.#values.look(key, UP_TO.STALE)
    } catch (error) {
      if (isUnreadable(error)) this.#forget(key)
      else throw error
      return undefined
    }
  }

  /**
   * @param {string} key
   * @param {Loader} load
   * @param {Asked} asked
   */
  #refresh(key, load, asked) {
    const loading = this.#loads.refresh(key, load, asked)
    if (loading !== undefined) this.#handOver(loading, asked)
  }

  /**
   * A load that nobody waits for any more: it must not end in a rejection nobody handles, and whoever runs us may want to wait.
   * @param {Promise<unknown>} loading
   * @param {Asked} asked
   */
  #handOver(loading, asked) {
    const waitUntil = asked.waitUntil ?? this.waitUntil
    const ended = loading.then(nothing, nothing)
    try {
      waitUntil?.(ended)
    } catch (error) {
      // The caller has his value; the load goes on as far as it is let.
      if (!this.#warned) warn(this.#values.name, error)
      this.#warned = true
    }
  }

  /**
   * @param {string} key
   * @param {Loader} load
   * @param {Asked} asked
   * @param {View} view
   * @returns {Promise<any>}
   */
  #load(key, load, asked, view) {
    const { signal } = asked
    if (signal?.aborted) return Promise.reject(signal.reason)
    const loading = this.#loads.join(key, load, asked)
    if (!(loading instanceof Promise)) return Promise.resolve(view.ofEntry(loading))
    const { graceMs, softTimeoutMs } = this.#values.shape
    return waited(loading, {
      signal,
      softTimeoutMs,
      onLanded: (landed) =>
        landed.found === undefined ? view.ofLanded(key, landed) : this.#spared(key, landed, load, asked, view),
      instead: graceMs === 0 ? undefined : (failure) => this.#old(key, view, failure),
      onLeft: () => this.#handOver(loading, asked),
    })
  }

  /**
   * What a load was spared by, since it is behind memory. It may be stale, and of a codec that nobody has any more.
   * @param {string} key
   * @param {Landed} landed
   * @param {Loader} load
   * @param {Asked} asked
   * @param {View} view
   */
  #spared(key, landed, load, asked, view) {
    try {
      const answer = view.ofLanded(key, landed)
      if (landed.found?.state === STALE) this.#refresh(key, load, asked)
      return answer
    } catch (error) {
      if (!isUnreadable(error)) throw error
      return this.#load(key, load, { ...asked, reload: true }, view)
    }
  }

  /**
   * The old value in place of a load that has failed, or takes too long.
   * @param {string} key
   * @param {View} view
   * @param {{ error: unknown }} [failure]
   * @returns {{ answer: any } | undefined}
   */
  #old(key, view, failure) {
    let entry
    try {
      entry = this.#values.look(key, UP_TO.GRACE)
    } catch {
      // Unreadable, or the cache has ended meanwhile: what is to be told is why the load has failed.
      return undefined
    }
    if (entry === undefined) return undefined
    if (failure !== undefined) entry.loadError = failure.error
    if (entry.state === 'grace' && this.#events.wanted('graced')) {
      this.#events.emit('graced', { cache: this.#cache, key, ...failure })
    }
    return { answer: view.ofEntry(entry) }
  }

  /** @param {string} key */
  #forget(key) {
    const { native, id } = this.#values
    native.cacheDelete(id, key)
  }
}

function nothing() {}

/**
 * @param {string} name
 * @param {unknown} error
 */
function warn(name, error) {
  const why = error instanceof Error ? error.message : shown(error)
  const what = `\`waitUntil\` of the cache "${name}" has thrown, so nobody waits for its background loads: ${why}`
  process.emitWarning(what, { type: 'SpillwayWarning', code: 'SPILLWAY_WAIT_UNTIL' })
}

/** @param {any} error */
function isUnreadable(error) {
  return error?.code === 'E_VALUE_DECODE'
}

module.exports = { Answers }
