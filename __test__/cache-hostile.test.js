// What a cache is given by those who mean no good, or know no better: values, tags, keys and loaders. Owns hostile callers.
// Never hostile files or floods: those have tests of their own.
'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')
const { spillway } = require('../index.js')

/** A cache on a clock that stands still. Its expiries do not vary. */
function opened(t, options = {}) {
  const clock = { now: 1_700_000_000_000 }
  const sp = spillway({ env: false, clock: () => clock.now })
  t.after(() => sp.close())
  return { sp, clock, cache: sp.cache('found', { jitter: 0, ...options }) }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))
const never = () => assert.fail('it was loaded')

/** Every way a value comes in, each answering what it was refused with. */
const WAYS = {
  set: async (cache, key, value) => cache.set(key, value),
  setMany: async (cache, key, value, fine = 1) =>
    cache.setMany([
      [`${key}-other`, fine],
      [key, value],
    ]),
  getOrSet: (cache, key, value) => cache.getOrSet(key, () => value),
  getOrSetEntry: (cache, key, value) => cache.getOrSetEntry(key, async () => value),
  reload: (cache, key, value) => cache.getOrSet(key, () => value, { reload: true }),
  memoize: (cache, key, value) => cache.memoize(() => value, { name: 'memo', key: () => key })(),
}

// ---------------------------------------------------------------- values

class Money {
  amount = 5
}

class Bag extends Map {}

const circular = { list: [] }
circular.list.push(circular)

for (const [what, value, advice] of [
  ['an instance of a class', { price: new Money() }, /value\.price is an instance of Money.*(plain|toJSON|codec)/],
  ['an instance of a class that extends Map', new Bag(), /value is .*Map.*codec 'v8'/],
  ['a class', Money, /value is class Money|value is function Money/],
  ['a function', { load() {} }, /value\.load is function load.*(call|leave)/],
  ['an async function', async () => 1, /value is .*function.*(call|leave)/],
  ['a promise that nobody awaited', { later: Promise.resolve(1) }, /value\.later is .*Promise.*await/],
  ['an object that is its own', circular, /circular.*(v8|leave)/i],
  ['a BigInt', { id: [1n] }, /value\.id\[0\] is 1n.*(string|v8)/],
  ['a Map', { byId: new Map() }, /value\.byId is .*Map.*codec 'v8'/],
]) {
  test(`${what} is refused by every call that takes a value, with advice, and what was there stays`, async (t) => {
    for (const [name, way] of Object.entries(WAYS)) {
      const { cache, clock } = opened(t, { ttl: 1000 })
      cache.set('a', 'before')
      if (!['set', 'setMany', 'reload'].includes(name)) clock.now += 1000
      const refused = (error) => {
        assert.equal(error.code, 'E_VALUE_ENCODE', error.stack)
        assert.match(error.message, /the value of "[^"]+" for the cache "found" cannot be encoded as JSON/)
        assert.match(error.message, advice, name)
        return true
      }
      const key = name === 'memoize' ? 'b' : 'a'
      await assert.rejects(way(cache, key, value), refused, name)
      assert.equal(cache.get('a'), ['set', 'setMany', 'reload'].includes(name) ? 'before' : undefined)
      assert.equal(cache.get('a-other'), undefined, 'all of them or none')
      assert.equal(await cache.getOrSet(key === 'a' ? 'c' : key, () => 'next'), 'next')
    }
  })
}

test('a plain object of another realm, one without a prototype and one with toJSON are data', async (t) => {
  const { cache } = opened(t)
  const foreign = require('node:vm').runInNewContext('({ list: [{ n: 1 }], none: null })')
  const bare = Object.assign(Object.create(null), { n: 1 })
  class Price {
    toJSON() {
      return { eur: 5 }
    }
  }
  cache.set('a', { foreign, bare, price: new Price() })
  assert.deepEqual(cache.get('a'), { foreign: { list: [{ n: 1 }], none: null }, bare: { n: 1 }, price: { eur: 5 } })
})

test('keys of values that are names of prototypes come back as data, through every codec that carries objects', async (t) => {
  const text =
    '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"toString":"x","hasOwnProperty":1}'
  for (const codec of ['json', 'v8']) {
    const { cache } = opened(t, { codec })
    cache.set('a', JSON.parse(text))
    for (const found of [
      cache.get('a'),
      cache.entry('a').value,
      ...cache.getMany(['a']),
      await cache.getOrSet('a', never),
    ]) {
      assert.equal(JSON.stringify(found), text)
      assert.equal(Object.getPrototypeOf(found), Object.prototype)
    }
    assert.equal({}.polluted, undefined)
  }
})

test('a value over maxValueBytes is refused by every call that takes one, whatever the codec, and what was there stays', async (t) => {
  const large = { json: 'x'.repeat(1000), v8: new Map([['x', 'y'.repeat(1000)]]), bytes: Buffer.alloc(1001) }
  const small = { json: 'x', v8: new Map(), bytes: Buffer.alloc(1000) }
  for (const codec of ['json', 'v8', 'bytes']) {
    for (const [name, way] of Object.entries(WAYS)) {
      const { cache } = opened(t, { codec, maxValueBytes: 1000 })
      const key = ['set', 'setMany', 'reload'].includes(name) ? 'a' : 'b'
      cache.set('a', small[codec])
      const refused = {
        name: 'RangeError',
        code: 'E_VALUE_TOO_LARGE',
        message: /`maxValueBytes` of the cache "found" is 1000; the encoded value of "(?:memo:)?[ab]" has \d+ bytes/,
      }
      await assert.rejects(way(cache, key, large[codec], small[codec]), refused, `${codec} ${name}`)
      assert.deepEqual(cache.get('a'), small[codec])
      assert.equal(cache.get('a-other'), undefined)
      assert.deepEqual(await cache.getOrSet('b', () => small[codec]), small[codec])
    }
  }
})

test('a key too large for its cache is told, and a large one that fits is a key like others', (t) => {
  const { cache } = opened(t, { maxBytes: '64mb' })
  const keys = ['a', 'é', '€', '\ud800'].map((end) => 'k'.repeat(1_000_000) + end)
  for (const [index, key] of keys.entries()) cache.set(key, index, { tags: ['large'] })
  assert.deepEqual(cache.getMany(keys), [0, 1, 2, 3])
  assert.ok(cache.stats().bytes > 4_000_000, 'the keys count')
  assert.equal(cache.delete(keys[1]), true)
  assert.equal(cache.deletePrefix('k'.repeat(1_000_000)), 3)
  const small = opened(t, { maxBytes: '64kb' }).cache
  small.set('before', 1)
  assert.throws(() => small.set(keys[0], 1), { code: 'E_VALUE_TOO_LARGE' })
  assert.equal(small.get('before'), 1)
  assert.ok(small.stats().bytes <= 65_536)
})

test('a v8 value that cannot be cloned is refused, and one that can comes back anew each time', (t) => {
  const { cache } = opened(t, { codec: 'v8' })
  for (const value of [() => 1, Symbol('s'), { on: { click() {} } }, new WeakMap(), Promise.resolve(1)]) {
    assert.throws(() => cache.set('a', value), { code: 'E_VALUE_ENCODE' })
  }
  const value = { at: new Date(0), map: new Map([[1, new Set([2n])]]), list: [undefined, NaN, , /x/g] } // eslint-disable-line no-sparse-arrays
  value.self = value
  cache.set('a', value)
  const [one, other] = [cache.get('a'), cache.get('a')]
  assert.deepEqual(one, value)
  assert.notEqual(one, other)
  one.map.clear()
  one.list.length = 0
  assert.deepEqual(cache.get('a'), value)
})

test('bytes are nobody else’s: neither what was given nor what was read changes what is kept', async (t) => {
  const { cache } = opened(t, { codec: 'bytes' })
  const mine = Buffer.from('mine')
  cache.set('a', mine)
  mine.fill(0)
  const read = cache.get('a')
  assert.equal(read.toString(), 'mine')
  read.fill(0)
  assert.equal(cache.get('a').toString(), 'mine')
  const loaded = Buffer.from('loaded')
  const answers = await Promise.all([1, 2, 3].map(() => cache.getOrSet('b', async () => loaded)))
  loaded.fill(0)
  answers[0].fill(0)
  assert.deepEqual([answers[1], answers[2], cache.get('b')].map(String), ['loaded', 'loaded', 'loaded'])
  for (const wrong of ['text', [1], {}, 7, null, new ArrayBuffer(4), new Uint16Array(2)]) {
    assert.throws(() => cache.set('c', wrong), { code: 'E_VALUE_ENCODE' })
  }
  cache.set('part', new Uint8Array(new Uint8Array([0, 1, 2, 3]).buffer, 1, 2))
  assert.deepEqual([...cache.get('part')], [1, 2])
  cache.set('none', new Uint8Array(0))
  assert.equal(cache.get('none').length, 0)
})

test('a codec that throws, lies or answers what is no encoding is told, and does no harm', async (t) => {
  const down = new Error('codec')
  const thrower = () => {
    throw down
  }
  const encoding = opened(t, { codec: { encode: thrower, decode: String } }).cache
  assert.throws(() => encoding.set('a', 1), { code: 'E_VALUE_ENCODE', cause: down })
  for (const wrong of [undefined, null, 7, {}, [1], Promise.resolve('x')]) {
    const { cache } = opened(t, { codec: { encode: () => wrong, decode: String } })
    assert.throws(() => cache.set('a', 1), { code: 'E_VALUE_ENCODE' })
    await assert.rejects(
      cache.getOrSet('a', () => 1),
      { code: 'E_VALUE_ENCODE' },
    )
  }
  let broken = true
  const decode = (text) => (broken ? thrower() : text)
  const { cache } = opened(t, { codec: { encode: String, decode } })
  cache.set('a', 'old')
  assert.throws(() => cache.get('a'), { code: 'E_VALUE_DECODE', cause: down })
  assert.throws(() => cache.entry('a'), { code: 'E_VALUE_DECODE', cause: down })
  assert.throws(() => cache.getMany(['b', 'a']), { code: 'E_VALUE_DECODE', cause: down })
  const asked = cache.getOrSet('a', () => {
    broken = false
    return 'new'
  })
  assert.equal(await asked, 'new', 'what cannot be read is loaded anew')
  assert.equal(cache.get('a'), 'new')
})

test('text of a codec comes back to the last unit or is refused: never changed without a word', (t) => {
  const { cache } = opened(t, { codec: { encode: String, decode: String } })
  for (const text of ['', 'a', 'é', '€', '😀', '\0', '\ud800', 'a\udc00b', '\ufffd', '\ud83d'.repeat(100)]) {
    try {
      cache.set('a', text)
    } catch (error) {
      assert.equal(error.code, 'E_VALUE_ENCODE')
      continue
    }
    assert.equal(cache.get('a'), text)
  }
})

// ---------------------------------------------------------------- keys

test('keys of lone surrogates are told apart by every call, and a prefix is one of UTF-16 units', (t) => {
  const { cache } = opened(t)
  const keys = ['\ud800', '\ud801', '\udc00', '\ufffd', '\ud800\udc00', 'ÿ', '\u0178', '\0', ' ', '\ud800x', '\ud801x']
  cache.setMany(keys.map((key, index) => [key, index]))
  assert.deepEqual(cache.getMany(keys), [...keys.keys()])
  assert.deepEqual(
    keys.map((key) => cache.entry(key).value),
    [...keys.keys()],
  )
  // The first half of a pair is a prefix of it.
  assert.equal(cache.deletePrefix('\ud800'), 3)
  assert.deepEqual(
    keys.filter((key) => cache.get(key) === undefined),
    ['\ud800', '\ud800\udc00', '\ud800x'],
  )
  assert.equal(cache.deletePrefix('\ufffd'), 1)
  assert.equal(cache.expire('\ud801'), true)
  assert.equal(cache.delete('\udc00'), true)
  assert.equal(cache.get('\ud801x'), 10)
})

test('what is no key is told by every call that takes one, and changes nothing', async (t) => {
  const { cache } = opened(t)
  cache.set('a', 1)
  for (const key of [undefined, null, '', 7, {}, [], ['a'], Symbol('key'), 7n, Object('a')]) {
    const wrong = { name: 'TypeError', code: 'E_KEY' }
    const calls = {
      entry: () => cache.entry(key),
      expire: () => cache.expire(key),
      deletePrefix: () => cache.deletePrefix(key),
      getMany: () => cache.getMany(['a', key]),
      setMany: () =>
        cache.setMany([
          ['a', 2],
          [key, 3],
        ]),
    }
    for (const [name, call] of Object.entries(calls)) assert.throws(call, wrong, name)
    await assert.rejects(cache.getOrSetEntry(key, never), wrong)
    await assert.rejects(cache.getOrSet(key, never, { reload: true }), wrong)
    // There the key is only the end of one.
    if (key !== '') await assert.rejects(cache.memoize(never, { name: 'memo', key: () => key })(), wrong)
  }
  assert.equal(cache.get('a'), 1)
  assert.equal(cache.stats().entries, 1)
})

// ---------------------------------------------------------------- tags

const TAGS_REFUSED = [
  ['10,000 tags', Array.from({ length: 10_000 }, (_, index) => `tag-${index}`), /up to 128.*got 10,000/],
  ['129 tags', Array.from({ length: 129 }, (_, index) => `tag-${index}`), /up to 128.*got 129/],
  ['an empty tag', ['fine', ''], /1 to 256 characters.*number 2 is ""/],
  ['a tag of 257 characters', ['x'.repeat(257)], /1 to 256 characters.*257/],
  ['a tag that is a number', [7], /number 1 is 7/],
  ['a tag that is an object', [{ toString: () => 'tag' }], /number 1 is/],
  ['a hole', [, 'fine'], /number 1 is undefined/], // eslint-disable-line no-sparse-arrays
  ['tags that are a string', 'fine', /got "fine"/],
  ['tags that are a Set', new Set(['fine']), /got/],
  ['tags that are null', null, /got null/],
]

for (const [what, tags, message] of TAGS_REFUSED) {
  test(`${what} is told with what there may be, by every call that takes tags, and changes nothing`, async (t) => {
    const { cache } = opened(t)
    cache.set('a', 'before', { tags: ['fine'] })
    const wrong = (error) => {
      assert.equal(error.code, 'E_TAGS', error.stack)
      assert.match(error.message, message)
      return true
    }
    assert.throws(() => cache.set('a', 1, { tags }), wrong)
    assert.throws(() => cache.setMany([['b', 1], ['a', 1, { tags }]]), wrong) // prettier-ignore
    await assert.rejects(cache.getOrSet('b', never, { tags }), wrong)
    await assert.rejects(cache.getOrSetEntry('b', never, { tags, reload: true }), wrong)
    if (Array.isArray(tags)) {
      await assert.rejects(
        cache.getOrSet('b', (context) => context.tags(...tags)),
        wrong,
      )
      if (tags.length < 129) {
        assert.throws(() => cache.invalidateTag(...tags), wrong)
        // An object at the end would be the options of this one.
        if (typeof tags.at(-1) !== 'object') assert.throws(() => cache.expireTag(...tags), wrong)
      }
    }
    assert.equal(cache.get('b'), undefined)
    assert.equal(cache.get('a'), 'before')
    assert.equal(cache.stats().loads, Array.isArray(tags) ? 1 : 0)
  })
}

test('128 tags are kept, each once however often it was given, and the last one forgets the entry', async (t) => {
  const { cache } = opened(t)
  const tags = Array.from({ length: 128 }, (_, index) => `tag-${index}`.padEnd(256, 'x'))
  cache.set('a', 1, { tags: [...tags, ...tags] })
  assert.equal(
    await cache.getOrSet('b', (context) => {
      for (const tag of tags) context.tags(tag, tag)
      return 1
    }),
    1,
  )
  for (const key of ['a', 'b']) assert.equal(cache.get(key), 1)
  cache.invalidateTag(tags[127])
  for (const key of ['a', 'b']) assert.equal(cache.get(key), undefined)
})

test('a loader that adds one tag too many fails, and what it had asked for is loaded by the next', async (t) => {
  const { cache } = opened(t)
  const tags = Array.from({ length: 128 }, (_, index) => `tag-${index}`)
  const failing = cache.getOrSet(
    'a',
    (context) => {
      context.tags('one more')
      return 1
    },
    { tags },
  )
  await assert.rejects(failing, { code: 'E_TAGS' })
  assert.equal(await cache.getOrSet('a', () => 2), 2)
})

test('tags are told apart to the last unit, and what is given afterwards to the array is no tag', (t) => {
  const { cache } = opened(t)
  const tags = [
    '\ud800',
    '\ud801',
    '\ufffd',
    'é',
    'e\u0301',
    'x'.repeat(256),
    'x'.repeat(255),
    '__proto__',
    'constructor',
    ' ',
  ]
  for (const [index, tag] of tags.entries()) {
    const given = [tag]
    cache.set(`key-${index}`, index, { tags: given })
    given[0] = 'other'
    given.push('every')
  }
  cache.invalidateTag('other', 'every')
  for (const [index, tag] of tags.entries()) {
    assert.equal(cache.get(`key-${index}`), index, JSON.stringify(tag))
    cache.invalidateTag(tag)
    assert.equal(cache.get(`key-${index}`), undefined, JSON.stringify(tag))
  }
})

// ---------------------------------------------------------------- loaders

test('a loader that answers nothing is asked each time, or is kept for negativeTtl and told apart from no entry', async (t) => {
  for (const negativeTtl of [0, 1000]) {
    const { cache, clock } = opened(t, { negativeTtl, stale: '1h', grace: '1h' })
    let loads = 0
    const load = async () => void loads++
    const ask = () => Promise.all(Array.from({ length: 100 }, () => cache.getOrSet('a', load)))
    for (let round = 1; round <= 3; round++) {
      assert.deepEqual(new Set(await ask()), new Set([undefined]))
      assert.equal(loads, negativeTtl === 0 ? round : 1)
      assert.equal(cache.get('a'), undefined)
      assert.equal(cache.entry('a')?.negative, negativeTtl === 0 ? undefined : true)
    }
    clock.now += 1000
    loads = 0
    await ask()
    assert.equal(loads, 1)
    assert.equal(await cache.getOrSet('a', () => 'there', { reload: true }), 'there')
    assert.equal(cache.entry('a').negative, false)
  }
})

test('a load in the background that fails, hangs or answers what is no value is nobody’s unhandled rejection, and each is handed to waitUntil', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] })
  const unhandled = []
  const note = (error) => unhandled.push(error)
  process.on('unhandledRejection', note)
  t.after(() => process.off('unhandledRejection', note))
  const handed = { cache: [], call: [] }
  const waitUntil = (promise) => handed.cache.push(promise)
  const { cache, clock } = opened(t, { ttl: 1000, stale: '1h', grace: '1h', loadTimeout: '5s', waitUntil })
  const loaders = {
    throws: () => {
      throw new Error('down')
    },
    rejects: () => Promise.reject(new Error('down')),
    undefined: () => undefined,
    function: () => never,
    large: () => 'x'.repeat(2_000_000),
    hangs: () => new Promise(() => {}),
    loads: async () => 'new',
  }
  for (const key of Object.keys(loaders)) cache.set(key, 'old')
  clock.now += 1000
  const names = Object.keys(loaders)
  for (const [index, key] of names.entries()) {
    const options = index % 2 === 0 ? {} : { waitUntil: (promise) => handed.call.push(promise) }
    assert.equal(await cache.getOrSet(key, loaders[key], options), 'old', key)
  }
  assert.deepEqual([handed.cache.length, handed.call.length], [4, 3])
  await turn()
  t.mock.timers.tick(5000)
  await Promise.all([...handed.cache, ...handed.call])
  await turn()
  assert.deepEqual(unhandled, [])
  assert.equal(cache.get('loads'), 'new')
  // Nobody but those who ask again: what failed is old still.
  for (const key of ['throws', 'rejects', 'function', 'large', 'hangs'])
    assert.equal(cache.entry(key).state, 'stale', key)
})

test('a caller whose signal ends its wait leaves the load to the others, and its end to waitUntil', async (t) => {
  const handed = []
  const { cache } = opened(t, { waitUntil: (promise) => handed.push(promise) })
  let resolve
  const load = () => new Promise((settle) => (resolve = settle))
  const reason = new Error('gone')
  const [mine, others] = [new AbortController(), new AbortController()]
  const leaving = cache.getOrSet('a', load, { signal: mine.signal })
  const staying = cache.getOrSet('a', never, { signal: others.signal })
  mine.abort(reason)
  await assert.rejects(leaving, (error) => error === reason)
  await assert.rejects(cache.getOrSet('a', never, { signal: mine.signal }), (error) => error === reason)
  assert.equal(handed.length, 1)
  resolve('found')
  assert.equal(await staying, 'found')
  await handed[0]
  assert.equal(cache.get('a'), 'found')
  const failing = cache.getOrSet('b', async () => assert.fail('down'), { signal: others.signal })
  others.abort()
  await assert.rejects(failing)
})
