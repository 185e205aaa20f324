// Owns the types of spillway/express, written by hand.
// Never imports @types/express: structural types fit Express 4 and 5, Connect and plain node:http.

import type { Limiter, Mode } from '../index.js'

/** What `key` and `cost` may look at where the framework's own request type is not known from the context. */
export interface RequestLike {
  readonly method?: string | undefined
  readonly url?: string | undefined
  readonly headers: { readonly [name: string]: string | string[] | undefined }
  readonly [property: string]: any
}

/** The part of `http.ServerResponse` that is used. */
export interface ResponseLike {
  statusCode: number
  readonly headersSent: boolean
  getHeader(name: string): number | string | string[] | readonly string[] | undefined
  setHeader(name: string, value: string | number): unknown
  removeHeader(name: string): void
  end(body: string): unknown
}

export interface LimitOptions<Req = RequestLike> {
  /**
   * Who is charged: a tenant, an account, an address. Required; an answer that is not a string, or is empty, is an
   * `E_KEY` for the error middleware, because one key for all who have none would limit strangers together.
   */
  key: (req: Req) => string
  /** What this request costs: a whole number, or a function of it. Default 1. */
  cost?: number | ((req: Req) => number)
  /** Whether answers carry `RateLimit-Policy` and `RateLimit`. Default true. `Retry-After` is sent either way. */
  headers?: boolean
}

/**
 * Middleware that charges each request to `limiter`; over the limit it answers by itself and the handler is not called.
 *
 * Every answer carries `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-11); a denial is a 429
 * with `Retry-After` in whole seconds (left out when waiting will not help) and problem details (RFC 9457). Behind a
 * proxy, an address as key needs Express's `trust proxy`.
 *
 * @throws `E_OPTION` for options that are wrong
 * @example
 * app.post('/api/chat', limit(chat, { key: (req) => req.get('x-tenant') ?? 'anonymous' }), answer)
 */
export function limit<Req = RequestLike>(
  limiter: Limiter<Mode>,
  options: LimitOptions<Req>,
): (req: Req, res: ResponseLike, next: (error?: any) => void) => void

/**
 * Error middleware that answers every `Refusal` a handler throws with its status (429, 503 or 504), `Retry-After` and
 * problem details; other errors go on unchanged. Comes after the routes.
 *
 * @example
 * app.use(refusals())
 */
export function refusals(): (error: any, req: any, res: ResponseLike, next: (error?: any) => void) => void
