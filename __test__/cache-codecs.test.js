// How values become bytes and come back. Owns what each codec carries, and that no two callers share what one of them may change.
// Never tests what JSON carries: cache.test.js does.
'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')
const vm = require('node:vm')
const { loader, never, opened, thrower, turn, twice } = require('./caches.js')

// ---------------------------------------------------------------- bytes

test('bytes come back as they went in, in a Buffer of their own each time', async (t) => {
  const { cache } = opened(t, { codec: 'bytes', maxValueBytes: '2mb' })
  for (const bytes of [new Uint8Array(0), Uint8Array.of(0, 255, 128), Buffer.alloc(1_000_000, 'spill')]) {
    cache.set('a', bytes)
    const [one, two, three] = [cache.get('a'), cache.get('a'), await cache.getOrSet('a', never)]
    for (const found of [one, two, three, cache.getMany(['a'])[0], cache.entry('a').value]) {
      assert.ok(Buffer.isBuffer(found))
      assert.deepEqual(Buffer.compare(found, bytes), 0)
    }
    if (bytes.length === 0) continue
    one.fill(7)
    assert.equal(Buffer.compare(two, bytes), 0)
    assert.equal(Buffer.compare(cache.get('a'), bytes), 0)
  }
})

test('what a load has brought stands on memory of its own, small as it may be: whoever moves that takes nothing from others', async (t) => {
  for (const [codec, load, bufferOf] of [
    ['bytes', () => Uint8Array.of(1, 2, 3), (value) => value.buffer],
    ['v8', () => ({ bytes: Uint8Array.of(1, 2, 3) }), (value) => value.bytes.buffer],
  ]) {
    const { cache } = opened(t, { codec })
    const shared = Buffer.from('of everybody')
    const value = await cache.getOrSet('a', load)
    assert.notEqual(bufferOf(value), shared.buffer, codec)
    assert.ok(bufferOf(value).byteLength < 64, codec)
  }
})

test('those who wait for one load get bytes of their own each, and none is the loader’s', async (t) => {
  const { cache } = opened(t, { codec: 'bytes' })
  const all = loader()
  const callers = [1, 2, 3].map(() => cache.getOrSet('a', all.load))
  const mine = Buffer.from('spillway')
  all.resolve(mine)
  await turn()
  mine.fill('x')
  const answers = await Promise.all(callers)
  for (const [index, answer] of answers.entries()) {
    assert.ok(Buffer.isBuffer(answer))
    assert.equal(answer.toString(), 'spillway')
    answer.fill(String(index))
  }
  assert.equal(cache.get('a').toString(), 'spillway')
})

test('what a loader does with its bytes once they are stored changes nobody’s answer', async (t) => {
  const { cache } = opened(t, { codec: 'bytes' })
  const all = loader()
  const callers = [1, 2].map(() => cache.getOrSet('a', all.load))
  const mine = Buffer.from('spillway')
  const reuse = async () => {
    while (cache.get('a') === undefined) await null
    mine.fill('x')
  }
  all.resolve(mine)
  await reuse()
  assert.deepEqual((await Promise.all(callers)).map(String), ['spillway', 'spillway'])
})

test('a view of a part of a buffer is that part', (t) => {
  const { cache } = opened(t, { codec: 'bytes' })
  cache.set('a', Buffer.from('spillway').subarray(5))
  assert.equal(cache.get('a').toString(), 'way')
  cache.set('b', new Uint8Array(Uint8Array.from([1, 2, 3]).buffer, 1, 1))
  assert.deepEqual([...cache.get('b')], [2])
})

test('what is no Uint8Array is no bytes', async (t) => {
  const { cache } = opened(t, { codec: 'bytes' })
  for (const value of [
    'text',
    7,
    null,
    {},
    [1],
    new Float64Array(1),
    new ArrayBuffer(1),
    new DataView(new ArrayBuffer(1)),
  ]) {
    const wrong = { name: 'TypeError', code: 'E_VALUE_ENCODE', message: /whose codec is 'bytes', must be a Uint8Array/ }
    assert.throws(() => cache.set('a', value), wrong)
    await assert.rejects(
      cache.getOrSet('a', () => value),
      wrong,
    )
  }
  assert.throws(() => cache.set('a', undefined), { code: 'E_VALUE_ENCODE', message: /undefined, which is no value/ })
})

test('a thread that waits for another one’s load gets bytes, too', async (t) => {
  const [here, there] = twice(t, { codec: 'bytes', negativeTtl: '1m' })
  const all = loader()
  const callers = [here.getOrSet('a', all.load), there.getOrSet('a', never), there.getOrSet('a', never)]
  all.resolve(Buffer.from('found'))
  const answers = await Promise.all(callers)
  assert.deepEqual(answers.map(String), ['found', 'found', 'found'])
  answers[1].fill('x')
  assert.equal(String(answers[2]), 'found')
  const nothing = loader()
  const others = [here.getOrSet('b', nothing.load), there.getOrSet('b', never)]
  nothing.resolve(undefined)
  assert.deepEqual(await Promise.all(others), [undefined, undefined])
})

// ---------------------------------------------------------------- v8

test('the codec v8 carries what a structured clone does, anew at every read', async (t) => {
  const { cache } = opened(t, { codec: 'v8' })
  const value = {
    map: new Map([[{ a: 1 }, new Set([1])]]),
    at: new Date(7),
    big: 2n ** 70n,
    odd: [NaN, -0, undefined, Infinity],
    pattern: /x/g,
    bytes: Buffer.from('bytes'),
    floats: new Float64Array([0.5]),
  }
  value.self = value
  const missed = await cache.getOrSet('a', () => value)
  for (const found of [missed, cache.get('a'), await cache.getOrSet('a', never), cache.getMany(['a'])[0]]) {
    assert.equal(found.self, found)
    assert.deepEqual([...found.map.values()], [new Set([1])])
    assert.deepEqual([found.at, found.big, found.odd, found.pattern], [value.at, value.big, value.odd, value.pattern])
    assert.equal(Buffer.from(found.bytes).toString(), 'bytes')
    assert.deepEqual([...found.floats], [0.5])
    found.odd.push('changed')
    found.bytes.fill(0)
    found.floats[0] = 7
  }
})

test('those who wait for one load share nothing that one of them may change', async (t) => {
  const { cache } = opened(t, { codec: 'v8' })
  const all = loader()
  const callers = [1, 2].map(() => cache.getOrSet('a', all.load))
  all.resolve({ bytes: new Uint8Array([1, 2, 3]), list: [] })
  const [one, two] = await Promise.all(callers)
  one.bytes.fill(9)
  one.list.push('mine')
  assert.deepEqual([...two.bytes], [1, 2, 3])
  assert.deepEqual(two.list, [])
})

test('what v8 refuses is E_VALUE_ENCODE, with the cause', (t) => {
  const { cache } = opened(t, { codec: 'v8' })
  for (const value of [() => 1, { on() {} }, Symbol('s'), Promise.resolve()]) {
    assert.throws(
      () => cache.set('a', value),
      (error) =>
        error.code === 'E_VALUE_ENCODE' && error.cause instanceof Error && /by the codec 'v8'/.test(error.message),
    )
  }
})

// ---------------------------------------------------------------- a codec of one's own

class Money {
  constructor(cents) {
    this.cents = cents
  }
}

test('a codec may write text or bytes, and gets back what it wrote', async (t) => {
  for (const encode of [({ cents }) => `€${cents}😀`, ({ cents }) => Buffer.from(`€${cents}😀`)]) {
    const { cache } = opened(t, {
      codec: { encode, decode: (encoded) => new Money(parseInt(String(encoded).slice(1), 10)) },
    })
    const missed = await cache.getOrSet('a', () => new Money(70))
    for (const found of [missed, cache.get('a'), cache.getMany(['a'])[0]]) {
      assert.ok(found instanceof Money)
      assert.equal(found.cents, 70)
      assert.equal(Object.isFrozen(found), false)
    }
    assert.notEqual(cache.get('a'), cache.get('a'))
  }
})

test('what a codec decodes is shared only if it says so', async (t) => {
  let decoded = 0
  const decode = (text) => new Money(Number(text) + 0 * decoded++)
  const encode = ({ cents }) => String(cents)
  for (const [shared, times] of [
    [true, 2],
    [false, 6],
    [undefined, 6],
  ]) {
    decoded = 0
    const { cache } = opened(t, { codec: { encode, decode, shared } })
    const all = loader()
    const callers = [1, 2, 3].map(() => cache.getOrSet('a', all.load))
    all.resolve(new Money(5))
    const [one, two] = await Promise.all(callers)
    assert.equal(one === two, shared === true)
    const reads = [cache.get('a'), cache.get('a'), cache.get('a')]
    assert.equal(reads[0] === reads[2], shared === true)
    assert.equal(decoded, times)
  }
})

test('text that UTF-8 cannot carry is refused rather than changed', (t) => {
  const { cache } = opened(t, { codec: { encode: String, decode: String } })
  for (const text of ['', '😀', '\ufffd', '\0', 'é']) {
    cache.set('a', text)
    assert.equal(cache.get('a'), text)
  }
  for (const text of ['\ud800', 'a\udc00b']) {
    assert.throws(() => cache.set('a', text), { code: 'E_VALUE_ENCODE', message: /answer a Uint8Array for such text/ })
  }
})

test('a codec that fails is told with what it threw', async (t) => {
  const mine = new TypeError('mine')
  const { cache } = opened(t, { codec: { encode: thrower(mine), decode: never } })
  assert.throws(
    () => cache.set('a', 1),
    ({ code, cause }) => code === 'E_VALUE_ENCODE' && cause === mine,
  )
  for (const answer of [undefined, 7, null, {}, new ArrayBuffer(1)]) {
    const { cache: other } = opened(t, { codec: { encode: () => answer, decode: never } })
    assert.throws(() => other.set('a', 1), {
      code: 'E_VALUE_ENCODE',
      message: /`codec\.encode` of the cache "found" must answer a string or a Uint8Array; it answered /,
    })
  }
})

test('what cannot be decoded any more is an error of get, and as good as nothing to getOrSet', async (t) => {
  const mine = new Error('another schema')
  let readable = true
  const decode = (text) => (readable ? text : thrower(mine)())
  const { cache, clock } = opened(t, { ttl: 1000, grace: '1h', codec: { encode: String, decode } })
  cache.set('a', 'old')
  readable = false
  assert.throws(
    () => cache.get('a'),
    ({ code, cause, message }) =>
      code === 'E_VALUE_DECODE' &&
      cause === mine &&
      message.startsWith('the value of "a" in the cache "found" cannot be decoded: another schema'),
  )
  const down = new Error('down')
  await assert.rejects(cache.getOrSet('a', thrower(down)), down)
  cache.set('a', 'old')
  clock.now += 1000
  const seen = []
  const load = (call) => {
    seen.push(call.previous)
    readable = true
    return 'new'
  }
  assert.equal(await cache.getOrSet('a', load), 'new')
  assert.deepEqual(seen, [undefined])
  assert.equal(cache.get('a'), 'new')
})

test('a codec that reads other keys of the cache disturbs nothing', async (t) => {
  const decode = (text) => ({ text, other: text === 'a' ? cache.get('b') : undefined })
  const { cache } = opened(t, { ttl: 1000, stale: 1000, codec: { encode: String, decode, shared: true } })
  cache.set('b', 'b', { ttl: 50 })
  cache.set('a', 'a')
  const { value, freshForMs } = cache.entry('a')
  assert.deepEqual([value.text, value.other.text, freshForMs], ['a', 'b', 1000])
  assert.equal(cache.get('a'), value)
})

test('what is no codec is told', (t) => {
  const { sp } = opened(t)
  const encode = String
  for (const codec of ['JSON', 'msgpack', null, 7, {}, { encode }, { encode, decode: 'json' }, 'constructor']) {
    assert.throws(() => sp.cache('other', { codec }), {
      code: 'E_OPTION',
      option: 'codec',
      message: /must be 'json', 'bytes', 'v8' or an object with the functions encode and decode/,
    })
  }
  assert.throws(() => sp.cache('other', { codec: { encode, decode: String, shared: 1 } }), {
    code: 'E_OPTION',
    option: 'codec.shared',
  })
})

test('two codecs under one name are a mismatch', (t) => {
  const { sp } = opened(t)
  assert.throws(() => sp.cache('found', { jitter: 0, codec: 'v8' }), {
    code: 'E_MISMATCH',
    message: /`codec` is "?json"? there and "?v8"? here/,
  })
})

// ---------------------------------------------------------------- what JSON is told apart from

test('instances of classes are refused with advice, wherever they are', (t) => {
  const { cache } = opened(t)
  class User {}
  const Nameless = class {}
  Object.defineProperty(Nameless, 'name', { value: '' })
  for (const [value, message] of [
    [
      { user: new User() },
      'value.user is an instance of User, and would be read as a plain object; give a plain object, a `toJSON`, or a codec of your own',
    ],
    [[new Nameless()], 'value[0] has a prototype of its own'],
    [Object.create({ inherited: 1 }), 'value has a prototype of its own'],
    [{ run: function start() {} }, 'value.run is function start; a cache holds data: call it first, or leave it out'],
    [{ User }, 'value.User is function User'],
    [{ tags: new Set() }, "value.tags is an object (Set); use the codec 'v8'"],
    [{ later: Promise.resolve() }, 'value.later is an object (Promise); await it first'],
    [
      { bytes: Buffer.from('x') },
      "value.bytes is an object (Uint8Array); use the codec 'v8', or 'bytes' for bytes alone",
    ],
    [{ id: [7n] }, "value.id[0] is 7n, a BigInt; write it as a string, or use the codec 'v8'"],
  ]) {
    assert.throws(
      () => cache.set('a', value),
      (error) => error.code === 'E_VALUE_ENCODE' && error.message.includes(message),
      message,
    )
  }
})

test('plain objects are plain without a prototype, and of another realm', (t) => {
  const { cache } = opened(t)
  const bare = Object.assign(Object.create(null), { a: 1 })
  cache.set('bare', bare)
  assert.deepEqual(cache.get('bare'), { a: 1 })
  cache.set('realm', vm.runInNewContext('({ list: [{ a: 1 }], at: new Date(0) })'))
  assert.deepEqual(cache.get('realm'), { list: [{ a: 1 }], at: '1970-01-01T00:00:00.000Z' })
  assert.throws(() => cache.set('a', vm.runInNewContext('({ m: new Map() })')), { code: 'E_VALUE_ENCODE' })
  assert.throws(() => cache.set('a', vm.runInNewContext('class User {}; [new User()]')), /instance of User/)
})

test('a value may be deep, and is frozen to its last leaf where the stack is short', (t) => {
  const { cache } = opened(t)
  let deep = { leaf: true }
  for (let depth = 0; depth < 2000; depth++) deep = [deep]
  cache.set('a', deep)
  const shallow = () => cache.get('a')
  let found
  const descend = () => {
    try {
      descend()
    } catch {
      // There is no stack left; on the way back there is, for the call before there is enough for all of the value.
    }
    found ??= attempt(shallow)
  }
  const attempt = (fn) => {
    try {
      return fn()
    } catch {
      return undefined
    }
  }
  descend()
  found ??= shallow()
  for (let depth = 0; depth < 2000; depth++) {
    assert.ok(Object.isFrozen(found))
    found = found[0]
  }
  assert.deepEqual(found, { leaf: true })
})
