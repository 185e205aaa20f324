// Owns the types of spillway/convex, written by hand.
// Never imports Convex's types: ctx and args are whatever the handler says they are.

import type { Cache, Duration, LimitOverride, Limiter, Mode, RefusalCode } from '../index.js'

/** What a handler is called with beside `ctx` and `args`. */
export interface HandlerCall {
  /** Aborted when the caller should not wait any longer, by a timeout of `run` or of the cache, for example: hand it to `fetch`. */
  readonly signal: AbortSignal
  /** Sets the time to live of this result; changes nothing where there is no cache. */
  ttl(duration: Duration): void
}

/** A handler of an action, as Convex calls it. */
export type Handler<Ctx, Args, R> = (ctx: Ctx, args: Args, call: HandlerCall) => R

/** What a wrapped handler is: what Convex calls, with the types of the handler. */
export type Guarded<Ctx, Args, R> = (ctx: Ctx, args: Args) => Promise<Awaited<R>>

/** The `ConvexError` of `convex/values`, for whoever asks `instanceof` inside the same function. */
export type ConvexErrorClass = new (data: any) => Error

export interface ErrorOptions {
  /**
   * The class that refusals are thrown as. Default: one with the brand of `ConvexError`, which is what Convex goes by; clients
   * then see a `ConvexError` with its data. Pass the real class where your own code asks `instanceof ConvexError`.
   */
  ConvexError?: ConvexErrorClass
}

/** How a call ended. */
export type Settled = { ok: true; value: unknown } | { ok: false; error: unknown }

export interface LimitOptions<Ctx, Args> {
  /**
   * Who is charged. Required; may be a promise, so that `ctx.auth.getUserIdentity()` can be asked. An answer that is not a
   * non-empty string rejects with `E_KEY`; what it throws is thrown.
   */
  key: (ctx: Ctx, args: Args) => string | Promise<string>
  /** What this call costs: a whole number, or a function of `ctx` and `args`. Default 1. */
  cost?: number | ((ctx: Ctx, args: Args) => number | Promise<number>)
  /** Another rate for this caller, a plan; undefined for the limiter's own. Default: none. */
  override?: (ctx: Ctx, args: Args) => LimitOverride | undefined | Promise<LimitOverride | undefined>
  /**
   * When the charge is given back: `'failed'` when the call throws, as a mutation takes its charge back when it is rolled back;
   * `'successful'` when it does not, to count failed attempts alone; or a function of how it ended. Default: never.
   */
  refund?: 'failed' | 'successful' | ((settled: Settled) => boolean)
}

export interface CachedOptions<Ctx, Args> {
  /**
   * The key of the answer. Required; may be a promise. Whatever the answer depends on has to be in it, the user included: a hit
   * does not run the handler, nor the checks inside it.
   */
  key: (ctx: Ctx, args: Args) => string | Promise<string>
  /** How long the answer is fresh. 1 ms to 3650 days. Default: the cache's own. */
  ttl?: Duration
}

/** A breaker, a bulkhead, a policy: whatever runs a call, or refuses to. */
export interface Runner {
  run<T>(fn: (call: { readonly signal: AbortSignal }) => T | PromiseLike<T>, options?: any): Promise<T>
}

export interface GuardedOptions<Ctx, Args> extends ErrorOptions {
  /** Asked first, so that an answer from the cache is charged as well. Default: no limit. */
  limit?: LimitOptions<Ctx, Args> & { limiter: Limiter<Mode> }
  /** Asked second: a hit passes by `run` and the handler. Values are what JSON can carry, and frozen. Default: no cache. */
  cache?: CachedOptions<Ctx, Args> & { cache: Cache<any, Mode> }
  /**
   * What the handler runs under, the first outermost. Each is handed the `key` that was charged, if there is a `limit`, and the
   * signal of the one before it. Default: nothing.
   */
  run?: Runner | readonly Runner[]
}

/**
 * A handler behind a limit, a cache and whatever runs calls, asked in this order: `limit`, `cache`, `run`, handler. A `Refusal`,
 * theirs or one the handler throws, leaves as a `ConvexError` with data; everything else the handler throws leaves as it came.
 *
 * For actions of a `"use node"` file. Write the type of `args`, which TypeScript does not find through two generic functions; a
 * type that does not fit the validators does not compile.
 *
 * @throws `E_OPTION` for options that are wrong
 * @example
 * export const search = action({
 *   args: { query: v.string() },
 *   handler: guarded(async (ctx, { query }: { query: string }, { signal }) => ask(query, signal), {
 *     limit: { limiter: chat, key: async (ctx) => (await ctx.auth.getUserIdentity())?.subject ?? 'anonymous' },
 *     cache: { cache: results, key: (ctx, { query }) => query },
 *     run: [serper, tools],
 *   }),
 * })
 */
export function guarded<Ctx, Args, R>(
  handler: Handler<Ctx, Args, R>,
  options?: GuardedOptions<Ctx, Args>,
): Guarded<Ctx, Args, R>

/** A handler behind a limit: `guarded` with a `limit` alone. */
export function limited<Ctx, Args, R>(
  handler: Handler<Ctx, Args, R>,
  limiter: Limiter<Mode>,
  options: LimitOptions<Ctx, Args> & ErrorOptions,
): Guarded<Ctx, Args, R>

/** A handler behind a cache: `guarded` with a `cache` alone. One call for each key, and everybody who asks meanwhile gets its answer. */
export function cached<Ctx, Args, R>(
  handler: Handler<Ctx, Args, R>,
  cache: Cache<any, Mode>,
  options: CachedOptions<Ctx, Args> & ErrorOptions,
): Guarded<Ctx, Args, R>

// ---------------------------------------------------------------- inside a handler

export interface RateLimitOptions extends ErrorOptions {
  /** How many units. Whole. Default 1. */
  count?: number
  /** Throw instead of answering `ok: false`. Default `false`. */
  throws?: boolean
}

export interface ReserveOptions {
  /** How far ahead may be reserved. Up to 365 days. Default `'1d'`. */
  maxWait?: Duration
}

/** As the rate limiter component answers. `retryAfter` is in milliseconds. */
export type RateLimitReturns = { ok: true; retryAfter?: number } | { ok: false; retryAfter: number }

/**
 * Asks a limiter in the words of Convex's rate limiter component: `{ ok, retryAfter }`, in milliseconds.
 *
 * `retryAfter` is `Infinity` for a `count` over the burst. With `reserve`, an `ok` may come with `retryAfter`: the units are spent,
 * and the work may begin in so many milliseconds without asking again. Token bucket only.
 *
 * @throws with `throws`: a ConvexError with a `RateLimitError`
 * @example
 * const { ok, retryAfter } = await rateLimit(sendMessage, userId)
 * await rateLimit(linkCode, userId, { throws: true })
 */
export function rateLimit(
  limiter: Limiter<Mode>,
  key: string,
  options?: RateLimitOptions & { reserve?: boolean | ReserveOptions },
): Promise<RateLimitReturns>

/** What `rateLimit` would answer now, spending nothing. */
export function checkRateLimit(
  limiter: Limiter<Mode>,
  key: string,
  options?: RateLimitOptions,
): Promise<RateLimitReturns>

// ---------------------------------------------------------------- what clients see

/** The data of the ConvexError of a limit, the same as the component's. `name` is the limiter. */
export interface RateLimitError {
  kind: 'RateLimited'
  name: string
  /** Milliseconds; `Infinity` when waiting does not help. */
  retryAfter: number
}

/** The data of the ConvexError of every other refusal. `name` is the breaker, bulkhead, cache or policy. */
export interface RefusedError {
  kind: 'Refused'
  code: Exclude<RefusalCode, 'E_LIMITED'>
  name: string
  /** Milliseconds, where that is known. */
  retryAfter?: number
}

/** Whether a limit refused, of this package or of the component; inside a function as well as at a client. */
export function isRateLimitError(error: unknown): error is Error & { data: RateLimitError }
