// One caller's wait for a load: what he asked for, how long he waits, and what he gets in place of a failure.
// Never ends a load: others wait for it, and what it brings is kept.
'use strict'

const { keptIn, OF } = require('./cache-shape.js')
const deadlines = require('./deadlines.js')
const { misuse, shown } = require('./misuse.js')
const { Options } = require('./options.js')

/** @typedef {import('./values.js').Entry} Entry */
/** @typedef {import('./landed.js').Landed} Landed */

/**
 * @typedef {object} Asked
 * @property {number | undefined} ttlMs
 * @property {string[] | undefined} tags
 * @property {AbortSignal | undefined} signal
 * @property {((promise: Promise<unknown>) => void) | undefined} waitUntil
 * @property {boolean} reload
 */

/** @type {Asked} */
const USUAL = Object.freeze({
  ttlMs: undefined,
  tags: undefined,
  signal: undefined,
  waitUntil: undefined,
  reload: false,
})

/**
 * @param {unknown} given
 * @returns {Asked}
 */
function askedOf(given) {
  if (given === undefined) return USUAL
  const options = new Options(OF, given, ['ttl', 'tags', 'signal', 'waitUntil', 'reload'])
  const signal = /** @type {any} */ (options.get('signal') ?? undefined)
  if (signal !== undefined && typeof signal?.addEventListener !== 'function') {
    throw misuse('E_OPTION', `\`signal\` must be an AbortSignal; got ${shown(signal)}`, { option: 'signal' })
  }
  return { ...keptIn(options), signal, waitUntil: options.callback('waitUntil'), reload: options.flag('reload') }
}

/**
 * How a caller waits.
 * @template T
 * @typedef {object} Wait
 * @property {AbortSignal | undefined} signal
 * @property {number | undefined} softTimeoutMs
 * @property {(landed: Landed) => T} onLanded
 * @property {((failure?: { error: unknown }) => { answer: T } | undefined) | undefined} instead the old value, if there is one
 * @property {() => void} onLeft the load goes on without the caller
 */

/**
 * @template T
 * @param {Promise<Landed>} load
 * @param {Wait<T>} wait
 * @returns {Promise<T>}
 */
function waited(load, wait) {
  const { signal, softTimeoutMs, onLanded, instead, onLeft } = wait
  /** @param {unknown} error */
  const onFailed = (error) => {
    const old = instead?.({ error })
    if (old === undefined) throw error
    return old.answer
  }
  const softens = softTimeoutMs !== undefined && instead !== undefined
  if (signal === undefined && !softens) return load.then(onLanded, onFailed)
  return new Promise((resolve, reject) => {
    let ended = false
    const end = () => {
      ended = true
      if (deadline !== undefined) deadlines.cancel(deadline)
      signal?.removeEventListener('abort', abort)
    }
    /** @param {() => void} answer */
    const leave = (answer) => {
      end()
      try {
        onLeft()
        answer()
      } catch (error) {
        reject(error)
      }
    }
    const abort = () => leave(() => reject(signal?.reason))
    const soften = () => {
      const old = instead?.()
      // Then the wait goes on: there is nothing else.
      if (old !== undefined) leave(() => resolve(old.answer))
    }
    const deadline = softens ? deadlines.schedule(softTimeoutMs, soften) : undefined
    signal?.addEventListener('abort', abort, { once: true })
    // The loader has begun, and it may have been the one who aborted.
    if (signal?.aborted) abort()
    load
      .then(
        (landed) => {
          if (ended) return
          end()
          resolve(onLanded(landed))
        },
        (error) => {
          if (ended) return
          end()
          resolve(onFailed(error))
        },
      )
      .catch(reject)
  })
}

module.exports = { askedOf, waited }
