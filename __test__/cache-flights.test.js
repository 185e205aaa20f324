// One load for all threads, whatever becomes of the thread that loads. Owns the killing of leaders.
// Never asserts how long anything takes: only how often it was loaded, and that everybody is answered.
'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')
const face = require('../index.js')
const { answersOf, fresh, numbers, together, turn, work } = require('./threads/crew.js')

const WORKERS = 8
const CALLERS = 1250

/**
 * Ten thousand callers of eight workers ask for one key nobody has; the loads end as `plan` says, one after the other. Answers
 * how many ended how, of those whose thread did not end.
 */
async function ask(t, plan, options = {}, more = {}) {
  const [name, counts] = [fresh('crowd'), numbers(2)]
  const everybody = WORKERS * CALLERS
  const data = { counts, name, options: { jitter: 0, ...options }, callers: CALLERS, everybody, plan, ...more }
  const workers = await together(t, WORKERS, 'ask', () => data)
  if (more.terminates) {
    for (const { worker } of workers) {
      worker.on('message', ({ loading }) => {
        if (loading === more.terminates) worker.terminate()
      })
    }
  }
  const answers = await answersOf(workers)
  const ends = {}
  for (const answer of answers) {
    for (const [end, count] of Object.entries(answer?.ends ?? {})) ends[end] = (ends[end] ?? 0) + count
  }
  const cache = face.cache(name, data.options)
  const { loads, loadFailures } = cache.stats()
  assert.equal(loads, counts[1], 'and the numbers say so')
  return { ends, loads, loadFailures, after: cache.get('cold') }
}

const landed = (number) => JSON.stringify({ value: { loadedBy: number } })

test('ten thousand callers of eight workers load a cold key once', async (t) => {
  const { ends, loads, after } = await ask(t, ['land'])
  assert.deepEqual({ ends, loads, after }, { ends: { [landed(0)]: 10_000 }, loads: 1, after: { loadedBy: 0 } })
})

for (const { title, plan, terminates, lost = {}, options, blockedMs } of [
  { title: 'ends its thread', plan: ['exit', 'land'] },
  { title: 'is terminated', plan: ['hang', 'land'], terminates: 'hang' },
  { title: 'throws', plan: ['fail', 'land'], lost: { '{"error":"Error: down"}': CALLERS } },
  {
    title: 'hangs past loadTimeout',
    plan: ['hang', 'land'],
    options: { loadTimeout: 1000 },
    lost: { '{"error":"E_TIMEOUT"}': CALLERS },
  },
  {
    title: 'keeps its event loop from turning past loadTimeout, and lands too late',
    plan: ['block', 'land'],
    options: { loadTimeout: 1000 },
    blockedMs: 2500,
    lost: { '{"value":{"loadedBy":0,"loadsByThen":2}}': CALLERS },
  },
]) {
  test(`a leader of ten thousand callers that ${title}: one of the others loads, all of them are answered, and only that is stored`, async (t) => {
    const { ends, loads, after } = await ask(t, plan, options, { terminates, blockedMs })
    assert.deepEqual(
      { ends, loads, after },
      { ends: { ...lost, [landed(1)]: 10_000 - CALLERS }, loads: 2, after: { loadedBy: 1 } },
    )
  })
}

test('leaders that end in every way there is, one after the other: each load is followed by one other until one lands', async (t) => {
  const plan = ['exit', 'fail', 'hang', 'fail', 'exit', 'fail', 'land']
  const { ends, loads, after } = await ask(t, plan, {}, { terminates: 'hang' })
  assert.deepEqual(
    { ends, loads, after },
    {
      ends: { '{"error":"Error: down"}': 3 * CALLERS, [landed(6)]: 2 * CALLERS },
      loads: 7,
      after: { loadedBy: 6 },
    },
  )
})

test('eight leaders that fail are eight loads, and nobody waits for a ninth', async (t) => {
  const { ends, loads, loadFailures, after } = await ask(t, Array(8).fill('fail'))
  assert.deepEqual(
    { ends, loads, loadFailures, after },
    { ends: { '{"error":"Error: down"}': 10_000 }, loads: 8, loadFailures: 8, after: undefined },
  )
})

// ---------------------------------------------------------------- loads that race an invalidation made in another thread

const FORGETTING = {
  'a delete': { forget: (cache) => cache.delete('a:1') },
  'an expire': { forget: (cache) => cache.expire('a:1') },
  'a clear': { forget: (cache) => cache.clear() },
  'a new version': { forget: (cache) => cache.setVersion('2') },
  'a deleted prefix': { forget: (cache) => cache.deletePrefix('a:') },
  'an invalidated tag of its options': {
    forget: (cache) => cache.invalidateTag('one'),
    call: { tags: ['one', 'two'] },
  },
  'an invalidated tag that the loader added': {
    forget: (cache) => cache.invalidateTag('two'),
    addTags: ['one', 'two'],
  },
  'an expired tag of its options': { forget: (cache) => cache.expireTag('two'), call: { tags: ['one', 'two'] } },
}

for (const [what, { forget, call, addTags }] of Object.entries(FORGETTING)) {
  test(`a load in another thread that raced ${what} is answered to who began it, not stored, and who asks afterwards gets another`, async (t) => {
    const name = fresh('raced')
    const options = { jitter: 0 }
    const { worker, said, answer } = work(t, 'load', { name, options, key: 'a:1', call, addTags })
    assert.equal(await said, 'loading')
    const cache = face.cache(name, options)
    forget(cache)
    let loads = 0
    const asked = cache.getOrSet(
      'a:1',
      (context) => {
        loads++
        if (addTags) context.tags(...addTags)
        return { from: 'after' }
      },
      call,
    )
    worker.postMessage('go')
    const { value, after } = await answer
    assert.deepEqual(value, { from: 'the worker' })
    assert.deepEqual(await asked, { from: 'after' })
    assert.ok(after === undefined || after.from === 'after', JSON.stringify(after))
    assert.equal(loads, 1)
    assert.deepEqual(cache.get('a:1'), { from: 'after' })
    assert.equal(cache.stats().loads, 2)
  })
}

for (const [what, forget] of Object.entries({
  'another key is deleted': (cache) => cache.delete('b'),
  'another tag is invalidated': (cache) => cache.invalidateTag('three'),
  'another prefix is deleted': (cache) => cache.deletePrefix('b:'),
  'the version stays the same': (cache) => assert.equal(cache.setVersion('1'), false),
})) {
  test(`a load in another thread while ${what} is stored, and shared with who asks meanwhile`, async (t) => {
    const name = fresh('unmoved')
    const options = { jitter: 0, version: '1' }
    const { worker, said, answer } = work(t, 'load', { name, options, key: 'a:1', call: { tags: ['one'] } })
    assert.equal(await said, 'loading')
    const cache = face.cache(name, options)
    forget(cache)
    const asked = cache.getOrSet('a:1', () => assert.fail('it was loaded twice'))
    worker.postMessage('go')
    assert.deepEqual(await answer, { value: { from: 'the worker' }, after: { from: 'the worker' } })
    assert.deepEqual(await asked, { from: 'the worker' })
    assert.deepEqual(cache.get('a:1'), { from: 'the worker' })
  })
}

// ---------------------------------------------------------------- the bulkhead of a cache

test('loads of four threads never run more at a time than the bulkhead of their cache admits, and as many as it admits', async (t) => {
  const [name, running] = [fresh('bounded'), numbers(1)]
  const workers = await together(t, 4, 'loadMany', (number) => ({ running, name, limit: 3, keys: 500, number }))
  const answers = await answersOf(workers)
  assert.deepEqual(
    answers.map(({ found }) => found),
    [500, 500, 500, 500],
  )
  assert.equal(Math.max(...answers.map(({ most }) => most)), 3)
})

test('a thread that ends amidst a load gives back the permit it loaded under', async (t) => {
  const name = fresh('permit')
  const { worker, said } = work(t, 'load', { name, options: {}, key: 'a', limit: 1 })
  assert.equal(await said, 'loading')
  const cache = face.cache(name, { bulkhead: face.bulkhead(name, { limit: 1, queue: 100 }) })
  const asked = ['a', 'b', 'c'].map((key) => cache.getOrSet(key, () => key))
  assert.equal(face.spillway().snapshot().bulkheads[name].inUse, 1)
  await worker.terminate()
  assert.deepEqual(await Promise.all(asked), ['a', 'b', 'c'])
  const { inUse, waiting } = face.spillway().snapshot().bulkheads[name]
  assert.deepEqual([inUse, waiting], [0, 0])
})

// ---------------------------------------------------------------- loads nobody waits for

test('eight thousand callers of eight workers are answered with what is stale while one of them loads', async (t) => {
  const [name, counts] = [fresh('stale'), numbers(2)]
  const options = { ttl: 1, stale: '1h', jitter: 0 }
  const cache = face.cache(name, options)
  cache.set('stale', 'old')
  while (cache.entry('stale').state !== 'stale') await turn()
  const data = { counts, name, options, callers: 1000, everybody: 8000 }
  const answers = await answersOf(await together(t, 8, 'askStale', () => data))
  assert.deepEqual(
    answers.map(({ ends }) => ends),
    Array(8).fill({ old: 1000 }),
  )
  assert.deepEqual(answers.map(({ refreshes }) => refreshes).sort(), [0, 0, 0, 0, 0, 0, 0, 1])
  assert.equal(counts[1], 1)
  assert.equal(cache.get('stale'), 'new')
  const { loads, stale } = cache.stats()
  assert.deepEqual({ loads, stale }, { loads: 1, stale: 8000 })
})
