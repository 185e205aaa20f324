// Filling a cache before anybody asks: a few loads at a time, and none of what is fresh. Owns their pace.
// Never keeps more of its source than it is working on.
'use strict'

const { keptOf } = require('./cache-shape.js')
const deadlines = require('./deadlines.js')
const { isKey, keyTrouble } = require('./keys.js')
const { misuse, shown } = require('./misuse.js')
const { Options } = require('./options.js')

/** @typedef {{ name: string, kind: string, set(key: string, value: unknown, options: any): void | Promise<void> }} Cache */
/** @typedef {import('./cache-shape.js').Kept} Kept */

const HOUR = 3_600_000

/** After so many entries that needed no waiting, the event loop has its turn. */
const IN_ONE_TURN = 256

// As it was at the start: under fake timers nobody would fire it.
const { setImmediate } = globalThis

/**
 * @param {Cache} cache
 * @param {InstanceType<typeof import('./values.js').Values>} values
 * @param {InstanceType<typeof import('./loads.js').Loads>} loads
 * @param {any} given
 * @param {unknown} pace
 * @param {(key: string) => Promise<boolean>} [isBehind] whether it is fresh behind memory
 * @returns {Promise<import('../index').Warmed>}
 */
async function warmed(cache, values, loads, given, pace, isBehind) {
  const { concurrency, spreadMs, signal } = paceOf(pace)
  const source = sourceOf(cache, typeof given === 'function' ? await given() : given)
  /** @type {import('../index').Warmed} */
  const counts = { loaded: 0, failed: 0, present: 0 }
  /** @type {Set<Promise<void>>} */
  const running = new Set()
  const stop = stopOf(signal)

  /** @param {unknown} error */
  const failed = (error) => {
    if (counts.failed++ === 0) counts.error = error
  }
  /**
   * @param {string} key
   * @param {(call: any) => any} loader
   * @param {Kept} kept
   */
  const loadOne = async (key, loader, kept) => {
    try {
      if (spreadMs > 0) await stop.pause(Math.random() * spreadMs)
      if (signal?.aborted) return
      // Fresh or not at all: an old value is no success here.
      const landed = await loads.join(key, loader, { ...kept, signal: undefined, waitUntil: undefined, reload: false })
      counts['found' in landed && landed.found !== undefined ? 'present' : 'loaded']++
    } catch (error) {
      // Then it is warm() that rejects.
      if (!signal?.aborted) failed(error)
    }
  }
  /**
   * @param {string} key
   * @param {unknown} value
   * @param {any} options
   * @param {(key: string) => Promise<boolean>} isThere
   */
  const setOne = async (key, value, options, isThere) => {
    try {
      if (await isThere(key)) return void counts.present++
      await cache.set(key, value, options)
      counts.loaded++
    } catch (error) {
      if (!signal?.aborted) failed(error)
    }
  }
  /** @param {Promise<void>} one */
  const run = (one) => {
    const tracked = one.finally(() => running.delete(tracked))
    running.add(tracked)
  }

  try {
    for (let turned = 0; ; turned++) {
      const { done, value: entry } = await stop.or(source.next())
      if (done) break
      const [key, value, options, kept] = partsOf(cache, entry)
      if (values.isFresh(key)) {
        counts.present++
      } else if (typeof value === 'function') {
        while (running.size >= concurrency) await stop.or(Promise.race(running))
        run(loadOne(key, value, kept))
      } else if (isBehind !== undefined) {
        while (running.size >= concurrency) await stop.or(Promise.race(running))
        run(setOne(key, value, options, isBehind))
      } else {
        try {
          cache.set(key, value, options)
          counts.loaded++
        } catch (error) {
          failed(error)
        }
      }
      if (turned % IN_ONE_TURN === IN_ONE_TURN - 1) await new Promise((resolve) => setImmediate(resolve))
    }
    await stop.or(Promise.all(running))
    return counts
  } catch (error) {
    // Not waited for: a source that hangs is what an abort may be for.
    Promise.resolve(source.return?.()).catch(() => {})
    throw error
  } finally {
    stop.end()
  }
}

/**
 * What ends every wait, with its reason.
 * @param {AbortSignal | undefined} signal
 */
function stopOf(signal) {
  /** Of the waits there are now: a promise of the abort itself would keep all there ever were. @type {Set<(error: unknown) => void>} */
  const waits = new Set()
  const abort = () => waits.forEach((reject) => reject(signal?.reason))
  signal?.addEventListener('abort', abort, { once: true })
  /**
   * @template T
   * @param {PromiseLike<T> | T} waiting
   * @returns {Promise<T>}
   */
  const or = (waiting) => {
    if (signal === undefined) return Promise.resolve(waiting)
    return new Promise((resolve, reject) => {
      const over = () => waits.delete(reject)
      waits.add(reject)
      Promise.resolve(waiting).then(resolve, reject).finally(over)
      if (signal.aborted) reject(signal.reason)
    })
  }
  return {
    or,
    /** @param {number} milliseconds */
    pause(milliseconds) {
      /** @type {ReturnType<typeof deadlines.schedule>} */
      let deadline
      const paused = new Promise((resolve) => (deadline = deadlines.schedule(milliseconds, resolve)))
      // Whoever is stopped must not keep the process waiting for what it no longer waits for.
      return or(paused).finally(() => deadlines.cancel(deadline))
    },
    end: () => signal?.removeEventListener('abort', abort),
  }
}

/** @param {unknown} given */
function paceOf(given) {
  const options = new Options('warm()', given, ['concurrency', 'spread', 'signal'])
  const signal = /** @type {any} */ (options.get('signal'))
  if (signal !== undefined && typeof signal?.addEventListener !== 'function') {
    throw options.wrong('signal', 'of warm() must be an AbortSignal')
  }
  return {
    concurrency: options.whole('concurrency', { min: 1, max: 1000, fallback: 4 }),
    spreadMs: options.duration('spread', { min: 0, max: HOUR, fallback: 0 }),
    signal: /** @type {AbortSignal | undefined} */ (signal),
  }
}

/**
 * @param {Cache} cache
 * @param {any} source
 * @returns {Iterator<any> | AsyncIterator<any>}
 */
function sourceOf(cache, source) {
  if (typeof source === 'object' && source !== null) {
    if (typeof source[Symbol.asyncIterator] === 'function') return source[Symbol.asyncIterator]()
    if (typeof source[Symbol.iterator] === 'function') return source[Symbol.iterator]()
  }
  const rule = 'must be iterable, or a function that answers something iterable, like [[key, load]]'
  throw misuse('E_OPTION', `\`source\` of warm() of the cache "${cache.name}" ${rule}; got ${shown(source)}`, {
    option: 'source',
  })
}

/**
 * @param {Cache} cache
 * @param {any} entry
 * @returns {[string, any, any, Kept]}
 */
function partsOf(cache, entry) {
  if (!Array.isArray(entry) || entry.length < 2 || entry.length > 3) {
    const rule = 'must be [key, value], [key, load] or one of these with options behind it'
    throw misuse('E_OPTION', `an entry of warm() of the cache "${cache.name}" ${rule}; got ${shown(entry)}`, {
      option: 'source',
    })
  }
  const [key, value, options] = entry
  if (!isKey(key)) throw keyTrouble(cache, key)
  return [key, value, options, keptOf(options)]
}

module.exports = { warmed }
