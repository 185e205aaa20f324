// Owns the types of spillway/fetch-client, written by hand.
// Never imports undici: fetch and its arguments are the ambient ones, from lib.dom or @types/node.

import type { Breaker, Bulkhead, Mode, Policy, PolicyCall, Shed } from '../index.js'

type Fetch = typeof globalThis.fetch

export interface FetchClientOptions {
  /** What sends the requests, for instance the `fetch` of undici. Default: the global one, as it is at the time of each call. */
  fetch?: (input: any, init?: any) => PromiseLike<any>
  /** A dispatcher of undici (`Agent`, `Pool`, `ProxyAgent`), handed to `fetch` with each request that brings none itself. */
  dispatcher?: { dispatch(options: any, handler: any): boolean }
  /**
   * Methods whose requests may be sent again, by a retry or a hedge. Default: those that RFC 9110 calls idempotent, `GET`, `HEAD`,
   * `OPTIONS`, `PUT`, `DELETE` and `TRACE`.
   */
  retryMethods?: readonly string[]
  /**
   * Whether a request with an `Idempotency-Key` may be sent again whatever its method: the server must be known to honour it.
   * Default `false`.
   */
  idempotencyKey?: boolean
  /** Statuses worth another attempt. 200 to 599. Default `[408, 425, 429, 500, 502, 503, 504]`. */
  retryStatus?: readonly number[]
  /**
   * Statuses that are failures to a breaker. 200 to 599. Default: 500 and above. A 429 that is not in the list counts neither as a
   * failure nor as a success; everything else is a success.
   */
  failStatus?: readonly number[]
}

/** What is said of single calls; the policy's part is said in `PolicyCall`. */
export interface FetchCall extends Pick<PolicyCall, 'key' | 'cost' | 'priority' | 'timeout'> {
  /** Whether the request may be sent again, whatever its method. A body that is a stream never is. Default: by its method. */
  idempotent?: boolean
}

/** `fetch` behind a policy; `F` is what the policy's fallbacks may answer. */
export interface FetchClient<F = never> {
  (input: Parameters<Fetch>[0], init?: Parameters<Fetch>[1]): Promise<Response | F>
  /**
   * The same client for calls of which this is said; what it leaves out stays as it was.
   * @throws `E_OPTION` for what is unknown; what is the policy's, the policy refuses when it is called
   * @example await stripe.with({ key: tenant, timeout: '2s' })(`${api}/charges`)
   */
  with(call: FetchCall): FetchClient<F>
}

/**
 * `fetch` behind a policy: the same arguments, and a `Response` is a value, whatever its status. A network error or an answer in
 * `retryStatus` is tried again as far as the policy's `retry` goes, after the wait that `Retry-After` asks for; what is not
 * idempotent, or has a stream for a body, is sent exactly once.
 *
 * Deadlines of the policy end with the head of the answer. Its body is the caller's: only the `signal` the caller gave breaks it off.
 * Answers that were not the last are read to their end or given up, so that no connection stays behind.
 *
 * @param policy or a single breaker, bulkhead or shed
 * @throws `E_OPTION` for options that are wrong. A call rejects with what fetch rejects with, or with a `Refusal` of the policy.
 * @example
 * const stripe = fetchClient(policy('stripe', presets.http()))
 * const response = await stripe(`${api}/charges`, { signal: request.signal })
 */
export function fetchClient<F = never>(policy: Policy<F>, options?: FetchClientOptions): FetchClient<F>
export function fetchClient(guard: Breaker | Bulkhead<Mode> | Shed, options?: FetchClientOptions): FetchClient
