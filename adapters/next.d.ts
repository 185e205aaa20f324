// Owns the types of spillway/next, written by hand.
// Never imports Next's types: structural ones fit every version that has the App Router.

import type { LimitOverride, Limiter, Mode, RefusalCode } from '../index.js'
import type { LimitedOptions } from './fetch.js'

// Route handlers: the wrappers of spillway/fetch, as they are.
export { limited, refusals, shedding } from './fetch.js'
export type { LimitedOptions, WebHandler } from './fetch.js'

// ---------------------------------------------------------------- server actions

/** What a client is told instead of the action's answer: plain data, because in production Next hides what an action throws. */
export interface ActionRefusal {
  readonly ok: false
  /** What to say: over a limit; a breaker, a bulkhead or a shed refused; a timeout. */
  readonly error: 'rate_limited' | 'unavailable' | 'timeout'
  /** What exactly refused: `E_LIMITED`, `E_OPEN`, `E_FULL`, … */
  readonly code: RefusalCode
  /** Milliseconds until it is worth trying again; `Infinity` when it never is, left out when that is not known. */
  readonly retryAfterMs?: number
}

export interface LimitedActionOptions<Args extends unknown[], No = ActionRefusal> {
  /**
   * Who is charged. Required; called with the arguments of the action, and inside its request, so that `headers()`, `cookies()`
   * and a session can be asked. An answer that is not a non-empty string rejects with `E_KEY`.
   */
  key: (...args: Args) => string | Promise<string>
  /** What this call costs: a whole number, or a function of its arguments. Default 1. */
  cost?: number | ((...args: Args) => number | Promise<number>)
  /** Another rate for this caller, a plan; undefined for the limiter's own. Default: none. */
  override?: (...args: Args) => LimitOverride | undefined | Promise<LimitOverride | undefined>
  /**
   * What is answered instead, called with the refusal and then the arguments of the action: keep the previous state of
   * `useActionState` and add a message, for example. For every refusal, also one that a breaker or a bulkhead inside the action
   * threw. Default: the `ActionRefusal` itself.
   */
  onRefused?: (refusal: ActionRefusal, ...args: Args) => No
}

/**
 * Wraps a server action: charges each call to `limiter`, and answers a `Refusal`, its own or one the action throws, as data.
 * Whatever else the action throws, `redirect()` and `notFound()` among it, goes on as it came.
 *
 * The result is an async function that takes the action's arguments, so that it can be exported from a `'use server'` file; the
 * limit does not apply to whoever calls the action itself.
 *
 * @throws `E_OPTION` for options that are wrong
 * @example
 * 'use server'
 * export const send = limitedAction(
 *   async (previous, form) => ({ ok: true, sent: String(form.get('text')) }),
 *   limiter('send', { limit: 5, window: '1m' }),
 *   { key: async () => (await cookies()).get('session')?.value ?? 'anonymous' },
 * )
 */
export function limitedAction<Args extends unknown[], R, No = ActionRefusal>(
  action: (...args: Args) => R,
  limiter: Limiter<Mode>,
  options: LimitedActionOptions<Args, No>,
): (...args: Args) => Promise<Awaited<R> | Awaited<No>>

// ---------------------------------------------------------------- proxy.ts

/** As `limited()` has them, but for `refund`: a proxy does not see how a request ends. */
export interface ProxyLimitOptions<Req extends Request = Request> extends Omit<
  LimitedOptions<Req, unknown[]>,
  'refund'
> {
  /**
   * How an admitted request goes on: `NextResponse.next`, which is called without arguments. Its response carries the `RateLimit`
   * fields on to the client. Default: nothing is answered, which Next takes for "go on" as well, and only denials carry fields.
   */
  next?: () => Response
}

/**
 * A `proxy` for proxy.ts (Next 16; it runs on Node): answers 429 before any route is reached, and lets the rest go on. Which paths
 * it is asked for is up to `config.matcher` beside it, which Next reads while it builds.
 *
 * Called inside a proxy of your own it answers the 429, or what `next` answers, or nothing.
 *
 * @throws `E_OPTION` for options that are wrong
 * @example
 * export const proxy = proxyLimit(limiter('api', { limit: 100, window: '1m' }), {
 *   key: (request) => request.headers.get('x-tenant') ?? 'anonymous',
 *   next: NextResponse.next,
 * })
 * export const config = { matcher: '/api/:path*' }
 */
export function proxyLimit<Req extends Request = Request>(
  limiter: Limiter<Mode>,
  options: ProxyLimitOptions<Req>,
): (request: Req, ...rest: unknown[]) => Promise<Response | undefined>
