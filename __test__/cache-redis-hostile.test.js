// Keys, values and neighbours that a cache over Redis has to survive: nothing is mixed up, nothing foreign is overwritten. Owns what is
// odd. Never a server that fails: that is cache-redis-faults.test.js.
'use strict'

const assert = require('node:assert/strict')
const { randomBytes } = require('node:crypto')
const { after, before, test } = require('node:test')
const { startServer } = require('./redis/servers.js')
const { liveHosts, soon } = require('./hosts.js')
const { never } = require('./caches.js')

let server
before(async () => (server = await startServer()))
after(() => server.close())

/** Hosts that hear of each other. */
const opened = (t, count, options) => liveHosts(t, server.url, count, options)

const KEYS = [
  ' ',
  'a b',
  '{a}b',
  'a{b}c',
  '{}',
  '}{',
  '%7Ba%7D',
  '%',
  'a:b',
  'a*b?c[d]',
  'line\nbreak\r\n',
  '\0',
  '__proto__',
  'ä 👋 𝄞',
  '\ud800',
  '\udc00',
  'a\ud800b',
  'a\udc00b',
  '\ud83d',
  '\ufffd',
  'x'.repeat(60_000),
  `${'x'.repeat(60_000)}y`,
]

test('keys of any characters are told apart, by every call, on every host', async (t) => {
  const [a, b, c] = (await opened(t, 3)).map(({ cache }) => cache)
  for (const [index, key] of KEYS.entries()) await a.set(key, index, { tags: [`tag of ${key}`.slice(0, 256)] })
  for (const [index, key] of KEYS.entries()) {
    assert.equal(await b.get(key), index, JSON.stringify(key).slice(0, 40))
    assert.equal(await b.getOrSet(key, never), index)
  }
  assert.deepEqual(await c.getMany(KEYS), [...KEYS.keys()])
  const listed = []
  for await (const key of c.keys()) listed.push(key)
  assert.deepEqual([...new Set(listed)].sort(), [...KEYS].sort())
  for (const [index, key] of KEYS.entries()) {
    assert.equal(await c.delete(key), true)
    for (const [later, other] of KEYS.entries()) {
      if (later > index) assert.equal(await a.get(other), later, 'no other key went with it')
    }
    await soon(async () => (await b.get(key)) === undefined)
  }
})

test('a prefix is one of characters as they are, whatever they mean to Redis', async (t) => {
  const [a, b] = (await opened(t, 2)).map(({ cache }) => cache)
  for (const key of ['a*', 'ab', 'a?c', 'axc', '[a]', 'a', '\ud800x', '\udc00x', '{p}1', '{p1']) await a.set(key, 1)
  assert.equal(await b.deletePrefix('a*'), 1)
  assert.equal(await b.deletePrefix('a?'), 1)
  assert.equal(await b.deletePrefix('['), 1)
  assert.equal(await b.deletePrefix('\ud800'), 1)
  assert.equal(await b.deletePrefix('{p}'), 1)
  const left = []
  for await (const key of b.keys()) left.push(key)
  assert.deepEqual(left.sort(), ['a', 'ab', 'axc', '{p1', '\udc00x'].sort())
})

test('what another application has written at a key is left as it is, told once, and the key is not cached there', async (t) => {
  const warned = []
  t.mock.method(process, 'emitWarning', (text, { code }) => warned.push([code, text]))
  const [a, b] = await opened(t, 2)
  await a.cache.set('k', 1)
  const [, found] = await server.call('SCAN', '0', 'MATCH', `*${a.prefix}*{k}`, 'COUNT', '100000')
  const [key] = found
  for (const put of [
    ['SET', key, 'text of somebody else'],
    ['SET', key, ''],
    ['HSET', key, 'field', 'value'],
    ['RPUSH', key, 'a', 'b'],
    ['ZADD', key, '1', 'a'],
  ]) {
    await server.call('DEL', key)
    await server.call(...put)
    const was = await server.call('DUMP', key)
    const [{ cache }] = await liveHosts(t, server.url, 1, {}, a.prefix)
    assert.equal(await cache.get('k'), undefined, put[0])
    assert.equal(await cache.getOrSet('k', () => 'loaded'), 'loaded', put[0])
    assert.equal(await cache.get('k'), 'loaded', 'memory has it')
    await cache.set('k', 'set')
    assert.equal(await cache.get('k'), 'set')
    await cache.setMany([['k', 'many']])
    await cache.delete('k')
    await cache.expire('k')
    await cache.deletePrefix('k')
    await cache.invalidateTag('x')
    assert.deepEqual(await server.call('DUMP', key), was, `${put[0]} is what it was`)
    assert.ok(cache.stats().redis.foreign > 0)
  }
  assert.ok(warned.every(([code]) => code === 'SPILLWAY_FOREIGN_DATA'))
  assert.equal(warned.length, 5, 'once for each handle')
  assert.ok(warned[0][1].includes('"k"') && warned[0][1].includes('"shared"'))
  assert.equal(await b.cache.get('other'), undefined)
})

test('an entry of which any byte was changed is never another value, and a miss unless it was its time', async (t) => {
  const [a] = await opened(t, 1)
  const value = { text: 'a value of some length', n: 7 }
  await a.cache.set('k', value, { tags: ['x', 'y'] })
  const [, [key]] = await server.call('SCAN', '0', 'MATCH', `*${a.prefix}*{k}`, 'COUNT', '100000')
  const length = await server.call('STRLEN', key)
  for (let at = 0; at < length; at++) {
    const [{ cache }] = await liveHosts(t, server.url, 1, {}, a.prefix)
    const bit = at * 8 + 7
    const was = await server.call('GETBIT', key, bit)
    await server.call('SETBIT', key, bit, 1 - was)
    const got = await cache.get('k')
    if (at < 38 || at >= 62) assert.equal(got, undefined, `byte ${at} of ${length}`)
    else if (got !== undefined) assert.deepEqual(got, value, `byte ${at} of ${length} says when it was stored`)
    await server.call('SETBIT', key, bit, was)
  }
  const [{ cache }] = await liveHosts(t, server.url, 1, {}, a.prefix)
  assert.deepEqual(await cache.get('k'), value)
})

test('a value of a megabyte comes as it went, and one over maxValueBytes is told and stored nowhere', async (t) => {
  const [a, b] = (await opened(t, 2, { maxBytes: '64mb', maxValueBytes: '1mb' })).map(({ cache }) => cache)
  const large = 'x'.repeat(1024 ** 2 - 2)
  await a.set('large', large)
  assert.equal(await b.get('large'), large)
  await a.set('k', 'old')
  await assert.rejects(a.set('k', `${large}y`), { code: 'E_VALUE_TOO_LARGE' })
  await assert.rejects(a.setMany([['k', 'new'], ['other', `${large}y`]]), { code: 'E_VALUE_TOO_LARGE' }) // prettier-ignore
  await assert.rejects(
    a.getOrSet('loaded', () => `${large}y`),
    { code: 'E_VALUE_TOO_LARGE' },
  )
  assert.equal(await b.get('k'), 'old')
  assert.equal(await b.get('other'), undefined)
  assert.equal(await b.getOrSet('loaded', () => 'mine'), 'mine', 'nobody waits for what was refused')
})

test('a value too large for another host’s memory is answered there from Redis', async (t) => {
  const [{ cache: a, prefix }] = await opened(t, 1, { maxBytes: '64mb', maxValueBytes: '1mb' })
  const [{ cache: b }] = await liveHosts(t, server.url, 1, { maxBytes: '64kb', maxValueBytes: '8kb' }, prefix)
  const large = 'y'.repeat(100_000)
  await a.set('k', large)
  assert.equal(await b.get('k'), large)
  assert.equal(await b.getOrSet('k', never), large)
  assert.equal((await b.entry('k')).value, large)
  assert.deepEqual(await b.getMany(['k']), [large])
})

test('bytes come as they went, in a Buffer of their own each time', async (t) => {
  const [a, b] = (await opened(t, 2, { codec: 'bytes' })).map(({ cache }) => cache)
  for (const length of [0, 1, 2, 255, 256, 65_537]) {
    const bytes = randomBytes(length)
    await a.set(`k${length}`, bytes)
    const [first, second] = [await b.get(`k${length}`), await b.getOrSet(`k${length}`, never)]
    assert.deepEqual(first, bytes)
    first.fill(7)
    assert.deepEqual(second, bytes)
    assert.deepEqual(await b.get(`k${length}`), bytes)
  }
})

test('clones come as a structured clone has them, anew for each', async (t) => {
  const [a, b] = (await opened(t, 2, { codec: 'v8' })).map(({ cache }) => cache)
  const value = { at: new Date(5), map: new Map([['a', 1n]]), bytes: new Uint8Array([1, 2]) }
  value.itself = value
  await a.set('k', value)
  const [first, second] = await Promise.all([b.getOrSet('k', never), b.getOrSet('k', never)])
  assert.deepEqual(first, value)
  assert.notEqual(first, second)
  assert.notEqual(await b.get('k'), first)
})

test('a codec of one’s own gets back what it wrote, text or bytes, and may ask the cache meanwhile', async (t) => {
  const asking = { cache: undefined }
  const codec = {
    encode: ({ name }) => (name.length % 2 ? name : Buffer.from(name)),
    decode(encoded) {
      void asking.cache?.get('something else')
      return { name: encoded.toString() }
    },
  }
  const [a, b] = (await opened(t, 2, { codec })).map(({ cache }) => cache)
  asking.cache = b
  for (const name of ['odd', 'even', 'ä👋', '']) {
    await a.set(`k${name}`, { name })
    assert.deepEqual(await b.get(`k${name}`), { name })
    assert.deepEqual(await b.getOrSet(`k${name}`, never), { name })
  }
})

test('a codec that throws for what it finds is an error of get, and as good as nothing to getOrSet', async (t) => {
  const [{ cache: a, prefix }] = await opened(t, 1, { codec: { encode: (text) => text, decode: (text) => text } })
  const refusing = {
    encode: (text) => text,
    decode(text) {
      if (text === 'old') throw new Error('another schema')
      return text
    },
  }
  const [{ cache: b }] = await liveHosts(t, server.url, 1, { codec: refusing }, prefix)
  await a.set('k', 'old')
  await assert.rejects(b.get('k'), { code: 'E_VALUE_DECODE' })
  assert.equal(await b.getOrSet('k', () => 'new'), 'new')
  await soon(async () => (await a.getOrSet('k', never)) === 'new')
})

test('an entry of another codec is not there, and may be replaced', async (t) => {
  const [{ cache: json, prefix }] = await opened(t, 1)
  const [{ cache: bytes }] = await liveHosts(t, server.url, 1, { codec: 'bytes' }, prefix)
  await json.set('k', 'text')
  assert.equal(await bytes.get('k'), undefined)
  assert.deepEqual(await bytes.getOrSet('k', () => Buffer.from('b')), Buffer.from('b'))
})

test('what is wrong in a call is a rejection, and changes nothing on any host', async (t) => {
  const [a, b] = (await opened(t, 2)).map(({ cache }) => cache)
  await a.set('k', 'old')
  for (const [call, code] of [
    [() => a.set('', 1), 'E_KEY'],
    [() => a.set('k', () => 1), 'E_VALUE_ENCODE'],
    [() => a.set('k', undefined), 'E_VALUE_ENCODE'],
    [() => a.set('k', 1, { tags: Array.from({ length: 129 }, (_, index) => `t${index}`) }), 'E_TAGS'],
    [() => a.set('k', 1, { ttl: 0 }), 'E_DURATION'],
    [() => a.delete(''), 'E_KEY'],
    [() => a.delete(7), 'E_KEY'],
    [() => a.expire(''), 'E_KEY'],
    [() => a.get(''), 'E_KEY'],
    [() => a.entry(''), 'E_KEY'],
    [() => a.getOrSet('', never), 'E_KEY'],
    [() => a.setMany([['k', 1], ['', 2]]), 'E_KEY'], // prettier-ignore
    [() => a.invalidateTag('x'.repeat(257)), 'E_TAGS'],
  ]) {
    await assert.rejects(call(), { code }, String(call))
  }
  assert.equal(await b.get('k'), 'old')
})
