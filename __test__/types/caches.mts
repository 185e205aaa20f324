// Owns what the types promise of spillway/keyv, bentocache, next-cache and next-use-cache. Each @ts-expect-error fails by compiling.
// Never runs, and never imports those they are for: the parts that these look at are written out here.

import type { Cache, Mode } from 'spillway'
import { spillwayDriver } from 'spillway/bentocache'
import { KeyvSpillway } from 'spillway/keyv'
import { nextCache } from 'spillway/next-cache'
import { nextUseCache } from 'spillway/next-use-cache'
import { same, type Equal } from './equal.mjs'

/** As Keyv 5 has its stores. */
interface KeyvStore {
  opts: any
  namespace?: string | undefined
  get<T>(key: string): Promise<T | undefined>
  set(key: string, value: any, ttl?: number): any
  setMany?(values: { key: string; value: any; ttl?: number }[]): Promise<void>
  delete(key: string): Promise<boolean>
  deleteMany?(keys: string[]): Promise<boolean>
  clear(): Promise<void>
  has?(key: string): Promise<boolean>
  on(event: string, listener: (...args: any[]) => void): any
}
const store: KeyvStore = new KeyvSpillway({ name: 'sessions', maxBytes: '256mb', maxValueBytes: 4096 })
store.namespace = 'web'
new KeyvSpillway()
same<Equal<KeyvSpillway['cache'], Cache<unknown, Mode>>>()
// @ts-expect-error an entry's time to live is Keyv's
new KeyvSpillway({ ttl: '5m' })

/** As bentocache has its layers. */
interface Driver<Layer, Sync> {
  options: Record<string, any>
  factory: (config: any) => {
    type: Layer
    namespace(name: string): any
    get(key: string): Sync extends true ? unknown : Promise<unknown>
    set(key: string, value: any, ttl?: number): Sync extends true ? boolean : Promise<boolean>
    delete(key: string): Sync extends true ? boolean : Promise<boolean>
    clear(): Sync extends true ? void : Promise<void>
  }
}
const first: Driver<'l1', true> = spillwayDriver({ name: 'shop', serialize: false })
const second: Driver<'l2', false> = spillwayDriver({ layer: 'l2', prefix: 'shop' })
first.factory({}).get('key')
second.factory({}).get('key')
const driver = spillwayDriver({ name: 'shop' }).factory({ prefix: 'shop' })
same<Equal<typeof driver.type, 'l1'>>()
// @ts-expect-error a first layer is no second one
const wrong: Driver<'l2', false> = spillwayDriver()
// @ts-expect-error there are two layers
spillwayDriver({ layer: 'l3' })

/** As Next has them. */
interface CacheHandler {
  get(
    key: string,
    context: { kind: 'FETCH'; softTags?: string[] } | { kind: 'APP_PAGE'; isFallback: boolean },
  ): Promise<any>
  set(
    key: string,
    data: any,
    context: { cacheControl?: { revalidate: number | false; expire?: number } },
  ): Promise<void>
  revalidateTag(tags: string | string[], durations?: { expire?: number }): Promise<void>
  resetRequestCache(): void
}
const Handler: new (context: { dev?: boolean; revalidatedTags: string[] }) => CacheHandler = nextCache({
  maxBytes: '1gb',
})
const handler: CacheHandler = new (nextCache())({ revalidatedTags: [] })
nextCache().cache.stats().hitRatio?.toFixed()
handler.resetRequestCache()
new Handler({ revalidatedTags: [] })
// @ts-expect-error how long a page lives is the page's to say
nextCache({ ttl: '5m' })

interface UseCacheEntry {
  value: ReadableStream<Uint8Array>
  tags: string[]
  stale: number
  timestamp: number
  expire: number
  revalidate: number
}
interface UseCacheHandler {
  get(key: string, softTags: string[]): Promise<undefined | UseCacheEntry>
  set(key: string, entry: Promise<UseCacheEntry>): Promise<void>
  refreshTags(): Promise<void>
  getExpiration(tags: string[]): Promise<number>
  updateTags(tags: string[], durations?: { expire?: number }): Promise<void>
}
const results: UseCacheHandler = nextUseCache({ name: 'results', clock: () => Date.now() })
results.refreshTags()
// @ts-expect-error an entry may be pending
nextUseCache().set('key', { value: new ReadableStream(), tags: [], stale: 0, timestamp: 0, expire: 1, revalidate: 1 })
