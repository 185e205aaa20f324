// Owns the types of spillway/express-rate-limit, written by hand.
// Never imports express-rate-limit's: what it asks of a store is said structurally.

export interface SpillwayStoreOptions {
  /**
   * What the counts are known by. Stores of one name count together, in all threads of the process; stores of two names never do.
   * 1 to 128 characters (`E_NAME`). Required: only the application knows which of its limiters are the same one.
   */
  name: string
  /**
   * How many clients have a cell of their own, which caps the memory: about 32 bytes each. Clients beyond it share a sketch that
   * may count too many hits and never too few. Whole, 1 to 100,000,000. Default 1,000,000.
   */
  maxKeys?: number
  /**
   * Where time comes from, in milliseconds since 1970, for example `() => Date.now()` under fake timers. The store then has counts
   * of its own, shared with no other. For tests. Default: the system's clock.
   */
  clock?: () => number
}

/** What a client has used of its window. */
export interface ClientHits {
  totalHits: number
  /** When the window ends, for every client at once. */
  resetTime: Date
}

/**
 * A `Store` for express-rate-limit 8 whose counts are the same in every `worker_thread`.
 *
 * Every method answers at once, without a promise. Windows are fixed and begin at whole multiples of their length on the clock (a
 * minute at :00, a day at 00:00 UTC), not with each client's first hit.
 *
 * A mistake that only shows once the window is known, such as a `name` that is in use with another `windowMs` (`E_MISMATCH`), is
 * logged by express-rate-limit when the middleware is made and is then the error of every request; `passOnStoreError` lets those
 * pass.
 *
 * @throws `E_OPTION` and `E_NAME` for options that are wrong
 * @example
 * app.use(rateLimit({ windowMs: 60_000, limit: 100, store: new SpillwayStore({ name: 'api' }) }))
 */
export class SpillwayStore {
  constructor(options: SpillwayStoreOptions)
  /** False: what one store counts, another one of its name sees. */
  localKeys: boolean
  /** The name and a colon: tells express-rate-limit which stores count apart. */
  prefix: string
  /** Called by `rateLimit()` with its options. */
  init(options: { windowMs: number }): void
  /** Counts a hit. */
  increment(key: string): ClientHits
  /** Takes a hit of the current window back; never below none. */
  decrement(key: string): void
  /** The client's hits, or undefined for one that has none in this window. */
  get(key: string): ClientHits | undefined
  /** Forgets the hits of one client. */
  resetKey(key: string): void
  /** Forgets the hits of all clients, in all threads. */
  resetAll(): void
  /** Lets go of the counts; with the last store of the name they are forgotten. There are no timers to stop. */
  shutdown(): void
}
