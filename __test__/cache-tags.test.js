// What is forgotten together: by tag, by version, by prefix, or all of it. Owns these, and what a value made before them is worth.
// Never waits: time is an argument.
'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')
const { spillway } = require('../index.js')
const { faked, fate, loader, never, opened, thrower, turn, twice } = require('./caches.js')

const down = new Error('down')
const TIMES = { ttl: 1000, stale: 500, grace: 2000 }

// ---------------------------------------------------------------- tags

test('a tag that is invalidated takes what has it, read before or not, and nothing else', (t) => {
  const { cache } = opened(t, TIMES)
  cache.set('a', 1, { tags: ['x', 'y'] })
  cache.set('b', 2, { tags: ['y'] })
  cache.set('c', 3, { tags: [] })
  cache.set('d', 4)
  assert.equal(cache.get('a'), 1)
  cache.invalidateTag('x')
  assert.deepEqual(cache.getMany(['a', 'b', 'c', 'd']), [undefined, 2, 3, 4])
  assert.equal(cache.entry('a'), undefined, 'not even in grace')
  cache.invalidateTag('y', 'none')
  assert.deepEqual(cache.getMany(['a', 'b', 'c', 'd']), [undefined, undefined, 3, 4])
  cache.set('a', 5, { tags: ['x', 'y'] })
  assert.equal(cache.get('a'), 5, 'what is stored later counts again')
  cache.invalidateTag()
  assert.equal(cache.get('a'), 5)
})

test('a copy whose tags nobody has touched is not decoded again after another tag was', (t) => {
  const { cache } = opened(t)
  cache.set('a', { of: [1] }, { tags: ['mine'] })
  const copy = cache.get('a')
  cache.invalidateTag('other')
  assert.equal(cache.get('a'), copy)
  cache.clear()
  assert.equal(cache.get('a'), undefined)
})

test('the tags of a value are those of its last set', (t) => {
  const { cache } = opened(t)
  cache.set('a', 1, { tags: ['x'] })
  cache.set('a', 2, { tags: ['y'] })
  cache.invalidateTag('x')
  assert.equal(cache.get('a'), 2)
  cache.set('a', 3)
  cache.invalidateTag('y')
  assert.equal(cache.get('a'), 3)
})

test('a loader adds its tags to those of the call', async (t) => {
  for (const tag of ['of the call', 'of the loader', 'another']) {
    const { cache } = opened(t)
    const load = ({ tags }) => {
      tags('of the loader', 'of the call')
      tags('another')
      tags()
      return 'found'
    }
    await cache.getOrSet('a', load, { tags: ['of the call'] })
    assert.equal(cache.get('a'), 'found')
    cache.invalidateTag(tag)
    assert.equal(cache.get('a'), undefined, tag)
  }
})

test('a tag that is invalidated during a load keeps its result from being stored, whoever named the tag', async (t) => {
  for (const [tags, added] of [
    [['x'], []],
    [undefined, ['x']],
  ]) {
    const { cache } = opened(t)
    const all = loader()
    const before = cache.getOrSet('a', all.load, { tags })
    all.contexts[0].tags(...added)
    cache.invalidateTag('x')
    all.resolve('of before')
    assert.equal(await before, 'of before', 'who asked before gets it')
    assert.equal(cache.get('a'), undefined)
  }
})

test('who asks after the invalidation does not get what was loaded from before it', async (t) => {
  const { cache } = opened(t)
  const [old, fresh] = [loader(), loader()]
  const before = cache.getOrSet('a', old.load, { tags: ['x'] })
  cache.invalidateTag('x')
  const after = cache.getOrSet('a', fresh.load, { tags: ['x'] })
  old.resolve('of before')
  assert.equal(await before, 'of before')
  await turn()
  fresh.resolve?.('of after')
  assert.equal(await after, 'of after')
  assert.equal(cache.get('a'), 'of after')
})

test('an expired tag leaves what has it for grace alone, and no longer than it says', async (t) => {
  const { cache, clock } = opened(t, TIMES)
  cache.set('a', 'old', { tags: ['x'] })
  cache.set('b', 'old', { tags: ['y'] })
  assert.equal(cache.get('a'), 'old')
  cache.expireTag('x')
  cache.expireTag('y', { grace: 500 })
  assert.equal(cache.get('a'), undefined)
  assert.equal(cache.entry('a').state, 'grace')
  assert.equal(await cache.getOrSet('a', thrower(down)), 'old')
  clock.now += 499
  assert.equal(await cache.getOrSet('b', thrower(down)), 'old')
  clock.now += 1
  await assert.rejects(cache.getOrSet('b', thrower(down)), down)
  assert.equal(await cache.getOrSet('a', thrower(down)), 'old')
  clock.now += 1500
  await assert.rejects(cache.getOrSet('a', thrower(down)), down)
})

test('a look may name further tags, as if the entry had them', (t) => {
  const { cache } = opened(t, TIMES)
  cache.set('a', 'old', { tags: ['x'] })
  assert.equal(cache.get('a', { tags: ['soft'] }), 'old')
  assert.equal(cache.get('a', {}), 'old')
  cache.expireTag('soft')
  assert.equal(cache.get('a'), 'old')
  assert.equal(cache.get('a', { tags: ['soft'] }), undefined)
  assert.equal(cache.entry('a', { tags: ['soft'] }).state, 'grace')
  cache.invalidateTag('soft')
  assert.equal(cache.entry('a', { tags: ['soft'] }), undefined)
  assert.equal(cache.get('a', { tags: [] }), 'old')
  const { hits, misses } = cache.stats()
  assert.deepEqual({ hits, misses }, { hits: 4, misses: 1 })
})

test('a tag of one thread is a tag of all', (t) => {
  const [here, there] = twice(t)
  here.set('a', 1, { tags: ['x'] })
  assert.equal(there.get('a'), 1)
  there.invalidateTag('x')
  assert.equal(here.get('a'), undefined)
})

test('tags of any characters are told apart, to the last one', (t) => {
  const { cache } = opened(t)
  const tags = ['a', 'A', 'á', 'a\u0301', '€', '😀', '\ud800', '\udc00', '\0', 'a\0', '__proto__', 'x'.repeat(256)]
  for (const tag of tags) cache.set(tag, tag, { tags: [tag] })
  for (const [index, tag] of tags.entries()) {
    cache.invalidateTag(tag)
    assert.deepEqual(
      tags.filter((each) => cache.get(each) !== undefined),
      tags.slice(index + 1),
    )
  }
})

test('128 tags are possible, 129 are not, and twice the same is one', (t) => {
  const { cache } = opened(t)
  const tags = Array.from({ length: 128 }, (_, index) => `tag-${index}`)
  cache.set('a', 1, { tags: [...tags, 'tag-0', 'tag-7'] })
  cache.invalidateTag('tag-127')
  assert.equal(cache.get('a'), undefined)
  assert.throws(() => cache.set('a', 1, { tags: [...tags, 'one more'] }), { code: 'E_TAGS' })
})

test('what is no tag is told, with where it stands, and changes nothing', async (t) => {
  const { cache } = opened(t)
  cache.set('a', 'before')
  const many = Array.from({ length: 10_000 }, (_, index) => `tag-${index}`)
  for (const [tags, got, Base] of [
    ['x', 'got "x"', TypeError],
    [null, 'got null', TypeError],
    [{ x: 1 }, 'got an object (Object)', TypeError],
    [['x', 7], 'number 2 is 7', TypeError],
    [['x', undefined], 'number 2 is undefined', TypeError],
    [[''], 'number 1 is ""', RangeError],
    [['x'.repeat(257)], 'number 1 is a string of 257 characters', RangeError],
    [many, 'got 10,000: tag by what changes', RangeError],
  ]) {
    const wrong = (error, where = '') => {
      assert.ok(error instanceof Base)
      assert.equal(error.code, 'E_TAGS')
      assert.equal(error.option, 'tags')
      const rule = '`tags` of a cached value must be up to 128 strings of 1 to 256 characters; '
      assert.ok(error.message.startsWith(where + rule), error.message)
      assert.ok(error.message.includes(got), error.message)
      return true
    }
    assert.throws(() => cache.set('a', 1, { tags }), wrong)
    assert.throws(
      () => cache.setMany([['a', 1, { tags }]]),
      (error) => wrong(error, '`entries[0]`: '),
    )
    await assert.rejects(cache.getOrSet('b', never, { tags }), wrong)
    if (!Array.isArray(tags)) continue
    await assert.rejects(
      cache.getOrSet('b', (call) => call.tags(...tags)),
      wrong,
    )
  }
  assert.equal(cache.get('a'), 'before')
  assert.equal(cache.get('b'), undefined)
  for (const call of [() => cache.invalidateTag(7), () => cache.expireTag(''), () => cache.get('a', { tags: [7] })]) {
    assert.throws(call, { code: 'E_TAGS' })
  }
  assert.throws(() => cache.expireTag('a', { grace: 'soon' }), { code: 'E_DURATION', option: 'grace' })
  assert.throws(() => cache.expireTag('a', { gracE: 1 }), { code: 'E_OPTION', option: 'gracE' })
})

test('invalidating more tags at once than an entry may have is possible', (t) => {
  const { cache } = opened(t)
  const tags = Array.from({ length: 1000 }, (_, index) => `tag-${index}`)
  for (const tag of tags) cache.set(tag, 1, { tags: [tag] })
  cache.invalidateTag(...tags)
  assert.deepEqual(
    tags.filter((tag) => cache.get(tag) !== undefined),
    [],
  )
})

// ---------------------------------------------------------------- moments

test('a value that was made before an invalidation is not stored after it', (t) => {
  const { cache } = opened(t, TIMES)
  const changes = [
    ['tag', () => cache.invalidateTag('x'), undefined],
    ['clear', () => cache.clear(), undefined],
    ['version', () => cache.setVersion(String(cache.moment())), undefined],
    ['another tag', () => cache.invalidateTag('y'), 'made'],
    ['nothing', () => {}, 'made'],
  ]
  for (const [what, change, found] of changes) {
    cache.delete('a')
    const since = cache.moment()
    change()
    cache.set('a', 'made', { tags: ['x'], since })
    assert.equal(cache.get('a'), found, what)
  }
  const since = cache.moment()
  cache.expireTag('x')
  cache.set('a', 'made', { tags: ['x'], since })
  assert.equal(cache.get('a'), undefined)
  assert.equal(cache.entry('a').state, 'grace')
})

test('a moment is a number that grows with every change', (t) => {
  const { cache } = opened(t)
  const moments = [cache.moment()]
  for (const change of [() => cache.set('a', 1), () => cache.invalidateTag('x'), () => cache.clear()]) {
    change()
    moments.push(cache.moment())
  }
  for (let index = 1; index < moments.length; index++) assert.ok(moments[index] > moments[index - 1])
  // The last one as somebody who takes it for a time would give it.
  for (const since of [-1, 1.5, '1', null, NaN, cache.moment() + 1, Date.now()]) {
    assert.throws(() => cache.set('a', 1, { since }), { code: 'E_OPTION', option: 'since' })
  }
})

// ---------------------------------------------------------------- versions

test('another version forgets what was stored, the same one nothing', (t) => {
  const { cache } = opened(t, { version: 1 })
  assert.equal(cache.version, '1')
  cache.set('a', 1)
  assert.equal(cache.get('a'), 1)
  assert.equal(cache.setVersion('1'), false)
  assert.equal(cache.setVersion(1), false)
  assert.equal(cache.get('a'), 1)
  assert.equal(cache.setVersion('2026-11'), true)
  assert.equal(cache.version, '2026-11')
  assert.equal(cache.get('a'), undefined)
  assert.equal(cache.stats().version, '2026-11')
  cache.set('a', 2)
  assert.equal(cache.setVersion(1), true)
  assert.equal(cache.get('a'), undefined, 'an older one does not bring back what it had')
})

test('a cache without a version has none, and gets one', (t) => {
  const { cache } = opened(t)
  assert.equal(cache.version, undefined)
  assert.equal(cache.stats().version, null)
  cache.set('a', 1)
  assert.equal(cache.setVersion('x'), true)
  assert.equal(cache.get('a'), undefined)
})

test('opening a cache again does not set its version back', (t) => {
  const [one, two] = [1, 2].map(() => spillway({ prefix: 'versions' }))
  t.after(() => Promise.all([one.close(), two.close()]))
  const cache = one.cache('shared', { version: 1 })
  cache.setVersion(2)
  cache.set('a', 1)
  const other = two.cache('shared', { version: 1 })
  assert.equal(other.version, '2')
  assert.equal(other.get('a'), 1)
  assert.throws(() => two.cache('shared', { version: 3 }), {
    code: 'E_MISMATCH',
    message: /`version` is .*1.* there and .*3.* here/,
  })
})

test('a load under another version is not stored', async (t) => {
  const { cache } = opened(t, { version: 1 })
  const all = loader()
  const before = cache.getOrSet('a', all.load)
  cache.setVersion(2)
  all.resolve('of version 1')
  assert.equal(await before, 'of version 1')
  assert.equal(cache.get('a'), undefined)
})

test('what is no version is told', (t) => {
  const { cache, sp } = opened(t)
  for (const version of ['', 'x'.repeat(129), NaN, Infinity, null, {}, true, 7n]) {
    const wrong = {
      code: 'E_OPTION',
      option: 'version',
      message: /must be a string of 1 to 128 characters, or a number/,
    }
    assert.throws(() => cache.setVersion(version), wrong)
    assert.throws(() => sp.cache('other', { version }), wrong)
  }
  assert.throws(() => cache.setVersion(undefined), { code: 'E_OPTION', option: 'version' })
})

// ---------------------------------------------------------------- prefixes, and all of it

test('deletePrefix deletes what begins so, in any state, and counts it', (t) => {
  const { cache, clock } = opened(t, TIMES)
  for (const key of ['user:1', 'user:2', 'user:', 'use', 'users', 'User:1', 'éuser:', 'user:😀']) cache.set(key, key)
  assert.equal(cache.get('user:1'), 'user:1')
  clock.now += 1500
  assert.equal(cache.deletePrefix('user:'), 4)
  assert.equal(cache.entry('user:1'), undefined)
  assert.deepEqual(
    ['use', 'users', 'User:1', 'éuser:'].map((key) => cache.entry(key)?.value),
    ['use', 'users', 'User:1', 'éuser:'],
  )
  assert.equal(cache.deletePrefix('user:'), 0)
  assert.equal(cache.deletePrefix('é'), 1)
  for (const prefix of [undefined, '', 7, null]) {
    assert.throws(() => cache.deletePrefix(prefix), { code: 'E_KEY', option: 'prefix', message: /there is clear\(\)/ })
  }
})

test('a load of a key that begins so is not stored', async (t) => {
  const { cache } = opened(t)
  const all = loader()
  const before = cache.getOrSet('user:1', all.load)
  cache.deletePrefix('user:')
  all.resolve('found')
  assert.equal(await before, 'found')
  assert.equal(cache.get('user:1'), undefined)
})

test('a cache is cleared by its name alone, where it is open', (t) => {
  const [one, two] = [1, 2].map(() => spillway({ prefix: 'cleared' }))
  const stranger = spillway({ prefix: 'another' })
  t.after(() => Promise.all([one, two, stranger].map((sp) => sp.close())))
  const cache = one.cache('products', { ttl: '10m' })
  cache.set('a', 1)
  assert.equal(cache.get('a'), 1)
  assert.equal(stranger.clearCache('products'), false)
  assert.equal(two.clearCache('none'), false)
  assert.equal(cache.get('a'), 1)
  assert.equal(two.clearCache('products'), true)
  assert.equal(cache.get('a'), undefined)
  assert.throws(() => two.clearCache(''), { code: 'E_NAME' })
})

test('a clear leaves nothing for grace either, and a soft timeout then has nothing to answer with', async (t) => {
  const { cache, pass } = faked(t, { ...TIMES, softTimeout: 100 })
  cache.set('a', 'old')
  pass(1500)
  const all = loader()
  const waiting = cache.getOrSet('a', all.load)
  cache.clear()
  pass(100)
  assert.equal(await fate(waiting), 'pending')
  all.resolve('found')
  assert.equal(await waiting, 'found')
})
