import type { Duration, Primitive, Spillway } from '../index'

/**
 * The right to be the one that does something, over all hosts of a Redis or all threads of a process. It is renewed behind the
 * scenes for as long as it is held, and ends by itself when its holder dies or hangs.
 *
 * With one Redis a lease saves work: as a rule only one does it. That never two do it at once no lease can promise, since a holder
 * may be paused between its last look and its write. What must be right is guarded by the **fence**: write it along, and have the
 * resource refuse smaller ones (docs/lease.md).
 * @example
 * import { spillway } from 'spillway'
 * import { lease } from 'spillway/lease'
 *
 * const sync = lease(spillway(), 'portfolio-sync', { ttl: '30s' })
 * await sync.run(async ({ fence, signal }) => console.log('alone', fence, signal.aborted))
 * @throws `E_OPTION`, `E_DURATION`; `E_MISMATCH` when the name is open with other options
 */
export function lease(spillway: Spillway<any>, name: string, options?: LeaseOptions): Lease

export interface LeaseOptions {
  /** After how long it comes free when its holder has died. It is renewed three times as often. 100 ms to 1 day. Default `'30s'`. */
  ttl?: Duration
  /**
   * For how long the JavaScript of its holder may hang before it is renewed no longer: a loop that never ends does not hold it for
   * ever. It comes free at most this and `ttl` after the event loop has turned last. 100 ms to 1 day. Default `'60s'`.
   */
  maxStall?: Duration
  /** How many may hold it at the same time, of each key. Whole, 1 to 1,000,000. Default 1. */
  holders?: number
}

export interface LeaseCall {
  /** Which of many: a non-empty string. Default: the one without a key. */
  key?: string
  /** How long to wait for it. 0 ms to 1 day; 0: not at all. Default `'30s'`. */
  wait?: Duration
  /** Ends the wait; in `run`, aborts the signal of what was got as well. */
  signal?: AbortSignal
}

export interface Lease extends Primitive {
  readonly kind: 'lease'
  readonly ttlMs: number
  readonly maxStallMs: number
  readonly holders: number
  /**
   * It, or null while another holds it.
   * @throws Refusal `E_STORE_UNAVAILABLE` when Redis cannot be asked: nobody knows who holds it
   */
  tryAcquire(key?: string): Promise<HeldLease | null>
  /**
   * It, after a wait if need be; within a process first come, first served.
   * @throws Refusal `E_FULL` when it did not come free in time, `E_STORE_UNAVAILABLE`; the signal's reason
   */
  acquire(options?: LeaseCall): Promise<HeldLease>
  /**
   * Runs `fn` while it is held, and releases it when `fn` settles, whichever way. If it is lost meanwhile the signal is aborted, and
   * what `fn` answers or throws is still passed on.
   * @throws as `acquire`
   */
  run<T>(fn: (held: HeldLease) => T | PromiseLike<T>, options?: LeaseCall): Promise<T>
  /** Calls `listener` when one of this handle was lost before it was released. Also published as `spillway:lease:lost`. */
  on(event: 'lost', listener: (event: LeaseEvent) => void): () => void
  /**
   * Calls `listener` when one was got whose last holder never released it: what that one did may be half done. Also published as
   * `spillway:lease:tookOver`.
   */
  on(event: 'tookOver', listener: (event: LeaseEvent) => void): () => void
}

export interface LeaseEvent {
  readonly lease: Lease
  /** Of a lease by key. */
  readonly key?: string
  readonly fence: number
}

/**
 * A lease that is held, until it is released or lost. With `await using` it is released at the end of the block. Not when it is
 * collected: whoever holds one for the life of the process may forget it.
 */
export interface HeldLease extends AsyncDisposable, Disposable {
  readonly key: string | undefined
  /**
   * A whole number that grows from one holder of this key to the next: microseconds since 1970 when it was got, or one more than the
   * last. Write it along with what the lease guards.
   */
  readonly fence: number
  /** By which the store knows this holder. Unique. */
  readonly token: string
  /** Whether the last holder never released it, so that its work may be half done. */
  readonly tookOver: boolean
  /**
   * Aborts when the lease is lost, with a Refusal `E_LEASE_LOST`: at the local deadline, which is a little before the store's, or when
   * the store says so. In the event loop: what blocks it hears of nothing.
   */
  readonly signal: AbortSignal
  /** For how many milliseconds it is good without another renewal; 0 once it is lost or released. Read anew each time, also in a blocked loop. */
  readonly expiresInMs: number
  /** Renews it now, which happens by itself too. Whether it is held; where the store cannot be asked, as far as is known. */
  renew(): Promise<boolean>
  /**
   * Gives it back. Resolves when the store knows, or after the deadline of one question to it: what did not arrive is told again
   * behind the scenes. A second time does nothing.
   */
  release(): Promise<void>
}
