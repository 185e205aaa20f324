// Owns the types of spillway/fetch, written by hand.
// Never names a framework: Request and Response are the Web's, from lib.dom or @types/node.

import type { Limiter, Mode } from '../index.js'

/** A handler as Next, Hono, Bun and Deno know it; `Rest` is what they pass after the request. */
export type WebHandler<Req extends Request = Request, Rest extends unknown[] = unknown[]> = (
  request: Req,
  ...rest: Rest
) => Response | Promise<Response>

export interface LimitedOptions<Req extends Request = Request, Rest extends unknown[] = unknown[]> {
  /** Who is charged. Required; an answer that is not a string, or is empty, rejects with `E_KEY`. May be a promise. */
  key: (request: Req, ...rest: Rest) => string | Promise<string>
  /** What this request costs: a whole number, or a function of it. Default 1. */
  cost?: number | ((request: Req, ...rest: Rest) => number)
  /** Whether responses carry `RateLimit-Policy` and `RateLimit`. Default true. `Retry-After` is sent either way. */
  headers?: boolean
}

/**
 * Wraps a Web handler: charges each request to `limiter`, answers 429 by itself when it is over, and answers every
 * `Refusal` the handler throws as `refusals()` does. Keeps the handler's name and passes on all its arguments.
 *
 * A response whose headers cannot be changed (`Response.redirect()`, one that came from `fetch`) is answered as a copy.
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

/** Wraps a Web handler: a `Refusal` it throws becomes a response with its status, `Retry-After` and problem details. */
export function refusals<Req extends Request, Rest extends unknown[]>(
  handler: WebHandler<Req, Rest>,
): (request: Req, ...rest: Rest) => Promise<Response>
