// A cache over a Redis that is late, gone, back, full or out of order: memory and loaders go on without an error, and what Redis missed it is
// told before it is believed again. Owns faults. Never waits for real where a change of state tells.
'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')
const { proxy } = require('./redis/proxy.js')
const { redis } = require('./redis/servers.js')
const { freePort } = require('./redis/ports.js')
const { host, hosts, isInMemory, isLive, liveHosts, ownPrefix, soon } = require('./hosts.js')
const { loader, never } = require('./caches.js')

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** Hosts with the deadline that there is by default. */
const opened = (t, url, ...given) => liveHosts(t, { url }, ...given)

/** Calls each method once; none may fail, and all have to be answered soon. */
async function everyCall(cache, key) {
  const began = performance.now()
  assert.equal(await cache.getOrSet(key, () => 'loaded'), 'loaded')
  assert.equal(await cache.get(key), 'loaded')
  await cache.set(key, 'set', { tags: ['x'] })
  assert.equal(await cache.get(key), 'set')
  assert.equal((await cache.entry(key)).value, 'set')
  await cache.setMany([[key, 'many']])
  assert.deepEqual(await cache.getMany([key, 'none']), ['many', undefined])
  await cache.expire(key)
  assert.equal(await cache.get(key), undefined)
  await cache.set(key, 'again', { tags: ['x'] })
  await cache.invalidateTag('x')
  assert.equal(await cache.get(key), undefined)
  await cache.expireTag('x')
  await cache.set(key, 'again')
  assert.equal(await cache.delete(key), true)
  assert.equal(await cache.deletePrefix('none'), 0)
  assert.equal(await cache.setVersion(`v of ${key}`), true)
  await cache.clear()
  assert.equal((await cache.warm([[key, 1]])).loaded, 1)
  assert.equal(await cache.get(key), 1)
  return performance.now() - began
}

test('without any Redis from the start, every call is answered from memory and loaders', async (t) => {
  const port = await freePort()
  const [{ cache, sp }] = hosts(t, { url: `redis://127.0.0.1:${port}` }, 1, { negativeTtl: '1s' })
  const tookMs = await everyCall(cache, 'k')
  assert.ok(tookMs < 2_000, `${tookMs} ms`)
  await assert.rejects(cache.keys().next(), { code: 'E_STORE_UNAVAILABLE' })
  assert.equal(await sp.clearCache('shared'), true)
  assert.ok(cache.stats().redis.owed > 0)
})

test('a Redis that comes later is used, and is told first what it has missed', async (t) => {
  const server = await redis(t)
  const [{ cache: before, prefix }] = await opened(t, server.url, 1)
  await before.set('k', 'old')
  await server.freeze()
  const [{ cache }] = hosts(t, { url: server.url }, 1, {}, prefix)
  await cache.delete('k')
  await server.thaw()
  assert.equal(await cache.get('k'), undefined)
  await soon(isLive(cache), 5_000)
  assert.equal(await cache.get('k'), undefined)
  const [{ cache: third }] = await opened(t, server.url, 1, {}, prefix)
  assert.equal(await third.get('k'), undefined)
})

for (const [title, stop, start] of [
  ['is killed', (server) => server.kill9(), (server) => server.start()],
  ['hangs', (server) => server.freeze(), (server) => server.thaw()],
]) {
  test(`while a Redis ${title} every call is answered from memory and loaders, and afterwards nothing is old that was changed meanwhile`, async (t) => {
    const server = await redis(t)
    const [a, b] = await opened(t, server.url, 2)
    await a.cache.setMany([['deleted', 'old'], ['tagged', 'old', { tags: ['t'] }], ['set', 'old'], ['kept', 'old']]) // prettier-ignore
    for (const key of ['deleted', 'tagged', 'set', 'kept']) await soon(isInMemory(b.cache, key))
    await stop(server)
    const tookMs = await everyCall(hosts(t, { url: server.url }, 1)[0].cache, 'k')
    assert.ok(tookMs < 3_000, `${tookMs} ms`)
    assert.equal(await a.cache.get('kept'), 'old', 'memory answers on')
    await a.cache.delete('deleted')
    await a.cache.invalidateTag('t')
    await a.cache.set('set', 'new')
    assert.ok(a.cache.stats().redis.owed > 0)
    const began = performance.now()
    for (let each = 0; each < 1_000; each++) await a.cache.getOrSet(`loaded ${each}`, () => each)
    assert.ok(performance.now() - began < 1_000, 'an outage costs nothing per call')
    await start(server)
    await soon(isLive(a.cache), 5_000)
    await soon(isLive(b.cache), 5_000)
    for (const { cache } of [a, b]) {
      await soon(async () => (await cache.get('deleted')) === undefined)
      assert.equal(await cache.get('tagged'), undefined)
      assert.notEqual(await cache.get('set'), 'old')
      assert.equal(await cache.getOrSet('tagged', () => 'reloaded'), 'reloaded')
      await a.cache.delete('tagged')
      await soon(async () => (await cache.get('tagged')) === undefined)
    }
  })
}

test('under calls of four processes a Redis that is killed and started again costs no error, and no old value after', async (t) => {
  const server = await redis(t)
  const prefix = ownPrefix()
  const options = { loadTimeout: '2s' }
  const all = await Promise.all(
    Array.from({ length: 4 }, () => host(t, { url: server.url, prefix, options, deadline: '50ms' })),
  )
  const calls = { goOn: true }
  const errors = []
  const calling = all.map(async ({ tell }, each) => {
    for (let round = 0; calls.goOn; round++) {
      const key = `k${round % 20}`
      const answer = await tell('load', key, { value: round, afterMs: 1 }, { callers: 5 })
      errors.push(...answer.errors)
      if (round % 7 === each) await tell('call', 'delete', key)
    }
  })
  await pause(300)
  await server.kill9()
  await pause(700)
  await server.start()
  await pause(1_000)
  calls.goOn = false
  await Promise.all(calling)
  assert.deepEqual(errors, [])
  for (const { call } of all) await soon(async () => (await call('stats')).redis.owed === 0, 5_000)
  const [a, ...others] = all
  await a.call('set', 'k1', 'last')
  for (const { call } of others) await soon(async () => (await call('get', 'k1')) === 'last')
  await a.call('delete', 'k1')
  for (const { call } of others) await soon(async () => (await call('get', 'k1')) === undefined)
})

test('a host that was cut off does not believe its memory when it is back', async (t) => {
  const server = await redis(t)
  const between = await proxy(t, server)
  const [a] = await opened(t, server.url, 1)
  const [b] = await opened(t, between.url, 1, {}, a.prefix)
  await a.cache.set('k', 'old')
  await soon(isInMemory(b.cache, 'k'))
  between.refuse()
  between.reset()
  await a.cache.set('k', 'new')
  assert.equal(await b.cache.get('k'), 'old', 'memory is all there is')
  between.heal()
  await soon(async () => (await b.cache.get('k')) === 'new', 5_000)
  assert.ok(b.cache.stats().redis.gaps >= 1)
})

test('a Redis that answers too late costs its deadline and no more, and nobody an error', async (t) => {
  const server = await redis(t)
  const between = await proxy(t, server)
  const [{ cache }] = await opened(t, between.url, 1)
  await cache.set('k', 1)
  between.set({ delayMs: 400 })
  const began = performance.now()
  assert.equal(await cache.get('other'), undefined)
  assert.equal(await cache.getOrSet('third', () => 3), 3)
  await cache.set('k', 2)
  assert.equal(await cache.get('k'), 2)
  assert.ok(performance.now() - began < 300, 'three deadlines of 50 ms')
  between.heal()
  await soon(isLive(cache), 5_000)
  assert.notEqual(await cache.get('k'), 1)
})

test('who waits for another host’s load when Redis goes away loads by itself', async (t) => {
  const server = await redis(t)
  const [a, b] = await opened(t, server.url, 2)
  const load = loader()
  const first = a.cache.getOrSet('k', load.load)
  await soon(() => load.calls === 1)
  const second = b.cache.getOrSet('k', () => 'mine')
  await pause(20)
  await server.kill9()
  assert.equal(await second, 'mine')
  load.resolve('v')
  assert.equal(await first, 'v')
})

test('a Redis without room for more is no error: values stay in memory', async (t) => {
  const server = await redis(t, { config: { maxmemory: '3mb', 'maxmemory-policy': 'noeviction' } })
  const [{ cache }] = await opened(t, server.url, 1, { maxBytes: '64mb' })
  const large = 'x'.repeat(100_000)
  for (let each = 0; each < 100; each++) {
    await cache.set(`k${each}`, large)
    assert.equal(await cache.getOrSet(`loaded ${each}`, () => large), large)
  }
  for (let each = 0; each < 100; each++) assert.equal(await cache.get(`k${each}`), large)
  assert.ok(cache.stats().redis.errors > 0)
})

test('scripts that Redis has forgotten are told again', async (t) => {
  const server = await redis(t)
  const [a, b] = await opened(t, server.url, 2)
  await a.cache.getOrSet('k', () => 1)
  await server.flushScripts()
  assert.equal(await a.cache.getOrSet('other', () => 2), 2)
  await a.cache.delete('k')
  assert.equal(await b.cache.get('k'), undefined)
  assert.equal(await b.cache.getOrSet('other', never), 2)
})

test('a Redis emptied by hand is a cold one, and what is changed after that is heard as before', async (t) => {
  const server = await redis(t)
  const [a, b] = await opened(t, server.url, 2)
  await a.cache.set('k', 1)
  assert.equal(await b.cache.get('k'), 1)
  await server.call('FLUSHALL')
  await a.cache.set('k', 2)
  await soon(async () => (await b.cache.get('k')) === 2)
  await a.cache.invalidateTag('x')
  await a.cache.set('k', 3, { tags: ['x'] })
  await soon(async () => (await b.cache.get('k')) === 3)
  await b.cache.clear()
  await soon(async () => (await a.cache.get('k')) === undefined)
})
