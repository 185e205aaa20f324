// Owns the types of spillway/fetch, written by hand.
// Never names a framework: Request and Response are the Web's, from lib.dom or @types/node.

import type { Decision, Limiter, Mode, RefusalInfo } from '../index.js'
import type { Terms, TogetherOptions } from './http/terms.js'
import type { Together } from './together.js'

export type { End, HeaderFormat } from './http/terms.js'

/** A handler as Next, Bun and Deno know it; `Rest` is what they pass after the request. */
export type WebHandler<Req extends Request = Request, Rest extends unknown[] = unknown[]> = (
  request: Req,
  ...rest: Rest
) => Response | Promise<Response>

export interface LimitedOptions<Req extends Request = Request, Rest extends unknown[] = unknown[]> extends Terms<
  [request: Req, ...rest: Rest]
> {
  /**
   * Answers in place of the 429; quota fields and `Retry-After` are added to what it answers. Default: problem details (RFC 9457).
   *
   * @example onLimited: (request, decision) => Response.redirect(new URL('/slow-down', request.url))
   */
  onLimited?(request: Req, decision: Decision, ...rest: Rest): Response | Promise<Response>
  /** The address that `allow` and `deny` compare; a Request has none. Required when they hold addresses. */
  address?: (request: Req, ...rest: Rest) => string | undefined
}

/**
 * Wraps a Web handler: charges each request to `limiter`, answers 429 by itself when it is over, and answers every
 * `Refusal` the handler throws as `refusals()` does. Keeps the handler's name and passes on all its arguments.
 *
 * A response whose headers cannot be changed (`Response.redirect()`, one that came from `fetch`) or that has no body is answered
 * as a copy; so is one whose end is waited for, because of `refund`.
 *
 * @throws `E_OPTION` for options that are wrong
 * @example
 * export const runtime = 'nodejs'
 * export const GET = limited(search, limiter('search', { limit: 30, window: '5m' }), {
 *   key: (request) => request.headers.get('x-tenant') ?? 'anonymous',
 * })
 */
export function limited<Req extends Request, Rest extends unknown[]>(
  handler: WebHandler<Req, Rest>,
  limiter: Limiter<Mode>,
  options: LimitedOptions<Req, Rest>,
): (request: Req, ...rest: Rest) => Promise<Response>
export function limited<Req extends Request, Rest extends unknown[]>(
  handler: WebHandler<Req, Rest>,
  limiters: Together,
  options?: TogetherOptions<LimitedOptions<Req, Rest>>,
): (request: Req, ...rest: Rest) => Promise<Response>

/** What sheds load: what `shed(name, …)` of the package answered. */
export interface Guard<Priority extends string = string> {
  admit(priority?: Priority): RefusalInfo | null
}

/**
 * Wraps a Web handler: answers 503 with `Retry-After` and problem details while `guard` sheds load, without calling the handler.
 * Answers what the handler refuses as `refusals()` does.
 *
 * @param options.priority how much the request matters; default: whatever the guard takes for normal
 * @throws `E_OPTION` for options that are wrong
 */
export function shedding<Req extends Request, Rest extends unknown[], Priority extends string = string>(
  handler: WebHandler<Req, Rest>,
  guard: Guard<Priority>,
  options?: { priority?: (request: Req, ...rest: Rest) => NoInfer<Priority> | undefined },
): (request: Req, ...rest: Rest) => Promise<Response>

/** Wraps a Web handler: a `Refusal` it throws becomes a response with its status, `Retry-After` and problem details. */
export function refusals<Req extends Request, Rest extends unknown[]>(
  handler: WebHandler<Req, Rest>,
): (request: Req, ...rest: Rest) => Promise<Response>
