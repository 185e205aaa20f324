// Owns the types of spillway/fastify, written by hand.
// Never imports Fastify: structural types fit versions 4 and 5.

import type { Decision, Limiter, Mode, RefusalInfo } from '../index.js'
import type { Terms, TogetherOptions } from './http/terms.js'
import type { Together } from './together.js'

export type { End, HeaderFormat } from './http/terms.js'

/** What `key` and the others may look at where Fastify's own request type is not known from the context. */
export interface RequestLike {
  readonly id: string
  readonly ip: string
  readonly method: string
  readonly url: string
  readonly headers: { readonly [name: string]: string | string[] | undefined }
  readonly [property: string]: any
}

export interface LimitOptions<Req = RequestLike> extends Terms<[request: Req]> {
  /**
   * Answers in place of the 429: returns a body, or uses `reply`. The status, quota fields and `Retry-After` are set already.
   * Default: problem details (RFC 9457).
   *
   * @example onLimited: (request, reply, decision) => ({ error: 'slow down', seconds: Math.ceil(decision.retryAfterMs / 1000) })
   */
  onLimited?(request: Req, reply: any, decision: Decision): unknown
  /**
   * The address that `allow` and `deny` compare. Default `request.ip`: behind a proxy, that is the proxy until Fastify's
   * `trustProxy` is set.
   */
  address?: (request: Req) => string | undefined
}

/** What a route's `config.limit` holds: its own limits in place of the plugin's, or `false` for none. */
export type RouteLimit<Req = any> = false | OneLimit<Req> | readonly OneLimit<Req>[]

/** A limiter, charged on the terms of the plugin; or one with terms of its own, in which those of the plugin fill the gaps. */
export type OneLimit<Req = any> =
  Limiter<Mode> | Together | ({ limiter: Limiter<Mode> | Together } & Partial<LimitOptions<Req>>)

export interface PluginOptions<Req = RequestLike> extends Partial<LimitOptions<Req>> {
  /** What every request is charged to whose route has no `config.limit`; unknown paths too. Default: nothing is. */
  limiter?: Limiter<Mode> | Together
  /** When limits are asked. `'onRequest'` comes before the body is read, so it spares the most. Default `'onRequest'`. */
  hook?: 'onRequest' | 'preValidation' | 'preHandler'
}

/**
 * The plugin: limits every request of the instance it is registered on, and routes by their `config.limit`. Fastify 4 and 5.
 *
 * Registered without `await` it still reaches the routes declared before it was loaded.
 *
 * @throws `E_OPTION` for options that are wrong: those of the plugin when it is loaded, those of a route when it is declared
 * @example
 * await fastify.register(spillwayFastify, { limiter: api, key: (request) => request.ip })
 * fastify.get('/search', { config: { limit: { limiter: search, cost: 5 } } }, handler)
 * fastify.get('/health', { config: { limit: false } }, health)
 */
export function spillwayFastify(fastify: any, options: PluginOptions<any>): Promise<void>

/**
 * A hook that charges each request to `limiter`; over the limit it answers by itself and the handler is not called. For
 * `onRequest`, `preValidation` or `preHandler`, of a route or of an instance.
 *
 * @throws `E_OPTION` for options that are wrong
 * @example
 * fastify.post('/login', { preHandler: limit(logins, { key: (request) => request.body.email, refund: 'successful' }) }, login)
 */
export function limit<Req = RequestLike>(
  limiter: Limiter<Mode>,
  options: LimitOptions<Req>,
): (request: any, reply: any, done: (error?: any) => void) => void
export function limit<Req = RequestLike>(
  limiters: Together,
  options?: TogetherOptions<LimitOptions<Req>>,
): (request: any, reply: any, done: (error?: any) => void) => void

/** What sheds load: what `shed(name, …)` of the package answered. */
export interface Guard<Priority extends string = string> {
  admit(priority?: Priority): RefusalInfo | null
}

/**
 * A hook that answers 503 with `Retry-After` and problem details while `guard` sheds load, the least important first.
 *
 * @param options.priority how much the request matters; default: whatever the guard takes for normal
 * @throws `E_OPTION` for options that are wrong
 * @example
 * fastify.addHook('onRequest', shed(overload, { priority: (request) => request.routeOptions.config.priority }))
 */
export function shed<Req = RequestLike, Priority extends string = string>(
  guard: Guard<Priority>,
  options?: { priority?: (request: Req) => NoInfer<Priority> | undefined },
): (request: any, reply: any, done: (error?: any) => void) => void

/**
 * An error handler that answers every `Refusal` a handler throws with its status (429, 503 or 504), `Retry-After` and problem
 * details. Other errors go to `otherwise`, or to the error handler of the scope around, which in the end is Fastify's own.
 *
 * @example
 * fastify.setErrorHandler(refusals())
 */
export function refusals(
  otherwise?: (error: any, request: any, reply: any) => unknown,
): (error: any, request: any, reply: any) => unknown
