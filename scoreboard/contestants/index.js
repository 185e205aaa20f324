// Owns the list of who is compared, and what each has to offer a scenario. Never loads one before it is asked for.
'use strict'

/** @typedef {(signal?: AbortSignal) => unknown} Call what is guarded; the signal is the one the guard hands on */
/** @typedef {{ run: (call: Call, signal?: AbortSignal) => Promise<any> }} Guard which may also throw at once */
/** @typedef {{ windowMs: number, minCalls: number, openMs: number }} BreakerWish opens when half of at least `minCalls` calls failed */
/**
 * @typedef {object} BreakerGuard
 * @property {Guard['run']} run
 * @property {() => 'closed' | 'open' | 'half-open'} state
 * @property {(listener: () => void) => void} onOpen
 * @property {() => string} save
 */

/** @typedef {(url: string, init?: { method?: string, body?: string, signal?: AbortSignal }) => Promise<Response>} Client */

/**
 * What a scenario may ask for. A contestant leaves out what it does not have.
 * @typedef {object} Guards
 * @property {(wish: BreakerWish) => BreakerGuard} [breaker]
 * @property {(saved: string, wish: BreakerWish) => Guard} [restored] a breaker out of what another one's `save` answered
 * @property {(wish: BreakerWish & { limit: number }) => BreakerGuard} [capped] that lets through so many at the same time
 * @property {(wish: BreakerWish) => { run: (key: string, call: Call) => Promise<any> }} [cached] with a cache before it
 * @property {(wish: { timeoutMs: number }) => Guard} [timed] that answers its caller when time is up
 * @property {(wish: { max: number, waitMs?: number }) => Guard} [retry] as it is by default in what is not said
 * @property {(wish: { max: number, waitMs: number, timeoutMs: number }) => Guard} [retryWithin] all attempts within one deadline
 * @property {(wish: BreakerWish & { max: number, waitMs: number }) => BreakerGuard} [retryAround] attempts through a breaker
 * @property {(wish: { limit: number, queue: number }) => Guard & { end?: () => unknown }} [bulkhead] `end` lets those who wait go
 * @property {(wish: { limit: number, timeoutMs: number }) => Guard} [timedBulkhead]
 * @property {(wish: { max: number, waitMs: number }) => Client} [client] that repeats what is answered with 503
 */

/** @typedef {keyof Guards | 'signal' | 'end'} Need a guard, or what it must be able to do: heed the caller's signal, be ended */

/**
 * @typedef {object} Contestant
 * @property {string} name
 * @property {import('../faults/index.js').Fault['about'][]} about which faults it can have at all
 * @property {Partial<Record<Need, string>>} lacks what it does not have, and why
 * @property {() => Promise<Guards>} load
 */

/** @type {Record<string, () => Contestant>} */
const contestants = {
  spillway: () => require('./spillway.js'),
  opossum: () => require('./opossum.js'),
  cockatiel: () => require('./cockatiel.js'),
  'p-retry': () => require('./p-retry.js'),
  'async-retry': () => require('./async-retry.js'),
  'p-limit': () => require('./p-limit.js'),
  'p-queue': () => require('./p-queue.js'),
  bottleneck: () => require('./bottleneck.js'),
  'fetch-retry': () => require('./fetch-retry.js'),
  ky: () => require('./ky.js'),
}

module.exports = { contestants, OURS: 'spillway' }
