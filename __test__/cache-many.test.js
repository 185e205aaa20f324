// Many keys in one call. Owns getMany and setMany: the same answers as one by one, all or nothing on bad input.
// Never counts crossings by time: it counts native calls.
'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')
const { native } = require('../lib/native.js')
const { never, opened } = require('./caches.js')
const { spillway } = require('../index.js')

test('getMany answers as get does for each key, in order', (t) => {
  const { cache, clock } = opened(t, { ttl: 1000, stale: 500, negativeTtl: '1h' })
  cache.set('a', { of: 1 })
  cache.set('short', 2, { ttl: 10 })
  cache.set('nothing', undefined)
  cache.set('null', null)
  const copy = cache.get('a')
  clock.now += 10
  const keys = ['a', 'none', 'short', 'nothing', 'null', 'a', '__proto__']
  assert.deepEqual(cache.getMany(keys), [{ of: 1 }, undefined, undefined, undefined, null, { of: 1 }, undefined])
  assert.equal(cache.getMany(['a'])[0], copy)
  assert.deepEqual(cache.getMany([]), [])
  assert.deepEqual(cache.getMany(Object.freeze(['null'])), [null])
})

test('what getMany has decoded is kept, is frozen, and is dropped by every change', (t) => {
  const { cache, clock } = opened(t, { ttl: 1000 })
  const keys = Array.from({ length: 300 }, (_, index) => `key-${index}`)
  cache.setMany(keys.map((key, index) => [key, { index, list: [index] }]))
  const read = cache.getMany(keys)
  assert.ok(read.every(({ index, list }, at) => index === at && Object.isFrozen(list)))
  for (const [at, key] of keys.entries()) assert.equal(cache.get(key), read[at])
  cache.set('key-7', 'other')
  assert.equal(cache.get('key-7'), 'other')
  assert.equal(cache.getMany(keys)[7], 'other')
  clock.now += 1000
  assert.ok(cache.getMany(keys).every((value) => value === undefined))
})

test('hits and misses of getMany count as those of get', (t) => {
  const { cache } = opened(t)
  cache.setMany([
    ['a', 1],
    ['b', 2],
  ])
  cache.getMany(['a', 'b', 'c'])
  cache.getMany(['a', 'b', 'c'])
  const { hits, misses, sets } = cache.stats()
  assert.deepEqual({ hits, misses, sets }, { hits: 4, misses: 2, sets: 2 })
})

test('each of them is one crossing, and getMany none for what is decoded', (t) => {
  const sp = spillway({ isolated: true })
  t.after(() => sp.close())
  const cache = sp.cache('found')
  const calls = {}
  const binary = native()
  for (const name of ['cacheGet', 'cacheGetMany', 'cacheSet', 'cacheSetMany']) {
    const original = binary[name]
    t.after(() => (binary[name] = original))
    binary[name] = (...call) => {
      calls[name] = (calls[name] ?? 0) + 1
      return original(...call)
    }
  }
  const keys = Array.from({ length: 100 }, (_, index) => `key-${index}`)
  cache.setMany(keys.map((key) => [key, key]))
  assert.deepEqual(cache.getMany(keys), keys)
  assert.deepEqual(cache.getMany(keys), keys)
  assert.deepEqual(calls, { cacheSetMany: 1, cacheGetMany: 1 })
})

test('setMany takes whatever can be walked through, with options for each', (t) => {
  const { cache, clock } = opened(t, { ttl: 1000 })
  cache.setMany(new Map([['a', 1]]))
  cache.setMany(
    (function* () {
      yield ['b', 2, { ttl: 10 }]
      yield ['c', 3, { tags: ['x'] }]
      yield ['a', 4]
      yield ['d', 5, undefined]
    })(),
  )
  assert.deepEqual(cache.getMany(['a', 'b', 'c', 'd']), [4, 2, 3, 5])
  clock.now += 10
  cache.invalidateTag('x')
  assert.deepEqual(cache.getMany(['a', 'b', 'c', 'd']), [4, undefined, undefined, 5])
  cache.setMany([])
})

for (const [what, entries, code] of [
  ['a value that cannot be encoded', [['b', () => 1]], 'E_VALUE_ENCODE'],
  ['undefined', [['b', undefined]], 'E_VALUE_ENCODE'],
  ['a key that is none', [['', 1]], 'E_KEY'],
  ['a key that is no string', [[7, 1]], 'E_KEY'],
  ['a ttl that is none', [['b', 1, { ttl: 'soon' }]], 'E_DURATION'],
  ['tags that are none', [['b', 1, { tags: 'x' }]], 'E_TAGS'],
  ['an option there is not', [['b', 1, { ttll: 1 }]], 'E_OPTION'],
  ['an entry that is a string', ['bc'], 'E_OPTION'],
  ['an entry of one', [['b']], 'E_OPTION'],
  ['an entry of four', [['b', 1, {}, 2]], 'E_OPTION'],
  ['an entry that is an object', [{ key: 'b', value: 1 }], 'E_OPTION'],
  ['a value that is too large', [['b', 'x'.repeat(1000)]], 'E_VALUE_TOO_LARGE'],
]) {
  test(`with ${what} among them, setMany stores none`, (t) => {
    const { cache } = opened(t, { maxValueBytes: 1000 })
    cache.set('a', 'before')
    const all = [['a', 'after'], ...entries, ['c', 1]]
    const told = new RegExp(`^\`entries\\[1\\]\`.* \\[${code}\\]$`, 's')
    assert.throws(() => cache.setMany(all), { code, message: told })
    assert.deepEqual(cache.getMany(['a', 'b', 'c']), ['before', undefined, undefined])
  })
}

test('a value that is too large among many is told with its own size', (t) => {
  const { cache } = opened(t, { maxValueBytes: 1000 })
  const entries = [
    ['a', 1],
    ['b', '€'.repeat(400)],
  ]
  assert.throws(() => cache.setMany(entries), {
    code: 'E_VALUE_TOO_LARGE',
    message: /^`entries\[1\]`: .*the encoded value of "b" has 1202 bytes/,
  })
})

test('what is nothing to walk through is told', (t) => {
  const { cache } = opened(t)
  for (const entries of [undefined, null, 7, {}, 'ab']) {
    assert.throws(() => cache.setMany(entries), { code: 'E_OPTION', option: 'entries' })
  }
  for (const keys of [undefined, null, 'a', { 0: 'a' }, new Set(['a'])]) {
    assert.throws(() => cache.getMany(keys), { code: 'E_OPTION', option: 'keys' })
  }
  for (const key of [undefined, '', 7, null]) assert.throws(() => cache.getMany(['a', key]), { code: 'E_KEY' })
})

test('with bytes and v8, each value of getMany is the caller’s own', async (t) => {
  for (const codec of ['bytes', 'v8']) {
    const { cache } = opened(t, { codec })
    cache.setMany([['a', Buffer.from('spillway')]])
    const [one] = cache.getMany(['a'])
    one.fill(0)
    assert.equal(Buffer.from(cache.getMany(['a'])[0]).toString(), 'spillway')
    assert.equal(Buffer.from(await cache.getOrSet('a', never)).toString(), 'spillway')
  }
})
