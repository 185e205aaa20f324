// Owns the types of spillway/express, written by hand.
// Never imports @types/express: structural types fit Express 4 and 5, Connect and plain node:http.

import type { Decision, Limiter, Mode, RefusalInfo } from '../index.js'
import type { Terms, TogetherOptions } from './http/terms.js'
import type { Together } from './together.js'

export type { End, HeaderFormat } from './http/terms.js'

/** What `key` and the others may look at where the framework's own request type is not known from the context. */
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
  readonly writableEnded: boolean
  readonly writableFinished: boolean
  getHeader(name: string): number | string | string[] | readonly string[] | undefined
  setHeader(name: string, value: string | number): unknown
  removeHeader(name: string): void
  once(event: 'finish' | 'close', listener: () => void): unknown
  end(body: string): unknown
  destroy(): unknown
}

export interface LimitOptions<Req = RequestLike> extends Terms<[req: Req]> {
  /**
   * Answers in place of the 429; quota fields and `Retry-After` are set already, the status is not. What it throws or rejects
   * with goes to the error middleware. Default: problem details (RFC 9457).
   *
   * @example onLimited: (req, res, next, decision) => res.status(429).render('slow-down', { decision })
   */
  onLimited?(req: Req, res: any, next: (error?: any) => void, decision: Decision): unknown
  /**
   * The address that `allow` and `deny` compare. Default `req.ip ?? req.socket.remoteAddress`: behind a proxy, that is the proxy
   * until Express's `trust proxy` is set.
   */
  address?: (req: Req) => string | undefined
}

/**
 * Middleware that charges each request to `limiter`; over the limit it answers by itself and the handler is not called.
 *
 * Every answer carries the quota fields of `headers`; a denial is a 429 with `Retry-After` in whole seconds (left out when
 * waiting will not help) and problem details (RFC 9457). Where everything answers at once, so does the middleware: `next` is
 * called before it returns. Behind a proxy, an address as key needs Express's `trust proxy`.
 *
 * @throws `E_OPTION` for options that are wrong
 * @example
 * app.post('/api/chat', limit(chat, { key: (req) => req.get('x-tenant') ?? 'anonymous' }), answer)
 */
export function limit<Req = RequestLike>(
  limiter: Limiter<Mode>,
  options: LimitOptions<Req>,
): (req: Req, res: ResponseLike, next: (error?: any) => void) => void
export function limit<Req = RequestLike>(
  limiters: Together,
  options?: TogetherOptions<LimitOptions<Req>>,
): (req: Req, res: ResponseLike, next: (error?: any) => void) => void

/** What sheds load: what `shed(name, …)` of the package answered. */
export interface Guard<Priority extends string = string> {
  admit(priority?: Priority): RefusalInfo | null
}

/**
 * Middleware that answers 503 with `Retry-After` and problem details while `guard` sheds load, the least important first.
 *
 * @param options.priority how much the request matters; default: whatever the guard takes for normal
 * @throws `E_OPTION` for options that are wrong
 * @example
 * app.use(shed(overload, { priority: (req) => (req.path === '/checkout' ? 'high' : 'low') }))
 */
export function shed<Req = RequestLike, Priority extends string = string>(
  guard: Guard<Priority>,
  options?: { priority?: (req: Req) => NoInfer<Priority> | undefined },
): (req: Req, res: ResponseLike, next: (error?: any) => void) => void

/**
 * Error middleware that answers every `Refusal` a handler throws with its status (429, 503 or 504), `Retry-After` and
 * problem details; other errors go on unchanged. Comes after the routes.
 *
 * @example
 * app.use(refusals())
 */
export function refusals(): (error: any, req: any, res: ResponseLike, next: (error?: any) => void) => void
