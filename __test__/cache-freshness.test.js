// What a cache answers as its values grow old: fresh, stale, in grace, gone; and how long a caller waits. Owns getOrSet over time.
// Never waits: time is an argument, and timers are faked.
'use strict'

const assert = require('node:assert/strict')
const { AsyncLocalStorage } = require('node:async_hooks')
const { test } = require('node:test')
const { Refusal } = require('../index.js')
const { faked, fate, loader, never, opened, thrower, turn, twice } = require('./caches.js')

const TIMES = { ttl: 1000, stale: 500, grace: 2000 }
const down = new Error('down')

// ---------------------------------------------------------------- the ages of a value

test('a value is fresh, then stale, then in grace, then gone, each to its last millisecond', (t) => {
  const { cache, clock } = opened(t, TIMES)
  const began = clock.now
  cache.set('a', 'old')
  const at = (ms) => {
    clock.now = began + ms
    const entry = cache.entry('a')
    return [cache.get('a'), entry?.state, entry?.ageMs, entry?.freshForMs]
  }
  assert.deepEqual(at(0), ['old', 'fresh', 0, 1000])
  assert.deepEqual(at(999), ['old', 'fresh', 999, 1])
  assert.deepEqual(at(1000), [undefined, 'stale', 1000, 0])
  assert.deepEqual(at(1499), [undefined, 'stale', 1499, -499])
  assert.deepEqual(at(1500), [undefined, 'grace', 1500, -500])
  assert.deepEqual(at(3499), [undefined, 'grace', 3499, -2499])
  assert.deepEqual(at(3500), [undefined, undefined, undefined, undefined])
})

test('an entry is the value with its age, and counts as neither hit nor miss', (t) => {
  const { cache, clock } = opened(t, TIMES)
  cache.set('a', { of: [1] })
  clock.now += 10
  const expected = { value: { of: [1] }, state: 'fresh', ageMs: 10, freshForMs: 990, negative: false, restored: false }
  assert.deepEqual(cache.entry('a'), expected)
  assert.deepEqual(cache.entry('a'), expected)
  assert.equal(cache.entry('a').value, cache.get('a'), 'the one decoded copy')
  assert.equal(cache.entry('none'), undefined)
  const { hits, misses } = cache.stats()
  assert.deepEqual({ hits, misses }, { hits: 1, misses: 0 })
})

// ---------------------------------------------------------------- stale

test('what is stale is answered at once, and one load runs in the background', async (t) => {
  const { cache, clock } = opened(t, TIMES)
  cache.set('a', 'old')
  clock.now += 1000
  const all = loader()
  const answers = [1, 2, 3].map(() => cache.getOrSet('a', all.load))
  assert.deepEqual(await Promise.all(answers), ['old', 'old', 'old'])
  assert.equal(all.calls, 1)
  assert.equal(cache.get('a'), undefined, 'get has only what is fresh')
  all.resolve('new')
  await turn()
  assert.equal(cache.get('a'), 'new')
  assert.equal(await cache.getOrSet('a', never), 'new')
  const { stale, loads, hits, misses, hitRatio } = cache.stats()
  assert.deepEqual({ stale, loads, hits, misses }, { stale: 3, loads: 1, hits: 2, misses: 1 })
  assert.equal(hitRatio, 5 / 6)
})

test('a load in the background that fails is heard by nobody but the listeners, and the next caller tries again', async (t) => {
  const { cache, clock } = opened(t, TIMES)
  const told = []
  cache.on('failed', ({ key, error, background, ms, cache: of }) =>
    told.push([key, error, background, ms, of === cache]),
  )
  cache.set('a', 'old')
  clock.now += 1000
  for (const thrown of [down, null, undefined]) {
    assert.equal(await cache.getOrSet('a', thrower(thrown)), 'old')
    await turn()
  }
  assert.deepEqual(told, [
    ['a', down, true, 0, true],
    ['a', null, true, 0, true],
    ['a', undefined, true, 0, true],
  ])
  assert.equal(await cache.getOrSet('a', () => 'new'), 'old')
  await turn()
  assert.equal(cache.get('a'), 'new')
  assert.equal(cache.stats().loadFailures, 3)
})

test('of two threads that find a value stale, one loads', async (t) => {
  const [here, there] = twice(t, { ttl: 1, stale: '1h' })
  const all = loader()
  here.set('a', 'old')
  // Fresh for a millisecond of real time: both find it stale.
  while (here.get('a') !== undefined);
  assert.deepEqual(await Promise.all([here.getOrSet('a', all.load), there.getOrSet('a', all.load)]), ['old', 'old'])
  assert.equal(all.calls, 1)
  all.resolve('new')
})

test('a load in the background is handed to waitUntil, of the call before that of the cache, and never rejects', async (t) => {
  const handed = { cache: [], call: [] }
  const { cache, clock } = opened(t, { ...TIMES, waitUntil: (promise) => handed.cache.push(promise) })
  cache.set('a', 'old')
  assert.equal(await cache.getOrSet('a', never), 'old')
  clock.now += 1000
  await cache.getOrSet('a', thrower(down), { waitUntil: (promise) => handed.call.push(promise) })
  await turn()
  const all = loader()
  await cache.getOrSet('a', all.load)
  await cache.getOrSet('a', all.load)
  assert.deepEqual([handed.cache.length, handed.call.length], [1, 1], 'only who began the load')
  assert.deepEqual(await handed.call[0], undefined)
  assert.equal(await fate(handed.cache[0]), 'pending')
  all.resolve('new')
  assert.deepEqual(await fate(handed.cache[0]), { value: undefined })
})

test('a waitUntil that throws costs nobody his value, and is told once', async (t) => {
  const warnings = []
  const hear = (warning) => warnings.push(warning)
  process.on('warning', hear)
  t.after(() => process.off('warning', hear))
  for (const thrown of [down, Symbol('down')]) {
    const { cache, clock } = opened(t, { ...TIMES, waitUntil: thrower(thrown) })
    for (const [key, ask] of [
      ['a', async () => cache.getOrSet('a', () => 'new')],
      ['b', async () => (await cache.getOrSetEntry('b', () => 'new')).value],
    ]) {
      cache.set(key, 'old')
      clock.now += 1000
      assert.equal(await ask(), 'old')
      await turn()
      assert.equal(cache.get(key), 'new', 'the load has gone on')
    }
  }
  const what = '`waitUntil` of the cache "found" has thrown, so nobody waits for its background loads: '
  assert.deepEqual(
    warnings.map(({ name, code, message }) => [name, code, message]),
    ['down', 'Symbol(down)'].map((why) => ['SpillwayWarning', 'SPILLWAY_WAIT_UNTIL', what + why]),
  )
})

test('a waitUntil that throws keeps nobody from leaving a load, past softTimeout or by a signal', async (t) => {
  const { cache, pass } = faked(t, { ...TIMES, softTimeout: 200, waitUntil: thrower(down) })
  cache.set('a', 'old')
  pass(1500)
  const all = loader()
  const leaving = new AbortController()
  const left = cache.getOrSet('b', all.load, { signal: leaving.signal })
  const graced = cache.getOrSet('a', all.load)
  pass(200)
  assert.equal(await graced, 'old')
  const gone = new Error('gone')
  leaving.abort(gone)
  assert.deepEqual(await fate(left), { error: gone })
  for (const [resolve] of all.settles) resolve(1)
})

// ---------------------------------------------------------------- grace

test('in grace a caller waits for the load, and has the old value only if that fails', async (t) => {
  const { cache, clock } = opened(t, TIMES)
  cache.set('a', 'old')
  clock.now += 1500
  const all = loader()
  const callers = [cache.getOrSet('a', all.load), cache.getOrSetEntry('a', all.load)]
  assert.equal(await fate(callers[0]), 'pending')
  all.reject(down)
  const [value, entry] = await Promise.all(callers)
  assert.equal(value, 'old')
  assert.deepEqual(entry, {
    value: 'old',
    state: 'grace',
    ageMs: 1500,
    freshForMs: -500,
    negative: false,
    restored: false,
    loadError: down,
  })
  assert.equal(await cache.getOrSet('a', () => 'new'), 'new')
  const { graced, loads, loadFailures } = cache.stats()
  assert.deepEqual({ graced, loads, loadFailures }, { graced: 2, loads: 2, loadFailures: 1 })
})

test('after grace, and without any, what the loader throws is thrown', async (t) => {
  const { cache, clock } = opened(t, TIMES)
  cache.set('a', 'old')
  clock.now += 3500
  await assert.rejects(cache.getOrSet('a', thrower(down)), down)
  const { cache: without, clock: other } = opened(t, { ttl: 1000 })
  without.set('a', 'old')
  other.now += 1000
  await assert.rejects(without.getOrSet('a', thrower(down)), down)
})

test('whatever a loader throws, it is the loadError of the entry', async (t) => {
  const { cache, clock } = opened(t, TIMES)
  cache.set('a', 'old')
  clock.now += 1500
  for (const thrown of [down, null, undefined, 0]) {
    const entry = await cache.getOrSetEntry('a', thrower(thrown))
    assert.equal(entry.value, 'old')
    assert.ok('loadError' in entry)
    assert.equal(entry.loadError, thrown)
  }
})

test('an answer in grace is told, with why', async (t) => {
  const { cache, pass } = faked(t, { ...TIMES, softTimeout: 100 })
  const told = []
  cache.on('graced', (event) => told.push(event))
  cache.set('a', 'old')
  pass(1500)
  await cache.getOrSet('a', thrower(down))
  const all = loader()
  const waiting = cache.getOrSet('a', all.load)
  pass(100)
  await waiting
  assert.deepEqual(told, [
    { cache, key: 'a', error: down },
    { cache, key: 'a' },
  ])
  all.resolve('new')
})

test('a load that takes longer than loadTimeout has failed, too: grace answers', async (t) => {
  const { cache, pass } = faked(t, { ...TIMES, loadTimeout: '5s', grace: '1h' })
  cache.set('a', 'old')
  pass(1500)
  const all = loader()
  const waiting = cache.getOrSetEntry('a', all.load)
  const { signal } = all.contexts[0]
  pass(5000)
  const { value, state, loadError } = await waiting
  assert.deepEqual([value, state, loadError.code], ['old', 'grace', 'E_TIMEOUT'])
  assert.equal(signal.reason, loadError)
})

// ---------------------------------------------------------------- the soft timeout

test('past softTimeout what is in grace is answered, and the load goes on', async (t) => {
  const handed = []
  const { cache, pass } = faked(t, { ...TIMES, softTimeout: 200, waitUntil: (promise) => handed.push(promise) })
  cache.set('a', 'old')
  pass(1500)
  const all = loader()
  const waiting = cache.getOrSetEntry('a', all.load)
  pass(199)
  assert.equal(await fate(waiting), 'pending')
  pass(1)
  const { value, state, ageMs, ...entry } = await waiting
  assert.deepEqual([value, state, ageMs], ['old', 'grace', 1700])
  assert.equal('loadError' in entry, false)
  assert.equal(all.contexts[0].signal.aborted, false)
  assert.equal(handed.length, 1)
  const second = cache.getOrSet('a', never)
  all.resolve('new')
  assert.equal(await second, 'new', 'it is the same load')
  assert.equal(cache.get('a'), 'new')
  assert.deepEqual(await fate(handed[0]), { value: undefined })
})

test('past softTimeout, with nothing in grace, the wait goes on', async (t) => {
  const { cache, pass } = faked(t, { ...TIMES, softTimeout: 200 })
  const all = loader()
  const waiting = cache.getOrSet('a', all.load)
  pass(300)
  assert.equal(await fate(waiting), 'pending')
  all.resolve('new')
  assert.equal(await waiting, 'new')
})

test('a load in time sets off no soft timeout later', async (t) => {
  const { cache, pass } = faked(t, { ...TIMES, softTimeout: 200 })
  const told = []
  cache.on('graced', (event) => told.push(event))
  cache.set('a', 'old')
  pass(1500)
  assert.equal(await cache.getOrSet('a', () => 'new'), 'new')
  pass(1000)
  assert.deepEqual(told, [])
})

// ---------------------------------------------------------------- expire

test('what has expired is neither fresh nor stale: it is kept for grace', async (t) => {
  const { cache, clock } = opened(t, TIMES)
  cache.set('a', 'old')
  assert.equal(cache.get('a'), 'old')
  assert.equal(cache.expire('a'), true)
  assert.equal(cache.get('a'), undefined)
  assert.equal(cache.entry('a').state, 'grace')
  assert.equal(await cache.getOrSet('a', thrower(down)), 'old')
  clock.now += 2000
  await assert.rejects(cache.getOrSet('a', thrower(down)), down)
  assert.equal(cache.expire('none'), false)
})

test('without grace, expire is delete', (t) => {
  const { cache } = opened(t, { ttl: 1000, stale: 1000 })
  cache.set('a', 'old')
  assert.equal(cache.expire('a'), true)
  assert.equal(cache.entry('a'), undefined)
})

test('an expire during a load: those who asked before get its result, and it is not stored', async (t) => {
  const { cache, clock } = opened(t, TIMES)
  cache.set('a', 'old')
  clock.now += 1500
  const all = loader()
  const before = cache.getOrSet('a', all.load)
  cache.expire('a')
  all.resolve('of before')
  assert.equal(await before, 'of before')
  assert.equal(cache.get('a'), undefined)
})

// ---------------------------------------------------------------- negative results

test('that there is nothing is kept for negativeTtl, and entry tells it from a miss', async (t) => {
  const { cache, clock } = opened(t, { ...TIMES, negativeTtl: 300 })
  let loads = 0
  const load = async () => void loads++
  for (let i = 0; i < 3; i++) assert.equal(await cache.getOrSet('a', load), undefined)
  assert.equal(loads, 1)
  assert.equal(cache.get('a'), undefined)
  const { value, negative, state, freshForMs } = cache.entry('a')
  assert.deepEqual(
    { value, negative, state, freshForMs },
    { value: undefined, negative: true, state: 'fresh', freshForMs: 300 },
  )
  clock.now += 300
  assert.equal(cache.entry('a'), undefined, 'no stale and no grace for nothing')
  await cache.getOrSet('a', load)
  assert.equal(loads, 2)
})

test('with negativeTtl an undefined can be set, too; its own ttl is that of values', (t) => {
  const { cache, clock } = opened(t, { negativeTtl: 300 })
  cache.set('a', 'there')
  cache.set('a', undefined, { ttl: '1h' })
  assert.equal(cache.get('a'), undefined)
  assert.equal(cache.entry('a').negative, true)
  clock.now += 300
  assert.equal(cache.entry('a'), undefined)
})

test('that there is nothing is an answer: it takes the place of what was in grace', async (t) => {
  for (const negativeTtl of [0, 300]) {
    const { cache, clock } = opened(t, { ...TIMES, negativeTtl })
    cache.set('a', 'old')
    clock.now += 1500
    assert.equal(await cache.getOrSet('a', () => undefined), undefined)
    clock.now += 300
    await assert.rejects(cache.getOrSet('a', thrower(down)), down)
  }
})

test('a stale value is followed by nothing when the loader finds nothing', async (t) => {
  const { cache, clock } = opened(t, { ...TIMES, negativeTtl: '1h' })
  cache.set('a', 'old')
  clock.now += 1000
  assert.equal(await cache.getOrSet('a', () => undefined), 'old')
  await turn()
  assert.equal(await cache.getOrSet('a', never), undefined)
})

// ---------------------------------------------------------------- reload

test('reload loads although there is something fresh, and joins a load under way', async (t) => {
  const { cache } = opened(t, TIMES)
  cache.set('a', 'old')
  assert.equal(cache.get('a'), 'old')
  const all = loader()
  const callers = [1, 2].map(() => cache.getOrSet('a', all.load, { reload: true }))
  assert.equal(await cache.getOrSet('a', never), 'old', 'others need not wait')
  all.resolve('new')
  assert.deepEqual(await Promise.all(callers), ['new', 'new'])
  assert.equal(all.calls, 1)
  assert.equal(await cache.getOrSet('a', never, { reload: false }), 'new')
})

test('a reload that fails leaves what is there; with grace it answers with it, and says so', async (t) => {
  const { cache } = opened(t, TIMES)
  const told = []
  cache.on('graced', (event) => told.push(event))
  cache.set('a', 'old')
  const { value, state, loadError } = await cache.getOrSetEntry('a', thrower(down), { reload: true })
  assert.deepEqual(told, [], 'it is not in grace')
  assert.deepEqual([value, state, loadError], ['old', 'fresh', down])
  assert.equal(cache.stats().graced, 0)
  const { cache: without } = opened(t)
  without.set('a', 'old')
  await assert.rejects(without.getOrSet('a', thrower(down), { reload: true }), down)
  assert.equal(without.get('a'), 'old')
})

// ---------------------------------------------------------------- what a loader is told, and says

test('a loader sees the old value, as far as one is kept', async (t) => {
  const { cache, clock } = opened(t, TIMES)
  const seen = []
  const load = (call) => {
    seen.push(call.previous)
    return (call.previous ?? 0) + 1
  }
  assert.equal(await cache.getOrSet('a', load), 1)
  clock.now += 1000
  await cache.getOrSet('a', load)
  await turn()
  clock.now += 1500
  assert.equal(await cache.getOrSet('a', load), 3)
  clock.now += 3500
  assert.equal(await cache.getOrSet('a', load), 1)
  assert.deepEqual(seen, [undefined, 1, 2, undefined])
  assert.equal(cache.stats().graced, 0, 'looking is no answer')
})

test('what a loader says after its load is over changes nothing', async (t) => {
  const { cache, clock } = opened(t, { ttl: 1000 })
  let context
  await cache.getOrSet('a', (call) => {
    context = call
    return 'found'
  })
  context.ttl('1h')
  context.tags('late')
  cache.invalidateTag('late')
  assert.equal(cache.get('a'), 'found')
  clock.now += 1000
  assert.equal(cache.get('a'), undefined)
})

// ---------------------------------------------------------------- a caller's own signal

test('a signal ends the waiting of its caller; the load goes on for others and is kept', async (t) => {
  const handed = []
  const { cache } = opened(t, { waitUntil: (promise) => handed.push(promise) })
  const all = loader()
  const leaving = new AbortController()
  const callers = [cache.getOrSet('a', all.load, { signal: leaving.signal }), cache.getOrSet('a', never)]
  leaving.abort(down)
  assert.deepEqual(await fate(callers[0]), { error: down })
  assert.equal(await fate(callers[1]), 'pending')
  assert.equal(all.contexts[0].signal.aborted, false)
  assert.equal(handed.length, 1)
  all.resolve('found')
  assert.equal(await callers[1], 'found')
  assert.equal(cache.get('a'), 'found')
})

test('the load of a caller who has left may fail without anybody', async (t) => {
  const { cache } = opened(t, TIMES)
  const told = []
  cache.on('graced', (event) => told.push(event))
  const all = loader()
  const leaving = new AbortController()
  const caller = cache.getOrSet('a', all.load, { signal: leaving.signal })
  leaving.abort(down)
  assert.deepEqual(await fate(caller), { error: down })
  cache.set('b', 1)
  all.reject(new Error('unheard'))
  await turn()
  assert.equal(await cache.getOrSet('a', () => 'next'), 'next')
  assert.deepEqual(told, [])
})

test('a signal that is aborted already begins no load, and hides nothing that is there', async (t) => {
  const { cache } = opened(t)
  const signal = AbortSignal.abort(down)
  await assert.rejects(cache.getOrSet('a', never, { signal }), down)
  cache.set('a', 1)
  assert.equal(await cache.getOrSet('a', never, { signal }), 1)
})

test('a loader that aborts the signal of its own caller ends his waiting at once', async (t) => {
  const { cache } = opened(t)
  const all = loader()
  const leaving = new AbortController()
  const load = (context) => {
    leaving.abort(down)
    return all.load(context)
  }
  const caller = cache.getOrSet('a', load, { signal: leaving.signal })
  assert.deepEqual(await fate(caller), { error: down })
  all.resolve('found')
  await turn()
  assert.equal(cache.get('a'), 'found')
})

test('a signal that is read by nobody any more has no listener left', async (t) => {
  const { cache } = opened(t)
  const { signal } = new AbortController()
  let listeners = 0
  const { addEventListener, removeEventListener } = signal
  signal.addEventListener = (...all) => {
    listeners++
    addEventListener.apply(signal, all)
  }
  signal.removeEventListener = (...all) => {
    listeners--
    removeEventListener.apply(signal, all)
  }
  await cache.getOrSet('a', () => 1, { signal })
  await cache.getOrSet('b', thrower(down), { signal }).catch(() => {})
  assert.equal(listeners, 0)
})

// ---------------------------------------------------------------- entries of loads

test('the entry of a load is fresh, for as long as it is kept', async (t) => {
  const { cache } = opened(t, { ...TIMES, negativeTtl: 300 })
  const facts = async (key, load, options) => {
    const { value, state, ageMs, freshForMs, negative } = await cache.getOrSetEntry(key, load, options)
    return [value, state, ageMs, freshForMs, negative]
  }
  assert.deepEqual(await facts('a', () => 1), [1, 'fresh', 0, 1000, false])
  assert.deepEqual(await facts('a', never), [1, 'fresh', 0, 1000, false])
  assert.deepEqual(await facts('b', () => 2, { ttl: 50 }), [2, 'fresh', 0, 50, false])
  assert.deepEqual(await facts('c', () => undefined), [undefined, 'fresh', 0, 300, true])
  const all = loader()
  const waiting = facts('d', all.load)
  cache.delete('d')
  all.resolve(4)
  assert.deepEqual(await waiting, [4, 'fresh', 0, 0, false], 'it was not kept')
  const other = loader()
  const passed = facts('e', other.load)
  cache.set('e', undefined)
  other.resolve(5)
  assert.deepEqual(await passed, [5, 'fresh', 0, 0, false], 'something else was')
})

test('the entry of a load has its value, though the cache has ended meanwhile or holds what cannot be read', async (t) => {
  const decode = (text) => {
    if (text === 'unreadable') throw down
    return text
  }
  const { cache } = opened(t, { codec: { encode: String, decode } })
  for (const [key, change] of [
    ['a', () => cache.set('a', 'unreadable')],
    ['b', () => cache.dispose()],
  ]) {
    const all = loader()
    const waiting = cache.getOrSetEntry(key, all.load)
    change()
    all.resolve('mine')
    const { value, state, freshForMs, negative } = await waiting
    assert.deepEqual([value, state, freshForMs, negative], ['mine', 'fresh', 0, false])
  }
})

test('who asks for an entry of what is stale begins the load as well', async (t) => {
  const { cache, clock } = opened(t, TIMES)
  cache.set('a', 'old')
  clock.now += 1000
  const { value, state } = await cache.getOrSetEntry('a', () => 'new')
  assert.deepEqual([value, state], ['old', 'stale'])
  await turn()
  assert.equal(cache.get('a'), 'new')
})

// ---------------------------------------------------------------- the bulkhead

test('loads run under permits of the bulkhead; one that it refuses has failed with its refusal', async (t) => {
  const { sp } = opened(t)
  const slots = sp.bulkhead('slots', { limit: 2 })
  const cache = sp.cache('bounded', { ...TIMES, jitter: 0, bulkhead: slots })
  const all = loader()
  const callers = [cache.getOrSet('a', all.load), cache.getOrSet('b', all.load)]
  const refused = await cache.getOrSet('c', never).catch((error) => error)
  assert.ok(refused instanceof Refusal)
  assert.deepEqual([refused.code, refused.primitive], ['E_FULL', 'slots'])
  assert.equal(sp.snapshot().bulkheads.slots.inUse, 2)
  all.settles[0][0]('A')
  assert.equal(await callers[0], 'A')
  assert.equal(await cache.getOrSet('c', () => 'C'), 'C')
  all.settles[1][0]('B')
  assert.equal(await callers[1], 'B')
  await turn()
  assert.equal(sp.snapshot().bulkheads.slots.inUse, 0)
})

test('who opens a cache again without its bulkhead or waitUntil takes neither away', async (t) => {
  const { sp, clock } = opened(t)
  const slots = sp.bulkhead('slots', { limit: 1 })
  const handed = []
  const options = { ...TIMES, jitter: 0 }
  const cache = sp.cache('bounded', { ...options, bulkhead: slots, waitUntil: (promise) => handed.push(promise) })
  assert.equal(sp.cache('bounded', options), cache)
  const all = loader()
  const first = cache.getOrSet('a', all.load)
  await assert.rejects(cache.getOrSet('b', never), { code: 'E_FULL' })
  all.resolve(1)
  await first
  clock.now += 1000
  assert.equal(await cache.getOrSet('a', () => 2), 1)
  assert.equal(handed.length, 1)

  const others = []
  sp.cache('bounded', { ...options, waitUntil: (promise) => others.push(promise) })
  await turn()
  clock.now += 1000
  assert.equal(await cache.getOrSet('a', () => 3), 2)
  assert.deepEqual([handed.length, others.length], [1, 1], 'the last one given counts')
})

test('a load that the bulkhead refuses is answered from grace', async (t) => {
  const { sp, clock } = opened(t)
  const slots = sp.bulkhead('slots', { limit: 1 })
  const cache = sp.cache('bounded', { ...TIMES, jitter: 0, bulkhead: slots })
  cache.set('a', 'old')
  clock.now += 1500
  const held = slots.tryAcquire()
  const { value, loadError } = await cache.getOrSetEntry('a', never)
  assert.deepEqual([value, loadError.code], ['old', 'E_FULL'])
  held.release()
})

test('a load in the queue of the bulkhead leaves it at its loadTimeout', async (t) => {
  const { sp, pass } = faked(t)
  const slots = sp.bulkhead('slots', { limit: 1, queue: 5 })
  const cache = sp.cache('bounded', { bulkhead: slots, loadTimeout: '5s' })
  const held = slots.tryAcquire()
  const waiting = cache.getOrSet('a', never).catch((error) => error.code)
  pass(5000)
  assert.equal(await waiting, 'E_TIMEOUT')
  assert.equal(sp.snapshot().bulkheads.slots.waiting, 0)
  held.release()
})

test('a bulkhead with permits for each key is handed the key', async (t) => {
  const { sp } = opened(t)
  const slots = sp.bulkhead('slots', { limit: 1, perKey: true })
  const cache = sp.cache('bounded', { bulkhead: slots })
  const all = loader()
  const callers = ['a', 'b'].map((key) => cache.getOrSet(key, all.load))
  assert.equal(all.calls, 2)
  for (const [resolve] of all.settles) resolve(1)
  await Promise.all(callers)
})

// ---------------------------------------------------------------- events

test('loads are told as they end, with how long they took', async (t) => {
  const { cache, clock } = opened(t, TIMES)
  const told = []
  cache.on('loaded', ({ key, ms, background }) => told.push(['loaded', key, ms, background]))
  const off = cache.on('failed', ({ key, ms, background, error }) => told.push(['failed', key, ms, background, error]))
  const all = loader()
  const waiting = cache.getOrSet('a', all.load)
  clock.now += 70
  all.resolve('found')
  await waiting
  await cache.getOrSet('b', thrower(down)).catch(() => {})
  await cache.getOrSet('c', () => 7n).catch(() => {})
  off()
  await cache.getOrSet('d', thrower(down)).catch(() => {})
  clock.now += 1000
  await cache.getOrSet('a', () => 'new')
  await turn()
  assert.deepEqual(told.slice(0, 2), [
    ['loaded', 'a', 70, false],
    ['failed', 'b', 0, false, down],
  ])
  assert.equal(told[2][4].code, 'E_VALUE_ENCODE')
  assert.deepEqual(told.slice(3), [['loaded', 'a', 0, true]])
  assert.throws(() => cache.on('hit', () => {}), { code: 'E_OPTION', message: /one of 'loaded', 'failed', 'graced'/ })
})

test('who comes to load in place of another does so in his own asynchronous context, not in that of who has failed', async (t) => {
  const { cache } = opened(t)
  const tenant = new AsyncLocalStorage()
  const failing = loader()
  const one = tenant.run('one', () => cache.getOrSet('a', failing.load))
  // From here on who asks for it waits by himself.
  cache.invalidateTag('anything')
  const two = tenant.run('two', () => cache.getOrSet('a', () => `of ${tenant.getStore()}`))
  tenant.run('one', () => failing.reject(new Error('down')))
  await assert.rejects(one, { message: 'down' })
  assert.equal(await two, 'of two')
})
