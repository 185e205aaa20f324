// Filling a cache ahead of its callers. Owns warm: its pace, what it leaves alone, and what it reports.
// Never waits: loads are settled by hand, and timers are faked.
'use strict'

const assert = require('node:assert/strict')
const { spawnSync } = require('node:child_process')
const { test } = require('node:test')
const { faked, fate, loader, never, opened, thrower, turn } = require('./caches.js')
const { collectGarbage } = require('./garbage.js')

const down = new Error('down')

test('values are put in and loaders called, what is fresh is left alone', async (t) => {
  const { cache, clock } = opened(t, { ttl: 1000, stale: 500, grace: 500 })
  cache.set('fresh', 'before')
  cache.set('stale', 'before', { ttl: 1 })
  clock.now += 1
  const briefly = async ({ ttl }) => {
    ttl(10)
    return { found: true }
  }
  const report = await cache.warm([
    ['fresh', never],
    ['stale', () => 'after'],
    ['loaded', briefly],
    ['given', { found: 1 }, { ttl: 20, tags: ['x'] }],
  ])
  assert.deepEqual(report, { loaded: 3, failed: 0, present: 1 })
  assert.deepEqual(cache.getMany(['fresh', 'stale', 'loaded', 'given']), [
    'before',
    'after',
    { found: true },
    { found: 1 },
  ])
  clock.now += 10
  assert.deepEqual(cache.getMany(['loaded', 'given']), [undefined, { found: 1 }])
  cache.invalidateTag('x')
  assert.equal(cache.get('given'), undefined)
})

test('what fails is counted and told, and holds up nothing; an old value is no success', async (t) => {
  const { cache, clock } = opened(t, { ttl: 1000, grace: '1h' })
  const told = []
  cache.on('failed', ({ key }) => told.push(key))
  cache.set('a', 'old')
  clock.now += 1000
  const report = await cache.warm([
    ['a', thrower(down)],
    ['b', () => 7n],
    ['c', () => 'fine'],
    ['d', new Map()],
  ])
  assert.deepEqual({ ...report, error: undefined }, { loaded: 1, failed: 3, present: 0, error: undefined })
  assert.ok([down, undefined].includes(report.error) || report.error.code === 'E_VALUE_ENCODE')
  assert.deepEqual(told, ['a', 'b'])
})

test('no more loads run at a time than concurrency says, and four by default', async (t) => {
  for (const [options, most] of [
    [undefined, 4],
    [{ concurrency: 1 }, 1],
    [{ concurrency: 7 }, 7],
  ]) {
    const { cache } = opened(t)
    let [running, peak] = [0, 0]
    const load = async () => {
      peak = Math.max(peak, ++running)
      await turn()
      running--
      return 1
    }
    const keys = Array.from({ length: 20 }, (_, index) => `key-${index}`)
    assert.deepEqual(
      await cache.warm(
        keys.map((key) => [key, load]),
        options,
      ),
      { loaded: 20, failed: 0, present: 0 },
    )
    assert.equal(peak, most)
  }
})

test('a source may be a generator, an async one, or a function that answers one; it is read as it is worked off', async (t) => {
  const { cache } = opened(t)
  let read = 0
  const all = loader()
  async function* endless() {
    for (;;) {
      read++
      yield [`key-${read}`, all.load]
    }
  }
  const leaving = new AbortController()
  const warming = cache.warm(endless, { concurrency: 2, signal: leaving.signal })
  await turn()
  assert.equal(all.calls, 2)
  assert.ok(read <= 3, `${read} entries are read of a source without an end`)
  leaving.abort(down)
  assert.deepEqual(await fate(warming), { error: down })
  for (const [resolve] of all.settles) resolve('late')
  function* few() {
    yield ['a', 1]
    yield ['b', 2]
  }
  assert.deepEqual(await cache.warm(few()), { loaded: 2, failed: 0, present: 0 })
  assert.deepEqual(await cache.warm(async () => few()), { loaded: 0, failed: 0, present: 2 })
  assert.deepEqual(await cache.warm(new Map([['c', 3]])), { loaded: 1, failed: 0, present: 0 })
  assert.deepEqual(await cache.warm([]), { loaded: 0, failed: 0, present: 0 })
})

test('a load that somebody else has begun is waited for', async (t) => {
  const { cache } = opened(t)
  const all = loader()
  const first = cache.getOrSet('a', all.load)
  const warming = cache.warm([['a', never]])
  assert.equal(await fate(warming), 'pending')
  all.resolve('found')
  assert.deepEqual(await warming, { loaded: 1, failed: 0, present: 0 })
  assert.equal(await first, 'found')
})

test('spread makes each load wait for a time of its own', async (t) => {
  const { cache, pass } = faked(t)
  t.mock.method(Math, 'random', () => 0.5)
  let loads = 0
  const warming = cache.warm([['a', () => ++loads]], { spread: '10s' })
  await turn()
  pass(4999)
  await turn()
  assert.equal(loads, 0)
  pass(1)
  assert.deepEqual(await warming, { loaded: 1, failed: 0, present: 0 })
})

test('an abort ends the waiting with its reason and begins no more loads', async (t) => {
  const { cache } = opened(t)
  const all = loader()
  const leaving = new AbortController()
  let ended = 0
  function* source() {
    try {
      for (let key = 0; ; key++) yield [`key-${key}`, all.load]
    } finally {
      ended++
    }
  }
  const warming = cache.warm(source(), { concurrency: 3, signal: leaving.signal })
  await turn()
  leaving.abort(down)
  assert.deepEqual(await fate(warming), { error: down })
  assert.equal(ended, 1)
  for (const [resolve] of all.settles) resolve('late')
  await turn()
  assert.equal(all.calls, 3)
  assert.equal(cache.get('key-0'), 'late', 'what was under way is kept')
  await assert.rejects(cache.warm(source(), { signal: AbortSignal.abort(down) }), down)
  assert.equal(all.calls, 3)
})

test('an abort leaves nothing behind, though the source hangs: no rejection that nobody hears, nothing to wait for', () => {
  const script = `
    const { cache } = require('spillway')
    async function* source() {
      yield ['a', () => 1]
      yield ['b', () => 2]
      await new Promise(() => {})
    }
    const leaving = new AbortController()
    const warming = cache('warmed').warm(source(), { spread: '1h', signal: leaving.signal })
    warming.catch(({ message }) => console.log(message))
    setImmediate(() => leaving.abort(new Error('down')))
  `
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, ['-e', script], {
    cwd: __dirname,
    encoding: 'utf8',
    timeout: 20_000,
  })
  assert.deepEqual({ status, signal, stdout, stderr }, { status: 0, signal: null, stdout: 'down\n', stderr: '' })
})

test('what has been worked off is not kept, with a signal or without', async (t) => {
  const { cache } = opened(t)
  for (const signal of [undefined, new AbortController().signal]) {
    let left
    async function* source() {
      const all = []
      for (let key = 0; key < 200; key++) {
        const entry = [`key-${key}`, key]
        all.push(new WeakRef(entry))
        yield entry
      }
      await collectGarbage()
      left = all.filter((each) => each.deref() !== undefined).length
    }
    await cache.warm(source(), { signal })
    assert.ok(left < 10, `${left} of 200 entries are kept`)
  }
})

test('a source that fails ends it', async (t) => {
  const { cache } = opened(t)
  function* source() {
    yield ['a', 1]
    throw down
  }
  await assert.rejects(cache.warm(source()), down)
  assert.equal(cache.get('a'), 1)
  await assert.rejects(cache.warm(thrower(down)), down)
})

test('many values at once leave the event loop its turns', async (t) => {
  const { cache } = opened(t)
  let turns = 0
  const count = () => {
    turns++
    handle = setImmediate(count)
  }
  let handle = setImmediate(count)
  await cache.warm(Array.from({ length: 5000 }, (_, index) => [`key-${index}`, index]))
  clearImmediate(handle)
  assert.ok(turns >= 15, `${turns} turns`)
})

test('what is no source, entry or option is told', async (t) => {
  const { cache } = opened(t)
  for (const source of [undefined, null, 7, 'ab', {}, () => 7]) {
    await assert.rejects(cache.warm(source), { code: 'E_OPTION', option: 'source' })
  }
  for (const entry of [['a'], 'ab', { key: 'a' }, ['a', 1, {}, 2], null]) {
    await assert.rejects(cache.warm([entry]), { code: 'E_OPTION', option: 'source' })
  }
  await assert.rejects(cache.warm([['', 1]]), { code: 'E_KEY' })
  await assert.rejects(cache.warm([['a', 1, { ttl: 'soon' }]]), { code: 'E_DURATION' })
  for (const [option, value, code] of [
    ['concurrency', 0, 'E_OPTION'],
    ['concurrency', 1001, 'E_OPTION'],
    ['spread', '2h', 'E_DURATION'],
    ['signal', {}, 'E_OPTION'],
    ['concurency', 4, 'E_OPTION'],
  ]) {
    await assert.rejects(cache.warm([], { [option]: value }), { code, option })
  }
})
