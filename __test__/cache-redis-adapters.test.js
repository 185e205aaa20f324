// The adapters for caches over Redis, in two processes each: what one has stored the other serves, and what one has revalidated the other
// does not. Owns what many hosts add. Never the frameworks themselves.
'use strict'

const assert = require('node:assert/strict')
const { after, before, test } = require('node:test')
const { spillwayDriver } = require('../adapters/bentocache.js')
const { KeyvSpillway } = require('../adapters/keyv.js')
const { nextCache } = require('../adapters/next-cache.js')
const { nextUseCache } = require('../adapters/next-use-cache.js')
const { startServer } = require('./redis/servers.js')
const { host, ownPrefix, soon } = require('./hosts.js')

let server
before(async () => (server = await startServer()))
after(() => server.close())

/** Two processes with the same adapter over one cache. */
function pair(t, adapter, options) {
  const prefix = ownPrefix()
  return Promise.all([1, 2].map(() => host(t, { url: server.url, prefix, adapter, options })))
}

const gone = (call) => soon(async () => (await call()) == null)

test('Keyv stores of two processes are one', async (t) => {
  const [a, b] = await pair(t, 'keyv')
  assert.equal(await a.call('set', 'k', '{"value":1}', 60_000), true)
  assert.equal(await b.call('get', 'k'), '{"value":1}')
  assert.equal(await b.call('has', 'k'), true)
  await a.call('setMany', [{ key: 'x', value: '1' }, { key: 'y', value: '2', ttl: 60_000 }]) // prettier-ignore
  assert.deepEqual(await b.call('getMany', ['x', 'none', 'y']), ['1', undefined, '2'])
  assert.deepEqual(await b.call('hasMany', ['x', 'none']), [true, false])
  assert.equal(await a.call('delete', 'k'), true)
  await gone(() => b.call('get', 'k'))
  assert.equal(await a.call('delete', 'k'), false)
  assert.equal(await b.call('deleteMany', ['x', 'none']), true)
  await gone(() => a.call('get', 'x'))
  await a.call('set', 'y', 'over', -1)
  await gone(() => b.call('get', 'y'))
  await a.call('set', 'z', '1')
  assert.equal(await b.call('get', 'z'), '1')
  await a.call('clear')
  await gone(() => b.call('get', 'z'))
  await assert.rejects(a.call('set', 'large', 'x'.repeat(9 * 1024 ** 2)), { code: 'E_VALUE_TOO_LARGE' })
})

test('second layers of bentocache in two processes are one', async (t) => {
  const [a, b] = await pair(t, 'bentocache', { layer: 'l2' })
  assert.equal(await a.call('set', 'ns:k', 'v', 60_000), true)
  assert.equal(await b.call('get', 'ns:k'), 'v')
  assert.equal(await a.call('delete', 'ns:k'), true)
  await gone(() => b.call('get', 'ns:k'))
  await a.call('set', 'one', '1')
  await a.call('set', 'two', '2')
  assert.equal(await b.call('pull', 'one'), '1')
  await gone(() => a.call('get', 'one'))
  assert.equal(await b.call('set', 'two', 'x'.repeat(9 * 1024 ** 2)), false)
  await gone(() => a.call('get', 'two'))
  await a.call('set', 'three', '3')
  assert.equal(await b.call('deleteMany', ['three', 'none']), true)
  await gone(() => a.call('get', 'three'))
  await a.call('set', 'four', '4')
  assert.equal(await b.call('get', 'four'), '4')
  await a.call('clear')
  await gone(() => b.call('get', 'four'))
})

const page = (html, tags) => ({ kind: 'APP_PAGE', html, headers: { 'x-next-cache-tags': tags } })

test('pages of one server are served by the next, and revalidated for all', async (t) => {
  const [a, b] = await pair(t, 'next-cache', { version: 'build-1' })
  await a.call('set', '/dams', page('v1', 'dams,all'), { cacheControl: { revalidate: 60, expire: 600 } })
  const there = await b.call('get', '/dams', { kind: 'APP_PAGE' })
  assert.equal(there.value.html, 'v1')
  assert.deepEqual(there.cacheControl, { revalidate: 60, expire: 600 })
  assert.equal((await b.call('get', '/dams', { kind: 'APP_PAGE' })).value.html, 'v1', 'from memory')

  await a.call('revalidateTag', 'dams', { expire: 600 })
  await soon(async () => (await b.call('get', '/dams', { kind: 'APP_PAGE' }))?.cacheControl.revalidate === 1)
  assert.equal((await b.call('get', '/dams', { kind: 'APP_PAGE' })).value.html, 'v1', 'stale, and served once more')
  await b.call('resetRequestCache')
  await b.call('get', '/dams', { kind: 'APP_PAGE' })
  await b.call('set', '/dams', page('v2', 'dams,all'), { cacheControl: { revalidate: 60, expire: 600 } })
  await soon(async () => (await a.call('get', '/dams', { kind: 'APP_PAGE' }))?.value.html === 'v2')

  await b.call('revalidateTag', ['all'])
  await gone(() => a.call('get', '/dams', { kind: 'APP_PAGE' }))
})

test('a page that was being made when another server revalidated its tag is stored by neither', async (t) => {
  const [a, b] = await pair(t, 'next-cache')
  assert.equal(await b.call('get', '/dams', { kind: 'APP_PAGE' }), null)
  await a.call('revalidateTag', 'dams')
  await b.call('set', '/dams', page('old', 'dams'))
  assert.equal(await a.call('get', '/dams', { kind: 'APP_PAGE' }), null)
  await gone(() => b.call('get', '/dams', { kind: 'APP_PAGE' }))
})

test('tags of a path that is no tag of the entry count on every server', async (t) => {
  const [a, b] = await pair(t, 'next-cache')
  const value = { kind: 'FETCH', data: { body: 'x' }, revalidate: 60, tags: ['own'] }
  await a.call('set', 'fetch', value, { tags: ['own'] })
  const asked = { kind: 'FETCH', tags: ['own'], softTags: ['_N_T_/dams'] }
  assert.equal((await b.call('get', 'fetch', asked)).value.data.body, 'x')
  await a.call('revalidateTag', '_N_T_/dams')
  await gone(() => b.call('get', 'fetch', asked))
  assert.equal((await b.call('get', 'fetch', { kind: 'FETCH', tags: ['own'] })).value.data.body, 'x')
})

test('results of use cache are shared and updated over servers', async (t) => {
  const [a, b] = await pair(t, 'next-use-cache')
  const entry = (value) => {
    return { value, tags: ['dams'], stale: 0, timestamp: performance.timeOrigin + performance.now(), expire: 600, revalidate: 60 } // prettier-ignore
  }
  await a.call('get', 'k', [])
  await a.call('set', 'k', entry('v1'))
  assert.equal((await b.call('get', 'k', [])).value, 'v1')
  await a.call('updateTags', ['dams'], { expire: 600 })
  await soon(async () => (await b.call('get', 'k', []))?.revalidate === -1)
  await a.call('updateTags', ['dams'])
  await gone(() => b.call('get', 'k', []))
  // Moments are noted every 20 ms: what was begun sooner after an update counts as begun before it.
  await new Promise((resolve) => setTimeout(resolve, 50))
  assert.equal(await b.call('get', 'k', []), undefined)
  await b.call('set', 'k', entry('v2'))
  assert.equal((await a.call('get', 'k', [])).value, 'v2')
  await b.call('updateTags', ['_N_T_/dams'])
  await gone(() => a.call('get', 'k', ['_N_T_/dams']))
})

test('another build does not serve the pages of this one', async (t) => {
  const prefix = ownPrefix()
  const [a, b] = await Promise.all(
    ['1', '2'].map((version) =>
      host(t, { url: server.url, prefix, adapter: 'next-cache', options: { version: `build-${version}` } }),
    ),
  )
  await a.call('set', '/', page('of build 1', ''))
  assert.equal(await b.call('get', '/', { kind: 'APP_PAGE' }), null)
})

test('with Redis gone the adapters go on with memory', async (t) => {
  const other = await startServer()
  t.after(() => other.close())
  for (const [adapter, set, get, options] of [
    ['keyv', ['set', 'k', '1'], ['get', 'k']],
    ['bentocache', ['set', 'k', '1'], ['get', 'k'], { layer: 'l2' }],
    ['next-cache', ['set', 'k', page('x', '')], ['get', 'k', {}]],
  ]) {
    const one = await host(t, { url: other.url, prefix: ownPrefix(), adapter, options })
    await one.call(...set)
    await other.kill9()
    assert.ok((await one.call(...get)) != null)
    await one.call(...set)
    assert.ok((await one.call(...get)) != null)
    await other.start()
  }
})

test('what is wrong in `redis` is told when the adapter is made, without what is secret in it', () => {
  for (const [make, code] of [
    [() => nextCache({ redis: 'redis://:secret@host:99999' }), 'E_REDIS_URL'],
    [() => nextUseCache({ redis: 'http://:secret@host' }), 'E_REDIS_URL'],
    [() => new KeyvSpillway({ redis: 5 }), 'E_REDIS_URL'],
    [() => spillwayDriver({ layer: 'l2', redis: { url: 'redis://host', passwort: 'secret' } }), 'E_OPTION'],
    [() => spillwayDriver({ redis: 'redis://:secret@host' }), 'E_OPTION'],
    [() => nextCache({ redis: 'redis://:secret@host', clock: () => 0 }), 'E_OPTION'],
    [() => nextCache({ version: '' }), 'E_OPTION'],
  ]) {
    assert.throws(make, (error) => error.code === code && !error.message.includes('secret'), String(make))
  }
  const { options } = spillwayDriver({ layer: 'l2', redis: 'redis://:secret@host' })
  assert.ok(!JSON.stringify(options).includes('secret'))
})
