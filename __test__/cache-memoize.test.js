// A function behind a cache. Owns memoize: which calls are alike, and what is left of the function.
// Never waits.
'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')
const { opened, thrower } = require('./caches.js')

/** A function under a name, whose calls are counted. */
function counted(name, answer = (...args) => ({ args })) {
  const calls = []
  const fn = {
    [name](...args) {
      calls.push(args)
      return answer.apply(this, args)
    },
  }[name]
  return { fn, calls }
}

test('calls alike are one call, together or one after the other', async (t) => {
  const { cache } = opened(t)
  const { fn, calls } = counted('product', async (id) => ({ id }))
  const memo = cache.memoize(fn)
  assert.deepEqual(await Promise.all([memo('p1'), memo('p1'), memo('p2')]), [{ id: 'p1' }, { id: 'p1' }, { id: 'p2' }])
  assert.deepEqual(await memo('p1'), { id: 'p1' })
  assert.deepEqual(calls, [['p1'], ['p2']])
})

test('arguments are told apart by what they hold, to the last leaf', async (t) => {
  const { cache } = opened(t)
  const { fn, calls } = counted('f', () => 1)
  const memo = cache.memoize(fn)
  const different = [
    [],
    [1],
    ['1'],
    [1n],
    [null],
    ['null'],
    [true],
    ['true'],
    [NaN],
    [0],
    [-0],
    [-1],
    [1, 2],
    ['1,2'],
    [[1, 2]],
    [[1], 2],
    [[[1, 2]]],
    [{}],
    [[]],
    [{ a: 1 }],
    [{ a: '1' }],
    [{ a: { b: 1 } }],
    [{ 'a:1': 2 }],
    [undefined, 1],
    [null, 1],
    ['', ''],
    [''],
    ['"'],
    ['","'],
    [{ a: undefined }],
    ['\ud800'],
    ['\ud801'],
  ]
  for (const args of different) await memo(...args)
  assert.equal(calls.length, different.length)
  for (const args of different) await memo(...structuredClone(args))
  assert.equal(calls.length, different.length)
  await memo(undefined)
  await memo({ b: 1, a: 2 })
  await memo({ a: 2, b: 1 })
  await memo(Object.assign(Object.create(null), { a: 2, b: 1 }))
  assert.equal(calls.length, different.length + 1, 'left out is undefined, and properties have no order')
})

test('an argument that holds more than data needs a key', async (t) => {
  const { cache } = opened(t)
  const { fn, calls } = counted('f', () => 1)
  const memo = cache.memoize(fn)
  const circle = {}
  circle.self = circle
  class User {}
  for (const [args, message] of [
    [[new User()], 'argument 1 of function f holds an object (Object)'],
    [[1, [new Date()]], 'argument 2 of function f holds an object (Date)'],
    [[new Map()], 'holds an object (Map)'],
    [[() => 1], 'holds function (anonymous)'],
    [[Symbol('s')], 'holds Symbol(s)'],
    [[{ [Symbol('s')]: 1 }], 'holds an object (Object)'],
    [[circle], 'goes too deep, or round in a circle'],
  ]) {
    await assert.rejects(memo(...args), ({ code, option, message: told }) => {
      assert.deepEqual([code, option], ['E_KEY', 'key'])
      assert.ok(told.includes(message), told)
      return told.includes('give memoize() a `key`')
    })
  }
  assert.deepEqual(calls, [])
  const byId = cache.memoize(fn, { key: (user) => user.id })
  await byId(Object.assign(new User(), { id: 'u1' }))
  await byId(Object.assign(new User(), { id: 'u1' }))
  assert.equal(calls.length, 1)
  const wrong = cache.memoize(fn, { key: () => 7 })
  await assert.rejects(wrong(), { code: 'E_KEY', message: /`key` of memoize\(\) must answer a string; it answered 7/ })
  const mine = new Error('mine')
  await assert.rejects(cache.memoize(fn, { key: thrower(mine) })(), mine)
})

test('a function keeps its name, its length and its this; what it throws is not kept', async (t) => {
  const { cache } = opened(t)
  const mine = new Error('mine')
  let fails = true
  async function greet(greeting, _name) {
    if (fails) throw mine
    return `${greeting} ${this.who}`
  }
  const object = { who: 'Ada', greet: cache.memoize(greet) }
  assert.deepEqual([object.greet.name, object.greet.length], ['greet', 2])
  await assert.rejects(object.greet('hello'), mine)
  fails = false
  assert.equal(await object.greet('hello'), 'hello Ada')
})

test('two functions of one name have keys of their own; one of the same text shares them', async (t) => {
  const { cache } = opened(t)
  const one = cache.memoize({ get: (id) => `one ${id}` }.get)
  const two = cache.memoize({ get: (id) => `two ${id}` }.get)
  const again = cache.memoize({ get: (id) => `one ${id}` }.get)
  assert.deepEqual(await Promise.all([one(1), two(1), again(1)]), ['one 1', 'two 1', 'one 1'])
  assert.equal(cache.stats().entries, 2)
  assert.equal(cache.deletePrefix('get#'), 2)
})

test('a name of its own is what the keys begin with, and is needed where there is none', async (t) => {
  const { cache } = opened(t)
  const { fn } = counted('f', () => 1)
  const memo = cache.memoize(fn, { name: 'product' })
  await memo(7, { a: 1 })
  assert.equal(cache.get('product:7,{"a":1}'), 1)
  const byKey = cache.memoize(fn, { name: 'product', key: (id) => `id-${id}` })
  await byKey(7)
  assert.equal(cache.get('product:id-7'), 1)
  for (const nameless of [() => 1, fn.bind(null), Math.max]) {
    assert.throws(() => cache.memoize(nameless), { code: 'E_OPTION', option: 'name' })
    cache.memoize(nameless, { name: 'named' })
  }
})

test('ttl and tags are those of the results; tags may go by the arguments', async (t) => {
  const { cache, clock } = opened(t, { ttl: '1h' })
  const { fn, calls } = counted('f')
  const memo = cache.memoize(fn, { ttl: 1000, tags: (id) => [`product:${id}`] })
  await memo(1)
  await memo(2)
  cache.invalidateTag('product:1')
  await memo(1)
  await memo(2)
  assert.deepEqual(calls, [[1], [2], [1]])
  clock.now += 1000
  await memo(2)
  assert.equal(calls.length, 4)
  const fixed = cache.memoize(fn, { name: 'fixed', tags: ['all'] })
  await fixed(1)
  cache.invalidateTag('all')
  await fixed(1)
  assert.equal(calls.length, 6)
})

test('tags by the arguments are an array of tags, or undefined for none', async (t) => {
  const { cache } = opened(t)
  const { fn, calls } = counted('f')
  for (const tags of ['ab', null, 5, ['a', ''], new Set(['a'])]) {
    const memo = cache.memoize(fn, { name: 'wrong', tags: () => tags })
    await assert.rejects(memo(1), { code: 'E_TAGS', option: 'tags', message: /^`tags` of memoize\(\) must be/ })
  }
  assert.deepEqual(calls, [])
  await cache.memoize(fn, { tags: () => undefined })(1)
  assert.deepEqual(calls, [[1]])
})

test('what is stale is answered by a memoized function, too', async (t) => {
  const handed = []
  const { cache, clock } = opened(t, { ttl: 1000, stale: 1000 })
  let version = 0
  const memo = cache.memoize(() => ++version, { name: 'version', waitUntil: (promise) => handed.push(promise) })
  assert.equal(await memo(), 1)
  clock.now += 1000
  assert.equal(await memo(), 1)
  await Promise.all(handed)
  assert.equal(handed.length, 1)
  assert.equal(await memo(), 2)
})

test('what is no function or option of memoize is told at once', (t) => {
  const { cache } = opened(t)
  const { fn } = counted('f')
  assert.throws(() => cache.memoize('f'), { code: 'E_FUNCTION', message: /memoize\(\) of the cache "found"/ })
  for (const [option, value, code] of [
    ['key', 'id', 'E_OPTION'],
    ['name', '', 'E_OPTION'],
    ['ttl', 'soon', 'E_DURATION'],
    ['tags', 'x', 'E_TAGS'],
    ['waitUntil', 7, 'E_OPTION'],
    ['signal', 7, 'E_OPTION'],
  ]) {
    assert.throws(() => cache.memoize(fn, { [option]: value }), { code, option })
  }
})
