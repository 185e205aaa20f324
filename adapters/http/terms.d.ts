// Owns the options that the limits of all adapters have in common. `Args` is what a function of the request is called with.
// Never names a framework.

import type { LimitOverride } from '../../index.js'

/**
 * - `'draft-11'`: `RateLimit-Policy` and `RateLimit` as structured fields (draft-ietf-httpapi-ratelimit-headers-11)
 * - `'draft-7'`: the same two as draft 7 had them, `limit=…, remaining=…, reset=…`
 * - `'legacy'`: `X-RateLimit-Limit`, `X-RateLimit-Remaining` and `X-RateLimit-Reset`, a time in seconds since 1970
 * - `'none'`: none of them
 */
export type HeaderFormat = 'draft-11' | 'draft-7' | 'legacy' | 'none'

/** How the answer to a request that had been charged ended. */
export interface End {
  /** The status that was sent, or would have been. */
  readonly status: number
  /** The connection broke, or the stream was given up, before the end of the answer. */
  readonly aborted: boolean
}

export interface Terms<Args extends unknown[]> {
  /**
   * Who is charged: a tenant, an account, an address. Required. An answer that is not a string, or is empty, is an `E_KEY` for
   * the error handler of the framework, because one key for all who have none would limit strangers together.
   *
   * @example key: (req) => req.get('x-tenant') ?? 'anonymous'
   */
  key: (...args: Args) => string | PromiseLike<string>

  /**
   * What the request costs: a whole number from 0, or a function of it; else `E_COST` when it is asked. Default 1.
   *
   * @example cost: (req) => (req.method === 'GET' ? 1 : 5)
   */
  cost?: number | ((...args: Args) => number | PromiseLike<number>)

  /**
   * The plan of this client: numbers that take the place of the limiter's, for this request. `undefined` leaves them. The
   * policy that is told is that of the plan. For a limiter of one limit. Default: everybody is on the same plan.
   *
   * @example override: (req) => (req.user.plan === 'pro' ? { limit: 1_000 } : undefined)
   */
  override?: (...args: Args) => LimitOverride | undefined | PromiseLike<LimitOverride | undefined>

  /**
   * How answers tell what is left. `true` is `'draft-11'`, `false` is `'none'`. `Retry-After` is sent with a denial either way,
   * unless waiting never helps. Default `'draft-11'`.
   */
  headers?: HeaderFormat | boolean

  /**
   * Which requests are not charged after all, known when their answers have ended: `'successful'` gives the charge back when the
   * status was under 400 and the answer reached its end (so that of attempts to log in only the failed ones count), `'failed'`
   * when it was not so, and a function decides by itself. Given back once, and never for a denial; a function that throws is a
   * process warning, and the charge stays. Default: charges stay.
   *
   * @example refund: 'successful'
   * @example refund: ({ status }) => status === 304
   */
  refund?: 'successful' | 'failed' | ((end: End) => boolean)

  /**
   * Who is neither limited nor charged: addresses and ranges in CIDR notation, and functions that answer at once. Default: nobody.
   *
   * @example allow: ['10.0.0.0/8', (req) => req.path === '/health']
   */
  allow?: readonly (string | ((...args: Args) => unknown))[]

  /** Who is answered 403 and never charged, written as `allow` is. Who is on both lists is denied. Default: nobody. */
  deny?: readonly (string | ((...args: Args) => unknown))[]
}

/** Options of limiters that are charged together: what each of them has of its own is left out. */
export type TogetherOptions<Options> = Omit<Options, 'key' | 'cost' | 'override'>
