// Owns what the types promise of caches over Redis: promises of the same, and what only such a cache has.
// Never runs.

import { spillway, cache } from 'spillway'
import type { Cache, CacheEntry, CacheRedisStats } from 'spillway'
import { same, type Equal } from './equal.mjs'

interface User {
  id: number
  name: string
}

const sp = spillway({ redis: 'redis://127.0.0.1' })
const users = sp.cache<User>('users', { bulkhead: sp.bulkhead('loads', { limit: 3 }) })
same<Equal<typeof users, Cache<User, 'async'>>>()
same<Equal<ReturnType<typeof users.get>, Promise<User | undefined>>>()
same<Equal<ReturnType<typeof users.entry>, Promise<CacheEntry<User> | undefined>>>()
same<Equal<ReturnType<typeof users.set>, Promise<void>>>()
same<Equal<ReturnType<typeof users.delete>, Promise<boolean>>>()
same<Equal<ReturnType<typeof users.deletePrefix>, Promise<number>>>()
same<Equal<ReturnType<typeof users.moment>, Promise<number>>>()
same<Equal<ReturnType<typeof users.getMany>, Promise<(User | undefined)[]>>>()
same<Equal<ReturnType<typeof users.clear>, Promise<void>>>()
same<Equal<ReturnType<typeof users.setVersion>, Promise<boolean>>>()
same<Equal<ReturnType<typeof users.getOrSet>, Promise<User>>>()
same<Equal<typeof users.version, string | undefined>>()
same<Equal<ReturnType<typeof sp.clearCache>, Promise<boolean>>>()
same<Equal<ReturnType<typeof users.stats>['redis'], CacheRedisStats | undefined>>()
// @ts-expect-error a promise is not the user
users.get('7')?.name

export async function listed(): Promise<string[]> {
  const keys = []
  for await (const key of users.keys({ prefix: 'u' })) keys.push(key)
  return keys
}
// @ts-expect-error a cache in memory lists no keys
cache('users').keys()

users.on('failed', (event) => same<Equal<typeof event.cache, Cache<any, any>>>())

/** What takes either kind. */
export async function nameOf(either: Cache<User> | Cache<User, 'async'>): Promise<string | undefined> {
  return (await either.get('7'))?.name
}
