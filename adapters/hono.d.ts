// Owns the types of spillway/hono, written by hand.
// Never imports Hono: structural types fit its context.

import type { Decision, Limiter, Mode, RefusalInfo } from '../index.js'
import type { Terms, TogetherOptions } from './http/terms.js'
import type { Together } from './together.js'

export type { End, HeaderFormat } from './http/terms.js'

/** The part of Hono's context that is used, and what `key` may look at where its own type is not known from the context. */
export interface ContextLike {
  readonly req: {
    readonly raw: Request
    readonly method: string
    readonly path: string
    header(name: string): string | undefined
  }
  header(name: string, value?: string): void
  body(data: any, status: any, headers: any): Response
  readonly [property: string]: any
}

export interface LimitOptions<C = ContextLike> extends Terms<[c: C]> {
  /**
   * Answers in place of the 429; quota fields and `Retry-After` are added to what it answers. Default: problem details (RFC 9457).
   *
   * @example onLimited: (c, decision) => c.text('slow down', 429)
   */
  onLimited?(c: C, decision: Decision): Response | Promise<Response>
  /**
   * The address that `allow` and `deny` compare; a Request has none. Required when they hold addresses.
   *
   * @example address: (c) => getConnInfo(c).remote.address
   */
  address?: (c: C) => string | undefined
}

/**
 * Middleware that charges each request to `limiter`; over the limit it answers by itself and the handler is not called.
 *
 * @throws `E_OPTION` for options that are wrong
 * @example
 * app.use('/api/*', limit(api, { key: (c) => c.req.header('x-tenant') ?? 'anonymous' }))
 */
export function limit<C = ContextLike>(
  limiter: Limiter<Mode>,
  options: LimitOptions<C>,
): (c: C, next: () => Promise<void>) => Promise<Response | void>
export function limit<C = ContextLike>(
  limiters: Together,
  options?: TogetherOptions<LimitOptions<C>>,
): (c: C, next: () => Promise<void>) => Promise<Response | void>

/** What sheds load: what `shed(name, …)` of the package answered. */
export interface Guard<Priority extends string = string> {
  admit(priority?: Priority): RefusalInfo | null
}

/**
 * Middleware that answers 503 with `Retry-After` and problem details while `guard` sheds load, the least important first.
 *
 * @param options.priority how much the request matters; default: whatever the guard takes for normal
 * @throws `E_OPTION` for options that are wrong
 */
export function shed<C = ContextLike, Priority extends string = string>(
  guard: Guard<Priority>,
  options?: { priority?: (c: C) => NoInfer<Priority> | undefined },
): (c: C, next: () => Promise<void>) => Promise<Response | void>

/**
 * For `app.onError`: answers every `Refusal` with its status (429, 503 or 504), `Retry-After` and problem details. Hono has one
 * error handler for an app, so `otherwise` says what to answer to every other error.
 *
 * @example
 * app.onError(refusals((error, c) => c.text('Internal Server Error', 500)))
 */
export function refusals<C = any>(
  otherwise: (error: Error, c: C) => Response | Promise<Response>,
): (error: Error, c: C) => Response | Promise<Response>
