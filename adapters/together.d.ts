// Owns the types of spillway/together, written by hand.
// Never names a framework.

import type { Decision, Limiter, LimiterCharge, Mode } from '../index.js'

/** One of several limiters that a request is charged to together. */
export interface Part<Req = any> {
  limiter: Limiter<Mode>
  /** Who is charged there. Required, else as `key` of a limit. */
  key: (request: Req, ...rest: any[]) => string | PromiseLike<string>
  /** What the request costs there, else as `cost` of a limit. Default 1. */
  cost?: number | ((request: Req, ...rest: any[]) => number | PromiseLike<number>)
}

/** Several limiters, in place of the one that a limit takes. Their policies are all told. */
export interface Together {
  readonly kind: 'together'
  readonly name: string
  readonly limits: Limiter['limits']
}

/**
 * Limiters of one spillway, for the first argument of a limit: a request is charged to all of them, or to none, by `consumeAll`.
 *
 * @param spillway the spillway they are of, or whatever has its `consumeAll`
 * @param parts 1 to 8
 * @throws `E_OPTION` for what is wrong here; for a limiter of another spillway at the first request
 * @example
 * limit(together(sp, [{ limiter: users, key: (req) => req.user.id }, { limiter: teams, key: (req) => req.user.team }]), {})
 */
export function together<Req = any>(
  spillway: { consumeAll(charges: readonly LimiterCharge[]): Decision | PromiseLike<Decision> },
  parts: readonly Part<Req>[],
): Together
