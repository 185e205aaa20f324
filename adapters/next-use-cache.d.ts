// Owns the types of spillway/next-use-cache, written by hand.
// Never imports Next's types: structural ones fit every version that has such handlers.

import type { ByteSize, Cache, Mode, RedisOptions } from '../index.js'

export interface NextUseCacheOptions {
  /** The cache underneath, one for all threads of the process. It has knobs like any cache. Default `'next-use-cache'`. */
  name?: string
  /** As of a cache: all results with what they take beside. Default `'64mb'`. */
  maxBytes?: ByteSize
  /** As of a cache; a larger result is not kept, of which a process warning tells once. Up to an eighth of `maxBytes`. Default that, and no more than 4 MB. */
  maxValueBytes?: ByteSize
  /**
   * As of `spillway()`: the results are kept in Redis as well, behind memory, and are those of all processes; so is what is forgotten. Give a `name` and a `version` then: other applications and builds may be there.
   * Default: of this process alone.
   */
  redis?: string | readonly string[] | RedisOptions
  /** As of a cache: what the results were made by, such as the build. Those of another are not read. Default: none. */
  version?: string | number
  /** Where time comes from, for tests: milliseconds since 1970. Such a handler is alone with its clock. Default: the system's clocks. */
  clock?: () => number
}

export interface UseCacheEntry {
  /** Can be read once. */
  value: ReadableStream<Uint8Array>
  tags: string[]
  /** Seconds, for the client. */
  stale: number
  /** When it was begun: milliseconds since 1970. */
  timestamp: number
  /** Seconds for which it may be served. */
  expire: number
  /** Seconds after which it is made anew while it is served; negative: it is due. */
  revalidate: number
}

export interface NextUseCacheHandler {
  /** The cache itself, for `stats()`, `dump()` and `restore()`. */
  readonly cache: Cache<unknown, Mode>
  /** Waits for a `set` of the key that is under way. */
  get(key: string, softTags?: string[]): Promise<UseCacheEntry | undefined>
  /** What breaks off is not stored. */
  set(key: string, entry: Promise<UseCacheEntry>): Promise<void>
  refreshTags(): Promise<void>
  /** `Infinity`: soft tags are for `get`. */
  getExpiration(tags?: string[]): Promise<number>
  updateTags(tags: string[], durations?: { expire?: number }): Promise<void>
}

/**
 * A handler for Next's `cacheHandlers`: what `use cache` marks, in native memory of a bounded size. Results are kept as bytes, never
 * as streams, which would hold on to the request that made them; each reader has a stream of his own.
 *
 * @throws `E_OPTION`, `E_NAME`, `E_SIZE` for options that are wrong
 * @example export default nextUseCache({ maxBytes: '256mb' })
 */
export function nextUseCache(options?: NextUseCacheOptions): NextUseCacheHandler
