// What a cache keeps, for how long, and who loads what is missing. Owns the face of values, loads and their end.
// Never waits: time is an argument, and timers are faked.
'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')
const { spillway, Refusal } = require('../index.js')
const { opened } = require('./caches.js')

/** A loader to be settled by hand, which counts its calls. */
function loader() {
  const all = { calls: 0, contexts: [] }
  all.load = (context) => {
    all.calls++
    all.contexts.push(context)
    return new Promise((...settle) => ([all.resolve, all.reject] = settle))
  }
  return all
}

const turn = () => new Promise((resolve) => setImmediate(resolve))
const never = () => assert.fail('it was loaded')
const thrower = (error) => () => {
  throw error
}

/** Every object inside a value, itself included. */
function* objectsIn(value) {
  if (typeof value !== 'object' || value === null) return
  yield value
  for (const key of Object.keys(value)) yield* objectsIn(value[key])
}

// ---------------------------------------------------------------- get, set, delete, clear

test('what was set is found, and what was not is undefined', (t) => {
  const { cache } = opened(t)
  assert.equal(cache.get('a'), undefined)
  assert.equal(cache.set('a', { of: [1, 'two', true] }), undefined)
  assert.deepEqual(cache.get('a'), { of: [1, 'two', true] })
  assert.equal(cache.get('b'), undefined)
})

test('a later set replaces, also what has been read before', (t) => {
  const { cache } = opened(t)
  for (let version = 0; version < 100; version++) {
    cache.set('a', { version })
    assert.equal(cache.get('a').version, version)
    assert.equal(cache.get('a').version, version)
  }
})

test('null, false, 0 and the empty string are values', async (t) => {
  const { cache } = opened(t)
  for (const value of [null, false, 0, '']) {
    cache.set('a', value)
    assert.equal(cache.get('a'), value)
    assert.equal(cache.get('a'), value)
    assert.equal(await cache.getOrSet('a', never), value)
    assert.equal(cache.delete('a'), true)
    assert.equal(await cache.getOrSet('a', () => value), value)
    assert.equal(cache.get('a'), value)
  }
})

test('delete says whether there was something, and nothing is found after it', (t) => {
  const { cache, clock } = opened(t, { ttl: 1000 })
  assert.equal(cache.delete('a'), false)
  cache.set('a', 1)
  cache.get('a')
  assert.equal(cache.delete('a'), true)
  assert.equal(cache.get('a'), undefined)
  assert.equal(cache.delete('a'), false)
  cache.set('b', 1)
  clock.now += 1000
  assert.equal(cache.delete('b'), false, 'it had expired')
})

test('clear forgets every key, also those that have been read before', (t) => {
  const { cache } = opened(t)
  for (let key = 0; key < 100; key++) cache.set(`key-${key}`, key)
  for (let key = 0; key < 50; key++) cache.get(`key-${key}`)
  assert.equal(cache.clear(), undefined)
  for (let key = 0; key < 100; key++) assert.equal(cache.get(`key-${key}`), undefined)
  assert.equal(cache.stats().entries, 0)
  cache.set('key-1', 'new')
  assert.equal(cache.get('key-1'), 'new')
})

test('a clear of one cache forgets nothing of another, though they share a key', (t) => {
  const { cache, sp } = opened(t)
  const other = sp.cache('other')
  cache.set('a', 1)
  other.set('a', 2)
  cache.clear()
  assert.equal(other.get('a'), 2)
  other.delete('a')
  assert.equal(other.get('a'), undefined)
})

test('a handle says what it is', (t) => {
  const { cache } = opened(t)
  const { kind, name } = cache
  assert.deepEqual({ kind, name }, { kind: 'cache', name: 'found' })
})

// ---------------------------------------------------------------- time to live

test('a value is fresh to the last millisecond of its ttl, read before or not', (t) => {
  const { cache, clock } = opened(t, { ttl: '10s' })
  cache.set('read', 1)
  cache.set('unread', 1)
  cache.get('read')
  clock.now += 9999
  assert.equal(cache.get('read'), 1)
  assert.equal(cache.get('unread'), 1)
  clock.now += 1
  assert.equal(cache.get('read'), undefined)
  assert.equal(cache.get('unread'), undefined)
  assert.equal(cache.stats().expirations, 2)
})

test('a value may have a ttl of its own, shorter or longer', async (t) => {
  const { cache, clock } = opened(t, { ttl: '10s' })
  cache.set('short', 1, { ttl: 500 })
  cache.set('long', 1, { ttl: '1m' })
  cache.set('usual', 1, { ttl: undefined })
  await cache.getOrSet('loaded', () => 1, { ttl: '20s' })
  const found = () => ['short', 'usual', 'loaded', 'long'].filter((key) => cache.get(key) !== undefined)
  assert.deepEqual(found(), ['short', 'usual', 'loaded', 'long'])
  clock.now += 500
  assert.deepEqual(found(), ['usual', 'loaded', 'long'])
  clock.now += 9500
  assert.deepEqual(found(), ['loaded', 'long'])
  clock.now += 10_000
  assert.deepEqual(found(), ['long'])
  clock.now += 40_000
  assert.deepEqual(found(), [])
})

test('the loader may set the ttl of its result, over that of the call', async (t) => {
  const { cache, clock } = opened(t, { ttl: '10s' })
  const load = async (call) => {
    call.ttl(9000)
    call.ttl('2s')
    return 'found'
  }
  await cache.getOrSet('a', load, { ttl: '1h' })
  clock.now += 1999
  assert.equal(cache.get('a'), 'found')
  clock.now += 1
  assert.equal(cache.get('a'), undefined)
})

test('a ttl out of range is told, by set, by getOrSet and inside of a loader', async (t) => {
  const { cache } = opened(t)
  const wrong = { code: 'E_DURATION', option: 'ttl', message: /^`ttl` of a cached value must be / }
  for (const ttl of [0, 0.5, -1, NaN, '5 m', 'soon', 3651 * 86_400_000, {}, null]) {
    assert.throws(() => cache.set('a', 1, { ttl }), wrong)
    await assert.rejects(cache.getOrSet('a', never, { ttl }), wrong)
    await assert.rejects(
      cache.getOrSet('a', (call) => call.ttl(ttl)),
      wrong,
    )
  }
  assert.throws(() => cache.set('a', 1, { tll: 5 }), { code: 'E_OPTION', option: 'tll' })
  assert.equal(cache.get('a'), undefined)
})

test('jitter spreads expiries by its share either way, the same for all of a key’s life', (t) => {
  const { cache, clock } = opened(t, { ttl: 1000, jitter: 0.2 })
  const keys = Array.from({ length: 500 }, (_, index) => `key-${index}`)
  const alive = () => keys.filter((key) => cache.get(key) !== undefined)
  const round = () => {
    for (const key of keys) cache.set(key, 1)
    clock.now += 799
    const atLeast = alive().length
    clock.now += 201
    const half = alive()
    clock.now += 200
    return { atLeast, half, atMost: alive().length }
  }
  const first = round()
  assert.deepEqual([first.atLeast, first.atMost], [500, 0])
  assert.ok(first.half.length > 150 && first.half.length < 350, `${first.half.length} of 500 outlived the ttl`)
  assert.deepEqual(round().half, first.half)
})

test('without jitter all expire together', (t) => {
  const { cache, clock } = opened(t, { ttl: 1000, jitter: 0 })
  for (let key = 0; key < 200; key++) cache.set(`key-${key}`, 1)
  clock.now += 999
  for (let key = 0; key < 200; key++) assert.equal(cache.get(`key-${key}`), 1)
  clock.now += 1
  for (let key = 0; key < 200; key++) assert.equal(cache.get(`key-${key}`), undefined)
})

// ---------------------------------------------------------------- values

test('what is read is frozen to the last leaf, on a miss and on every hit', async (t) => {
  const { cache } = opened(t)
  const value = () => ({ list: [{ deep: { deeper: [1] } }], empty: {}, none: [] })
  cache.set('set', value())
  const answers = [
    await cache.getOrSet('loaded', value),
    await cache.getOrSet('loaded', never),
    cache.get('loaded'),
    cache.get('set'),
    cache.get('set'),
    await cache.getOrSet('set', never),
  ]
  for (const answer of answers) {
    assert.deepEqual(answer, value())
    assert.equal([...objectsIn(answer)].length, 7)
    assert.ok([...objectsIn(answer)].every(Object.isFrozen))
    assert.throws(() => answer.list.push(1), TypeError)
  }
})

test('what is given stays the giver’s own: not frozen, and later changes are not seen', async (t) => {
  const { cache } = opened(t)
  const mine = { list: [1] }
  cache.set('a', mine)
  const loaded = { list: [1] }
  const answer = await cache.getOrSet('b', () => loaded)
  mine.list.push(2)
  loaded.list.push(2)
  assert.deepEqual(cache.get('a'), { list: [1] })
  assert.deepEqual(cache.get('b'), { list: [1] })
  assert.deepEqual(answer, { list: [1] })
})

test('a hit and a miss give the same types: a Date is a string in both', async (t) => {
  const { cache } = opened(t)
  class Money {
    constructor() {
      this.amount = 5
    }
    toJSON() {
      return { EUR: this.amount }
    }
  }
  const value = () => ({
    at: new Date(0),
    price: new Money(),
    left: undefined,
    boxed: [Object('s'), Object(''), Object(7), Object(false)],
    url: new URL('a:b'),
  })
  const missed = await cache.getOrSet('a', value)
  const hit = await cache.getOrSet('a', never)
  assert.deepEqual(missed, {
    at: '1970-01-01T00:00:00.000Z',
    price: { EUR: 5 },
    boxed: ['s', '', 7, false],
    url: 'a:b',
  })
  assert.deepEqual(hit, missed)
  assert.deepEqual(cache.get('a'), missed)
  assert.equal('left' in missed, false)
})

for (const [what, value, at] of [
  ['undefined', undefined, 'is undefined, which is no value'],
  ['a function', () => 1, 'value is function '],
  ['a symbol', Symbol('s'), 'value is Symbol(s)'],
  ['NaN', NaN, 'value is NaN'],
  ['Infinity', -Infinity, 'value is -Infinity'],
  ['NaN inside', { a: [{ b: NaN }] }, 'value.a[0].b is NaN'],
  ['undefined in an array', { list: [1, undefined] }, 'value.list[1] is undefined'],
  ['a hole in an array', { list: [1, , 2] }, 'value.list[1] is undefined'], // eslint-disable-line no-sparse-arrays
  ['a function inside', { on: { click() {} } }, 'value.on.click is function click'],
  ['a symbol inside', [Symbol('s')], 'value[0] is Symbol(s)'],
  ['a Map', { m: new Map([[1, 2]]) }, 'value.m is an object (Map)'],
  ['a Set', { s: new Set([1]) }, 'value.s is an object (Set)'],
  ['a WeakMap', { w: new WeakMap() }, 'value.w is an object (WeakMap)'],
  ['a Promise', { later: Promise.resolve(1) }, 'value.later is an object (Promise)'],
  ['a RegExp', { r: /x/ }, 'value.r is an object (RegExp)'],
  ['an Error', { e: new TypeError('x') }, 'value.e is an object (Error)'],
  ['an Error with a code', Object.assign(new Error('x'), { code: 'E_X' }), 'value is an object (Error)'],
  ['a Map with a property', Object.assign(new Map(), { of: 'x' }), 'value is an object (Map)'],
  ['a Buffer', { b: Buffer.from('x') }, 'value.b is an object (Uint8Array)'],
  ['a typed array', { f: new Float64Array(1) }, 'value.f is an object (Float64Array)'],
  ['a DataView', { d: new DataView(new ArrayBuffer(1)) }, 'value.d is an object (DataView)'],
  ['an ArrayBuffer', { b: new ArrayBuffer(1) }, 'value.b is an object (ArrayBuffer)'],
  ['a Response', new Response('body'), 'value is an object (Response)'],
  ['a Headers', { headers: new Headers({ a: 'b' }) }, 'value.headers is an object (Headers)'],
  ['a URLSearchParams', { query: new URLSearchParams('a=b') }, 'value.query is an object (URLSearchParams)'],
  ['a live stream', { body: new Response('body').body }, 'value.body is an object (ReadableStream)'],
  ['a DOMException', { e: new DOMException('x') }, 'value.e is an object ('],
  [
    'a generator',
    (function* () {
      yield 1
    })(),
    'value is an object (Generator)',
  ],
]) {
  test(`${what} is no value: JSON would lose it without a word`, async (t) => {
    const { cache } = opened(t)
    cache.set('a', 'before')
    const wrong = (error) => {
      assert.ok(error instanceof TypeError)
      assert.equal(error.code, 'E_VALUE_ENCODE')
      assert.match(error.message, /^the value of "[ab]" for the cache "found" /)
      assert.ok(error.message.includes(at), error.message)
      return true
    }
    assert.throws(() => cache.set('a', value), wrong)
    assert.equal(cache.get('a'), 'before')
    if (value !== undefined)
      await assert.rejects(
        cache.getOrSet('b', () => value),
        wrong,
      )
    assert.equal(cache.get('b'), undefined)
  })
}

test('what JSON refuses by itself is E_VALUE_ENCODE too, with the cause', (t) => {
  const { cache } = opened(t)
  const circular = {}
  circular.self = circular
  const defect = new RangeError('in toJSON')
  let deep = 1
  for (let i = 0; i < 100_000; i++) deep = [deep]
  for (const [value, message, cause] of [
    [circular, /circular/, (error) => error instanceof TypeError],
    [{ id: 7n }, /BigInt/, (error) => error instanceof TypeError],
    [{ toJSON: thrower(defect) }, /in toJSON/, (error) => error === defect],
    [deep, /call stack/, (error) => error instanceof RangeError],
  ]) {
    assert.throws(
      () => cache.set('a', value),
      (error) => error.code === 'E_VALUE_ENCODE' && message.test(error.message) && cause(error.cause),
    )
  }
})

test('an object that occurs twice is no circle', (t) => {
  const { cache } = opened(t)
  const twice = { a: 1 }
  cache.set('a', [twice, twice])
  assert.deepEqual(cache.get('a'), [{ a: 1 }, { a: 1 }])
})

test('a __proto__ in a value is data and touches no prototype', async (t) => {
  const { cache } = opened(t)
  const evil = JSON.parse('{"__proto__": {"polluted": [1]}, "constructor": {"prototype": {"polluted": true}}}')
  cache.set('a', evil)
  for (const found of [cache.get('a'), cache.get('a'), await cache.getOrSet('b', () => evil)]) {
    assert.equal(Object.getPrototypeOf(found), Object.prototype)
    assert.deepEqual(Object.keys(found), ['__proto__', 'constructor'])
    assert.deepEqual(Object.getOwnPropertyDescriptor(found, '__proto__').value, { polluted: [1] })
    assert.ok([...objectsIn(found)].every(Object.isFrozen))
    assert.equal(found.polluted, undefined)
  }
  assert.equal({}.polluted, undefined)
})

test('text comes back to the last character, short or long, in every script and in none', (t) => {
  const { cache } = opened(t, { maxValueBytes: '4mb' })
  for (const text of ['é', '€', '😀', '\ud800', 'a\udc00b', '\0', '\u2028', 'ÿ', '\ufffd', '"\\\n\t']) {
    for (const times of [1, 1000, 300_000]) {
      cache.set('a', { text: text.repeat(times) })
      assert.equal(cache.get('a').text, text.repeat(times))
    }
  }
})

test('a value over maxValueBytes is told, and the old one stays', async (t) => {
  const { cache } = opened(t, { maxValueBytes: 1000 })
  cache.set('a', 'x'.repeat(998))
  const wrong = (error) => {
    assert.ok(error instanceof RangeError)
    assert.equal(error.code, 'E_VALUE_TOO_LARGE')
    assert.match(
      error.message,
      /^`maxValueBytes` of the cache "found" is 1000; the encoded value of "[ab]" has (?:1001|1202) bytes: /,
    )
    return true
  }
  assert.throws(() => cache.set('a', 'y'.repeat(999)), wrong)
  assert.throws(() => cache.set('a', '€'.repeat(400)), wrong, 'bytes count, not characters')
  assert.equal(cache.get('a'), 'x'.repeat(998))
  await assert.rejects(
    cache.getOrSet('b', () => 'y'.repeat(999)),
    wrong,
  )
  assert.equal(cache.get('b'), undefined)
  assert.equal(await cache.getOrSet('b', () => 'small'), 'small', 'the failed load holds nobody up')
})

// ---------------------------------------------------------------- keys

test('keys are told apart to the last character, lone surrogates too', (t) => {
  const { cache } = opened(t)
  const ends = ['', '1', '2', 'é', 'š', 'a', '€', '😀', '\ud800', '\ud801', '\udc00', '\ufffd', '\0']
  const keys = [1, 7, 125, 126, 127, 128, 250, 255, 256, 1024].flatMap((length) =>
    ends.map((end) => 'k'.repeat(length) + end),
  )
  for (const [index, key] of keys.entries()) cache.set(key, index)
  for (const [index, key] of keys.entries()) {
    assert.equal(cache.get(key), index)
    assert.equal(cache.get(key), index)
  }
  for (const [index, key] of keys.entries()) {
    assert.equal(cache.delete(key), true, `key ${index}`)
    assert.equal(cache.get(key), undefined)
  }
})

test('__proto__ and constructor are keys like others', async (t) => {
  const { cache } = opened(t)
  for (const key of ['__proto__', 'constructor', 'toString']) {
    assert.equal(cache.get(key), undefined)
    assert.equal(await cache.getOrSet(key, () => key), key)
    assert.equal(cache.get(key), key)
  }
})

test('what is not a non-empty string is no key, in any call', async (t) => {
  const { cache } = opened(t)
  for (const key of [undefined, null, '', 7, {}, [], Symbol('key'), 7n]) {
    const wrong = {
      name: 'TypeError',
      code: 'E_KEY',
      message: /^a key of the cache "found" must be a non-empty string; /,
    }
    assert.throws(() => cache.get(key), wrong)
    assert.throws(() => cache.set(key, 1), wrong)
    assert.throws(() => cache.delete(key), wrong)
    await assert.rejects(cache.getOrSet(key, never), wrong)
  }
})

// ---------------------------------------------------------------- loading

test('a thousand callers at the same time cause one load and get its result', async (t) => {
  const { cache } = opened(t)
  const all = loader()
  const callers = Array.from({ length: 1000 }, () => cache.getOrSet('a', all.load))
  assert.equal(all.calls, 1)
  all.resolve({ found: true })
  const answers = await Promise.all(callers)
  assert.ok(answers.every((answer) => answer.found === true && Object.isFrozen(answer)))
  assert.equal(all.calls, 1)
  assert.deepEqual(await cache.getOrSet('a', never), { found: true })
})

test('loads of two keys do not wait for each other', async (t) => {
  const { cache } = opened(t)
  const slow = loader()
  const waiting = cache.getOrSet('slow', slow.load)
  assert.equal(await cache.getOrSet('quick', () => 'quick'), 'quick')
  slow.resolve('slow')
  assert.equal(await waiting, 'slow')
})

test('the loader begins in the turn of the call', async (t) => {
  const { cache } = opened(t)
  const all = loader()
  const caller = cache.getOrSet('a', all.load)
  assert.equal(all.calls, 1)
  all.resolve('found')
  assert.equal(await caller, 'found')
})

test('a loader may answer at once, with a promise or with a thenable', async (t) => {
  const { cache } = opened(t)
  assert.equal(await cache.getOrSet('a', () => 1), 1)
  assert.equal(await cache.getOrSet('b', async () => 2), 2)
  const thenable = Object.defineProperty({}, 'then', { value: (resolve) => resolve(3) })
  assert.equal(await cache.getOrSet('c', () => thenable), 3)
})

test('what a loader throws goes to all who wait, unchanged, and is cached nowhere', async (t) => {
  const { cache } = opened(t)
  const all = loader()
  const callers = Array.from({ length: 100 }, () => cache.getOrSet('a', all.load).catch((error) => error))
  const error = new Error('mine')
  all.reject(error)
  assert.ok((await Promise.all(callers)).every((caught) => caught === error))
  assert.equal(await cache.getOrSet('a', () => 'next'), 'next')
  const { loads, loadFailures, sets } = cache.stats()
  assert.deepEqual({ loads, loadFailures, sets }, { loads: 2, loadFailures: 1, sets: 0 })
})

test('a loader that throws before it returns is a load that failed', async (t) => {
  const { cache } = opened(t)
  for (const thrown of [new Error('mine'), null, 'mine']) {
    const caught = await cache.getOrSet('a', thrower(thrown)).then(never, (error) => ({ error }))
    assert.equal(caught.error, thrown)
  }
  assert.equal(await cache.getOrSet('a', () => 'next'), 'next')
})

test('a loader that answers undefined is passed on and not kept', async (t) => {
  const { cache } = opened(t)
  let loads = 0
  for (let i = 1; i <= 3; i++) {
    const callers = [1, 2, 3].map(() => cache.getOrSet('a', async () => void loads++))
    assert.deepEqual(await Promise.all(callers), [undefined, undefined, undefined])
    assert.equal(loads, i)
  }
  assert.equal(cache.stats().entries, 0)
})

test('what is no function to load with is told, also when the value is there', async (t) => {
  const { cache } = opened(t)
  cache.set('a', 1)
  for (const load of [undefined, null, 'load', {}, Promise.resolve(1)]) {
    const wrong = {
      name: 'TypeError',
      code: 'E_FUNCTION',
      message: /^getOrSet\(\) of the cache "found" needs a function/,
    }
    await assert.rejects(cache.getOrSet('a', load), wrong)
    await assert.rejects(cache.getOrSet('b', load), wrong)
  }
})

test('a load that takes longer than loadTimeout is refused with E_TIMEOUT and its signal aborted', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] })
  const { cache } = opened(t, { loadTimeout: '5s' })
  const all = loader()
  const callers = [cache.getOrSet('a', all.load), cache.getOrSet('a', all.load)].map((p) => p.catch((error) => error))
  const { signal } = all.contexts[0]
  t.mock.timers.tick(4999)
  assert.equal(signal.aborted, false)
  t.mock.timers.tick(1)
  assert.equal(signal.aborted, true)
  const [refusal, same] = await Promise.all(callers)
  assert.ok(refusal instanceof Refusal)
  assert.equal(same, refusal)
  assert.equal(signal.reason, refusal)
  const { code, primitive, status, message } = refusal
  assert.deepEqual(
    { code, primitive, status, message },
    {
      code: 'E_TIMEOUT',
      primitive: 'found',
      status: 504,
      message: 'a load for the cache "found" took longer than 5000 ms',
    },
  )
  assert.equal(cache.stats().loadFailures, 1)
})

test('a signal that is read only after the timeout is aborted all the same', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] })
  const { cache } = opened(t, { loadTimeout: '5s' })
  const all = loader()
  const caller = cache.getOrSet('a', all.load).catch((error) => error)
  t.mock.timers.tick(5000)
  const { signal } = all.contexts[0]
  assert.equal(signal.aborted, true)
  assert.equal(signal.reason, await caller)
})

for (const [what, settle] of [
  ['value', (all) => all.resolve('late')],
  ['undefined', (all) => all.resolve(undefined)],
  ['error', (all) => all.reject(new Error('late'))],
  ['value that JSON cannot carry', (all) => all.resolve(7n)],
]) {
  test(`after the timeout the next caller loads anew, and a late ${what} is dropped`, async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout', 'Date'] })
    const { cache } = opened(t, { loadTimeout: '5s' })
    const hanging = loader()
    const first = cache.getOrSet('a', hanging.load).catch((error) => error.code)
    t.mock.timers.tick(5000)
    assert.equal(await first, 'E_TIMEOUT')
    const next = loader()
    const second = cache.getOrSet('a', next.load)
    settle(hanging)
    await turn()
    assert.equal(cache.get('a'), undefined)
    const third = cache.getOrSet('a', never)
    next.resolve('in time')
    assert.deepEqual(await Promise.all([second, third]), ['in time', 'in time'])
    assert.equal(cache.get('a'), 'in time')
    const { loads, loadFailures } = cache.stats()
    assert.deepEqual({ loads, loadFailures }, { loads: 2, loadFailures: 1 })
  })
}

test('a late result of a load is never taken for whatever has its number since', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] })
  const { cache, sp } = opened(t, { loadTimeout: '5s' })
  const bulkhead = sp.bulkhead('slots', { limit: 1 })
  for (const late of [undefined, 'late']) {
    const hanging = loader()
    const first = cache.getOrSet('a', hanging.load).catch((error) => error.code)
    t.mock.timers.tick(5000)
    assert.equal(await first, 'E_TIMEOUT')
    // Numbers of permits and loads come round after 4,096.
    for (let i = 0; i < 4095; i++) bulkhead.tryAcquire().release()
    const held = bulkhead.tryAcquire()
    hanging.resolve(late)
    await turn()
    assert.equal(sp.snapshot().bulkheads.slots.inUse, 1)
    held.release()
  }
})

test('a load in time sets off no timeout later', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] })
  const { cache } = opened(t, { loadTimeout: '5s' })
  const all = loader()
  const caller = cache.getOrSet('a', all.load)
  all.resolve('in time')
  assert.equal(await caller, 'in time')
  t.mock.timers.tick(100_000)
  assert.equal(all.contexts[0].signal.aborted, false)
  assert.equal(cache.stats().loadFailures, 0)
})

test('a loader that asks for its own key is refused by the timeout and not stuck for ever', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] })
  const { cache } = opened(t, { loadTimeout: '5s' })
  const caller = cache.getOrSet('a', () => cache.getOrSet('a', never)).catch((error) => error.code)
  await turn()
  t.mock.timers.tick(5000)
  assert.equal(await caller, 'E_TIMEOUT')
  assert.equal(await cache.getOrSet('a', () => 'next'), 'next')
})

test('without anybody reading it no signal is made', async (t) => {
  const { cache } = opened(t)
  const { AbortController } = globalThis
  t.after(() => Object.assign(globalThis, { AbortController }))
  globalThis.AbortController = never
  assert.equal(await cache.getOrSet('a', () => 1), 1)
})

// ---------------------------------------------------------------- changes during a load

for (const [what, change, after] of [
  ['delete', (cache) => cache.delete('a'), undefined],
  ['set', (cache) => cache.set('a', 'set'), 'set'],
  ['clear', (cache) => cache.clear(), undefined],
]) {
  test(`a ${what} during a load: those who asked before get the result, and it is not stored`, async (t) => {
    const { cache } = opened(t)
    const all = loader()
    const before = [cache.getOrSet('a', all.load), cache.getOrSet('a', all.load)]
    change(cache)
    all.resolve('old')
    assert.deepEqual(await Promise.all(before), ['old', 'old'])
    assert.equal(cache.get('a'), after)
    assert.equal(all.calls, 1)
  })

  test(`a ${what} during a load that then fails changes nothing more`, async (t) => {
    const { cache } = opened(t)
    const all = loader()
    const before = cache.getOrSet('a', all.load).catch((error) => error.message)
    change(cache)
    all.reject(new Error('mine'))
    assert.equal(await before, 'mine')
    assert.equal(cache.get('a'), after)
  })
}

for (const [what, change] of [
  ['delete', (cache) => cache.delete('a')],
  ['clear', (cache) => cache.clear()],
]) {
  test(`who asks after a ${what} starts another load, and only that one is stored, whichever ends first`, async (t) => {
    for (const oldFirst of [true, false]) {
      const { cache } = opened(t)
      const [old, fresh] = [loader(), loader()]
      const before = cache.getOrSet('a', old.load)
      change(cache)
      const after = [cache.getOrSet('a', fresh.load), cache.getOrSet('a', fresh.load)]
      assert.deepEqual([old.calls, fresh.calls], [1, 1])
      const settle = [() => old.resolve('old'), () => fresh.resolve('fresh')]
      for (const one of oldFirst ? settle : settle.reverse()) {
        one()
        await turn()
      }
      assert.deepEqual(await Promise.all([before, ...after]), ['old', 'fresh', 'fresh'])
      assert.equal(cache.get('a'), 'fresh')
    }
  })
}

test('a change of another key during a load does not keep its result from being stored', async (t) => {
  const { cache } = opened(t)
  const all = loader()
  const before = cache.getOrSet('a', all.load)
  // So many that some share a slot of generation numbers with the key.
  for (let key = 0; key < 300_000; key++) cache.delete(`key-${key}`)
  const joined = cache.getOrSet('a', never)
  all.resolve('found')
  assert.deepEqual(await Promise.all([before, joined]), ['found', 'found'])
  assert.equal(cache.get('a'), 'found')
})

test('a load that fails passes on to who waits for it under another number', async (t) => {
  const { cache } = opened(t)
  const all = loader()
  const before = cache.getOrSet('a', all.load).catch((error) => error.message)
  for (let key = 0; key < 300_000; key++) cache.delete(`key-${key}`)
  const joined = cache.getOrSet('a', () => 'mine')
  all.reject(new Error('down'))
  assert.deepEqual(await Promise.all([before, joined]), ['down', 'mine'])
})

test('a cache disposed of during a load gives those who wait the result and everybody else E_DISPOSED', async (t) => {
  const { cache, sp } = opened(t)
  const all = loader()
  const before = cache.getOrSet('a', all.load)
  cache.set('b', 1)
  cache.get('b')
  cache.dispose()
  for (const call of [
    () => cache.get('b'),
    () => cache.set('b', 1),
    () => cache.delete('b'),
    () => cache.clear(),
    () => cache.stats(),
  ]) {
    assert.throws(call, { code: 'E_DISPOSED', message: /^the cache "found" has been disposed of/ })
  }
  await assert.rejects(cache.getOrSet('a', never), { code: 'E_DISPOSED' })
  all.resolve('late')
  assert.equal(await before, 'late')
  assert.equal(sp.cache('found', { jitter: 0 }).get('a'), undefined)
})

// ---------------------------------------------------------------- bounds and numbers

test('maxBytes holds keys, values and overhead, and what had to go is counted', (t) => {
  const { cache } = opened(t, { maxBytes: '64kb' })
  for (let key = 0; key < 2000; key++) {
    cache.set(`key-${key}`, 'x'.repeat(1000))
    assert.ok(cache.stats().bytes <= 65_536)
  }
  const { entries, evictions, sets, bytes, maxBytes, expirations } = cache.stats()
  assert.equal(maxBytes, 65_536)
  assert.equal(sets, 2000)
  assert.equal(entries + evictions, 2000)
  assert.ok(entries > 50 && entries <= 62, `${entries} of 1,010 bytes and overhead each`)
  assert.ok(bytes >= entries * 1002)
  assert.equal(expirations, 0)
  assert.equal([...Array(2000).keys()].filter((key) => cache.get(`key-${key}`) !== undefined).length, entries)
})

test('the bytes of long keys count', (t) => {
  const { cache } = opened(t, { maxBytes: '64kb' })
  for (let key = 0; key < 100; key++) cache.set(`${key}`.padEnd(6000, 'k'), 1)
  assert.ok(cache.stats().entries <= 10, `${cache.stats().entries} entries with keys of 6,000 bytes`)
})

test('replacing a value takes the room of the old one, and deleting gives it back', (t) => {
  const { cache } = opened(t, { maxBytes: '64kb' })
  cache.set('a', 'x'.repeat(100))
  const { bytes } = cache.stats()
  for (let i = 0; i < 1000; i++) cache.set('a', 'y'.repeat(100))
  assert.deepEqual([cache.stats().bytes, cache.stats().entries, cache.stats().evictions], [bytes, 1, 0])
  cache.delete('a')
  assert.deepEqual([cache.stats().bytes, cache.stats().entries], [0, 0])
})

test('the largest value there may be fits, in the smallest cache', (t) => {
  const { cache } = opened(t, { maxBytes: '64kb' })
  for (let key = 0; key < 20; key++) {
    cache.set(`key-${key}`, 'x'.repeat(8190))
    assert.equal(cache.get(`key-${key}`)?.length, 8190, 'it was dropped without a word')
  }
})

test('hits, misses, loads, sets and deletes are counted, hits of decoded copies too', async (t) => {
  const { cache, clock, sp } = opened(t, { ttl: 1000 })
  assert.deepEqual(cache.stats(), {
    hits: 0,
    misses: 0,
    stale: 0,
    graced: 0,
    loads: 0,
    loadFailures: 0,
    refreshes: 0,
    sets: 0,
    deletes: 0,
    evictions: 0,
    expirations: 0,
    entries: 0,
    bytes: 0,
    maxBytes: 64 * 1024 * 1024,
    hitRatio: null,
    estimates: { half: null, double: null },
    version: null,
  })
  cache.get('a')
  cache.set('a', 1)
  for (let i = 0; i < 1000; i++) cache.get('a')
  await cache.getOrSet('a', never)
  await cache.getOrSet('b', () => 2)
  await cache.getOrSet('c', thrower(new Error('down'))).catch(() => {})
  cache.delete('a')
  cache.get('a')
  clock.now += 1000
  cache.get('b')
  const { bytes, maxBytes, estimates, ...counts } = cache.stats()
  assert.deepEqual(counts, {
    hits: 1001,
    misses: 5,
    stale: 0,
    graced: 0,
    loads: 2,
    loadFailures: 1,
    refreshes: 0,
    sets: 1,
    deletes: 1,
    evictions: 0,
    expirations: 1,
    entries: 0,
    hitRatio: 1001 / 1006,
    version: null,
  })
  const { config, provenance: _, ...inSnapshot } = sp.snapshot().caches.found
  assert.deepEqual(inSnapshot, { bytes, maxBytes, estimates, ...counts })
  assert.deepEqual(config, {
    ttlMs: 1000,
    jitter: 0,
    staleMs: 0,
    graceMs: 0,
    negativeTtlMs: 0,
    loadTimeoutMs: 30_000,
    maxBytes,
    maxValueBytes: 1024 * 1024,
    codec: 'json',
    version: null,
  })
})

test('the last few hits of decoded copies are in the numbers too, of each handle that is asked', (t) => {
  const { cache, sp } = opened(t)
  cache.set('a', 1)
  for (let hit = 0; hit < 10; hit++) cache.get('a')
  assert.equal(cache.stats().hits, 10)
  for (let hit = 0; hit < 10; hit++) cache.get('a')
  assert.equal(sp.snapshot().caches.found.hits, 20)
})

test('what is read from decoded copies is told to the eviction, and stays', (t) => {
  const { cache } = opened(t, { maxBytes: '64kb' })
  for (let key = 0; key < 100; key++) cache.set(`before-${key}`, 'x'.repeat(1000))
  cache.set('hot', 'h'.repeat(1000))
  cache.get('hot')
  for (let key = 0; key < 500; key++) {
    cache.set(`key-${key}`, 'x'.repeat(1000))
    cache.get(`key-${key}`)
    for (let hit = 0; hit < 64; hit++) cache.get('hot')
  }
  // A change of any key in its slot, and the copy counts no more: what is found then is in native memory.
  for (let key = 0; key < 100_000; key++) cache.delete(`none-${key}`)
  assert.equal(cache.get('hot')?.length, 1000)
})

test('a hot hit decodes nothing: it is the same copy', (t) => {
  const { cache } = opened(t)
  cache.set('a', { big: true })
  assert.equal(cache.get('a'), cache.get('a'))
})

test('decoded copies are at most 8,192, of the keys read last', (t) => {
  const { cache } = opened(t)
  const keys = [...Array(20_000).keys()]
  for (const key of keys) cache.set(`key-${key}`, { key })
  const read = keys.map((key) => cache.get(`key-${key}`))
  let kept = 0
  for (let key = 19_999; key >= 0 && cache.get(`key-${key}`) === read[key]; key--) kept++
  assert.equal(kept, 8192)
})

test('a copy that is read goes on being kept, whatever else is read', (t) => {
  const { cache } = opened(t)
  cache.set('hot', {})
  const hot = cache.get('hot')
  for (let key = 0; key < 30_000; key++) {
    cache.set(`key-${key}`, key)
    cache.get(`key-${key}`)
    if (key % 1000 === 0) assert.equal(cache.get('hot'), hot)
  }
})

test('decoded copies take at most an eighth of maxBytes, keys and values together', (t) => {
  for (const [keyLength, valueLength] of [
    [10, 4000],
    [4000, 10],
  ]) {
    const { cache } = opened(t, { maxBytes: '1mb' })
    const nameOf = (key) => `${key}`.padEnd(keyLength, 'k')
    const keys = [...Array(200).keys()]
    for (const key of keys) cache.set(nameOf(key), { text: 'x'.repeat(valueLength) })
    const read = keys.map((key) => cache.get(nameOf(key)))
    let kept = 0
    for (let key = 199; key >= 0 && cache.get(nameOf(key)) === read[key]; key--) kept++
    assert.ok(kept >= 20 && kept <= 131_072 / 4000, `${kept} copies of 4,000 characters`)
  }
})

test('a value too large for a decoded copy is found all the same', (t) => {
  const { cache } = opened(t, { maxBytes: '64kb', maxValueBytes: '8kb' })
  const key = 'a key of some length'
  cache.set(key, ['x'.repeat(8180)])
  assert.equal(cache.get(key)[0].length, 8180)
  const copy = cache.get(key)
  assert.equal(cache.get(key) === copy, false)
  assert.equal(cache.stats().hits, 3)
  cache.set('small', {})
  const small = cache.get('small')
  cache.get(key)
  assert.equal(cache.get('small'), small, 'and it pushes no other copy out')
})

test('two handles of one cache see each other’s changes at once', (t) => {
  const [one, two] = [spillway({ prefix: 'two-handles' }), spillway({ prefix: 'two-handles' })]
  t.after(() => Promise.all([one.close(), two.close()]))
  const [here, there] = [one.cache('shared'), two.cache('shared')]
  assert.notEqual(here, there)
  for (let version = 0; version < 100; version++) {
    here.set('a', { version })
    assert.equal(there.get('a').version, version)
    assert.equal(there.get('a').version, version)
  }
  there.delete('a')
  assert.equal(here.get('a'), undefined)
  here.set('a', 1)
  there.get('a')
  here.clear()
  assert.equal(there.get('a'), undefined)
})

test('two handles of one cache share a load, and a failed one passes to the other', async (t) => {
  const [one, two] = [spillway({ prefix: 'two-loads' }), spillway({ prefix: 'two-loads' })]
  t.after(() => Promise.all([one.close(), two.close()]))
  const [here, there] = [one.cache('shared'), two.cache('shared')]
  const all = loader()
  const callers = [here.getOrSet('a', all.load), there.getOrSet('a', never)]
  all.resolve('found')
  assert.deepEqual(await Promise.all(callers), ['found', 'found'])
  const failing = loader()
  const others = [here.getOrSet('b', failing.load).catch((error) => error.message), there.getOrSet('b', () => 'mine')]
  failing.reject(new Error('down'))
  assert.deepEqual(await Promise.all(others), ['down', 'mine'])
  assert.equal(here.get('b'), 'mine')
})

test('a load of another handle that takes too long passes to who waits for it', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] })
  const sp = spillway({ clock: () => Date.now() })
  t.after(() => sp.close())
  const [here, there] = ['1s', '2s'].map((softTimeout) => sp.cache('shared', { loadTimeout: '5s', softTimeout }))
  assert.notEqual(here, there)
  const hanging = loader()
  const leading = here.getOrSet('a', hanging.load).catch((error) => error.code)
  const waiting = there.getOrSet('a', () => 'mine')
  t.mock.timers.tick(4999)
  assert.equal(await Promise.race([waiting, turn()]), undefined)
  t.mock.timers.tick(1)
  assert.deepEqual(await Promise.all([leading, waiting]), ['E_TIMEOUT', 'mine'])
  hanging.resolve('late')
  await turn()
  assert.equal(here.get('a'), 'mine')
})
