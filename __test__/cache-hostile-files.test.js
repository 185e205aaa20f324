// Snapshot files that are cut off, damaged, foreign or in the way, and a process that dies while it writes one. Owns hostile files.
// Never looks into a file: what is in it is the native code's affair.
'use strict'

const assert = require('node:assert/strict')
const { fork } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { test } = require('node:test')
const { spillway } = require('../index.js')
const { ENTRIES } = require('./threads/dumping.js')

const DUMPING = path.join(__dirname, 'threads', 'dumping.js')
const KILLS = 12

/** A folder of its own, gone with the test. */
function folder(t) {
  const made = fs.mkdtempSync(path.join(os.tmpdir(), 'spillway-dump-'))
  t.after(() => fs.rmSync(made, { recursive: true, force: true }))
  return made
}

/** A cache on a clock that stands still. Its expiries do not vary. */
function opened(t, options = {}, name = 'found') {
  const clock = { now: 1_700_000_000_000 }
  const sp = spillway({ env: false, clock: () => clock.now })
  t.after(() => sp.close())
  return { sp, clock, cache: sp.cache(name, { jitter: 0, ttl: '1m', grace: '1h', ...options }) }
}

/** What a cache has of each key, in whatever state. */
const held = (cache, keys) => keys.map((key) => cache.entry(key)?.value)

const KEYS = ['a', 'é', '€', '\ud800', '\ud801', '😀', '__proto__', 'k'.repeat(300)]

/** A dump of one small entry for each of the keys. */
async function dumped(t, file, options) {
  const { cache, clock } = opened(t, options)
  for (const [index, key] of KEYS.entries()) cache.set(key, { index }, { tags: ['every', `only-${index}`] })
  assert.equal(await cache.dump(file), KEYS.length)
  return { cache, clock }
}

const refused = (file) => (error) => {
  assert.equal(error.code, 'E_DUMP_FILE')
  assert.ok(error.message.includes('"found"') && error.message.includes(file), error.message)
  return true
}

test('what is restored is answered by getOrSet while it loads, and by get never; what was set meanwhile stays', async (t) => {
  const file = path.join(folder(t), 'dump')
  await dumped(t, file)
  const { cache } = opened(t)
  cache.set('a', 'newer')
  assert.equal(await cache.restore(file), KEYS.length - 1)
  assert.equal(cache.get('a'), 'newer')
  for (const [index, key] of KEYS.entries()) {
    if (key === 'a') continue
    assert.equal(cache.get(key), undefined)
    const { value, state, restored } = cache.entry(key)
    assert.deepEqual({ value, state, restored }, { value: { index }, state: 'stale', restored: true })
    let loads = 0
    const load = async () => {
      loads++
      return 'loaded'
    }
    assert.deepEqual(await cache.getOrSet(key, load), { index })
    assert.equal(loads, 1)
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal(cache.get(key), 'loaded')
    assert.equal(cache.entry(key).restored, false)
  }
})

test('what is restored is forgotten by its tags, by prefix, by version and by clear', async (t) => {
  const file = path.join(folder(t), 'dump')
  await dumped(t, file)
  for (const [forget, left] of [
    [(cache) => cache.invalidateTag('only-3'), KEYS.length - 1],
    [(cache) => cache.invalidateTag('every'), 0],
    [(cache) => cache.deletePrefix('k'), KEYS.length - 1],
    [(cache) => cache.delete('\ud800'), KEYS.length - 1],
    [(cache) => cache.setVersion('2'), 0],
    [(cache) => cache.clear(), 0],
  ]) {
    const { cache } = opened(t)
    await cache.restore(file)
    forget(cache)
    assert.equal(held(cache, KEYS).filter((value) => value !== undefined).length, left, String(forget))
  }
})

test('what was of a tag that has been invalidated since the dump is not restored', async (t) => {
  const file = path.join(folder(t), 'dump')
  const { cache, clock } = await dumped(t, file)
  clock.now += 10
  cache.invalidateTag('only-2', 'only-5')
  clock.now += 10
  cache.delete('a')
  await cache.restore(file)
  assert.deepEqual(
    held(cache, KEYS).map((value) => value?.index),
    [0, 1, undefined, 3, 4, undefined, 6, 7],
  )
})

test('what would be gone by now is not restored, and what would be in grace is', async (t) => {
  const file = path.join(folder(t), 'dump')
  const { cache: source, clock: then } = opened(t)
  source.set('short', 1, { ttl: '1s' })
  source.set('long', 1, { ttl: '2h' })
  then.now += 500
  assert.equal(await source.dump(file), 2)
  const { cache, clock } = opened(t)
  clock.now += 500 + 3_600_000 + 400
  assert.equal(await cache.restore(file), 2, 'an hour of grace is not over after it')
  const later = opened(t)
  later.clock.now += 500 + 3_600_000 + 600
  assert.equal(await later.cache.restore(file), 1)
  assert.deepEqual(held(later.cache, ['short', 'long']), [undefined, 1])
})

test('a dump of another version restores nothing', async (t) => {
  const file = path.join(folder(t), 'dump')
  await dumped(t, file, { version: 1 })
  const same = opened(t, { version: 1 })
  assert.equal(await same.cache.restore(file), KEYS.length)
  const other = opened(t, { version: 2 })
  assert.equal(await other.cache.restore(file), 0)
  assert.deepEqual(held(other.cache, KEYS).filter(Boolean), [])
})

test('a dump of a cache with another codec is refused', async (t) => {
  const file = path.join(folder(t), 'dump')
  await dumped(t, file)
  for (const codec of ['bytes', 'v8']) {
    const { cache } = opened(t, { codec })
    await assert.rejects(cache.restore(file), refused(file))
    assert.deepEqual(held(cache, KEYS).filter(Boolean), [])
  }
})

test('a dump of another cache is refused, with both names', async (t) => {
  const file = path.join(folder(t), 'dump')
  await dumped(t, file)
  const { cache } = opened(t, {}, 'other')
  await assert.rejects(cache.restore(file), { code: 'E_DUMP_FILE', message: /"found", not of "other"/ })
  assert.equal(cache.stats().entries, 0)
})

test('a dump that is cut off at any length restores nothing and is told', async (t) => {
  const dir = folder(t)
  const [file, cut] = [path.join(dir, 'dump'), path.join(dir, 'cut')]
  await dumped(t, file)
  const whole = fs.readFileSync(file)
  const { cache } = opened(t)
  for (let length = 0; length < whole.length; length++) {
    fs.writeFileSync(cut, whole.subarray(0, length))
    await assert.rejects(cache.restore(cut), refused(cut), `${length} of ${whole.length} bytes`)
    assert.equal(cache.stats().entries, 0)
  }
  assert.equal(await cache.restore(file), KEYS.length)
})

test('a dump with any byte changed or more bytes behind it restores nothing and is told', async (t) => {
  const dir = folder(t)
  const [file, changed] = [path.join(dir, 'dump'), path.join(dir, 'changed')]
  await dumped(t, file)
  const whole = fs.readFileSync(file)
  const { cache } = opened(t)
  for (let at = 0; at < whole.length; at++) {
    for (const bits of [1, 0x80, 0xff]) {
      const other = Buffer.from(whole)
      other[at] ^= bits
      fs.writeFileSync(changed, other)
      await assert.rejects(cache.restore(changed), refused(changed), `byte ${at} of ${whole.length}`)
      assert.equal(cache.stats().entries, 0)
    }
  }
  for (const more of [Buffer.alloc(1), Buffer.alloc(4096), whole]) {
    fs.writeFileSync(changed, Buffer.concat([whole, more]))
    await assert.rejects(cache.restore(changed), refused(changed), `${more.length} bytes more`)
    assert.equal(cache.stats().entries, 0)
  }
})

test('what is no dump is told, and nothing waits for it or allocates for what it claims', async (t) => {
  const dir = folder(t)
  const { cache } = opened(t)
  const file = path.join(dir, 'foreign')
  const foreign = {
    empty: '',
    text: 'not a dump\n'.repeat(1000),
    json: '{"found":{"a":1}}',
    zeros: Buffer.alloc(100_000),
    ones: Buffer.alloc(100_000, 0xff),
    'a binary': fs.readFileSync(process.execPath, { flag: 'r' }).subarray(0, 100_000),
  }
  for (const [what, content] of Object.entries(foreign)) {
    fs.writeFileSync(file, content)
    await assert.rejects(cache.restore(file), refused(file), what)
  }
  const missing = path.join(dir, 'missing')
  await assert.rejects(cache.restore(missing), refused(missing))
  await assert.rejects(cache.restore(dir), refused(dir))
  await assert.rejects(cache.restore(path.join(file, 'below')), refused(file))
  assert.equal(cache.stats().entries, 0)
  for (const wrong of [undefined, null, '', 7, {}, 'a\0b']) {
    for (const way of ['dump', 'restore']) {
      await assert.rejects(async () => cache[way](wrong), { code: /^E_(OPTION|DUMP_FILE)$/ }, `${way} ${String(wrong)}`)
    }
  }
})

test('a dump that cannot be written is told and leaves nothing behind, and the old file stays', async (t) => {
  const dir = folder(t)
  const { cache } = await dumped(t, path.join(dir, 'dump'))
  fs.mkdirSync(path.join(dir, 'taken'))
  fs.writeFileSync(path.join(dir, 'taken', 'mine'), 'mine')
  for (const wrong of [path.join(dir, 'none', 'dump'), path.join(dir, 'dump', 'below'), path.join(dir, 'taken')]) {
    await assert.rejects(cache.dump(wrong), refused(wrong))
  }
  assert.deepEqual(fs.readdirSync(dir).sort(), ['dump', 'taken'])
  assert.deepEqual(fs.readdirSync(path.join(dir, 'taken')), ['mine'])
  assert.equal(await opened(t).cache.restore(path.join(dir, 'dump')), KEYS.length)
})

test('dumps of two caches to one file at the same time leave one of them, whole', async (t) => {
  const dir = folder(t)
  const file = path.join(dir, 'dump')
  const caches = [1, 2, 3, 4].map((of) => {
    const { cache } = opened(t)
    for (let key = 0; key < 1000 * of; key++) cache.set(`key-${key}`, of)
    return cache
  })
  for (let round = 0; round < 5; round++) {
    assert.deepEqual(await Promise.all(caches.map((cache) => cache.dump(file))), [1000, 2000, 3000, 4000])
    const { cache } = opened(t)
    const count = await cache.restore(file)
    const values = Array.from({ length: count }, (_, key) => cache.entry(`key-${key}`).value)
    assert.deepEqual(new Set(values), new Set([count / 1000]))
  }
  assert.deepEqual(fs.readdirSync(dir), ['dump'])
})

test('a cache that is written to while it is dumped keeps answering, and each key is in the dump as it was at some time', async (t) => {
  const file = path.join(folder(t), 'dump')
  const { cache } = opened(t)
  const set = (key, round) => cache.set(`key-${key}`, { key, round })
  for (let key = 0; key < 20_000; key++) set(key, 0)
  const writing = { over: false }
  const dump = cache.dump(file).finally(() => (writing.over = true))
  let rounds = 0
  while (!writing.over) {
    rounds++
    for (let key = 0; key < 2000; key++) set(key, rounds)
    await new Promise((resolve) => setImmediate(resolve))
  }
  assert.equal(await dump, 20_000)
  const { cache: other } = opened(t)
  assert.equal(await other.restore(file), 20_000)
  for (let key = 0; key < 20_000; key++) {
    const { value } = other.entry(`key-${key}`)
    assert.ok(value.key === key && value.round <= (key < 2000 ? rounds : 0), JSON.stringify(value))
  }
})

test('a cache that is closed while it is dumped or restored ends neither in a crash', async (t) => {
  const file = path.join(folder(t), 'dump')
  const { cache, sp } = await (async () => {
    const one = opened(t)
    for (let key = 0; key < 50_000; key++) one.cache.set(`key-${key}`, key)
    return one
  })()
  const dump = cache.dump(file).then(
    (count) => assert.equal(count, 50_000),
    (error) => assert.equal(error.code, 'E_DISPOSED'),
  )
  await sp.close()
  await dump
  await assert.rejects(async () => cache.dump(file), { code: 'E_DISPOSED' })
  await assert.rejects(async () => cache.restore(file), { code: 'E_DISPOSED' })
})

test(`a process killed ${KILLS} times while it dumps leaves the last dump or the one before, whole`, async (t) => {
  const dir = folder(t)
  const file = path.join(dir, 'dump')
  let amidst = 0
  for (let kill = 0; kill < KILLS; kill++) {
    const child = fork(DUMPING, [file], { stdio: 'ignore' })
    t.after(() => child.kill('SIGKILL'))
    const last = { begun: 0, ended: 0 }
    const at = { begun: 0, ended: 0 }
    child.on('message', (message) => {
      const [what, number] = message.split(' ')
      last[what] = Number(number)
      at[what] = performance.now()
    })
    while (last.ended < 1) await once(child, 'message')
    const took = at.ended - at.begun
    // From the second dump on there is an old one to lose. Each time a little later into it, to its very end.
    while (last.begun < 2) await once(child, 'message')
    const until = at.begun + (took * kill) / KILLS
    while (performance.now() < until) await new Promise((resolve) => setImmediate(resolve))
    child.kill('SIGKILL')
    await once(child, 'exit')
    const { begun, ended } = last
    if (begun > ended) amidst++
    const { cache } = opened(t, { maxBytes: '256mb' }, 'dumped')
    assert.equal(await cache.restore(file), ENTRIES)
    const { dump } = cache.entry('key-0').value
    assert.ok(dump === begun || dump === begun - 1, `dump ${dump} after ${begun} had begun and ${ended} ended`)
    assert.ok(dump >= ended, 'what had been said to be written is there')
    for (let key = 0; key < ENTRIES; key++) {
      const { value } = cache.entry(`key-${key}`)
      assert.ok(value.dump === dump && value.key === key, JSON.stringify({ key, value, dump }))
    }
    cache.clear()
  }
  assert.ok(amidst >= KILLS / 2, `only ${amidst} of ${KILLS} were killed amidst a dump`)
})
