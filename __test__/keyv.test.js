// Owns what a key, a namespace and an expiry come to in spillway/keyv and spillway/bentocache; consumers.test.js has the libraries on them.
// Never waits: time is the clock each test holds.
'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')
const { spillwayDriver } = require('spillway/bentocache')
const { KeyvSpillway } = require('spillway/keyv')

/** A store in a time of the test's own. */
function frozen(options) {
  const time = { now: 1_700_000_000_000 }
  const clock = () => time.now
  return { time, store: new KeyvSpillway({ clock, ...options }), layer: spillwayDriver({ clock, ...options }) }
}

test('a value is kept for its ttl; without one it does not expire, and what is over is not kept', async () => {
  const { time, store } = frozen()
  await store.set('ttl', '"short"', 1_000)
  await store.set('none', '"long"')
  await store.set('nought', '"long"', 0)
  await store.setMany([
    { key: 'a', value: '1', ttl: 1_000 },
    { key: 'b', value: '2' },
  ])
  time.now += 999
  assert.deepEqual(await store.getMany(['ttl', 'none', 'nought', 'a', 'b']), ['"short"', '"long"', '"long"', '1', '2'])
  time.now += 1
  assert.deepEqual(await store.getMany(['ttl', 'a']), [undefined, undefined])
  time.now += 3_000 * 86_400_000
  assert.deepEqual(await store.hasMany(['ttl', 'none', 'nought', 'b']), [false, true, true, true])

  await store.set('none', '"over"', -1)
  await store.setMany([{ key: 'b', value: 'over', ttl: -1 }])
  assert.deepEqual(await store.hasMany(['none', 'b']), [false, false])
  await store.set('eon', '1', Number.MAX_SAFE_INTEGER)
  await store.set('blink', '1', 0.1)
  assert.equal(await store.get('eon'), '1')
})

test('text is stored as it is, and what is no text comes back as it went in', async () => {
  const { store } = frozen()
  const values = [
    '{"value":1}',
    '',
    'ä 👋',
    'half of a pair \ud83d',
    { at: new Date(7) },
    new Map([[1, 2n]]),
    Buffer.from([0, 255]),
    7,
  ]
  for (const [index, value] of values.entries()) {
    await store.set(`key-${index}`, value)
    assert.deepEqual(await store.get(`key-${index}`), value)
  }
  const { bytes } = store.cache.stats()
  await store.set('text', 'x'.repeat(10_000))
  assert.ok(store.cache.stats().bytes < bytes + 12_000, 'not as text of text')
})

test('a namespace is its own, whether the keys come with it or without', async () => {
  const { store } = frozen()
  // One adapter in two namespaces is not what Keyv recommends; it is what shows that they are apart.
  const within = async (namespace, act) => {
    store.namespace = namespace
    return act()
  }
  const long = 'n'.repeat(5_000)
  for (const namespace of [undefined, 'web', 'we', long]) {
    await within(namespace, () => store.set('key', `of ${namespace}`))
    await within(namespace, () => store.set(`${namespace}:key`, `with ${namespace}`))
  }
  for (const namespace of ['web', long]) {
    assert.equal(await within(namespace, () => store.get('key')), `of ${namespace}`)
    assert.equal(await within(namespace, () => store.get(`${namespace}:key`)), `with ${namespace}`)
    await within(namespace, () => store.clear())
    assert.deepEqual(await within(namespace, () => store.getMany(['key', `${namespace}:key`])), [undefined, undefined])
  }
  assert.equal(await within('we', () => store.get('key')), 'of we')
  await within(undefined, () => store.clear())
  assert.equal(await within(undefined, () => store.get('key')), undefined)
  assert.equal(await within('we', () => store.get('key')), 'of we')
  assert.deepEqual(
    [await store.delete('key'), await store.delete('key'), await store.deleteMany(['key'])],
    [true, false, false],
  )
})

test('clearing looks at no entry', async () => {
  const { store, layer } = frozen()
  const driver = layer.factory({ prefix: 'shop' })
  for (let index = 0; index < 2_000; index++) {
    await store.set(`key-${index}`, '1')
    driver.set(`key-${index}`, '1')
  }
  await store.clear()
  driver.clear()
  for (const { cache } of [store, driver])
    assert.equal(cache.stats().entries, 2_000, 'they are found gone when asked for')
  assert.equal(await store.get('key-7'), undefined)
  assert.equal(driver.get('key-7'), undefined)
})

test('a layer has prefixes in prefixes, and each clears all that begins with it', () => {
  const { layer } = frozen()
  const root = layer.factory({ prefix: 'shop::' })
  const [users, posts] = [root.namespace('users'), root.namespace('users').namespace('posts')]
  const long = root.namespace('n'.repeat(500))
  const all = { root, users, posts, long, twin: root.namespace('users-too') }
  const there = () => Object.keys(all).filter((name) => all[name].get('key') !== undefined)
  const fill = () => Object.values(all).forEach((driver) => driver.set('key', 'value'))
  for (const [driver, left] of [
    [posts, ['root', 'users', 'long', 'twin']],
    [users, ['root', 'long', 'twin']],
    [long, ['root', 'users', 'posts', 'twin']],
    [root, []],
  ]) {
    fill()
    driver.clear()
    assert.deepEqual(there(), left)
  }
  fill()
  assert.equal(root.get('users:posts:key'), 'value')
  layer.factory({}).clear()
  assert.deepEqual(there(), [], 'without a prefix it is everything')

  const deep = 'a:'.repeat(31)
  root.namespace(deep).set('b:c:d:e', 'value')
  root.namespace(deep).clear()
  assert.equal(root.namespace(deep).get('b:c:d:e'), undefined)
  assert.throws(() => root.namespace('a:'.repeat(33)), { code: 'E_OPTION', message: /may be 32 deep/ })
})

test('a layer says how long a value has left, and takes it out once', async () => {
  const { time, layer } = frozen()
  const driver = layer.factory({ prefix: 'shop' })
  driver.set('key', 'value', 60_000)
  time.now += 20_000
  assert.equal(driver.getRemainingTtl('key'), 40_000)
  assert.equal(driver.getRemainingTtl('absent'), undefined)
  assert.deepEqual([driver.pull('key'), driver.pull('key')], ['value', undefined])
  driver.set('key', 'value')
  driver.set('key', 'over', 0)
  assert.equal(driver.get('key'), undefined)
})

test('a second layer answers the same with promises', async () => {
  const driver = spillwayDriver({ layer: 'l2', clock: () => 1_700_000_000_000 }).factory({ prefix: 'shop' })
  assert.equal(driver.type, 'l2')
  const calls = [
    [driver.set('key', 'value', 60_000), true],
    [driver.get('key'), 'value'],
    [driver.namespace('in').get('key'), undefined],
    [driver.delete('key'), true],
    [driver.deleteMany(['key']), true],
    [driver.pull('key'), undefined],
    [driver.clear(), undefined],
    [driver.disconnect(), undefined],
  ]
  for (const [call, answer] of calls) {
    assert.ok(call instanceof Promise)
    assert.equal(await call, answer)
  }
})

test('wrong options throw where they are written', () => {
  assert.throws(() => new KeyvSpillway({ ttl: 5 }), {
    code: 'E_OPTION',
    message: /`ttl` is not an option of a KeyvSpillway/,
  })
  assert.throws(() => spillwayDriver({ layer: 'l3' }), {
    code: 'E_OPTION',
    message: /`layer` of spillwayDriver\(\) must be 'l1' or 'l2'/,
  })
  assert.throws(() => spillwayDriver({ maxItems: 5 }), {
    code: 'E_OPTION',
    message: /`maxItems` is not an option of spillwayDriver\(\)/,
  })
})
