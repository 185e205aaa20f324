// What a cache over Redis makes of each answer it may get, on a tier that is answered by hand. Owns no statement about Redis itself.
// Never opens a connection.
'use strict'

const assert = require('node:assert/strict')
const { AsyncLocalStorage } = require('node:async_hooks')
const { test } = require('node:test')
const { Refusal } = require('../index.js')
const { CODE, answered, found, landed } = require('./answered.js')
const { fate, turn } = require('./staged.js')
const { loader, never } = require('./caches.js')

const MISSING = 0
const REFRESH = 1
const RELOAD = 2

/** What is asked now, which must be just this. */
function only(tier, call) {
  assert.deepEqual(
    tier.asked.map((one) => one.call),
    [call],
  )
  return tier.asked[0]
}

test('get asks Redis only for what memory has not', async (t) => {
  const { cache, tier, calls } = answered(t)
  const setting = cache.set('a', { n: 1 })
  assert.deepEqual(only(tier, 'cacheSetFar').given, ['a', '{"n":1}', undefined, undefined, undefined])
  tier.asked[0].answer(0)
  await setting
  tier.binary.cacheSet(tier.id, 'a', '{"n":1}', undefined, undefined, undefined)
  const first = await cache.get('a')
  assert.deepEqual(first, { n: 1 })
  assert.ok(Object.isFrozen(first))
  assert.equal(await cache.get('a'), first)
  assert.equal(cache.get('a'), cache.get('a'), 'a hit makes no promise of its own')
  assert.deepEqual(calls(), [])
})

test('what Redis has is decoded, frozen where it is shared, and a miss is undefined', async (t) => {
  const { cache, tier } = answered(t)
  const got = cache.get('a')
  assert.deepEqual(only(tier, 'cacheFetch').given, ['a', 0, undefined])
  tier.asked[0].answer(CODE.HIT, { numbers: found(), payload: '{"n":[1]}' })
  const value = await got
  assert.deepEqual(value, { n: [1] })
  assert.ok(Object.isFrozen(value.n))
  const nothing = cache.get('b')
  only(tier, 'cacheFetch').answer(CODE.MISS)
  assert.equal(await nothing, undefined)
  const negative = cache.get('c')
  only(tier, 'cacheFetch').answer(CODE.HIT, { numbers: found({ flags: 1 }), payload: 'must not be looked at' })
  assert.equal(await negative, undefined)
})

test('with Redis gone, get is what memory has, at once and without an error', async (t) => {
  const { cache, tier } = answered(t)
  const late = cache.get('a')
  only(tier, 'cacheFetch').answer(CODE.ALONE)
  assert.equal(await late, undefined)
  tier.down = true
  assert.equal(await cache.get('a'), undefined)
  assert.equal(await cache.entry('a'), undefined)
  assert.equal(await cache.set('a', 1), undefined)
  assert.equal(await cache.delete('a'), false)
  assert.equal(await cache.invalidateTag('t'), undefined)
  assert.equal(await cache.getOrSet('a', () => 2), 2)
  assert.deepEqual(await cache.getMany(['a', 'b']), [2, undefined])
  await assert.rejects(cache.keys().next(), { code: 'E_STORE_UNAVAILABLE' })
})

test('an entry tells what Redis says of it', async (t) => {
  const { cache, tier } = answered(t)
  const entry = cache.entry('a', { tags: ['x'] })
  assert.deepEqual(only(tier, 'cacheFetch').given, ['a', 3, ['x']])
  tier.asked[0].answer(CODE.HIT, { numbers: found({ state: 2, ageMs: 70, freshForMs: -3, flags: 0 }), payload: '7' })
  assert.deepEqual(await entry, {
    value: 7,
    state: 'grace',
    ageMs: 70,
    freshForMs: -3,
    negative: false,
    restored: false,
  })
})

test('what memory has is looked at there, with further tags or without', async (t) => {
  const { cache, tier, calls } = answered(t)
  tier.binary.cacheSet(tier.id, 'a', '1', undefined, ['own'], undefined)
  assert.equal(await cache.get('a', { tags: ['other'] }), 1)
  assert.equal((await cache.entry('a')).value, 1)
  assert.equal((await cache.entry('a', { tags: ['other'] })).state, 'fresh')
  assert.deepEqual(await cache.getMany(['a', 'a']), [1, 1])
  assert.deepEqual(calls(), [])
})

test('a thousand callers of a key are one claim, and nothing is loaded when Redis has it', async (t) => {
  const { cache, tier } = answered(t)
  const all = Array.from({ length: 1000 }, () => cache.getOrSet('a', never))
  const claim = only(tier, 'cacheClaim')
  assert.equal(claim.given[0], 'a')
  assert.equal(claim.given[2], MISSING)
  landed(tier, claim, '{"n":1}')
  const values = await Promise.all(all)
  assert.ok(values.every((value) => value === values[0]) && Object.isFrozen(values[0]))
  assert.deepEqual(await cache.get('a'), { n: 1 }, 'it is in memory now')
  assert.equal(tier.asked.length, 0)
})

test('whoever is to load does so after the answer, in the context of who has asked', async (t) => {
  const { cache, tier } = answered(t)
  const whose = new AsyncLocalStorage()
  const seen = []
  const got = whose.run('mine', () => cache.getOrSet('a', () => seen.push(whose.getStore())))
  await turn()
  assert.deepEqual(seen, [])
  whose.run('of the delivery', () => only(tier, 'cacheClaim').answer(CODE.LEAD, { numbers: { 0: 7 } }))
  assert.equal(await got, 1)
  assert.deepEqual(seen, ['mine'])
})

for (const [title, code] of [
  ['does not answer in time', CODE.ALONE],
  ['has something foreign there', CODE.FOREIGN],
]) {
  test(`where Redis ${title}, the loader runs and its value is in memory`, async (t) => {
    const warned = []
    t.mock.method(process, 'emitWarning', (text, { code }) => warned.push([code, text]))
    const { cache, tier } = answered(t)
    for (const key of ['a', 'b']) {
      const got = cache.getOrSet(key, () => ({ key }))
      only(tier, 'cacheClaim').answer(code)
      assert.deepEqual(await got, { key })
      assert.deepEqual(await cache.get(key), { key })
    }
    assert.deepEqual(
      warned.map(([code]) => code),
      code === CODE.FOREIGN ? ['SPILLWAY_FOREIGN_DATA'] : [],
    )
  })
}

test('with Redis known to be down the loader begins in the turn of the call', async (t) => {
  const { cache, tier } = answered(t)
  tier.down = true
  let began = false
  const got = cache.getOrSet('a', () => (began = true))
  assert.equal(began, true)
  assert.equal(await got, true)
})

test('something stale from Redis is answered at once, and made anew by one claim in the background', async (t) => {
  const { cache, tier } = answered(t, { ttl: '1s', stale: '1h' })
  const handed = []
  const load = loader()
  const asked = Array.from({ length: 3 }, () =>
    cache.getOrSetEntry('a', load.load, { waitUntil: (promise) => handed.push(promise) }),
  )
  const first = only(tier, 'cacheClaim')
  // As the tier does: what is stale goes into memory as it is; here it was dropped from there again.
  tier.binary.cacheFail(tier.id, first.given[1])
  tier.binary.cacheSet(tier.id, 'a', '"old"', 1, undefined, undefined)
  await new Promise((resolve) => setTimeout(resolve, 5))
  first.answer(CODE.HIT, { numbers: found({ state: 1, ageMs: 1500, freshForMs: 0 }), payload: '"old"' })
  const entries = await Promise.all(asked)
  assert.ok(entries.every(({ value, state, ageMs }) => value === 'old' && state === 'stale' && ageMs === 1500))
  const refresh = only(tier, 'cacheClaim')
  assert.equal(refresh.given[2], REFRESH)
  assert.equal(handed.length, 1)
  refresh.answer(CODE.LEAD)
  await turn()
  assert.equal(load.calls, 1)
  load.resolve('new')
  await handed[0]
  assert.equal(await cache.get('a'), 'new')
})

test('what nobody can decode any more is loaded anew, once for all who found it', async (t) => {
  const { cache, tier } = answered(t)
  const load = loader()
  const all = [cache.getOrSet('a', load.load), cache.getOrSet('a', load.load)]
  landed(tier, only(tier, 'cacheClaim'), 'no JSON {')
  await turn()
  const claim = only(tier, 'cacheClaim')
  assert.equal(claim.given[2], RELOAD)
  claim.answer(CODE.LEAD)
  await turn()
  load.resolve(1)
  assert.deepEqual(await Promise.all(all), [1, 1])
  assert.equal(load.calls, 1)
  const got = cache.get('b')
  only(tier, 'cacheFetch').answer(CODE.HIT, { numbers: found(), payload: 'no JSON {' })
  await assert.rejects(got, { code: 'E_VALUE_DECODE' })
})

test('a claim whose load another thread has taken over meanwhile is a load that took too long', async (t) => {
  const { cache, tier } = answered(t, { loadTimeout: '7s' })
  const got = cache.getOrSet('a', never)
  only(tier, 'cacheClaim').answer(CODE.GONE)
  await assert.rejects(got, (error) => error instanceof Refusal && error.code === 'E_TIMEOUT' && /7000 ms/.test(error))
})

test('a load that fails gives back its claim, and the next caller claims anew', async (t) => {
  const { cache, tier } = answered(t)
  for (let round = 0; round < 2; round++) {
    const got = cache.getOrSet('a', () => Promise.reject(new Error('no')))
    only(tier, 'cacheClaim').answer(CODE.LEAD)
    await assert.rejects(got, { message: 'no' })
  }
})

test('a failing load is answered by what the claim has brought into memory for grace', async (t) => {
  const { cache, tier } = answered(t, { ttl: 1, grace: '1h' })
  let previous
  const got = cache.getOrSetEntry('a', (call) => {
    previous = call.previous
    throw new Error('no')
  })
  const claim = only(tier, 'cacheClaim')
  tier.binary.cacheSet(tier.id, 'a', '"old"', 1, undefined, undefined)
  await new Promise((resolve) => setTimeout(resolve, 5))
  claim.answer(CODE.LEAD)
  const { value, state, loadError } = await got
  assert.deepEqual([value, state, loadError.message, previous], ['old', 'grace', 'no', 'old'])
})

test('a signal ends a caller’s wait for Redis, and the claim goes on', async (t) => {
  const { cache, tier } = answered(t)
  const leaving = new AbortController()
  const got = cache.getOrSet('a', never, { signal: leaving.signal })
  const other = cache.getOrSet('a', never)
  leaving.abort(new Error('gone'))
  await assert.rejects(got, { message: 'gone' })
  landed(tier, only(tier, 'cacheClaim'), '1')
  assert.equal(await other, 1)
})

test('whoever asks after a change in this process shares no claim with those before it', async (t) => {
  const { cache, tier, calls } = answered(t)
  const before = cache.getOrSet('a', never)
  tier.binary.cacheDelete(tier.id, 'a')
  const after = cache.getOrSet('a', () => 'new')
  assert.deepEqual(calls(), ['cacheClaim', 'cacheClaim'])
  tier.asked[1].answer(CODE.LEAD)
  assert.equal(await after, 'new')
  landed(tier, tier.asked[0], '"old"')
  assert.equal(await before, 'old')
  assert.equal(await cache.get('a'), 'new')
})

test('getMany asks for what memory lacks, in one turn, and keeps the order', async (t) => {
  const { cache, tier, calls } = answered(t)
  tier.binary.cacheSet(tier.id, 'b', '2', undefined, undefined, undefined)
  const got = cache.getMany(['a', 'b', 'c', 'd'])
  assert.deepEqual(calls(), ['cacheFetch', 'cacheFetch', 'cacheFetch'])
  const [a, c, d] = tier.asked.slice()
  d.answer(CODE.HIT, { numbers: found(), payload: '4' })
  c.answer(CODE.MISS)
  a.answer(CODE.HIT, { numbers: found(), payload: '1' })
  assert.deepEqual(await got, [1, 2, undefined, 4])
})

test('each change says what either tier had, and is done when Redis has it or owes it', async (t) => {
  const { cache, tier } = answered(t)
  for (const [call, name, given, code, number, answer] of [
    [() => cache.delete('a'), 'cacheDeleteFar', ['a'], 0, 1, true],
    [() => cache.delete('a'), 'cacheDeleteFar', ['a'], CODE.OWED, 0, false],
    [() => cache.expire('a'), 'cacheExpireFar', ['a'], 0, 1, true],
    [() => cache.deletePrefix('p:'), 'cacheDeletePrefixFar', ['p:'], 0, 12, 12],
    [() => cache.clear(), 'cacheClearFar', [], 0, 0, undefined],
    [() => cache.setVersion(8), 'cacheVersionFar', ['8'], 0, 1, true],
    [() => cache.invalidateTag('x', 'y'), 'cacheTagsFar', [['x', 'y'], false], 0, 0, undefined],
    [() => cache.expireTag('x'), 'cacheTagsFar', [['x'], true], 0, 0, undefined],
    [() => cache.expireTag('x', { grace: '2s' }), 'cacheTagsFar', [['x'], 2000], CODE.OWED, 0, undefined],
    [() => cache.setMany([['a', 1]]), 'cacheSetManyFar', [['a'], ['1'], [undefined], [undefined]], 0, 0, undefined],
  ]) {
    const changing = call()
    assert.equal(await fate(changing), 'pending', name)
    const one = only(tier, name)
    assert.deepEqual(one.given, given)
    one.answer(code, { numbers: { 0: number } })
    assert.equal(await changing, answer, name)
  }
})

test('more tags than an entry may have are several changes at once', async (t) => {
  const { cache, tier } = answered(t)
  const tags = Array.from({ length: 300 }, (_, index) => `t${index}`)
  const changing = cache.invalidateTag(...tags)
  assert.deepEqual(
    tier.asked.map(({ given }) => given[0].length),
    [128, 128, 44],
  )
  for (const one of tier.asked.slice()) one.answer(0)
  assert.equal(await changing, undefined)
})

test('keys come batch by batch until there are no more', async (t) => {
  const { cache, tier } = answered(t)
  const listed = (async () => {
    const all = []
    for await (const key of cache.keys({ prefix: 'p' })) all.push(key)
    return all
  })()
  assert.deepEqual(only(tier, 'cacheScan').given, ['', 'p'])
  tier.asked[0].answer(0, { payload: JSON.stringify(['5', 'p1', '\ud800p']) })
  await turn()
  assert.deepEqual(only(tier, 'cacheScan').given, ['5', 'p'])
  tier.asked[0].answer(0, { payload: '["","p3"]' })
  assert.deepEqual(await listed, ['p1', '\ud800p', 'p3'])
  const failing = cache.keys().next()
  only(tier, 'cacheScan').answer(CODE.ALONE)
  await assert.rejects(failing, { code: 'E_STORE_UNAVAILABLE' })
})

test('warm leaves alone what is fresh in Redis, whether a value or a loader is given', async (t) => {
  const { cache, tier, calls } = answered(t)
  const warming = cache.warm(
    [
      ['a', () => 1],
      ['b', 2],
      ['c', () => 3],
      ['d', 4],
    ],
    { concurrency: 4 },
  )
  await turn()
  assert.deepEqual(calls(), ['cacheClaim', 'cacheFetch', 'cacheClaim', 'cacheFetch'])
  const [a, b, c, d] = tier.asked.slice()
  landed(tier, a, '1')
  b.answer(CODE.HIT, { numbers: found(), payload: '2' })
  c.answer(CODE.LEAD)
  d.answer(CODE.MISS)
  await turn()
  only(tier, 'cacheSetFar').answer(0)
  assert.deepEqual(await warming, { loaded: 2, failed: 0, present: 2 })

  const failing = cache.warm([['e', undefined]])
  await turn()
  only(tier, 'cacheFetch').answer(CODE.MISS)
  const { loaded, failed, error } = await failing
  assert.deepEqual([loaded, failed, error.code], [0, 1, 'E_VALUE_ENCODE'])
})

test('what is wrong in a call is a rejection, of which nothing reaches Redis', async (t) => {
  const { cache, tier } = answered(t)
  for (const [call, code] of [
    [() => cache.get(''), 'E_KEY'],
    [() => cache.get('a', { tags: [''] }), 'E_TAGS'],
    [() => cache.entry(5), 'E_KEY'],
    [() => cache.set('a', undefined), 'E_VALUE_ENCODE'],
    [() => cache.set('a', 1, { since: 9e15 }), 'E_OPTION'],
    [() => cache.set('a', 1, { ttl: -1 }), 'E_DURATION'],
    [() => cache.deletePrefix(''), 'E_KEY'],
    [() => cache.invalidateTag(''), 'E_TAGS'],
    [() => cache.expireTag('a', { grace: 'x' }), 'E_DURATION'],
    [() => cache.setVersion(undefined), 'E_OPTION'],
    [() => cache.getOrSet('a'), 'E_FUNCTION'],
    [() => cache.getOrSetEntry('a'), 'E_FUNCTION'],
    [() => cache.getMany('a'), 'E_OPTION'],
    [() => cache.getMany(['']), 'E_KEY'],
    [() => cache.setMany([['a']]), 'E_OPTION'],
    [() => cache.keys({ prefix: 5 }).next(), 'E_OPTION'],
    [() => cache.dump(''), 'E_OPTION'],
    [() => cache.warm(5), 'E_OPTION'],
  ]) {
    await assert.rejects(call(), { code }, String(call))
    assert.equal(tier.asked.length, 0, String(call))
  }
})
