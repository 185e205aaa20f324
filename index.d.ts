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
   * Where the knobs are read that override options of limiters, breakers, bulkheads and caches: `SPILLWAY_LIMITER_<NAME>_LIMIT` and so on,
   * with the name in capitals and `_` for everything else, and the names in the options' own `env`. `false`: nowhere. Default
   * `process.env`, as it is when a primitive is opened.
   */
  env?: Record<string, string | undefined> | false
  /**
   * What happens when a name is opened again with other options: `'throw'` an `E_MISMATCH`, or `'replace'` the primitive with a
   * fresh one. Default `'throw'`, and `'replace'` when `NODE_ENV` is `development`, where frameworks evaluate a module again.
   */
  onMismatch?: 'throw' | 'replace'
  /** A registry of its own, seen by no other spillway and gone with `close()`. For tests and tools. Default `false`. */
  isolated?: boolean
  /**
   * Where time comes from: milliseconds since 1970, whole or not, for example `() => Date.now()` under fake timers. Implies
   * `isolated`. When it is set back, spans go on from where they were; only windows of the calendar see the new date.
   * Default: the system's clocks, read in native code.
   */
  clock?: () => number
}

/**
 * Which Redis or Valkey (6.2 or newer) state lives in, and how it is asked. Instead of these options: a URL, or an array of URLs of a
 * cluster. In a user or a password of a URL the characters `: / ? # @ %` are written as `%3A` and so on.
 */
export interface RedisOptions {
  /**
   * `redis://user:password@host:6379/0`, `rediss://…` with TLS, `valkey://…` and `valkeys://…` alike, or `unix:///run/redis.sock?db=0`.
   * This or `urls` is required.
   */
  url?: string
  /** Several nodes of a cluster, or several sentinels, to begin with. 1 to 64. */
  urls?: readonly string[]
  /** Whether it is a cluster. Default: whether an array of URLs stands in the place of these options. */
  cluster?: boolean
  /** Whose master is asked, when the URLs are those of sentinels; and how they let us in, if not as the URLs say. */
  sentinel?: { master: string; username?: string; password?: string }
  /** Where the URL does not say them. */
  username?: string
  password?: string
  /** Whole, 0 to 1,000,000. A cluster has no other than 0. Default: as the URL says, else 0. */
  database?: number
  /** TLS: `true`, or what it goes by. `ca`, `cert` and `key` are PEM. Default: as the URL says. */
  tls?:
    | boolean
    | {
        ca?: string | Uint8Array | readonly (string | Uint8Array)[]
        cert?: string | Uint8Array
        key?: string | Uint8Array
        servername?: string
        /** `false` takes any certificate: whoever is between then reads all. Default `true`. */
        rejectUnauthorized?: boolean
      }
  /** How long a call waits for Redis at most, connecting included. 1 ms to 60 s. Default `'50ms'`. */
  deadline?: Duration
  /** How long connecting and signing on may take. 10 ms to 60 s. Default `'2s'`. */
  connectTimeout?: Duration
  /** Calls on their way at once; one more counts as Redis not being there. Whole, 1 to 1,000,000. Default 10,000. */
  maxInFlight?: number
  /** What `CLIENT LIST` shows. 1 to 64 characters of ASCII without spaces. Default `'spillway'`. */
  clientName?: string
}

export interface RedisSpillwayOptions extends Omit<LocalOptions, 'clock'> {
  redis: string | readonly string[] | RedisOptions
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
/**
 * Over Redis every answer is a promise, and a limiter says by `failMode` what counts while Redis is not there. Connecting goes on in
 * the background: nothing waits for it, and nothing fails because of it. Breakers, sheds and policies are this process's own.
 *
 * @throws `E_REDIS_URL`, `E_OPTION`; neither shows a user or a password. Whether Redis is there and lets us in, `ready()` tells.
 * @example
 * const sp = spillway({ prefix: 'api', redis: process.env.REDIS_URL! })
 * const chat = sp.limiter('chat', { limit: 30, window: '5m', failMode: 'open' })
 * if (!(await chat.consume('tenant-7')).ok) return tooMany()
 */
export function spillway(options: RedisSpillwayOptions): Spillway<'async'>

export interface Spillway<M extends Mode = 'sync'> {
  /**
   * An array is a limiter of 1 to 8 limits: all of them pass and are charged, or none is. Over Redis `failMode` is required; of
   * several limits the first says it for all.
   */
  limiter(
    name: string,
    options: M extends 'async'
      ? RemoteLimiterOptions | readonly [RemoteLimitOptions, ...LimitOptions[]]
      : LimiterOptions | readonly LimitOptions[],
  ): Limiter<M>
  breaker(name: string, options?: BreakerOptions): Breaker
  bulkhead(name: string, options: BulkheadOptions): Bulkhead<M>
  cache(name: string, options: CacheOptions<Uint8Array> & { codec: 'bytes' }): Cache<Uint8Array, M>
  cache<T = unknown>(name: string, options?: CacheOptions<T>): Cache<T, M>
  /** A guard against overload of this thread. A name opened again with the same options is the same guard. */
  shed(name: string, options?: ShedOptions): Shed
  /**
   * Strategies around one call, outermost first. A name opened again stands for the new strategies; what it has counted goes on.
   * An order in which a strategy cannot do its work is told once, by a warning with the code `SPILLWAY_POLICY_ORDER`.
   * @throws `E_NAME`; `E_OPTION` for what is no strategy, and for two budgets that differ; `E_MISMATCH` for a budget that is open
   * under this name with other figures
   */
  policy<const S extends readonly Strategy[]>(name: string, ...strategies: S): Policy<FallbackOf<S>>
  /**
   * Spend units of 1 to 8 limiters on this spillway's clock, all or nothing: a user's and the organisation's. The decision is that of the
   * tightest, or of the longest denial, and counts with that limiter alone when it is a denial. Each part of an admitted one is
   * given back by its own limiter's `refund(key, decision)`.
   *
   * On a denial what was taken is given back at the same moment: another thread may be denied in between, never admitted too much.
   * Charge a key of a limiter once, with the sum of its costs: as two charges it may be told too short a wait.
   * @throws `E_OPTION`, `E_KEY`, `E_COST`; then nothing is charged
   */
  consumeAll(charges: readonly LimiterCharge<M>[]): Answer<M, Decision>
  /**
   * Over Redis: resolves when it was reached, let us in and has what is needed; at once in memory. Whoever does not call it is told by
   * a process warning with the code `SPILLWAY_REDIS`.
   *
   * Rejects with `E_REDIS_AUTH`, `E_REDIS_DENIED` (an ACL lacks a command, keys or a channel: which), `E_REDIS_VERSION`,
   * `E_REDIS_DATABASE`, `E_REDIS_TLS`, `E_REDIS_MODE` (a cluster asked as a single server, or the reverse), or `E_REDIS_DOWN` when it was
   * not reached within `connectTimeout`. Connecting goes on after any of them.
   */
  ready(): Promise<void>
  /**
   * Forgets all that a cache of this spillway's prefix holds, by its name, without its options: for operators. False when no cache of
   * that name is open in the process, nor, over Redis, is anything of it there.
   */
  clearCache(name: string): Answer<M, boolean>
  /** Every primitive of this spillway's registry: configuration, state and counters. Plain data, safe to send as JSON. */
  snapshot(): M extends 'async' ? RemoteSnapshot : Snapshot
  /**
   * Lets go of every primitive this spillway opened. The last spillway of the process to let go of a name ends it; an
   * `isolated` registry ends at once. Using a handle afterwards throws `E_DISPOSED`.
   */
  close(): Promise<void>
}

/** The same, bound to one in-memory spillway per thread that is made at first use. */
export function limiter(name: string, options: LimiterOptions | readonly LimitOptions[]): Limiter
export function breaker(name: string, options?: BreakerOptions): Breaker
export function bulkhead(name: string, options: BulkheadOptions): Bulkhead
export function cache(name: string, options: CacheOptions<Uint8Array> & { codec: 'bytes' }): Cache<Uint8Array>
export function cache<T = unknown>(name: string, options?: CacheOptions<T>): Cache<T>
export function shed(name: string, options?: ShedOptions): Shed
export function policy<const S extends readonly Strategy[]>(name: string, ...strategies: S): Policy<FallbackOf<S>>
/** As `Spillway.consumeAll`, for limiters of that spillway. */
export function consumeAll(charges: readonly LimiterCharge<'sync'>[]): Decision

interface Primitive {
  readonly name: string
  /** Ends the name for the whole process; every handle of it throws `E_DISPOSED` from then on. A second call does nothing. */
  dispose(): void
}

// ---------------------------------------------------------------- limiter

export interface LimiterOptions {
  /** How many units each window refills, or holds. Whole, 1 to 1,000,000,000; a sliding window holds up to 1,048,575. Required. */
  limit: number
  /**
   * The time in which `limit` units refill, or the length of the windows. 1 ms to 3650 days; a token bucket needs at least 100 ns
   * a unit (`E_RATE_TOO_FINE`). Required.
   */
  window: Duration
  /** How many units may be spent at once after a rest. Token bucket only. Whole, 1 to 1,000,000,000. Default: `limit`. */
  burst?: number
  /**
   * How it counts, and what it admits at worst in any span S, with `limit` L and `window` W:
   *
   * - `'token-bucket'` (GCRA, ITU-T I.371): `burst + S·L/W`. For "never over L in any window" ask for `limit: L/2`.
   * - `'fixed-window'`: L in each window of the calendar in UTC (`'1d'` turns at 00:00); 2·L in one span of W across a turn.
   * - `'sliding-window'`: estimates the last W from this window and the one before; below 2·L in one span of W, and L where the
   *   load is even.
   *
   * Default `'token-bucket'`.
   */
  algorithm?: 'token-bucket' | 'fixed-window' | 'sliding-window'
  /**
   * How many keys have a cell of their own, which caps the memory: about 32 bytes each, and 64 after much coming and going; as
   * many again for each length of window that plans have, for blocks and for resets, once there are any. Keys beyond it share a
   * sketch that may limit early and never late. Whole, 1 to 100,000,000. Default 1,000,000.
   */
  maxKeys?: number
  /** Decides and counts without denying: for trying a limit out. The decision is ok, and says `shadowed`. Default `false`. */
  shadow?: boolean
  /**
   * Environment variables that override these options when the limiter is opened, beside the generated names (see
   * `LocalOptions.env`) and before them. `false`: none, not even the generated ones. An empty variable counts as not set; any other
   * that is no fitting value is an `E_ENV`.
   * @example { limit: 5, window: '10m', env: { limit: 'RATE_LIMIT_WA_LINK_CODE_MAX', window: 'RATE_LIMIT_WA_LINK_CODE_WINDOW_MS' } }
   */
  env?: { limit?: string; window?: string; burst?: string } | false
  /**
   * Over Redis, where it is required: what counts while Redis is not there. `'open'` admits; `'closed'` refuses; `'local'` counts in
   * this process, at its share of the limit among the processes last seen. Such a decision says `reason: 'store-unavailable'` and
   * `decidedBy: 'fail-mode'`. In memory it means nothing, and neither do the three below.
   */
  failMode?: FailMode
  /**
   * Over Redis: whom a decision asks. `'strict'`: Redis, each time. `'lease'`: Redis for a share of the units ahead, which this
   * process then spends by itself; what it has not spent is lost with its window, and several processes together may admit more than
   * the limit by up to their shares but one each. Default `'strict'`.
   */
  mode?: 'strict' | 'lease'
  /** With `'lease'`: the most units taken ahead for a key. Whole, 1 to 1,000,000,000. Default: by demand, up to a part of the limit. */
  share?: number
  /**
   * Over Redis: a key that was denied is denied here, without asking, until the time it was told. A `reset`, `unblock` or `refund` by
   * another process is then seen only later. Default: as `mode` is `'lease'`.
   */
  rememberDenials?: boolean
}

export type FailMode = 'open' | 'closed' | 'local'

/** Of a limiter over Redis: it must be said what counts while that is not there. */
export interface RemoteLimiterOptions extends LimiterOptions {
  failMode: FailMode
}

/** One of several limits. */
export interface LimitOptions extends LimiterOptions {
  /** What it is called among them: it is then known as `<limiter>/<name>`. Default: its window, as in `api/1h`. */
  name?: string
}

/** The first of several limits over Redis. */
export interface RemoteLimitOptions extends LimitOptions {
  failMode: FailMode
}

/** One limit of a limiter. */
export interface LimitInfo {
  /** The limiter's own name, or `<limiter>/<name>` among several. Decisions, headers and knobs go by it. */
  readonly name: string
  readonly algorithm: 'token-bucket' | 'fixed-window' | 'sliding-window'
  readonly limit: number
  readonly windowMs: number
  readonly burst: number
  readonly shadow: boolean
}

/** Another rate than the limiter's own, for the key of one call: a plan. What is left out is as in the limiter. */
export interface LimitOverride {
  limit?: number
  /** A window of another length counts apart from the limiter's own; a limiter has up to 16 such lengths. */
  window?: Duration
  /** Default: this `limit`, else the limiter's burst. Token bucket only. */
  burst?: number
}

/**
 * A rate limiter. What each algorithm admits at worst stands at {@link LimiterOptions.algorithm}.
 *
 * Over Redis every answer is a promise. It rejects for misuse alone; a `reset`, `block` or `unblock` that could not be done, because
 * Redis is not there, rejects with a Refusal `E_STORE_UNAVAILABLE`, since no answer of theirs could say so.
 */
export interface Limiter<M extends Mode = 'sync'> extends Primitive {
  readonly kind: 'limiter'
  /** Of the first limit, as the two below. */
  readonly limit: number
  readonly windowMs: number
  readonly burst: number
  /** All limits, in the order they were given. */
  readonly limits: readonly LimitInfo[]
  /**
   * Ask for `cost` units of `key`. Never throws because the answer is no.
   *
   * A denial changes nothing, so a storm of retries does not push the refill back. Cost 0 is free and ok.
   * @param key non-empty string, else `E_KEY`
   * @param cost whole, 0 to 4,294,967,295, else `E_COST`. Default 1. Over `burst` it is answered with `reason: 'impossible'`.
   * @param override the key's plan, for a limiter of one limit. A plan refunds and denies at its own rate.
   */
  consume(key: string, cost?: number, override?: LimitOverride): Answer<M, Decision>
  /** What `consume` would answer now, spending nothing. */
  peek(key: string, cost?: number, override?: LimitOverride): Answer<M, Decision>
  /**
   * Gives back the charge behind an admitted decision: of a token bucket what has not refilled by itself since; of windows only
   * into the window that was charged. Only once per decision, only for the key and limiter it was made for; anything else gives
   * back nothing, and so does a key that was reset since or has no cell of its own (see `maxKeys`), and for a decision that is
   * `shadowed` each limit in shadow.
   */
  refund(key: string, decision: Decision): Answer<M, void>
  /**
   * Ask for units ahead of time: admitted if they are free within `maxWait` (0 to 365 days), and then charged now; whoever asked
   * waits `waitMs` before it begins. For pacing calls to somebody else's limit. Token buckets only, else `E_UNSUPPORTED`.
   * @example
   * const { ok, waitMs } = stripe.reserve('account', 1, { maxWait: '2s' })
   * if (ok) await setTimeout(waitMs)
   */
  reserve(key: string, cost: number, options: { maxWait: Duration }): Answer<M, Reservation>
  /**
   * Denies the key everything for so long (1 ms to 3650 days) with `reason: 'blocked'`; again for longer or shorter. Blocks are
   * never dropped early; when `maxKeys` keys are blocked, one more is an `E_BLOCKS_FULL`.
   */
  block(key: string, duration: Duration): Answer<M, void>
  /** Whether the key was blocked until now. What it had spent stays spent. */
  unblock(key: string): Answer<M, boolean>
  /** Forgets what the key has spent in its cell: it has its full burst again. A block of it stays. */
  reset(key: string): Answer<M, void>
  /**
   * As `consume` for each key in order, 64 keys in one crossing to native code and at one moment: cheaper for each than a call. Over
   * Redis 512 keys are asked together, and then the next.
   * @param costs one for each key. Default 1 each. A key or cost that is none throws before anything is charged.
   */
  consumeMany(keys: readonly string[], costs?: readonly number[]): Answer<M, Decision[]>
  /**
   * Calls the listener, in this thread, for each denial answered through this handle: `limited` (too much, or impossible),
   * `blocked`, or `shadowed` (it would have been, but for `shadow`). Returns what takes it off again. The same events go to
   * `node:diagnostics_channel` as `spillway:limiter:limited` and so on, from every limiter of the thread. What a listener throws is
   * an uncaught exception, and changes no answer.
   */
  on(event: 'limited' | 'blocked' | 'shadowed', listener: (event: LimiterEvent<M>) => void): () => void
  /** Over Redis: for each decision of the fail mode, whether it admits or not. Also published as `spillway:limiter:unavailable`. */
  on(event: M extends 'async' ? 'unavailable' : never, listener: (event: LimiterEvent<M>) => void): () => void
}

/** A denial, or a decision of the fail mode, as it is told to listeners. */
export interface LimiterEvent<M extends Mode = 'sync'> {
  readonly limiter: Limiter<M>
  readonly key: string
  readonly decision: Decision
}

/** One part of what `consumeAll` asks for. */
export interface LimiterCharge<M extends Mode = Mode> {
  limiter: Limiter<M>
  key: string
  /** Default 1. */
  cost?: number
}

export interface Decision {
  readonly ok: boolean
  readonly reason: 'allowed' | 'limited' | 'blocked' | 'impossible' | 'store-unavailable'
  /** The `limit` of the limit that spoke; of the plan, if there was an override. */
  readonly limit: number
  /** Whole units left at this moment. */
  readonly remaining: number
  readonly cost: number
  /** Milliseconds, rounded up, until the same call is admitted; 0 when allowed, `Infinity` when it never will be. */
  readonly retryAfterMs: number
  /** Milliseconds, rounded up, until the key is as if it had never been charged; of a block, until it ends. */
  readonly resetMs: number
  readonly decidedBy: 'local' | 'redis' | 'lease' | 'fail-mode'
  /** Name of the limit that spoke: the tightest, or the one that denies for longest. */
  readonly limiter: string
  /** There only when it is ok because of `shadow`; the reason then says what it would have been. */
  readonly shadowed?: true
}

export interface Reservation extends Decision {
  /** Milliseconds, rounded up, to wait before using what was reserved; 0 when denied. */
  readonly waitMs: number
}

/** Options of a limiter that presets give; plain, frozen, to be used as they are or spread. */
export type LimiterPreset = Readonly<Required<Pick<LimiterOptions, 'limit' | 'window' | 'algorithm'>>> &
  Readonly<Pick<LimiterOptions, 'burst'>>

/**
 * Limits to start from, by what they guard.
 * @example limiter('link-code', { ...presets.otp, limit: 3 })
 */
export const presets: {
  /** 5 in 15 min, sliding: tries to sign in, by account and by address. */
  readonly auth: LimiterPreset
  /** 5 in 10 min, sliding: codes sent or tried, link codes too. */
  readonly otp: LimiterPreset
  /** 3 in 10 min, sliding: starts of work that only one run at a time may do. */
  readonly syncStart: LimiterPreset
  /** 30 a minute, a token bucket: reports a person clicks through. */
  readonly query: LimiterPreset
  /** 10 a minute, 3 at once: queries that cost money each. */
  readonly heavyQuery: LimiterPreset
  /** 10 a day, fixed from 00:00 UTC: a daily ration. */
  readonly recognition: LimiterPreset
  /** 5 a day, fixed from 00:00 UTC. */
  readonly export: LimiterPreset
  /** 10 an hour, a token bucket. */
  readonly upload: LimiterPreset
  /** 20 an hour, sliding. */
  readonly download: LimiterPreset
  /** 30 in 5 min, a token bucket: one conversation, or a tenant. */
  readonly chat: LimiterPreset
  /** 100 a minute, a token bucket: one sender. */
  readonly webhook: LimiterPreset
  /**
   * The standard order around calls over HTTP, as one strategy: limiter, total timeout, retry, breaker, bulkhead, attempt timeout.
   * What is given as options is opened under the policy's name.
   * @example policy('stripe', presets.http({ breaker: { failureRate: 0.3 }, attemptTimeout: '2s' }))
   */
  http(options?: HttpPresetOptions): HttpPreset
}

// ---------------------------------------------------------------- breaker

export interface BreakerOptions {
  /**
   * What the rates are taken over: a span of 10 ms to 1 day, in ten buckets, or the last so many calls, 1 to 100,000, whatever their
   * age. Default `'60s'`.
   */
  window?: Duration | { calls: number }
  /** Opens when failures reach this share of calls. Over 0, up to 1. Default 0.5. */
  failureRate?: number
  /** Calls in the window before a rate counts. Whole, 1 to 1,000,000, or to the `calls` of the window. Default 10, or those if fewer. */
  minCalls?: number
  /** Also opens after this many failures in a row. Whole, 1 to 1,000,000. Default: off. */
  consecutive?: number
  /**
   * Also opens when this share of calls took longer than `over`. The time in which this thread's event loop was late is not
   * the dependency's, and does not count. Default: off.
   */
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
  /** Each key of a call has a state of its own: a tenant, a host, a shard. Default false. */
  perKey?: boolean
  /**
   * For `perKey` alone: how many keys have a place, at some 500 bytes each. Whole, 1 to 1,000,000. Default 1,000. When all have one,
   * a newcomer takes that of a key without failures or slow calls in its window; if it finds none, it shares one state with
   * its like, which may refuse too early (`overflowed` in the snapshot). The place of a key that counts is never given away.
   */
  maxKeys?: number
  /** As `on('transition', …)`. It belongs to this thread's handle; the last one given counts. */
  onTransition?: (transition: BreakerTransition) => void
  /**
   * Variables of the environment that override options, under names of one's own; false: none does. Default
   * `SPILLWAY_BREAKER_<NAME>_WINDOW`, `_FAILURE_RATE`, `_MIN_CALLS`, `_CONSECUTIVE`, `_OPEN`, `_PROBES`, `_PROBE_TIMEOUT`.
   */
  env?:
    | {
        window?: string
        failureRate?: string
        minCalls?: string
        consecutive?: string
        open?: string
        probes?: string
        probeTimeout?: string
      }
    | false
}

export type Outcome = 'ok' | 'fail' | 'ignore'
export type BreakerState = 'closed' | 'open' | 'half-open' | 'isolated'

/** What a guarded function is called with. */
export interface CallContext {
  /** Aborted by the caller, by a timeout around the call, or when a hedge was faster. Made when it is first read. */
  readonly signal: AbortSignal
  /** Milliseconds until the nearest deadline around the call: what may be handed on to whoever is called. `Infinity` without one. */
  readonly remainingMs: number
  /** Which attempt this is: 0 is the first, others are those of a retry or a hedge. */
  readonly attempt: number
}
export interface CallOptions {
  /** Aborted by the caller; handed on to the function. */
  signal?: AbortSignal
}

/** A change of state. */
export interface BreakerTransition {
  readonly breaker: Breaker
  /** With `perKey`: whose state it is. Undefined for the one that keys without a place share. */
  readonly key?: string
  readonly from: BreakerState
  readonly to: BreakerState
}
/** A call was not let through. */
export interface BreakerRefusal {
  readonly breaker: Breaker
  readonly key?: string
  /** Unknown for who is isolated. */
  readonly retryAfterMs?: number
}
export interface BreakerCall extends CallOptions {
  /** Whose state counts. Needed with `perKey`, and for no other breaker. */
  key?: string
}

/**
 * A circuit breaker (Nygard, Release It!), with a rolling window and states by generation: a late result changes nothing.
 *
 * With `perKey`, whatever takes a key needs one, a non-empty string; for any other breaker a key is `E_OPTION`.
 */
export interface Breaker extends Primitive {
  readonly kind: 'breaker'
  /** Whether each key has a state of its own. */
  readonly perKey: boolean
  /** @throws `E_KEY` with `perKey`: see `stateOf` */
  readonly state: BreakerState
  /** With `perKey`: the state of a key. A key that was never seen is closed. */
  stateOf(key: string): BreakerState
  /**
   * Calls `fn` unless the breaker is open, and passes on what it returns or throws.
   * @throws Refusal `E_OPEN` with `retryAfterMs`
   */
  run<T>(fn: (call: CallContext) => T | PromiseLike<T>, options?: BreakerCall): Promise<T>
  /** As `run`, but a refusal is plain data: no `Error`, no stack. What `fn` throws is still thrown. */
  attempt<T>(fn: (call: CallContext) => T | PromiseLike<T>, options?: BreakerCall): Promise<Attempt<T>>
  /** Asks for a permit, at once; null when refused. Every permit must reach `exit`. */
  enter(key?: string): BreakerPermit | null
  /**
   * Gives a permit back with how the call ended and, for `slow`, how long it took in milliseconds. A permit of an earlier state,
   * or one already given back, changes nothing.
   */
  exit(permit: BreakerPermit, outcome: Outcome, ms?: number): void
  /**
   * Refuses every call until `reset()`.
   * @throws `E_KEYS_FULL` when no place can be found for the key
   */
  isolate(key?: string): void
  /** Closes and forgets: window, open time, isolation. */
  reset(key?: string): void
  /**
   * Calls `listener` for each transition, whichever thread caused it, or for each refusal in this thread; the answer takes it off.
   * They also go to the channels `spillway:breaker:transition` and `spillway:breaker:refused` of `node:diagnostics_channel`, once
   * for each handle. What a listener throws is an uncaught exception and changes no answer. A thread that is blocked while more than a
   * thousand transitions pile up misses the rest.
   */
  on(event: 'transition', listener: (transition: BreakerTransition) => void): () => void
  on(event: 'refused', listener: (refusal: BreakerRefusal) => void): () => void
  /**
   * State, open time and window as plain data, to go on with in another process: `restore()`. With `perKey`, that of every key that
   * is not as good as new.
   * @example
   * await store.put('stripe', JSON.stringify(stripe.snapshot()))
   */
  snapshot(): SavedBreaker
  /**
   * Goes on from what `snapshot()` has answered, here or elsewhere: what was open stays open for the rest of its time by the wall
   * clock, what was half-open may be probed at once. A window of another kind than this breaker's is left out, and keys that are not
   * in the data stay as they are.
   * @returns false, and nothing is changed, if the data is older than `maxAge` (1 ms to 365 days, default `'1h'`), from the future, or
   * of another version of this package
   * @throws `E_OPTION` for anything else than such data; then nothing is changed
   */
  restore(data: SavedBreaker, options?: { maxAge?: Duration }): boolean
}

export interface BreakerPermit {
  readonly generation: number
}

/** What `Breaker.snapshot()` answers. Plain data, safe to keep as JSON. */
export interface SavedBreaker {
  readonly version: 1
  /** Milliseconds since 1970. */
  readonly takenAt: number
  readonly circuit?: SavedCircuit
  /** With `perKey`. */
  readonly keys?: readonly { readonly key: string; readonly circuit: SavedCircuit }[]
}
export interface SavedCircuit {
  readonly state: BreakerState
  /** How much longer it is open, in milliseconds. */
  readonly openMs?: number
  /** Half-open states in a row that failed. */
  readonly failedProbes: number
  /** Failures in a row. */
  readonly inARow: number
  readonly window:
    | { readonly buckets: readonly (readonly [ageMs: number, calls: number, failures: number, slow: number])[] }
    /** A digit for each call, the oldest first: 1 if it failed, and 2 more if it was slow. */
    | { readonly calls: string }
}

export type Attempt<T> =
  | { readonly ok: true; readonly value: T; readonly refusal?: undefined }
  | { readonly ok: false; readonly refusal: RefusalInfo; readonly value?: undefined }

// ---------------------------------------------------------------- bulkhead

export interface BulkheadOptions {
  /** Calls at the same time, over all threads of the process; with `perKey`, of each key. Whole, 1 to 1,000,000. Required. */
  limit: number
  /** How many may wait, over all threads; with `perKey`, for each key. Whole, 0 to 1,000,000. Default 0. */
  queue?: number
  /** How long one may wait. 1 ms to 1 day. Default `'30s'`. */
  queueTimeout?: Duration
  /** Each key has its own permits and its own queue; a key without a permit out costs nothing. Default false. */
  perKey?: boolean
  /**
   * A permit that is not given back expires after this long and goes to the next who waits, also when the thread that holds it
   * hangs. What its function does goes on; the limit then bounds the permits, not the calls. 1 ms to 1 day. Default: never.
   *
   * Over Redis it is something else: after how long permits come back of a process that has died. While it lives they are renewed, and
   * held for as long as it takes. 100 ms to 1 day. Default `'30s'`.
   */
  lease?: Duration
  /**
   * Over Redis: for how long the JavaScript of a thread may hang before its permits are renewed no longer. 100 ms to 1 day. Default
   * `'60s'`.
   */
  maxStall?: Duration
  /**
   * Over Redis: what counts while it cannot be asked. `'open'`: everybody gets a permit. `'closed'`: nobody does, and calls are refused
   * with `E_STORE_UNAVAILABLE`. `'local'`: this process alone gives out `limit`, those of Redis that it still holds included.
   * Default `'local'`.
   */
  failMode?: 'open' | 'closed' | 'local'
  /**
   * Names of environment variables that override these options, before `SPILLWAY_BULKHEAD_<NAME>_LIMIT`, `_QUEUE`,
   * `_QUEUE_TIMEOUT` and `_LEASE` do. False: none does.
   */
  env?: { limit?: string; queue?: string; queueTimeout?: string; lease?: string } | false
}

export interface BulkheadCall extends CallOptions {
  /** Whose permits: a non-empty string. Required with `perKey`, refused without. */
  key?: string
  /**
   * Who goes first among those who wait. Within a priority first come, first served, over all threads. Nobody in the queue loses
   * his place to another, but `low` may wait for as long as there are higher ones. Default `'normal'`.
   */
  priority?: Priority
}

/**
 * A bulkhead: a bound on concurrency. By priority, and within one first come first served; over Redis so within each process, while
 * between processes whoever asks first gets what came free.
 */
export interface Bulkhead<M extends Mode = 'sync'> extends Primitive {
  readonly kind: 'bulkhead'
  readonly limit: number
  /** Whether each key has as many permits of its own. */
  readonly perKey: boolean
  /**
   * Runs `fn` under a permit, which is held until `fn` itself settles, or its lease ends.
   * @throws Refusal `E_FULL` when limit and queue are full or the wait was too long; the signal's reason when aborted in the queue;
   * over Redis with `failMode: 'closed'` `E_STORE_UNAVAILABLE`
   */
  run<T>(fn: (call: CallContext) => T | PromiseLike<T>, options?: BulkheadCall): Promise<T>
  /** As `run`, but a refusal is plain data: no `Error`, no stack. What `fn` throws is still thrown. */
  attempt<T>(fn: (call: CallContext) => T | PromiseLike<T>, options?: BulkheadCall): Promise<Attempt<T>>
  /** A permit, or null when none is free or others already wait. */
  tryAcquire(key?: string): Answer<M, Permit | null>
  /** A permit, after waiting in the queue if need be. Rejects as `run` does. */
  acquire(options?: BulkheadCall): Promise<Permit>
  /**
   * Calls `listener` whenever this handle refuses; the function that is returned takes it off. Also published on
   * `node:diagnostics_channel` as `spillway:bulkhead:refused`. An error it throws is an uncaught exception and changes no answer.
   */
  on(event: 'refused', listener: (event: BulkheadRefused) => void): () => void
  /** Calls `listener` when a call of this handle that had to wait need not any more. Also published as `spillway:bulkhead:waited`. */
  on(event: 'waited', listener: (event: BulkheadWaited) => void): () => void
  /**
   * Calls `listener` when a permit of this handle has expired: in the thread that held it, once its event loop turns, and not before
   * somebody asks, waits or takes a snapshot. Over Redis: when one was lost, because its thread hung or another process has it. Also
   * published as `spillway:bulkhead:expired`.
   */
  on(event: 'expired', listener: (event: BulkheadExpired) => void): () => void
  /**
   * Calls `listener` when Redis could not be asked and the fail mode decided a call of this handle. Also published as
   * `spillway:bulkhead:unavailable`.
   */
  on(event: 'unavailable', listener: (event: BulkheadUnavailable) => void): () => void
}

export interface BulkheadWaited {
  readonly bulkhead: Bulkhead<Mode>
  /** Of a bulkhead per key. */
  readonly key?: string
  readonly waitMs: number
  /** Whether a permit came; else the call has left the queue: aborted, or after `queueTimeout`. */
  readonly served: boolean
}

export interface BulkheadRefused {
  readonly bulkhead: Bulkhead<Mode>
  /** With `perKey`. */
  readonly key?: string
  readonly refusal: RefusalInfo
}
export interface BulkheadUnavailable {
  readonly bulkhead: Bulkhead<Mode>
  /** With `perKey`. */
  readonly key?: string
}
export interface BulkheadExpired {
  readonly bulkhead: Bulkhead<Mode>
  /** With `perKey`. */
  readonly key?: string
}

/**
 * Single use: the first `release()` gives it back, later ones and those after its lease has ended do nothing. Given back too when
 * the thread ends or it is collected.
 */
export interface Permit extends Disposable {
  /**
   * Over Redis: a whole number that grows from one permit of this bulkhead, or of this key, to the next. Undefined in a process of its
   * own, and where the fail mode gave it out.
   */
  readonly fence?: number
  release(): void
}

// ---------------------------------------------------------------- cache

export interface CacheOptions<T = any> {
  /** How long a value is fresh. 1 ms to 3650 days. Default `'5m'`. */
  ttl?: Duration
  /** Spreads each expiry by up to this share of `ttl` either way, so that entries do not expire together. 0 to 1. Default 0.1. */
  jitter?: number
  /**
   * For how long after that `getOrSet` still answers with the old value, at once, while one load over all threads runs in the
   * background. 0 to 3650 days. Default 0.
   */
  stale?: Duration
  /**
   * For how long after that the old value is kept for the case that loading fails, or takes longer than `softTimeout`: `getOrSet`
   * then answers with it in place of the error. 0 to 3650 days. Default 0.
   */
  grace?: Duration
  /** For how long it is kept that a loader has answered `undefined`. 0, which is the default: not at all. Up to 3650 days. */
  negativeTtl?: Duration
  /** Keys, values and overhead together, for all threads. 64 kB to 1 TB. Default `'64mb'`. */
  maxBytes?: ByteSize
  /** The largest encoded value. Up to an eighth of `maxBytes`. Default `'1mb'` or that eighth, whichever is smaller. */
  maxValueBytes?: ByteSize
  /**
   * How long a loader may run before its callers are refused and another thread may try; one figure for all threads. 1 ms to 1 day.
   * Default `'30s'`.
   */
  loadTimeout?: Duration
  /**
   * How long a loader may run before `getOrSet` answers with what it has in grace; the load goes on. It belongs to this thread's
   * handle. 1 ms to 1 day. Default: none.
   */
  softTimeout?: Duration
  /**
   * What the values were made by: a schema, a release. It is what the cache begins with; `setVersion` changes it and forgets what was
   * stored under another. Up to 128 characters, or a number. Default: none.
   */
  version?: string | number
  /**
   * How values become bytes:
   *
   * - `'json'`: what JSON carries without loss. Decoded once a thread; what is read is shared, and frozen to the last leaf.
   * - `'bytes'`: `Uint8Array` in, a new `Buffer` out at every read.
   * - `'v8'`: what `structuredClone` carries (`Map`, `Date`, `BigInt`, circles); decoded anew at every read.
   * - a codec of one's own.
   *
   * Default `'json'`.
   */
  codec?: 'json' | 'v8' | Codec<T> | (T extends Uint8Array ? 'bytes' : never)
  /**
   * Bounds the loads of all threads: each runs under a permit of it. A load it refuses has failed with that refusal, `E_FULL`. With
   * `perKey` its keys are those of the cache. It belongs to this thread's handle; the last one given counts.
   */
  bulkhead?: Bulkhead | Bulkhead<'async'>
  /**
   * Is handed each load that goes on after its caller was answered, so that a serverless runtime waits for it. It belongs to this
   * thread's handle; the last one given counts.
   */
  waitUntil?: (promise: Promise<unknown>) => void
  /**
   * Variables of the environment that override options, under names of one's own; false: none does. Default
   * `SPILLWAY_CACHE_<NAME>_TTL`, `_STALE`, `_GRACE`, `_NEGATIVE_TTL`, `_MAX_BYTES`, `_MAX_VALUE_BYTES`, `_LOAD_TIMEOUT`,
   * `_SOFT_TIMEOUT`, `_VERSION`.
   * @example { ttl: '5m', env: { ttl: 'TOOL_CACHE_WEB_SEARCH_TTL_MS', version: 'TOOL_CACHE_WEB_SEARCH_NAMESPACE_VERSION' } }
   */
  env?:
    | {
        ttl?: string
        stale?: string
        grace?: string
        negativeTtl?: string
        maxBytes?: string
        maxValueBytes?: string
        loadTimeout?: string
        softTimeout?: string
        version?: string
      }
    | false
}

/** How values become bytes and come back. What either function throws is the cause of an `E_VALUE_ENCODE` or `E_VALUE_DECODE`. */
export interface Codec<T> {
  encode(value: T): string | Uint8Array
  /** Is handed what `encode` has answered: text as text, bytes as a `Buffer` of their own. */
  decode(encoded: any): T
  /** Whether one decoded value may be handed to all callers of a thread: only if nobody changes it. Default false: decoded anew for each. */
  shared?: boolean
}

/**
 * A cache of encoded values in native memory, shared by all threads, with decoded copies in each. Over Redis there is a second tier behind
 * that memory, which all processes share: what memory has is answered from there, and a key is loaded once over all hosts. Redis being
 * down is no error of any call: then it is memory and loaders, and what it missed meanwhile it is told before it is believed again.
 *
 * With the codec `'json'` what it returns is shared and therefore deeply frozen, and values are what JSON can carry; anything else is
 * `E_VALUE_ENCODE`. `null` is a value; `undefined` is the absence of one.
 */
export interface Cache<T = unknown, M extends Mode = 'sync'> extends Primitive {
  readonly kind: 'cache'
  /**
   * The value while it is fresh.
   * @throws `E_VALUE_DECODE` when the codec cannot read it any more; `getOrSet` then loads
   */
  get(key: string, options?: LookOptions): Answer<M, T | undefined>
  /** What is kept of a key in whatever state: also stale, in grace, or that there is nothing. Counts as neither hit nor miss. */
  entry(key: string, options?: LookOptions): Answer<M, CacheEntry<T> | undefined>
  /**
   * `undefined` is kept as a negative result, for `negativeTtl`, where that is set.
   * @throws `E_VALUE_ENCODE`, `E_VALUE_TOO_LARGE`, `E_TAGS`; the old value then stays
   */
  set(key: string, value: T, options?: SetOptions): Answer<M, void>
  /**
   * Now, as the order of all changes of this cache has it: for `since` of `set`.
   * @example
   * const since = pages.moment()
   * const html = await render(path)
   * pages.set(path, html, { tags, since })
   */
  moment(): Answer<M, number>
  /**
   * Whether there was something to delete. A load that is under way does not bring the key back.
   *
   * Over Redis this and every other change is made in memory before the call returns, and answered once Redis has it: from then on no
   * process reads the old value from Redis, and none from its memory once the message has reached it, a few milliseconds later at most.
   */
  delete(key: string): Answer<M, boolean>
  /**
   * Not fresh or stale from now on: the next `getOrSet` waits for a load, and has the old value only if that fails (see `grace`).
   * Whether there was something. A load that is under way does not make it fresh again.
   */
  expire(key: string): Answer<M, boolean>
  /**
   * Deletes every key that begins with it, and says how many. Looks at every entry: for operators, not for every request. Over Redis
   * it counts what lies there, though its tags may have made it unreadable.
   */
  deletePrefix(prefix: string): Answer<M, number>
  /**
   * Over Redis: the keys that are kept there, in no order, a batch at a time as they are asked for. A key that comes or goes meanwhile may
   * be among them or not, and one may come twice. Looks at every key of the server: for operators.
   * @throws Refusal `E_STORE_UNAVAILABLE` when Redis is not there
   * @example for await (const key of products.keys({ prefix: 'dam:' })) console.log(key)
   */
  readonly keys: M extends 'async' ? (options?: { prefix?: string }) => AsyncIterableIterator<string> : undefined
  /**
   * The value, or what `load` answers; one load per key over all threads of the process, and everybody who asks meanwhile gets
   * its result. What is thrown by `load` is thrown to its callers in that thread and cached nowhere; another thread that waits
   * then loads by itself. A loader answering `undefined` is passed on, and kept for `negativeTtl`. Over Redis all of that holds
   * over all hosts, of which one that dies or hangs is waited for no longer than `loadTimeout`.
   *
   * A value that is stale is answered at once, and loaded in the background. One in grace is answered if the load fails, or takes longer
   * than `softTimeout`.
   * @throws Refusal `E_TIMEOUT` when `load` ran longer than `loadTimeout`, `E_FULL` when the cache's bulkhead had no permit; the
   * reason of `signal`
   */
  getOrSet(key: string, load: (call: LoadContext<T>) => T | PromiseLike<T>, options?: LoadOptions): Promise<T>
  /** As `getOrSet`, with how old the value is, and why it could not be loaded anew (`loadError`). */
  getOrSetEntry(
    key: string,
    load: (call: LoadContext<T>) => T | PromiseLike<T>,
    options?: LoadOptions,
  ): Promise<CacheEntry<T>>
  /** As `get` for each key in order, in one crossing to native code for all that are not decoded yet. */
  getMany(keys: readonly string[]): Answer<M, (T | undefined)[]>
  /** As `set` for each entry in order, in one crossing. When something is wrong with one of them, none is stored. */
  setMany(entries: Iterable<readonly [key: string, value: T, options?: CacheSetOptions]>): Answer<M, void>
  /**
   * Sees to it that entries are there, a few at a time; what is fresh is left alone. A failed load ends nothing: it is counted, and told
   * by `on('failed')`.
   * @param source entries, or a function that answers them: keys with a value, or with a loader
   * @throws the reason of `signal`, and whatever `source` throws
   * @example
   * await products.warm(bestsellers.map((id) => [id, () => shop.product(id)]), { concurrency: 8, spread: '2s' })
   */
  warm(
    source: WarmSource<T> | (() => WarmSource<T> | PromiseLike<WarmSource<T>>),
    options?: WarmOptions,
  ): Promise<Warmed>
  /** Everything that has one of these tags is gone, in constant time for each tag, also what is being loaded. */
  invalidateTag(...tags: string[]): Answer<M, void>
  /** As `expire`, for everything that has one of these tags. With `grace`, its grace ends no later than that from now. */
  expireTag(...tags: string[]): Answer<M, void>
  expireTag(...tags: [...tags: string[], options: { grace?: Duration }]): Answer<M, void>
  /** Forgets every key, in constant time. */
  clear(): Answer<M, void>
  /** Of the values that are kept now, whoever has set it last. */
  readonly version: string | undefined
  /** Forgets what was stored under another version, in constant time. Whether it was another. */
  setVersion(version: string | number): Answer<M, boolean>
  /**
   * The function with this cache in front of it, for the same arguments: concurrent calls alike are one call. Its keys begin with its
   * name; functions of one name that read differently have keys of their own.
   *
   * Functions that read the same share theirs, and so each other's results: closures of one factory, a method of two instances. Give
   * each a `name`, or make what tells them apart an argument.
   *
   * `this` is handed on, and is no part of the key.
   * @throws `E_OPTION` for a function without a name; for an argument that is neither a primitive nor made of plain objects
   * and arrays the call is rejected with an `E_KEY`: give `key` then
   * @example const product = products.memoize(fetchProduct, { tags: (id) => [`product:${id}`] })
   */
  memoize<A extends unknown[], R extends T, This = unknown>(
    fn: (this: This, ...args: A) => R | PromiseLike<R>,
    options?: MemoizeOptions<A>,
  ): (this: This, ...args: A) => Promise<R>
  /**
   * Writes what is kept to a file, and says how many entries. The file is there with all of it or not at all, also if the process
   * dies meanwhile. Runs off the event loop.
   * @throws `E_DUMP_FILE` when it cannot be written
   */
  dump(path: string): Promise<number>
  /**
   * Puts in what `dump` has written, and says how many entries: what has not been set meanwhile and is not of another version. They
   * are stale, however fresh they were: `getOrSet` answers with them and loads, `get` has none of them. Over Redis they are in grace: what
   * other hosts have changed since, no file can know.
   * @throws `E_DUMP_FILE` for a file that cannot be read, is cut off, damaged or no such file, or is of a cache with another codec; then nothing
   * is put in
   */
  restore(path: string): Promise<number>
  stats(): CacheStats
  /**
   * Calls the listener, in this thread, for each load through this handle that has brought something (`loaded`), that has `failed`, and
   * for each answer that was in grace (`graced`). Returns what takes it off again. The same events go to `node:diagnostics_channel`
   * as `spillway:cache:loaded` and so on. What a listener throws is an uncaught exception, and changes no answer.
   */
  on<E extends keyof CacheEvents>(event: E, listener: (event: CacheEvents[E]) => void): () => void
}

export interface CacheEvents {
  /** `background`: it began with nobody waiting for it, since the old value was stale. */
  loaded: { cache: Cache<any, any>; key: string; ms: number; background: boolean }
  failed: { cache: Cache<any, any>; key: string; ms: number; background: boolean; error: unknown }
  /** Without an error it was the `softTimeout`. */
  graced: { cache: Cache<any, any>; key: string; error?: unknown }
}

export interface CacheSetOptions {
  /** How long this value is fresh. 1 ms to 3650 days. Default: the cache's. */
  ttl?: Duration
  /** By which it can be forgotten together with others: up to 128 strings of 1 to 256 characters, else `E_TAGS`. */
  tags?: readonly string[]
}

export interface SetOptions extends CacheSetOptions {
  /**
   * The `moment()` before the value was made: it was made from what was so then. If the cache was cleared since, or one of these tags was
   * invalidated, it is not stored; if one was expired, it is in grace. Default: now.
   */
  since?: number
}

export interface LookOptions {
  /** Further tags, compared as if the entry had them. */
  tags?: readonly string[]
}

export interface LoadOptions extends CacheSetOptions {
  /** Ends this caller's waiting, with its reason. The load goes on. */
  signal?: AbortSignal
  /** As the cache's, for this call. */
  waitUntil?: (promise: Promise<unknown>) => void
  /** Loads although there is a fresh value, or waits for a load that is under way. Default false. */
  reload?: boolean
}

/** What a loader is called with. */
export interface LoadContext<T = unknown> {
  /** Aborted when the load has taken longer than `loadTimeout`. Made when it is first read. */
  readonly signal: AbortSignal
  /** Sets the time to live of this result. */
  ttl(duration: Duration): void
  /** Adds tags to this result. A tag that is invalidated while the load runs keeps its result from being stored. */
  tags(...tags: string[]): void
  /** The old value, as far as one is kept, in whatever state: for a request on condition that it has changed. */
  readonly previous: T | undefined
}

export interface CacheEntry<T = unknown> {
  /** Undefined when it is kept that there is nothing. */
  readonly value: T | undefined
  readonly state: 'fresh' | 'stale' | 'grace'
  /** Since it was stored. */
  readonly ageMs: number
  /** Until it is not fresh any more; 0 or less when it is not. */
  readonly freshForMs: number
  /** Whether the loader has answered `undefined`. */
  readonly negative: boolean
  /** Whether it comes from a file, by `restore`. */
  readonly restored: boolean
  /** Why it could not be loaded anew: of `getOrSetEntry` when the load has failed. */
  readonly loadError?: unknown
}

/** One entry to warm a cache with: the value, or how it is loaded. */
export type WarmEntry<T> = readonly [
  key: string,
  value: T | ((call: LoadContext<T>) => T | PromiseLike<T>),
  options?: CacheSetOptions,
]
export type WarmSource<T> = Iterable<WarmEntry<T>> | AsyncIterable<WarmEntry<T>>
export interface WarmOptions {
  /** How many loads run at a time. Whole, 1 to 1,000. Default 4. */
  concurrency?: number
  /** Each load waits for a random time up to this, so that processes started together do not ask together. 0 to 1 hour. Default 0. */
  spread?: Duration
  /** Begins no more loads, and ends the waiting. */
  signal?: AbortSignal
}
export interface Warmed {
  loaded: number
  failed: number
  /** What was fresh already. */
  present: number
  /** The first failure. */
  error?: unknown
}

export interface MemoizeOptions<A extends unknown[] = any[]> {
  /** What tells calls apart. Default: all arguments, objects by their contents. */
  key?: (...args: A) => string
  /** What its keys begin with. Default: the function's name, and a sum of its text. */
  name?: string
  ttl?: Duration
  tags?: readonly string[] | ((...args: A) => readonly string[] | undefined)
  waitUntil?: (promise: Promise<unknown>) => void
}

export interface CacheStats {
  /** Answers that were fresh. */
  hits: number
  /** Lookups that found nothing to answer with. Whoever waits for another's load is one, too: see `loads`. */
  misses: number
  /** Answers that were stale. */
  stale: number
  /** Answers in grace. */
  graced: number
  loads: number
  loadFailures: number
  /** Of the loads, those that began in the background. */
  refreshes: number
  /** By `set` and `setMany`; what a load brings is in `loads`. */
  sets: number
  deletes: number
  /** Entries that had to go for others. */
  evictions: number
  /** Entries that were found to be past their time, grace included, and taken out. */
  expirations: number
  /** Those that can be read, and dead ones nobody has come across yet. */
  entries: number
  /** What they take of memory: keys, values, tags and overhead. */
  bytes: number
  maxBytes: number
  /** Share of lookups that were answered at once, fresh or stale; null before the first. */
  hitRatio: number | null
  /** What that share would be with half and with double `maxBytes`, estimated from a sample of keys; null where too few were seen. */
  estimates: { half: number | null; double: number | null }
  version: string | null
  /** Over Redis: what was asked of it. The other figures are those of memory. */
  redis?: CacheRedisStats
}

export interface CacheRedisStats {
  /** `live`: Redis is asked. `behind`: it is there, but there is something to catch up with, or it is owed changes. `deaf`: it is not there. */
  state: 'live' | 'behind' | 'deaf'
  /** Lookups that memory had nothing for, and Redis had. */
  hits: number
  /** Those that Redis had nothing for either. */
  misses: number
  /** Loads that another host was at already. */
  waits: number
  /** Loads that this process ran for all. */
  loadsLed: number
  /** Values that this process stored there. */
  stores: number
  /** What was not answered, or not in time. */
  errors: number
  /** Changes that Redis has not been told of yet: it is not read before it has. */
  owed: number
  /** Keys at which there was something that no cache has written. */
  foreign: number
  /** How often messages of other hosts may have been missed: then memory is believed no more. */
  gaps: number
}

// ---------------------------------------------------------------- shed

/** Who is refused first: `low`, then `normal`, then `high`; `critical` never. */
export type Priority = 'low' | 'normal' | 'high' | 'critical'

export interface ShedOptions {
  /**
   * How long a request that comes now may wait for the event loop on average, before load is shed. 1 ms to 60 s. Default
   * `'100ms'`, the time up to which an answer feels immediate. Calm is under half of it.
   */
  delay?: Duration
  /**
   * Also sheds when the loop was at work for this share of the interval (event loop utilization). Over 0, up to 1. Default: off,
   * since a loop that is always busy and never late serves everybody.
   */
  utilization?: number
  /** How often the level may move, by one step. 100 ms to 10 s. Default `'500ms'`. A refusal's `retryAfterMs`. */
  interval?: Duration
  /**
   * Milliseconds a request waits, asked once an interval, in place of the event loop's: the age of a queue's oldest job, the wait
   * for a connection. Belongs to this thread's handle, and the last one given counts. Anything but a number of 0 or more is
   * an `E_OPTION` of the call that asked. Default: the event loop.
   */
  measure?: () => number
}

export interface ShedCall extends CallOptions {
  /** Default `'normal'`. */
  priority?: Priority
}

/**
 * A guard against overload: while this thread's event loop is late, calls are refused, the lowest priorities first (after DAGOR:
 * Zhou et al., Overload Control for Scaling WeChat Microservices, SoCC 2018).
 *
 * The level moves by at most one step an interval. Six steps refuse all of a priority, in sixteenths of its calls and not by
 * chance: 4, 8, 12, 14, 15, 16. So 6 is all of `low`, 7 a quarter of `normal` as well, 18 everything but `critical`. After two
 * calm intervals it goes a step down; a step down that was one too many is taken back at once and tried again after twice as
 * long, up to sixteen intervals. Each thread has an event loop, and so a guard, of its own.
 * @example
 * const front = shed('front')
 * await front.run(() => render(page), { priority: 'low' })
 */
export interface Shed extends Primitive {
  readonly kind: 'shed'
  /** `shedding` from the first step on. */
  readonly state: 'calm' | 'shedding'
  /**
   * Asks for a call, at once: null when it may go on, else the refusal as plain data. Nothing has to be given back.
   * @throws `E_OPTION` for a priority there is not
   */
  admit(priority?: Priority): RefusalInfo | null
  /**
   * Calls `fn` unless load of its priority is shed, and passes on what it returns or throws.
   * @throws Refusal `E_SHED` with `retryAfterMs`
   */
  run<T>(fn: (call: CallContext) => T | PromiseLike<T>, options?: ShedCall): Promise<T>
  /** As `run`, but a refusal is plain data: no `Error`, no stack. What `fn` throws is still thrown. */
  attempt<T>(fn: (call: CallContext) => T | PromiseLike<T>, options?: ShedCall): Promise<Attempt<T>>
  /** What it is set to, where it stands and what it has counted. */
  report(): ShedReport
  /** Ends the name in this spillway of this thread; the handle throws `E_DISPOSED` from then on. A second call does nothing. */
  dispose(): void
}

export interface ShedReport {
  config: { delayMs: number; utilization: number | null; intervalMs: number }
  state: 'calm' | 'shedding'
  /** 0 to 18. */
  level: number
  /** The share of each priority that is refused at this level. */
  refusing: { low: number; normal: number; high: number }
  /** What the last step was decided by: the average wait, the share of time at work, and the span both are of. */
  reading: { waitMs: number; utilization: number; intervalMs: number }
  admitted: Record<Priority, number>
  refused: Record<Priority, number>
}

// ---------------------------------------------------------------- policy

/** One part of a policy. Every primitive but the cache is one. */
export type Strategy =
  | TimeoutStrategy
  | RetryStrategy
  | HedgeStrategy
  | FallbackStrategy<unknown>
  | CustomStrategy
  | HttpPreset
  | Limiter<Mode>
  | Breaker
  | Bulkhead<Mode>
  | Shed

declare const answers: unique symbol
export interface TimeoutStrategy {
  readonly kind: 'timeout'
  readonly milliseconds: number
}
export interface RetryStrategy {
  readonly kind: 'retry'
  readonly max: number
}
export interface HedgeStrategy {
  readonly kind: 'hedge'
  readonly max: number
}
export interface FallbackStrategy<F> {
  readonly kind: 'fallback'
  readonly [answers]?: F
}
export interface HttpPreset {
  readonly kind: 'http'
}
/** What other entries of this package put into a policy. */
export interface CustomStrategy {
  readonly kind: 'chaos'
}
/** What the fallbacks among some strategies may answer. */
export type FallbackOf<S extends readonly Strategy[]> = S[number] extends infer Each
  ? Each extends FallbackStrategy<infer F>
    ? F
    : never
  : never

/**
 * Answers with a Refusal `E_TIMEOUT` (504) once the time is up, whatever the function does, and aborts its signal with that refusal.
 * What a blocked event loop has kept waiting is read first. Deadlines go by the `setTimeout` of the moment, all on one timer.
 * @param duration 1 ms to 1 day, else `E_DURATION`
 */
export function timeout(duration: Duration): TimeoutStrategy

/**
 * Another attempt after a failure. A wait that the failure itself asks for, by a number `retryAfterMs`, comes before the backoff. No
 * wait reaches past the deadline around it, and an abort of the caller ends it at once.
 * @throws Refusal `E_RETRY_BUDGET` with the last error as its cause; once `max` attempts have failed, the last error itself
 */
export function retry(options?: RetryOptions): RetryStrategy
export interface RetryOptions {
  /** Attempts after the first. Whole, 0 to 100. Default 3. */
  max?: number
  /**
   * What bounds the extra attempts of all calls together, over all threads: each call pays for `ratio` of one (0 to 1), and `floor`
   * a second (0 to 10,000) cost nothing; up to ten are saved up. So an outage sees at most `1 + ratio + floor/r` requests a call at r
   * calls a second. One for the policy, shared with `hedge`. A number is the ratio; `false` is no bound. Default `{ ratio: 0.2,
   * floor: 10 }`. (Beyer et al., Site Reliability Engineering, chapter 21.)
   */
  budget?: number | { ratio?: number; floor?: number } | false
  /** The shortest backoff. 1 ms to 1 day. Default `'100ms'`. */
  base?: Duration
  /**
   * The longest. Each is drawn between `base` and three times the one before (decorrelated jitter: Brooker, Exponential Backoff and
   * Jitter, 2015). `base` to 1 day. Default `'10s'`, or `base` if that is longer.
   */
  cap?: Duration
  /** A longer `retryAfterMs` is not waited for: the call ends as it is. 1 ms to 1 day. Default `'30s'`. */
  maxWait?: Duration
  /**
   * Whether how an attempt ended is worth another; a value may be, too. Default: every error but an abort by the caller and refusals
   * other than `E_TIMEOUT`, `E_LIMITED` and `E_FULL`; no value.
   */
  when?: (settled: { ok: true; value: unknown } | { ok: false; error: unknown }, call: { attempt: number }) => boolean
}

/**
 * A second attempt when the first takes longer than nearly all do; the first good answer counts, the other attempt is aborted
 * (Dean and Barroso, The Tail at Scale, 2013). For calls that may be made twice. Takes from the policy's budget, see `retry`.
 */
export function hedge(options?: HedgeOptions): HedgeStrategy
export interface HedgeOptions {
  /** How long the first may take. 1 ms to 1 day. Default: the live 95th percentile, once there were 20 calls. */
  after?: Duration
  /** Attempts after the first, each so much later than the one before. Whole, 1 to 10. Default 1. */
  max?: number
  /** As in `retry`. */
  budget?: number | { ratio?: number; floor?: number } | false
}

/**
 * What to answer in place of an error. Not for a call that its caller has aborted.
 * @param answer is called with the error; what it throws is thrown
 * @param options `when`: which errors. Default: all.
 */
export function fallback<F>(
  answer: (error: unknown) => F | PromiseLike<F>,
  options?: { when?: (error: unknown) => boolean },
): FallbackStrategy<F>

export interface HttpPresetOptions {
  /** Default: none, since no figure fits all. Every call then takes a `key`. */
  limiter?: Limiter<Mode> | LimiterOptions | readonly LimitOptions[] | false
  /** Of the call with all its attempts. Default `'30s'`. */
  timeout?: Duration | false
  retry?: RetryOptions | false
  breaker?: Breaker | BreakerOptions | false
  /** Default: none. */
  bulkhead?: Bulkhead | BulkheadOptions | false
  /** Of each attempt. Default `'10s'`, and none where `timeout` is no longer than that. */
  attemptTimeout?: Duration | false
}

export interface PolicyCall extends CallOptions {
  /** Whose call it is: for limiters, and for breakers and bulkheads per key. Required where the policy has one, else `E_KEY`. */
  key?: string
  /** What it costs at a limiter. Default 1. */
  cost?: number
  /** For a shed, and in the queue of a bulkhead. Default `'normal'`. */
  priority?: Priority
  /**
   * A deadline of this call alone, around all else. 0 to 1 day, or `Infinity` for none: the `remainingMs` of a call around this one
   * can be handed on as it is.
   */
  timeout?: Duration
}

/** Strategies around one call. `F` is what its fallbacks may answer. */
export interface Policy<F = never> {
  readonly kind: 'policy'
  readonly name: string
  /**
   * Calls `fn` as the strategies have it, and passes on what it returns or throws.
   * @throws Refusal of the strategy that did not let it through; the signal's reason when aborted in a wait
   */
  run<T>(fn: (call: CallContext) => T | PromiseLike<T>, options?: PolicyCall): Promise<T | F>
  /** As `run`, but a refusal of a strategy is plain data: no `Error`, no stack. What `fn` throws is still thrown. */
  attempt<T>(fn: (call: CallContext) => T | PromiseLike<T>, options?: PolicyCall): Promise<Attempt<T | F>>
  /**
   * The function with the policy around it, for the same arguments.
   * @example const charge = stripe.bind((account: string, cents: number) => api.charge(account, cents), { key: (account) => account })
   */
  bind<A extends unknown[], R, This = unknown>(
    fn: (this: This, ...args: A) => R,
    options?: { key?: (...args: A) => string; cost?: (...args: A) => number },
  ): (this: This, ...args: A) => Promise<Awaited<R> | F>
  /**
   * Calls the listener, in this thread, for each call that has `ended`; for each `retry` (before its wait), `hedge`, `timeout` and
   * `fallback` on the way; and for each extra attempt the budget did not grant (`exhausted`). Returns what takes it off again. The same events go to
   * `node:diagnostics_channel` as `spillway:policy:retry` and so on.
   */
  on<E extends keyof PolicyEvents>(event: E, listener: (event: PolicyEvents[E]) => void): () => void
  /** Ends the name in this spillway of this thread; the handle throws `E_DISPOSED` from then on. A second call does nothing. */
  dispose(): void
}

export interface PolicyEvents {
  /** `ms` is how long the call took with all its attempts and waits. */
  ended: { policy: Policy<unknown>; key?: string; ms: number; outcome: 'ok' | 'failed' | 'refused'; error?: unknown }
  retry: { policy: Policy<unknown>; attempt: number; waitMs: number; error?: unknown; value?: unknown }
  hedge: { policy: Policy<unknown>; attempt: number; afterMs: number }
  timeout: { policy: Policy<unknown>; attempt: number; afterMs: number }
  fallback: { policy: Policy<unknown>; error: unknown }
  exhausted: { policy: Policy<unknown>; attempt: number; error?: unknown; value?: unknown }
}

// ---------------------------------------------------------------- refusals

export type RefusalCode =
  | 'E_LIMITED'
  | 'E_OPEN'
  | 'E_FULL'
  | 'E_TIMEOUT'
  | 'E_RETRY_BUDGET'
  | 'E_SHED'
  | 'E_SATURATED'
  | 'E_STORE_UNAVAILABLE'
  | 'E_LEASE_LOST'

export interface RefusalInfo {
  readonly code: RefusalCode
  /** Name of the primitive that refused. */
  readonly primitive: string
  readonly status: 429 | 503 | 504
  /** Milliseconds until it is worth asking again, where that is known. */
  readonly retryAfterMs?: number
  /** What the attempt before ended with: of an `E_RETRY_BUDGET`, and of whatever refused another attempt. */
  readonly cause?: unknown
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
  /** Those of `spillway/lease`. */
  leases: Record<string, LeaseSnapshot>
  caches: Record<string, CacheSnapshot>
  /** Of the policies that make extra attempts, over all threads. */
  budgets: Record<string, BudgetSnapshot>
  /** Of this spillway in this thread. */
  policies: Record<string, PolicySnapshot>
  /** Of this spillway in this thread. */
  sheds: Record<string, ShedReport>
  /** This thread's event loop. */
  loop: LoopReport
}
/** The same over Redis: what this process has decided, held and kept. */
export interface RemoteSnapshot extends Omit<Snapshot, 'limiters'> {
  limiters: Record<string, RemoteLimiterSnapshot>
  /** How it is. Never a user or a password. */
  store: StoreSnapshot
  /** The processes that share it under this prefix, this one included once it has been heard of. */
  fleet: FleetMember[]
}
export interface StoreSnapshot {
  kind: 'redis'
  /** Whether it is worth asking now. */
  up: boolean
  /** Calls on their way. */
  inFlight: number
  /** Calls that were not made because `maxInFlight` were on their way. */
  full: number
  /** Each server that is asked. */
  nodes: StoreNodeSnapshot[]
}
export interface StoreNodeSnapshot {
  address: string
  state: 'up' | 'connecting' | 'down' | 'denied'
  /** Why it is not up. */
  reason: string | null
  /** Of replies lately. */
  latencyMs: number
  /** Calls that were made, and those that were answered, by errors too. */
  asked: number
  answered: number
  /** Calls that were not answered in time, or whose connection was lost. */
  late: number
  lost: number
  /** Calls that were not made because it was known not to answer. */
  refused: number
  /** Connections that were made, and how often it was found not to answer. */
  connections: number
  opened: number
}
export interface FleetMember {
  id: string
  host: string
  pid: number
  /** How long ago it gave a sign of life, in milliseconds. */
  seenMs: number
  /** The states of its breakers, by name. */
  breakers: Record<string, BreakerState>
}
/** How an event loop was in the last second; longer where a block began before. Measured from when somebody first asks. */
export interface LoopReport {
  /** How late its turns came, in milliseconds. */
  delayMs: { mean: number; p50: number; p99: number; max: number }
  /** How long a request that came at any moment of it waited on average, in milliseconds. */
  waitMs: number
  /** Share of the time it was at work. */
  utilization: number
  intervalMs: number
}
export interface LimiterSnapshot {
  /** Of the first limit, as a limiter's own `limit`, `windowMs` and `burst` are. */
  config: {
    name: string
    algorithm: 'token-bucket' | 'fixed-window' | 'sliding-window'
    limit: number
    windowMs: number
    burst: number
    maxKeys: number
    shadow: boolean
  }
  limits: LimitSnapshot[]
  /** Keys that have a cell; one of several limits has one in each that charged it. */
  keys: number
  /** Keys that are blocked, or were and have not been looked for since. */
  blockedKeys: number
  /** Calls by their answer; a call that was admitted only because of `shadow` is `shadowed` and nothing else. */
  allowed: number
  limited: number
  blocked: number
  shadowed: number
  /** Charges that were made in the sketch because no cell was free. */
  overflowed: number
  /** Bytes of its tables. */
  bytes: number
}
export interface RemoteLimiterSnapshot {
  /** Of the first limit. */
  config: LimiterSnapshot['config']
  limits: (LimitInfo & { maxKeys: number; provenance: Record<string, string> })[]
  failMode: FailMode
  mode: 'strict' | 'lease'
  /** The most units it takes ahead of a key; 1 is none. */
  share: number
  /** Keys of which this process holds units, or remembers a denial. */
  keys: number
  /** Calls of this process by their answer. */
  allowed: number
  limited: number
  blocked: number
  shadowed: number
  /** Of those, the ones that were admitted by units taken ahead. */
  leased: number
  /** Decisions of the fail mode. */
  unavailable: number
  /** Those that found something else's data in the place of a limit. */
  foreign: number
}
export interface LimitSnapshot extends LimitInfo {
  maxKeys: number
  /** Where each value came from: `'option'`, `'default'`, `'preset otp'` or `'env SPILLWAY_LIMITER_CHAT_LIMIT'`. */
  provenance: Record<string, string>
  /** Keys that have a cell. */
  keys: number
  overflowed: number
}
export interface BreakerSnapshot {
  config: {
    windowMs: number | null
    windowCalls: number | null
    failureRate: number
    minCalls: number
    consecutive: number | null
    slow: { overMs: number; rate: number } | null
    open: { forMs: number; maxMs: number; jitter: number }
    probes: number
    probeTimeoutMs: number
    maxKeys: number | null
  }
  /** Where each value came from: `'option'`, `'default'` or `'env SPILLWAY_BREAKER_STRIPE_WINDOW'`. */
  provenance: Record<string, string>
  /** Null with `perKey`. */
  state: BreakerState | null
  /** Calls of the current window; with `perKey`, of those of all keys. */
  window: { calls: number; failures: number; slow: number }
  ok: number
  failed: number
  ignored: number
  refused: number
  /** Results that came after the state they began in had ended. */
  stale: number
  transitions: { opened: number; halfOpened: number; closed: number; isolated: number }
  /** Keys that have a place. */
  keys: number
  /** Of those, the ones that are not closed. */
  openKeys: number
  /** Times that a key found no place, and shared a state with its like. */
  overflowed: number
}
export interface BudgetSnapshot {
  config: { ratio: number; floor: number }
  /** Extra attempts that calls have paid for, as far as threads have handed that in; 0 to 10. */
  deposited: number
  /** Those of this second that cost nothing and are left. */
  floorLeft: number
  granted: number
  refused: number
}
export interface PolicySnapshot {
  /** What it is made of, outermost first. */
  strategies: string[]
  /** Calls that have not ended yet. */
  running: number
  ok: number
  /** Ended with an error that is no refusal, or with an answer that counts as a failure, such as a 503 through `fetchClient`. */
  failed: number
  /** Ended with a refusal. */
  refused: number
  retries: number
  hedges: number
  timeouts: number
  fallbacks: number
  /** Extra attempts that the budget did not grant. */
  exhausted: number
  /** How long calls took with all their attempts and waits; percentiles are at most an eighth too long. */
  latency: { count: number; meanMs: number; p50Ms: number; p95Ms: number; p99Ms: number; maxMs: number }
}
/** Over Redis all of it is about this process; `config` is for all. */
export interface BulkheadSnapshot {
  config: {
    limit: number
    queue: number
    perKey: boolean
    leaseMs: number | null
    /** Over Redis. */
    maxStallMs?: number
    /** Over Redis. */
    failMode?: 'open' | 'closed' | 'local'
  }
  /** Where each value came from: `'option'`, `'default'` or `'env SPILLWAY_BULKHEAD_JOBS_LIMIT'`. */
  provenance: Record<string, string>
  inUse: number
  waiting: number
  waitingByPriority: { low: number; normal: number; high: number; critical: number }
  /** The most that ever waited at once; with `perKey`, for one key. */
  peakWaiting: number
  /** With `perKey`: keys with permits out. */
  keys: number
  admitted: number
  /** Refused at once. */
  refused: number
  /** Left the queue before their turn: timed out or aborted. */
  left: number
  /** Permits that were not given back before their lease ended. */
  expired: number
  /** Over Redis: decided by the fail mode, whichever way. */
  unavailable?: number
  /** Over Redis: permits taken over from processes that died with them. */
  takenOver?: number
  /** Over Redis: releases that it has not heard of yet. */
  owed?: number
  /**
   * How long those who had to wait did so, whether they were served or left. Mean and max are exact, a percentile is up to 12.5 %
   * too high and never too low.
   */
  wait: { count: number; meanMs: number; p50Ms: number; p95Ms: number; p99Ms: number; maxMs: number }
}
/** What happened to a lease in this process. */
export interface LeaseSnapshot {
  config: { holders: number; ttlMs: number; maxStallMs: number }
  held: number
  waiting: number
  acquired: number
  /** Held by another, the wait was too long, or Redis could not be asked. */
  refused: number
  /** Left while they waited or asked: timed out or aborted. */
  left: number
  /** Lost before they were released. */
  lost: number
  /** Got from holders that never released them. */
  takenOver: number
  /** Refused because Redis could not be asked. */
  unavailable: number
  /** Releases that Redis has not heard of yet. */
  owed: number
}
export interface CacheSnapshot extends CacheStats {
  config: {
    ttlMs: number
    jitter: number
    staleMs: number
    graceMs: number
    negativeTtlMs: number
    loadTimeoutMs: number
    maxBytes: number
    maxValueBytes: number
    codec: 'json' | 'bytes' | 'v8' | 'custom'
    /** The one it was opened with. */
    version: string | null
  }
  /** Where each value came from: `'option'`, `'default'` or `'env SPILLWAY_CACHE_PRODUCTS_TTL'`. */
  provenance: Record<string, string>
}
