// What a cache leaves behind and goes on with: dump and restore. Owns what is read of a file, and what is not.
// Never waits: files are small, and time is an argument.
'use strict'

const assert = require('node:assert/strict')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { test } = require('node:test')
const { never, opened, turn } = require('./caches.js')

const TIMES = { ttl: 10_000, stale: 10_000, grace: 10_000 }

/** A path in a folder of its own, which goes with the test. */
function file(t, name = 'cache.dump') {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'spillway-dump-'))
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }))
  return path.join(folder, name)
}

test('what is dumped is restored stale, with its age and its tags', async (t) => {
  const at = file(t)
  const { cache, clock } = opened(t, { ...TIMES, negativeTtl: '1h' })
  cache.set('a', { of: [1] }, { tags: ['x'] })
  cache.set('b', 'é😀')
  cache.set('gone', 1, { ttl: 1 })
  clock.now += 2000
  const written = await cache.dump(at)
  assert.ok(written >= 2 && written <= 3, String(written))
  const { cache: next, clock: later } = opened(t, { ...TIMES, negativeTtl: '1h' })
  later.now = clock.now + 1000
  assert.ok((await next.restore(at)) >= 2)
  assert.equal(next.get('a'), undefined, 'it may be old')
  const { value, state, restored, freshForMs, ageMs } = next.entry('a')
  assert.deepEqual([value, state, restored, freshForMs <= 0, ageMs], [{ of: [1] }, 'stale', true, true, 3000])
  assert.equal(await next.getOrSet('b', () => 'new'), 'é😀')
  await turn()
  assert.equal(next.get('b'), 'new')
  assert.equal(next.entry('b').restored, false)
  next.invalidateTag('x')
  assert.equal(next.entry('a'), undefined)
})

test('what was set meanwhile stays, and so does what was invalidated', async (t) => {
  const at = file(t)
  const { cache } = opened(t, TIMES)
  cache.setMany([
    ['a', 'dumped'],
    ['b', 'dumped', { tags: ['x'] }],
  ])
  assert.equal(await cache.dump(at), 2)
  const { cache: next } = opened(t, TIMES)
  next.set('a', 'set')
  assert.equal(await next.restore(at), 1)
  assert.equal(next.get('a'), 'set')
  assert.equal(next.entry('b').value, 'dumped')
})

test('values of another version are not restored', async (t) => {
  const at = file(t)
  const { cache } = opened(t, { ...TIMES, version: 1 })
  cache.set('a', 1)
  assert.equal(await cache.dump(at), 1)
  const { cache: next } = opened(t, { ...TIMES, version: 2 })
  assert.equal(await next.restore(at), 0)
  assert.equal(next.entry('a'), undefined)
  next.setVersion(1)
  assert.equal(await next.restore(at), 1)
})

test('bytes and clones are restored as they were', async (t) => {
  for (const codec of ['bytes', 'v8']) {
    const at = file(t)
    const { cache } = opened(t, { ...TIMES, codec })
    cache.set('a', Buffer.from([0, 255, 1]))
    await cache.dump(at)
    const { cache: next } = opened(t, { ...TIMES, codec })
    assert.equal(await next.restore(at), 1)
    assert.deepEqual([...(await next.getOrSet('a', () => Buffer.alloc(0)))], [0, 255, 1])
  }
})

test('a dump takes the place of the one before, in full', async (t) => {
  const at = file(t)
  const { cache } = opened(t, TIMES)
  for (let round = 1; round <= 3; round++) {
    cache.set(`key-${round}`, round)
    assert.equal(await cache.dump(at), round)
    assert.deepEqual(fs.readdirSync(path.dirname(at)), ['cache.dump'], 'nothing else is left')
  }
})

test('a file that is none of ours, cut off, damaged or of another codec is told, and nothing of it is taken', async (t) => {
  const at = file(t)
  const { cache, sp } = opened(t, TIMES)
  for (let key = 0; key < 100; key++) cache.set(`key-${key}`, { key })
  await cache.dump(at)
  const bytes = fs.readFileSync(at)
  const flipped = Buffer.from(bytes)
  flipped[bytes.length >> 1] ^= 1
  const files = {
    empty: Buffer.alloc(0),
    text: Buffer.from('{"not": "a dump"}'),
    short: bytes.subarray(0, bytes.length - 1),
    header: bytes.subarray(0, 12),
    flipped,
    longer: Buffer.concat([bytes, Buffer.from('x')]),
  }
  const { cache: next } = opened(t, TIMES)
  for (const [name, content] of Object.entries(files)) {
    const damaged = path.join(path.dirname(at), name)
    fs.writeFileSync(damaged, content)
    await assert.rejects(next.restore(damaged), (error) => {
      assert.equal(error.code, 'E_DUMP_FILE', name)
      assert.ok(error.message.startsWith('the cache "found" cannot be restored from "'), error.message)
      return true
    })
    assert.equal(next.stats().entries, 0, name)
  }
  const clones = sp.cache('clones', { codec: 'v8' })
  await assert.rejects(clones.restore(at), { code: 'E_DUMP_FILE' })
  await assert.rejects(next.restore(path.dirname(at)), { code: 'E_DUMP_FILE' })
  await assert.rejects(next.restore(`${at}.none`), { code: 'E_DUMP_FILE' })
  await assert.rejects(next.dump(path.join(at, 'below a file')), {
    code: 'E_DUMP_FILE',
    message: /cannot be written to/,
  })
  for (const none of [undefined, null, '', 7, {}]) {
    await assert.rejects(next.dump(none), { code: 'E_OPTION', option: 'path' })
    await assert.rejects(next.restore(none), { code: 'E_OPTION', option: 'path' })
  }
})

test('a cache that has ended dumps nothing', async (t) => {
  const at = file(t)
  const { cache } = opened(t, TIMES)
  cache.dispose()
  await assert.rejects(cache.dump(at), { code: 'E_DISPOSED' })
  await assert.rejects(cache.restore(at), { code: 'E_DISPOSED' })
  assert.equal(fs.existsSync(at), false)
})

test('an empty cache leaves a file that brings nothing', async (t) => {
  const at = file(t)
  const { cache } = opened(t, TIMES)
  assert.equal(await cache.dump(at), 0)
  assert.equal(await cache.restore(at), 0)
  await assert.rejects(cache.getOrSet('a', never), /it was loaded/)
})
