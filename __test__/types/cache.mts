// Owns what the types promise of caches: what goes in comes out. Each @ts-expect-error fails by compiling.
// Never runs.

import { cache, spillway, type Cache, type CacheStats } from 'spillway'
import { same, type Equal } from './equal.mjs'

interface User {
  id: number
  name: string
}

const users = cache<User>('users', {
  ttl: '5m',
  jitter: 0.1,
  maxBytes: '64mb',
  maxValueBytes: 65_536,
  loadTimeout: '10s',
})
same<Equal<typeof users, Cache<User, 'sync'>>>()
same<Equal<ReturnType<typeof users.get>, User | undefined>>()
users.set('7', { id: 7, name: 'Ada' }, { ttl: '1s' })
// @ts-expect-error half a user
users.set('7', { id: 7 })
// @ts-expect-error there may be none
users.get('7').name
same<Equal<ReturnType<typeof users.delete>, boolean>>()
same<Equal<ReturnType<typeof users.stats>, CacheStats>>()

const loaded = users.getOrSet('7', async ({ signal, ttl }) => {
  ttl('10s')
  return { id: signal.aborted ? 0 : 7, name: 'Ada' }
})
same<Equal<typeof loaded, Promise<User>>>()
void users.getOrSet('7', () => ({ id: 7, name: 'Ada' }), { ttl: 1_000 })
// @ts-expect-error not what this cache holds
void users.getOrSet('7', () => 'Ada')
// @ts-expect-error a loader may answer undefined only where that is a value of the cache
void users.getOrSet('7', () => undefined)
// @ts-expect-error not a duration
users.set('7', { id: 7, name: 'Ada' }, { ttl: 'soon' })

const anything = cache('anything')
same<Equal<ReturnType<typeof anything.get>, unknown>>()
// @ts-expect-error what is in an untyped cache is unknown until it is looked at
anything.get('7').name

// @ts-expect-error not in this version
cache('users', { codec: 'v8' })
// @ts-expect-error not a size
cache('users', { maxBytes: '64 megabytes' })

const remote = spillway({ redis: 'redis://127.0.0.1' }).cache<User>('users')
same<Equal<ReturnType<typeof remote.get>, Promise<User | undefined>>>()
same<Equal<ReturnType<typeof remote.getOrSet>, Promise<User>>>()
same<Equal<ReturnType<typeof remote.stats>, CacheStats>>()
