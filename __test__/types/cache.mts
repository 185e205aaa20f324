// Owns what the types promise of caches: what goes in comes out. Each @ts-expect-error fails by compiling.
// Never runs.

import {
  bulkhead,
  cache,
  spillway,
  type Cache,
  type CacheEntry,
  type CacheEvents,
  type CacheStats,
  type Codec,
  type Warmed,
} from 'spillway'
import { same, type Equal } from './equal.mjs'

interface User {
  id: number
  name: string
}

const users = cache<User>('users', {
  ttl: '5m',
  jitter: 0.1,
  stale: '1m',
  grace: '1h',
  negativeTtl: 0,
  maxBytes: '64mb',
  maxValueBytes: 65_536,
  loadTimeout: '10s',
  softTimeout: 200,
  version: 7,
  bulkhead: bulkhead('loads', { limit: 4 }),
  waitUntil: (promise) => void promise.then(() => {}),
  env: { ttl: 'USERS_TTL_MS', version: 'USERS_VERSION' },
})
same<Equal<typeof users, Cache<User, 'sync'>>>()
same<Equal<ReturnType<typeof users.get>, User | undefined>>()
users.set('7', { id: 7, name: 'Ada' }, { ttl: '1s', tags: ['users'], since: users.moment() })
// @ts-expect-error half a user
users.set('7', { id: 7 })
// @ts-expect-error there may be none
users.get('7').name
same<Equal<ReturnType<typeof users.delete>, boolean>>()
same<Equal<ReturnType<typeof users.expire>, boolean>>()
same<Equal<ReturnType<typeof users.deletePrefix>, number>>()
same<Equal<ReturnType<typeof users.entry>, CacheEntry<User> | undefined>>()
same<Equal<ReturnType<typeof users.stats>, CacheStats>>()
same<Equal<typeof users.version, string | undefined>>()
// @ts-expect-error read only: there is setVersion
users.version = '8'
same<Equal<ReturnType<typeof users.setVersion>, boolean>>()

const loaded = users.getOrSet('7', async ({ signal, ttl, tags, previous }) => {
  ttl('10s')
  tags('users', `user:${previous?.id}`)
  return { id: signal.aborted ? 0 : 7, name: 'Ada' }
})
same<Equal<typeof loaded, Promise<User>>>()
void users.getOrSet('7', () => ({ id: 7, name: 'Ada' }), { ttl: 1_000, reload: true, signal: AbortSignal.timeout(5) })
const entry = users.getOrSetEntry('7', () => ({ id: 7, name: 'Ada' }))
same<Equal<typeof entry, Promise<CacheEntry<User>>>>()
// @ts-expect-error not what this cache holds
void users.getOrSet('7', () => 'Ada')
// @ts-expect-error a loader may answer undefined only where that is a value of the cache
void users.getOrSet('7', () => undefined)
const maybe = cache<User | undefined>('maybe', { negativeTtl: '1m' })
void maybe.getOrSet('7', async () => undefined)
// @ts-expect-error not a duration
users.set('7', { id: 7, name: 'Ada' }, { ttl: 'soon' })
// @ts-expect-error tags are a list
users.set('7', { id: 7, name: 'Ada' }, { tags: 'users' })

users.get('7', { tags: ['page'] })
// @ts-expect-error what is looked at has no time to live
users.get('7', { ttl: 5 })
users.invalidateTag('users', 'user:7')
users.expireTag('users', 'user:7')
users.expireTag('users', { grace: '1m' })
// @ts-expect-error tags are strings
users.invalidateTag(['users'])

same<Equal<ReturnType<typeof users.getMany>, (User | undefined)[]>>()
users.setMany(new Map([['7', { id: 7, name: 'Ada' }]]))
users.setMany([['7', { id: 7, name: 'Ada' }, { ttl: '1s' }]])
// @ts-expect-error not what this cache holds
users.setMany([['7', 'Ada']])

const warmed = users.warm([['7', async () => ({ id: 7, name: 'Ada' }), { tags: ['users'] }]], { concurrency: 8 })
same<Equal<typeof warmed, Promise<Warmed>>>()
void users.warm(async function* () {
  yield ['7', { id: 7, name: 'Ada' }] as const
})
// @ts-expect-error not what this cache holds
void users.warm([['7', () => 'Ada']])

const byId = users.memoize(async (id: number, _strict?: boolean) => ({ id, name: 'Ada' }), {
  name: 'byId',
  key: (id, strict) => `${id}${strict}`,
  tags: (id) => [`user:${id}`],
})
same<Equal<ReturnType<typeof byId>, Promise<{ id: number; name: string }>>>()
void byId(7, true)
// @ts-expect-error its arguments are those of the function
void byId('7')
// @ts-expect-error not what this cache holds
users.memoize(async () => 'Ada')

users.on('loaded', ({ key, ms, background }) => void [key.length, ms.toFixed(), background === true])
users.on('failed', (event) => same<Equal<typeof event, CacheEvents['failed']>>())
// @ts-expect-error there is no such event
users.on('hit', () => {})

const anything = cache('anything')
same<Equal<ReturnType<typeof anything.get>, unknown>>()
// @ts-expect-error what is in an untyped cache is unknown until it is looked at
anything.get('7').name

const files = cache('files', { codec: 'bytes' })
same<Equal<typeof files, Cache<Uint8Array>>>()
files.set('a', Buffer.from('a'))
// @ts-expect-error bytes alone
files.set('a', 'a')
// @ts-expect-error a user is no bytes
cache<User>('users', { codec: 'bytes' })
const clones = cache<Map<string, Date>>('clones', { codec: 'v8' })
same<Equal<ReturnType<typeof clones.get>, Map<string, Date> | undefined>>()
const packed: Codec<User> = {
  encode: ({ name }) => Buffer.from(name),
  decode: (bytes: Buffer) => ({ id: 0, name: bytes.toString() }),
  shared: true,
}
same<Equal<ReturnType<typeof unpacked.get>, User | undefined>>()
const unpacked = cache('packed', { codec: packed })
// @ts-expect-error there is no such codec
cache('users', { codec: 'msgpack' })
// @ts-expect-error half a codec
cache('users', { codec: { encode: String } })
// @ts-expect-error not a size
cache('users', { maxBytes: '64 megabytes' })

const cleared = spillway().clearCache('users')
same<Equal<typeof cleared, boolean>>()

const remote = spillway({ redis: 'redis://127.0.0.1' }).cache<User>('users')
same<Equal<ReturnType<typeof remote.get>, Promise<User | undefined>>>()
same<Equal<ReturnType<typeof remote.entry>, Promise<CacheEntry<User> | undefined>>>()
same<Equal<ReturnType<typeof remote.getOrSet>, Promise<User>>>()
same<Equal<ReturnType<typeof remote.stats>, CacheStats>>()
