// A cache over Redis as several hosts see it: what one has changed, found or is loading, and what the others make of it. Owns statements
// about one process with several memories; cache-redis-hosts.test.js has processes. Never asks Redis how it keeps anything.
'use strict'

const assert = require('node:assert/strict')
const { mkdtempSync, rmSync } = require('node:fs')
const { tmpdir } = require('node:os')
const path = require('node:path')
const { after, before, test } = require('node:test')
const { startServer } = require('./redis/servers.js')
const { isInMemory, liveHosts, soon } = require('./hosts.js')
const { loader, never, thrower } = require('./caches.js')
const { fate } = require('./staged.js')

/** Within which a message of Redis has come, on a busy machine. */
const HEARD_MS = 1_000

let server
before(async () => (server = await startServer()))
after(() => server.close())

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** Hosts that hear of each other. */
const opened = (t, count, options) => liveHosts(t, server.url, count, options)

/** Their caches alone. */
const caches = async (t, count, options) => (await opened(t, count, options)).map(({ cache }) => cache)

/** The keys in Redis of one prefix. */
const keysOf = async (prefix) => (await server.call('SCAN', '0', 'MATCH', `*${prefix}*`, 'COUNT', '100000'))[1]

test('what one host has set another reads, and from its memory after that', async (t) => {
  const [a, b] = await caches(t, 2)
  await a.set('k', { n: [1] })
  const value = await b.get('k')
  assert.deepEqual(value, { n: [1] })
  assert.ok(Object.isFrozen(value.n))
  assert.equal(b.stats().redis.hits, 1)
  await soon(isInMemory(b, 'k'))
  const { hits } = b.stats().redis
  assert.deepEqual(await b.get('k'), { n: [1] })
  assert.equal(b.get('k'), b.get('k'))
  assert.equal(await b.getOrSet('k', never), await b.get('k'))
  assert.equal(b.stats().redis.hits, hits, 'memory has it')
  assert.equal(await b.get('other'), undefined)
  assert.equal(b.stats().redis.misses, 1)
})

test('null, false, 0 and the empty string are values, and that there is nothing is kept for negativeTtl', async (t) => {
  const [a, b] = await caches(t, 2, { negativeTtl: '1m' })
  for (const value of [null, false, 0, '']) {
    await a.set(`k${value}`, value)
    assert.equal(await b.get(`k${value}`), value)
    assert.equal(await b.getOrSet(`k${value}`, never), value)
  }
  assert.equal(await a.getOrSet('nobody', () => undefined), undefined)
  await soon(async () => (await b.entry('nobody')) !== undefined)
  assert.equal((await b.entry('nobody')).negative, true)
  assert.equal(await b.getOrSet('nobody', never), undefined)
})

/** Each way to change a key, and what is read after it. */
const CHANGES = {
  'a delete': [({ cache }) => cache.delete('p:k')],
  'an expire': [({ cache }) => cache.expire('p:k')],
  'another set': [({ cache }) => cache.set('p:k', 'new'), 'new'],
  'a setMany': [({ cache }) => cache.setMany([['p:k', 'new']]), 'new'],
  'a deleted prefix': [({ cache }) => cache.deletePrefix('p:')],
  'an invalidated tag': [({ cache }) => cache.invalidateTag('x', 'unrelated')],
  'an expired tag': [({ cache }) => cache.expireTag('unrelated', 'x')],
  'a clear': [({ cache }) => cache.clear()],
  'another version': [({ cache }) => cache.setVersion('2')],
  'a cache cleared by its name': [({ sp }) => sp.clearCache('shared')],
}

for (const [title, [change, wanted]] of Object.entries(CHANGES)) {
  test(`after ${title} no host reads the old value from Redis, and none from memory once it has heard`, async (t) => {
    const [a, b, c] = await opened(t, 3, { version: '1' })
    for (let round = 0; round < 5; round++) {
      await a.cache.setVersion('1')
      await soon(() => b.cache.version === '1' && c.cache.version === '1', HEARD_MS)
      await a.cache.set('p:k', 'old', { tags: ['x'] })
      await soon(async () => (await b.cache.get('p:k')) === 'old', HEARD_MS)
      await change(a)
      assert.equal(await c.cache.get('p:k'), wanted, 'from Redis')
      assert.equal(await a.cache.get('p:k'), wanted, 'from the memory of who has changed it')
      await soon(async () => (await b.cache.get('p:k')) === wanted, HEARD_MS)
      assert.equal(await b.cache.getOrSet('p:k', () => 'loaded'), wanted ?? 'loaded')
      await a.cache.delete('p:k')
      await soon(async () => (await c.cache.get('p:k')) === undefined, HEARD_MS)
    }
  })

  test(`a load on another host that raced ${title} is answered to who began it, and stored nowhere`, async (t) => {
    const [a, b, c] = await opened(t, 3, { version: '1' })
    const load = loader()
    const before = b.cache.getOrSet('p:k', load.load, { tags: ['x'] })
    await soon(() => load.calls === 1)
    await change(a)
    load.resolve('old')
    assert.equal(await before, 'old')
    await soon(async () => (await b.cache.get('p:k')) === wanted, HEARD_MS)
    await pause(20)
    for (const { cache } of [a, b, c]) assert.equal(await cache.get('p:k'), wanted)
    assert.equal(await c.cache.getOrSet('p:k', () => 'loaded'), wanted ?? 'loaded')
  })
}

test('two thousand callers on four hosts load a cold key once, and all are answered with what that brought', async (t) => {
  const all = await caches(t, 4)
  let loads = 0
  const load = async () => {
    loads++
    await pause(30)
    return { n: loads }
  }
  const asked = all.flatMap((cache) => Array.from({ length: 500 }, () => cache.getOrSet('cold', load)))
  const values = await Promise.all(asked)
  assert.equal(loads, 1)
  assert.ok(values.every(({ n }) => n === 1))
})

test('what a waiting host is answered with came by a message, not by looking again and again', async (t) => {
  const [a, b] = await caches(t, 2)
  const load = loader()
  const first = a.getOrSet('k', load.load)
  await soon(() => load.calls === 1)
  const second = b.getOrSet('k', never)
  await pause(100)
  assert.equal(await fate(second), 'pending')
  load.resolve('v')
  assert.equal(await first, 'v')
  const began = performance.now()
  assert.equal(await second, 'v')
  assert.ok(performance.now() - began < 45, 'sooner than anybody would have looked again')
  assert.equal(b.stats().redis.waits, 1)
})

test('a load that fails is its own host’s; another host that waits loads by itself', async (t) => {
  const [a, b] = await caches(t, 2)
  const load = loader()
  const first = a.getOrSet('k', load.load)
  await soon(() => load.calls === 1)
  const second = b.getOrSet('k', () => 'mine')
  await pause(20)
  load.reject(new Error('no'))
  await assert.rejects(first, { message: 'no' })
  assert.equal(await second, 'mine')
  assert.equal(await a.getOrSet('k', never), 'mine')
})

test('a loader that finds nothing answers those who wait on other hosts, too', async (t) => {
  const all = await caches(t, 3)
  let loads = 0
  const load = async () => {
    loads++
    await pause(50)
  }
  assert.deepEqual(await Promise.all(all.map((cache) => cache.getOrSet('k', load))), [undefined, undefined, undefined])
  assert.equal(loads, 1)
})

test('a loader that hangs keeps no other host waiting past loadTimeout', async (t) => {
  const [a, b] = await caches(t, 2, { loadTimeout: '300ms' })
  const hung = assert.rejects(
    a.getOrSet('k', () => new Promise(() => {})),
    { code: 'E_TIMEOUT' },
  )
  await pause(50)
  const began = performance.now()
  assert.equal(await b.getOrSet('k', () => 'v'), 'v')
  assert.ok(performance.now() - began < 1_000)
  await hung
})

test('a failing load is answered with what Redis has in grace, and its loader sees it', async (t) => {
  const [a, b] = await caches(t, 2, { ttl: 20, grace: '1h' })
  await a.set('k', 'old')
  await pause(30)
  let previous
  const { value, state, loadError } = await b.getOrSetEntry('k', (call) => {
    previous = call.previous
    throw new Error('no')
  })
  assert.deepEqual([value, state, loadError.message, previous], ['old', 'grace', 'no', 'old'])
  assert.equal((await b.entry('k')).state, 'grace')
  assert.equal(await b.get('k'), undefined)
})

test('past softTimeout what Redis has in grace is answered', async (t) => {
  const [a, b] = await caches(t, 2, { ttl: 20, grace: '1h', softTimeout: '100ms' })
  await a.set('k', 'old')
  await pause(30)
  const load = loader()
  assert.equal(await b.getOrSet('k', load.load), 'old')
  load.resolve('new')
  await soon(async () => (await b.entry('k')).value === 'new')
})

test('what is stale is answered at once on every host, and loaded by one of them', async (t) => {
  const all = await caches(t, 4, { ttl: '100ms', stale: '1h' })
  await all[0].set('k', 'old')
  await pause(130)
  let loads = 0
  const load = async () => {
    loads++
    await pause(60)
    return 'new'
  }
  for (let round = 0; round < 3; round++) {
    const answers = await Promise.all(all.map((cache) => cache.getOrSet('k', load)))
    assert.deepEqual(new Set(answers), new Set(['old']))
    await pause(10)
  }
  assert.equal(loads, 1)
  for (const cache of all) await soon(async () => (await cache.getOrSet('k', load)) === 'new')
})

test('a value made before an invalidation on another host is not stored after it', async (t) => {
  const [a, b, c] = await caches(t, 3)
  const since = await b.moment()
  await a.invalidateTag('x')
  await b.set('k', 'old', { tags: ['x'], since })
  assert.equal(await c.get('k'), undefined)
  await soon(async () => (await b.get('k')) === undefined, HEARD_MS)
  await soon(async () => {
    await b.set('k', 'new', { tags: ['x'], since: await b.moment() })
    return (await c.get('k')) === 'new'
  }, HEARD_MS)
})

test('a look may name further tags, of which Redis knows what became on other hosts', async (t) => {
  const [a, b, c] = await caches(t, 3)
  await a.set('k', 'v', { tags: ['own'] })
  assert.equal(await b.get('k', { tags: ['soft'] }), 'v')
  await a.invalidateTag('soft')
  assert.equal(await c.get('k', { tags: ['soft'] }), undefined)
  assert.equal(await c.entry('k', { tags: ['soft'] }), undefined)
  assert.equal(await c.get('k'), 'v')
  await soon(async () => (await b.get('k', { tags: ['soft'] })) === undefined, HEARD_MS)
})

test('an entry tells its age and what is left over hosts', async (t) => {
  const [a, b] = await caches(t, 2, { ttl: '10s' })
  await a.set('k', 'v')
  await pause(60)
  const { value, state, ageMs, freshForMs, negative } = await b.entry('k')
  assert.deepEqual([value, state, negative], ['v', 'fresh', false])
  assert.ok(ageMs >= 50 && ageMs < 1_000, `${ageMs} ms old`)
  assert.ok(freshForMs > 9_000 && freshForMs <= 9_950, `${freshForMs} ms left`)
})

test('many keys are set, read and listed, and a prefix of them is deleted', async (t) => {
  const [a, b, c] = await caches(t, 3)
  const keys = Array.from({ length: 1_000 }, (_, index) => `${index % 2 ? 'odd' : 'even'}:${index}`)
  await a.setMany(keys.map((key, index) => [key, index, { tags: ['all'] }]))
  assert.deepEqual(await b.getMany([...keys, 'none']), [...keys.keys()].concat(undefined))
  const listed = new Set()
  for await (const key of c.keys()) listed.add(key)
  assert.deepEqual([...listed].sort(), [...keys].sort())
  const odd = new Set()
  for await (const key of c.keys({ prefix: 'odd:' })) odd.add(key)
  assert.equal(odd.size, 500)
  assert.equal(await c.deletePrefix('odd:'), 500)
  assert.deepEqual(await c.getMany(['odd:1', 'even:2']), [undefined, 2])
  await soon(async () => (await b.get('odd:1')) === undefined, HEARD_MS)
  assert.equal(await b.get('even:2'), 2)
})

test('delete and expire say whether there was something, on whichever host', async (t) => {
  const [a, b] = await caches(t, 2, { grace: '1h' })
  await a.set('k', 1)
  assert.equal(await b.expire('k'), true)
  assert.equal(await b.delete('k'), true)
  assert.equal(await b.delete('k'), false)
  assert.equal(await b.expire('k'), false)
})

test('what is warm already for one host is left alone by the next', async (t) => {
  const [a, b] = await caches(t, 2)
  const entries = [
    ['loaded', () => 1],
    ['given', 2],
  ]
  assert.deepEqual(await a.warm(entries), { loaded: 2, failed: 0, present: 0 })
  await soon(async () => (await b.get('loaded')) === 1)
  assert.deepEqual(
    await b.warm([
      ['loaded', never],
      ['given', 3],
    ]),
    { loaded: 0, failed: 0, present: 2 },
  )
  assert.equal(await b.get('given'), 2)
})

test('a memoized function is called once over hosts', async (t) => {
  const all = await caches(t, 2)
  let calls = 0
  const twice = (n) => {
    calls++
    return n * 2
  }
  const [mine, theirs] = all.map((cache) => cache.memoize(twice))
  assert.equal(await mine(4), 8)
  await soon(async () => (await theirs(4)) === 8)
  assert.equal(calls, 1)
})

test('reload loads although there is something fresh, and the others get it', async (t) => {
  const [a, b] = await caches(t, 2)
  await a.set('k', 1)
  assert.equal(await b.get('k'), 1)
  assert.equal(await a.getOrSet('k', () => 2, { reload: true }), 2)
  await soon(async () => (await b.get('k')) === 2, HEARD_MS)
})

test('a signal ends the wait for another host’s load, and no more than that', async (t) => {
  const [a, b] = await caches(t, 2)
  const load = loader()
  const first = a.getOrSet('k', load.load)
  await soon(() => load.calls === 1)
  const leaving = new AbortController()
  const second = b.getOrSet('k', never, { signal: leaving.signal })
  const third = b.getOrSet('k', never)
  await pause(20)
  leaving.abort(new Error('gone'))
  await assert.rejects(second, { message: 'gone' })
  load.resolve('v')
  assert.deepEqual(await Promise.all([first, third]), ['v', 'v'])
})

test('loads that are bounded by a bulkhead over hosts are told of, and events name the cache', async (t) => {
  const [{ cache }] = await opened(t, 1)
  const told = []
  cache.on('loaded', (event) => told.push(['loaded', event.cache === cache, event.key, event.background]))
  cache.on('failed', (event) => told.push(['failed', event.cache === cache, event.key, event.error.message]))
  await cache.getOrSet('a', () => 1)
  await assert.rejects(cache.getOrSet('b', thrower(new Error('no'))))
  assert.deepEqual(told, [
    ['loaded', true, 'a', false],
    ['failed', true, 'b', 'no'],
  ])
})

test('what Redis keeps expires there, once it could be of no use to anybody', async (t) => {
  const [{ cache, prefix }] = await opened(t, 1, { ttl: '10s', stale: '20s', grace: '30s' })
  await cache.set('k', 'v')
  const keys = (await keysOf(prefix)).filter((key) => key.endsWith('{k}'))
  assert.equal(keys.length, 1)
  const left = await server.call('PTTL', keys[0])
  assert.ok(left > 59_000 && left <= 70_000, `${left} ms`)
})

test('what a dump of memory brings back is for grace alone: the hosts may have changed it since', async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'dump-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const file = path.join(folder, 'k.dump')
  const [{ cache: a, prefix }] = await opened(t, 1, { grace: '1h' })
  await a.set('k', 'old')
  assert.equal(await a.dump(file), 1)
  const [{ cache: b }] = await liveHosts(t, server.url, 1, { grace: '1h' }, prefix)
  for (const key of await keysOf(prefix)) if (key.endsWith('{k}')) await server.call('DEL', key)
  assert.equal(await b.restore(file), 1)
  assert.equal(await b.get('k'), undefined)
  assert.equal(await b.getOrSet('k', () => Promise.reject(new Error('no'))), 'old')
  assert.equal(await b.getOrSet('k', () => 'new'), 'new')
})

test('figures of both tiers stand side by side', async (t) => {
  const [{ cache, sp, prefix }] = await opened(t, 1)
  await cache.set('a', 1)
  await cache.get('a')
  await cache.get('none')
  await cache.getOrSet('led', () => 1)
  const { hits, misses, sets, loads, redis } = cache.stats()
  assert.deepEqual([hits, sets, loads], [1, 1, 1])
  assert.ok(misses >= 2)
  assert.deepEqual(Object.keys(redis).sort(), [
    'errors',
    'foreign',
    'gaps',
    'hits',
    'loadsLed',
    'misses',
    'owed',
    'state',
    'stores',
    'waits',
  ])
  assert.deepEqual([redis.hits, redis.loadsLed, redis.owed, redis.errors, redis.foreign], [0, 1, 0, 0, 0])
  assert.equal(redis.state, 'live')
  assert.ok(redis.misses >= 1)
  assert.deepEqual(sp.snapshot().caches[`${prefix}:shared`].redis, redis)
})

test('caches of another prefix or name are other caches', async (t) => {
  const [a] = await opened(t, 1)
  const [b] = await opened(t, 1)
  const other = a.sp.cache('another')
  await a.cache.set('k', 1)
  assert.equal(await b.cache.get('k'), undefined)
  assert.equal(await other.get('k'), undefined)
  await b.cache.clear()
  await other.clear()
  const [c] = await liveHosts(t, server.url, 1, {}, a.prefix)
  assert.equal(await c.cache.get('k'), 1)
})

test('a cache that has ended refuses every call, and what it was asked before is answered', async (t) => {
  const [{ cache, sp }] = await opened(t, 1)
  const asked = [cache.set('k', 1), cache.get('other'), cache.getOrSet('third', () => 3)]
  assert.deepEqual(await Promise.all(asked), [undefined, undefined, 3])
  await sp.close()
  for (const call of [
    cache.get('k'),
    cache.set('k', 1),
    cache.getOrSet('k', never),
    cache.delete('k'),
    cache.clear(),
  ]) {
    await assert.rejects(call, { code: 'E_DISPOSED' })
  }
})

test('what is asked when the cache ends is answered all the same', async (t) => {
  const [{ cache, sp }] = await opened(t, 1)
  const asked = Promise.allSettled([cache.set('k', 1), cache.get('other'), cache.getOrSet('third', () => 3)])
  await sp.close()
  const answers = await asked
  for (const { status, reason } of answers) assert.ok(status === 'fulfilled' || reason.code === 'E_DISPOSED')
})
