// Owns the types of spillway/next-cache, written by hand.
// Never imports Next's types: structural ones fit every version that has such a handler.

import type { ByteSize, Cache, Mode, RedisOptions } from '../index.js'

export interface NextCacheOptions {
  /** The cache underneath, one for all threads of the process. It has knobs like any cache. Default `'next-cache'`. */
  name?: string
  /** As of a cache: all pages with what they take beside. Default `'64mb'`. */
  maxBytes?: ByteSize
  /** As of a cache; a larger page is made for each request, which Next says in its log. Up to an eighth of `maxBytes`. Default that, and no more than 4 MB. */
  maxValueBytes?: ByteSize
  /**
   * As of `spillway()`: the pages are kept in Redis as well, behind memory, and are those of all processes; so is what is forgotten. Give a `name` and a `version` then: other applications and builds may be there.
   * Default: of this process alone.
   */
  redis?: string | readonly string[] | RedisOptions
  /** As of a cache: what the pages were made by, such as the build. Those of another are not read. Default: none. */
  version?: string | number
  /** Where time comes from, for tests: milliseconds since 1970. Such a handler is alone with its clock. Default: the system's clocks. */
  clock?: () => number
}

/** What Next stores: a page, a route's response, a fetch's, an image or a redirect, as its `kind` says. */
export interface NextCacheValue {
  readonly kind: string
  readonly [property: string]: any
}

export interface NextCacheEntry {
  lastModified: number
  value: NextCacheValue | null
  cacheControl?: { revalidate: number | false; expire?: number }
}

/** An instance of it is made by Next for each request. */
export interface NextCacheHandler {
  get(key: string, asked?: any): Promise<any>
  set(key: string, value: any, told?: any): Promise<void>
  revalidateTag(tags: string | string[], durations?: { expire?: number }): Promise<void>
  resetRequestCache(): void
}

export interface NextCacheHandlerClass {
  new (context?: any): NextCacheHandler
  /** The cache itself, for `stats()`, `dump()` and `restore()`. */
  readonly cache: Cache<unknown, Mode>
}

/**
 * Next's `cacheHandler`: pages, route handlers and fetches in native memory of a bounded size.
 *
 * `revalidateTag(tag, 'max')` serves what has the tag once more, or for as long as the profile says, while it is made anew;
 * `revalidateTag(tag, { expire: 0 })`, `updateTag` and `revalidatePath` have the next one wait. Either takes constant time. What was
 * being made when its tag was revalidated is not kept. What the build has made is read from its files when it is first asked for.
 *
 * @throws `E_OPTION`, `E_NAME`, `E_SIZE` for options that are wrong
 * @example export default nextCache({ maxBytes: '256mb' })
 */
export function nextCache(options?: NextCacheOptions): NextCacheHandlerClass
