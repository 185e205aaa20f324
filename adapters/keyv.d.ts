// Owns the types of spillway/keyv, written by hand.
// Never imports Keyv's types: structural ones fit Keyv 5 and 6.

import type { ByteSize, Cache, Mode, RedisOptions } from '../index.js'

export interface KeyvSpillwayOptions {
  /** The cache underneath: stores of one name, in whatever thread, are one. It has knobs like any cache. Default `'keyv'`. */
  name?: string
  /** As of a cache: all values with what they take beside. Default `'64mb'`. */
  maxBytes?: ByteSize
  /** As of a cache. Up to an eighth of `maxBytes`. Default that, and no more than 4 MB. */
  maxValueBytes?: ByteSize
  /**
   * As of `spillway()`: the values are kept in Redis as well, behind memory, and are those of all processes; so is what is forgotten.
   * Default: of this process alone.
   */
  redis?: string | readonly string[] | RedisOptions
  /** As of a cache: what the values were made by, such as the build. Those of another are not read. Default: none. */
  version?: string | number
  /** Where time comes from, for tests: milliseconds since 1970. Such a store is alone with its clock. Default: the system's clocks. */
  clock?: () => number
}

/**
 * A storage adapter for Keyv 5 and 6, and with Keyv for cache-manager and cacheable: one cache of the process, in native memory of a
 * bounded size, for all its threads. What does not expire may be evicted, as may everything.
 *
 * Give each Keyv an adapter of its own: Keyv writes its namespace into it. Adapters of one name share what they hold.
 *
 * @throws `E_OPTION`, `E_NAME`, `E_SIZE` for options that are wrong; a value that is too large goes to Keyv's `error` event, with
 * `E_VALUE_TOO_LARGE`
 * @example const sessions = new Keyv({ store: new KeyvSpillway({ name: 'sessions' }), namespace: 'web', ttl: 60_000 })
 */
export class KeyvSpillway {
  constructor(options?: KeyvSpillwayOptions)

  /** The cache itself, for `stats()`, `dump()` and `restore()`. Its keys are the adapter's own business. */
  readonly cache: Cache<unknown, Mode>

  /** Written by Keyv. */
  namespace: string | undefined
  /** Looked at by Keyv. */
  opts: any

  get(key: string): Promise<any>
  getMany(keys: readonly string[]): Promise<any[]>
  /** @param ttl milliseconds; none or 0 for a value that does not expire */
  set(key: string, value: unknown, ttl?: number): Promise<boolean>
  setMany(entries: readonly { key: string; value: unknown; ttl?: number }[]): Promise<any>
  delete(key: string): Promise<boolean>
  deleteMany(keys: readonly string[]): Promise<boolean>
  has(key: string): Promise<boolean>
  hasMany(keys: readonly string[]): Promise<boolean[]>
  /** Forgets what is in this namespace, in constant time; without one, what is in none. */
  clear(): Promise<void>

  on(event: string, listener: (...args: any[]) => void): this
}
