// The contract of the package, written by hand. A change here is a change of CHANGELOG.md in the same commit.
/// <reference lib="esnext.disposable" />

/** Milliseconds as a number, or a number with a unit: `250`, `'250ms'`, `'1.5s'`, `'5m'`, `'2h'`, `'1d'`. */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`

/** Bytes as a number, or a number with a unit of 1024: `65536`, `'64kb'`, `'64mb'`, `'1gb'`. */
export type ByteSize = number | `${number}${'b' | 'kb' | 'mb' | 'gb'}`

/** What a call answers with: the value itself on the in-memory store, a promise of it on Redis. */
export type Answer<M extends Mode, T> = M extends 'sync' ? T : Promise<T>
export type Mode = 'sync' | 'async'

// ---------------------------------------------------------------- spillway

export interface LocalOptions {
  /** Namespace, part of every primitive's identity. Up to 64 characters. Default `''`. */
  prefix?: string
  /**
   * What happens when a name is opened again with other options: `'throw'` an `E_MISMATCH`, or `'replace'` the primitive with a
   * fresh one. Default `'throw'`, and `'replace'` when `NODE_ENV` is `development`, where frameworks evaluate a module again.
   */
  onMismatch?: 'throw' | 'replace'
  /** A registry of its own, seen by no other spillway and gone with `close()`. For tests and tools. Default `false`. */
  isolated?: boolean
  /**
   * Where time comes from: milliseconds, whole or not, for example `() => Date.now()` under fake timers. Implies `isolated`.
   * Default: the system's monotonic clock, read in native code.
   */
  clock?: () => number
}

/** Reserved for the Redis store. This version answers `E_UNSUPPORTED` when it is given. */
export interface RedisOptions {
  url: string
}

/**
 * A set of primitives over one store. State lives in native memory once per process: the same prefix, kind and name are the
 * same primitive in every `worker_thread`.
 *
 * @throws `E_OPTION` for an option that is unknown or out of range, `E_RUNTIME` where native code cannot load, `E_BINARY` when
 * the binary of this platform is missing.
 * @example
 * const sp = spillway({ prefix: 'api' })
 * const chat = sp.limiter('chat', { limit: 30, window: '5m' })
 * if (!chat.consume('tenant-7').ok) return tooMany()
 */
export function spillway(options?: LocalOptions): Spillway<'sync'>
export function spillway(options: LocalOptions & { redis: string | RedisOptions }): Spillway<'async'>

export interface Spillway<M extends Mode = 'sync'> {
  limiter(name: string, options: LimiterOptions): Limiter<M>
  breaker(name: string, options?: BreakerOptions): Breaker
  bulkhead(name: string, options: BulkheadOptions): Bulkhead<M>
  cache<T = unknown>(name: string, options?: CacheOptions): Cache<T, M>
  /** Every primitive of this spillway's registry: configuration, state and counters. Plain data, safe to send as JSON. */
  snapshot(): Snapshot
  /**
   * Lets go of every primitive this spillway opened. The last spillway of the process to let go of a name ends it; an
   * `isolated` registry ends at once. Using a handle afterwards throws `E_DISPOSED`.
   */
  close(): Promise<void>
}

/** The same four, bound to one in-memory spillway per thread that is made at first use. */
export function limiter(name: string, options: LimiterOptions): Limiter
export function breaker(name: string, options?: BreakerOptions): Breaker
export function bulkhead(name: string, options: BulkheadOptions): Bulkhead
export function cache<T = unknown>(name: string, options?: CacheOptions): Cache<T>

interface Primitive {
  readonly name: string
  /** Ends the name for the whole process; every handle of it throws `E_DISPOSED` from then on. A second call does nothing. */
  dispose(): void
}

// ---------------------------------------------------------------- limiter

export interface LimiterOptions {
  /** How many units each window refills. Whole, 1 to 1,000,000,000. Required. */
  limit: number
  /** The time in which `limit` units refill. 1 ms to 3650 days, and at least 100 ns a unit (`E_RATE_TOO_FINE`). Required. */
  window: Duration
  /** How many units may be spent at once after a rest. Whole, 1 to 1,000,000,000. Default: `limit`. */
  burst?: number
  /** The token bucket, as the Generic Cell Rate Algorithm (ITU-T I.371). Default and, in this version, the only one. */
  algorithm?: 'token-bucket'
  /**
   * How many keys have a cell of their own, which caps the memory: about 32 bytes each, and 64 after much coming and going.
   * Keys beyond it share a sketch that may limit early and never late. Whole, 1 to 100,000,000. Default 1,000,000.
   */
  maxKeys?: number
}

/**
 * A rate limiter. In any span S it admits at most `burst + S·limit/window` units; whoever needs "never over L in any window"
 * asks for `limit: L/2`.
 */
export interface Limiter<M extends Mode = 'sync'> extends Primitive {
  readonly kind: 'limiter'
  readonly limit: number
  readonly windowMs: number
  readonly burst: number
  /**
   * Ask for `cost` units of `key`. Never throws because the answer is no.
   *
   * A denial changes nothing, so a storm of retries does not push the refill back. Cost 0 is free and ok.
   * @param key non-empty string, else `E_KEY`
   * @param cost whole, 0 to 4,294,967,295, else `E_COST`. Default 1. Over `burst` it is answered with `reason: 'impossible'`.
   */
  consume(key: string, cost?: number): Answer<M, Decision>
  /** What `consume` would answer now, spending nothing. */
  peek(key: string, cost?: number): Answer<M, Decision>
  /**
   * Gives back the charge behind an admitted decision: what of it has not refilled by itself since. Only once per decision, only
   * for the key and limiter it was made for; anything else gives back nothing.
   */
  refund(key: string, decision: Decision): Answer<M, void>
  /** Forgets the key: it has its full burst again. */
  reset(key: string): Answer<M, void>
}

export interface Decision {
  readonly ok: boolean
  readonly reason: 'allowed' | 'limited' | 'blocked' | 'impossible' | 'store-unavailable'
  /** The limiter's `limit`. */
  readonly limit: number
  /** Whole units left at this moment. */
  readonly remaining: number
  readonly cost: number
  /** Milliseconds, rounded up, until the same call is admitted; 0 when ok, `Infinity` when it never will be. */
  readonly retryAfterMs: number
  /** Milliseconds, rounded up, until the key has its full burst again. */
  readonly resetMs: number
  readonly decidedBy: 'local' | 'redis' | 'lease' | 'fail-mode'
  /** Name of the limiter that spoke. */
  readonly limiter: string
}

// ---------------------------------------------------------------- breaker

export interface BreakerOptions {
  /** The span the rates are taken over, in ten buckets. 10 ms to 1 day. Default `'60s'`. */
  window?: Duration
  /** Opens when failures reach this share of calls. Over 0, up to 1. Default 0.5. */
  failureRate?: number
  /** Calls in the window before a rate counts. Whole, 1 to 1,000,000. Default 10. */
  minCalls?: number
  /** Also opens after this many failures in a row. Whole, 1 to 1,000,000. Default: off. */
  consecutive?: number
  /** Also opens when this share of calls took longer than `over`. Default: off. */
  slow?: { over: Duration; rate: number }
  /**
   * How long it stays open: a duration doubling to 60 s (or to itself, if longer) while probes keep failing, or `{ for, max, jitter }`.
   * `for` and `max` 1 ms to 1 day, jitter 0 to 1 (a share either way). Default `{ for: '5s', max: '60s', jitter: 0.2 }`.
   */
  open?: Duration | { for: Duration; max?: Duration; jitter?: number }
  /** Calls let through when half-open; all must end `ok` to close. Whole, 1 to 65,535. Default 3. */
  probes?: number
  /** Opens again when a probe has not come back this long after the last one was let through. 1 ms to 1 day. Default `'15s'`. */
  probeTimeout?: Duration
  /**
   * How a call that ended counts. Default: `fail` for a throw, including an abort whose reason is a `TimeoutError` and an inner
   * `E_TIMEOUT`; `ignore` for every other `Refusal` and for an abort by the caller; else `ok`.
   */
  classify?: (settled: { ok: true; value: unknown } | { ok: false; error: unknown }) => Outcome
}

export type Outcome = 'ok' | 'fail' | 'ignore'
export type BreakerState = 'closed' | 'open' | 'half-open' | 'isolated'

/** What a guarded function is called with. The signal is made when it is first read. */
export interface CallContext {
  readonly signal: AbortSignal
}
export interface CallOptions {
  /** Aborted by the caller; handed on to the function. */
  signal?: AbortSignal
}

/** A circuit breaker (Nygard, Release It!), with a rolling window and states by generation: a late result changes nothing. */
export interface Breaker extends Primitive {
  readonly kind: 'breaker'
  readonly state: BreakerState
  /**
   * Calls `fn` unless the breaker is open, and passes on what it returns or throws.
   * @throws Refusal `E_OPEN` with `retryAfterMs`
   */
  run<T>(fn: (call: CallContext) => T | PromiseLike<T>, options?: CallOptions): Promise<T>
  /** As `run`, but a refusal is plain data: no `Error`, no stack. What `fn` throws is still thrown. */
  attempt<T>(fn: (call: CallContext) => T | PromiseLike<T>, options?: CallOptions): Promise<Attempt<T>>
  /** Asks for a permit, at once; null when refused. Every permit must reach `exit`. */
  enter(): BreakerPermit | null
  /**
   * Gives a permit back with how the call ended and, for `slow`, how long it took in milliseconds. A permit of an earlier state,
   * or one already given back, changes nothing.
   */
  exit(permit: BreakerPermit, outcome: Outcome, ms?: number): void
  /** Refuses every call until `reset()`. */
  isolate(): void
  /** Closes and forgets: window, open time, isolation. */
  reset(): void
}

export interface BreakerPermit {
  readonly generation: number
}

export type Attempt<T> =
  | { readonly ok: true; readonly value: T; readonly refusal?: undefined }
  | { readonly ok: false; readonly refusal: RefusalInfo; readonly value?: undefined }

// ---------------------------------------------------------------- bulkhead

export interface BulkheadOptions {
  /** Calls at the same time, over all threads of the process. Whole, 1 to 1,000,000. Required. */
  limit: number
  /** How many may wait, over all threads. Whole, 0 to 1,000,000. Default 0. */
  queue?: number
  /** How long one may wait. 1 ms to 1 day. Default `'30s'`. */
  queueTimeout?: Duration
}

/** A bulkhead: a bound on concurrency, first come first served. */
export interface Bulkhead<M extends Mode = 'sync'> extends Primitive {
  readonly kind: 'bulkhead'
  readonly limit: number
  /**
   * Runs `fn` under a permit, which is held until `fn` itself settles.
   * @throws Refusal `E_FULL` when limit and queue are full or the wait was too long; the signal's reason when aborted in the queue
   */
  run<T>(fn: (call: CallContext) => T | PromiseLike<T>, options?: CallOptions): Promise<T>
  /** A permit, or null when none is free or others already wait. */
  tryAcquire(): Answer<M, Permit | null>
  /** A permit, after waiting in the queue if need be. Rejects as `run` does. */
  acquire(options?: CallOptions): Promise<Permit>
}

/** Single use: the first `release()` gives it back, later ones do nothing. Given back too when the thread ends or it is collected. */
export interface Permit extends Disposable {
  release(): void
}

// ---------------------------------------------------------------- cache

export interface CacheOptions {
  /** How long a value is fresh. 1 ms to 3650 days. Default `'5m'`. */
  ttl?: Duration
  /** Spreads each expiry by up to this share of `ttl` either way, so that entries do not expire together. 0 to 1. Default 0.1. */
  jitter?: number
  /** Keys, values and overhead together, for all threads. 64 kB to 1 TB. Default `'64mb'`. */
  maxBytes?: ByteSize
  /** The largest encoded value. Up to an eighth of `maxBytes`. Default `'1mb'` or that eighth, whichever is smaller. */
  maxValueBytes?: ByteSize
  /** How long a loader may run before its callers are refused and another thread may try. 1 ms to 1 day. Default `'30s'`. */
  loadTimeout?: Duration
  /** How values become bytes. In this version JSON only. */
  codec?: 'json'
}

/**
 * A cache of encoded values in native memory, shared by all threads, with decoded copies in each.
 *
 * What it returns is shared and therefore deeply frozen. Values are what JSON can carry; anything else is `E_VALUE_ENCODE`.
 * `null` is a value; `undefined` is the absence of one.
 */
export interface Cache<T = unknown, M extends Mode = 'sync'> extends Primitive {
  readonly kind: 'cache'
  get(key: string): Answer<M, T | undefined>
  /** @throws `E_VALUE_ENCODE`, `E_VALUE_TOO_LARGE`; the old value then stays */
  set(key: string, value: T, options?: { ttl?: Duration }): Answer<M, void>
  /** Whether there was something to delete. A load that is under way does not bring the key back. */
  delete(key: string): Answer<M, boolean>
  /** Forgets every key, in constant time. */
  clear(): Answer<M, void>
  /**
   * The value, or what `load` answers; one load per key over all threads of the process, and everybody who asks meanwhile gets
   * its result. What is thrown by `load` is thrown to its callers in that thread and cached nowhere; another thread that waits
   * then loads by itself. A loader answering `undefined` is passed on and not kept.
   * @throws Refusal `E_TIMEOUT` when `load` ran longer than `loadTimeout`
   */
  getOrSet(key: string, load: (call: LoadContext) => T | PromiseLike<T>, options?: { ttl?: Duration }): Promise<T>
  stats(): CacheStats
}

export interface LoadContext extends CallContext {
  /** Sets the time to live of this result. */
  ttl(duration: Duration): void
}

export interface CacheStats {
  hits: number
  misses: number
  loads: number
  loadFailures: number
  sets: number
  deletes: number
  evictions: number
  expirations: number
  entries: number
  bytes: number
  maxBytes: number
}

// ---------------------------------------------------------------- refusals

export type RefusalCode =
  'E_LIMITED' | 'E_OPEN' | 'E_FULL' | 'E_TIMEOUT' | 'E_RETRY_BUDGET' | 'E_SHED' | 'E_SATURATED' | 'E_STORE_UNAVAILABLE'

export interface RefusalInfo {
  readonly code: RefusalCode
  /** Name of the primitive that refused. */
  readonly primitive: string
  readonly status: 429 | 503 | 504
  /** Milliseconds until it is worth asking again, where that is known. */
  readonly retryAfterMs?: number
}

/** A call that was not let through. Branded: `instanceof` and `isRefusal` hold across two copies of the package. */
export class Refusal extends Error implements RefusalInfo {
  constructor(info: { code: RefusalCode; primitive: string; retryAfterMs?: number; message?: string; cause?: unknown })
  /** The refusal a decision that is not ok stands for. */
  static of(decision: Decision): Refusal
  readonly code: RefusalCode
  readonly primitive: string
  readonly status: 429 | 503 | 504
  readonly retryAfterMs?: number
  /** As problem details (RFC 9457). Names the primitive, never the key. */
  toProblem(): ProblemDetails
}
export function isRefusal(value: unknown): value is Refusal

export interface ProblemDetails {
  type: string
  title: string
  status: number
  detail: string
  code: RefusalCode
  /** Whole seconds, rounded up. */
  retryAfter?: number
  [extension: string]: unknown
}

// ---------------------------------------------------------------- snapshot

export interface Snapshot {
  limiters: Record<string, LimiterSnapshot>
  breakers: Record<string, BreakerSnapshot>
  bulkheads: Record<string, BulkheadSnapshot>
  caches: Record<string, CacheSnapshot>
}
export interface LimiterSnapshot {
  config: { limit: number; windowMs: number; burst: number; maxKeys: number }
  /** Keys that have a cell, and decisions that were made in the sketch because none was free. */
  keys: number
  overflowed: number
  allowed: number
  limited: number
}
export interface BreakerSnapshot {
  config: {
    windowMs: number
    failureRate: number
    minCalls: number
    consecutive: number | null
    slow: { overMs: number; rate: number } | null
    open: { forMs: number; maxMs: number; jitter: number }
    probes: number
    probeTimeoutMs: number
  }
  state: BreakerState
  /** Calls of the current window. */
  window: { calls: number; failures: number; slow: number }
  ok: number
  failed: number
  ignored: number
  refused: number
  /** Results that came after the state they began in had ended. */
  stale: number
  transitions: { opened: number; halfOpened: number; closed: number; isolated: number }
}
export interface BulkheadSnapshot {
  config: { limit: number; queue: number }
  inUse: number
  waiting: number
  admitted: number
  refused: number
  /** Left the queue before their turn: timed out or aborted. */
  left: number
}
export interface CacheSnapshot extends CacheStats {
  config: { ttlMs: number; jitter: number; maxBytes: number; maxValueBytes: number }
}
