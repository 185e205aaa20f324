// Who waits for a permit: by priority, with a key, and for how long. Owns the order and what a snapshot tells of it.
// Never waits for real: timers are faked.
'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')
const { spillway } = require('../index.js')
const { fate, opened, pending, timed, turn } = require('./bulkheads.js')

// ---------------------------------------------------------------- priorities

test('a higher priority goes first, and within one who came first', async (t) => {
  const { bulkhead, report } = opened(t, { limit: 1, queue: 100 })
  const held = bulkhead.tryAcquire()
  const served = []
  const priorities = ['normal', 'low', 'critical', undefined, 'high', 'low', 'critical', 'high', 'normal']
  const runs = priorities.map((priority, index) => bulkhead.run(() => served.push(index), { priority }))
  assert.deepEqual(report().waitingByPriority, { low: 2, normal: 3, high: 2, critical: 2 })
  assert.equal(report().waiting, 9)
  held.release()
  await Promise.all(runs)
  assert.deepEqual(served, [2, 6, 4, 7, 0, 3, 8, 1, 5])
  assert.equal(report().peakWaiting, 9)
})

test('who is queued keeps his place when more important calls come than there is room for', async (t) => {
  const { bulkhead } = opened(t, { limit: 1, queue: 1 })
  const { fn, resolve } = pending()
  const running = bulkhead.run(fn)
  const queued = bulkhead.run(() => 'queued', { priority: 'low' })
  for (let i = 0; i < 10; i++) {
    await assert.rejects(
      bulkhead.run(() => {}, { priority: 'critical' }),
      { code: 'E_FULL' },
    )
  }
  resolve('ran')
  assert.deepEqual(await Promise.all([running, queued]), ['ran', 'queued'])
})

test('a priority decides who waits, not who is let through', async (t) => {
  const { bulkhead } = opened(t, { limit: 1 })
  assert.equal(await bulkhead.run(() => 7, { priority: 'low' }), 7)
})

test('what is no priority is told, and no permit is used', async (t) => {
  const { bulkhead, load } = opened(t, { limit: 1, queue: 1 })
  for (const priority of ['urgent', '', 1, null, 'toString']) {
    for (const call of [
      () => bulkhead.run(() => assert.fail('it was called'), { priority }),
      () => bulkhead.attempt(() => assert.fail('it was called'), { priority }),
      () => bulkhead.acquire({ priority }),
    ]) {
      await assert.rejects(call, { name: 'TypeError', code: 'E_OPTION', option: 'priority' })
    }
  }
  assert.deepEqual(load(), [0, 0])
})

// ---------------------------------------------------------------- keys

test('each key has its own permits and its own queue', async (t) => {
  const { bulkhead, report } = opened(t, { limit: 1, queue: 1, perKey: true })
  const acme = bulkhead.tryAcquire('acme')
  assert.equal(bulkhead.tryAcquire('acme'), null)
  const waiting = bulkhead.acquire({ key: 'acme' })
  await assert.rejects(bulkhead.acquire({ key: 'acme' }), { code: 'E_FULL' })
  assert.equal(await bulkhead.run(() => 'another', { key: 'zulu' }), 'another')
  const zulu = bulkhead.tryAcquire('zulu')
  assert.deepEqual([report().inUse, report().waiting, report().keys], [2, 1, 2])
  acme.release()
  const next = await waiting
  assert.equal(bulkhead.tryAcquire('acme'), null)
  next.release()
  zulu.release()
  assert.deepEqual([report().inUse, report().waiting, report().keys], [0, 0, 0])
})

test('keys that are idle leave nothing behind, ten thousand of them', async (t) => {
  const { bulkhead, report } = opened(t, { limit: 2, perKey: true })
  for (let i = 0; i < 10_000; i++) bulkhead.tryAcquire(`tenant-${i}`).release()
  await bulkhead.run(() => assert.equal(report().keys, 1), { key: 'one' })
  await assert.rejects(
    bulkhead.run(() => Promise.reject(new Error('mine')), { key: 'one' }),
    { message: 'mine' },
  )
  const { keys, inUse, admitted } = report()
  assert.deepEqual({ keys, inUse, admitted }, { keys: 0, inUse: 0, admitted: 10_002 })
})

test('without a key nobody knows whose permit it is', async (t) => {
  const { bulkhead, load } = opened(t, { limit: 1, perKey: true })
  for (const key of [undefined, null, '', 7, {}, ['a']]) {
    for (const call of [
      () => bulkhead.run(() => assert.fail('it was called'), { key }),
      () => bulkhead.attempt(() => assert.fail('it was called'), { key }),
      () => bulkhead.acquire({ key }),
    ]) {
      await assert.rejects(call, { name: 'TypeError', code: 'E_KEY', message: /the bulkhead "slots"/ })
    }
    assert.throws(() => bulkhead.tryAcquire(key), { code: 'E_KEY' })
  }
  await assert.rejects(
    bulkhead.run(() => {}),
    { code: 'E_KEY' },
  )
  await assert.rejects(bulkhead.acquire(), { code: 'E_KEY' })
  assert.deepEqual(load(), [0, 0])
})

test('a key given to a bulkhead that knows none is told, not ignored', async (t) => {
  const { bulkhead, load } = opened(t, { limit: 1 })
  const wrong = { name: 'TypeError', code: 'E_OPTION', option: 'key', message: /perKey/ }
  await assert.rejects(
    bulkhead.run(() => assert.fail('it was called'), { key: 'acme' }),
    wrong,
  )
  await assert.rejects(bulkhead.acquire({ key: 'acme' }), wrong)
  assert.throws(() => bulkhead.tryAcquire('acme'), wrong)
  assert.deepEqual(load(), [0, 0])
})

test('keys that differ in a lone surrogate or in length only are different keys', (t) => {
  const { bulkhead } = opened(t, { limit: 1, perKey: true })
  const long = 'k'.repeat(500)
  for (const key of ['\ud800', '\ud801', '\ufffd', long, `${long}!`, '__proto__', 'constructor']) {
    assert.notEqual(bulkhead.tryAcquire(key), null)
    assert.equal(bulkhead.tryAcquire(key), null)
  }
})

// ---------------------------------------------------------------- attempt

test('attempt answers a refusal as plain data, at once', async (t) => {
  const { bulkhead, report } = opened(t, { limit: 1 })
  const held = bulkhead.tryAcquire()
  const answer = await bulkhead.attempt(() => assert.fail('it was called'))
  assert.deepEqual(answer, { ok: false, refusal: { code: 'E_FULL', primitive: 'slots', status: 503 } })
  assert.equal(report().refused, 1)
  held.release()
  assert.deepEqual(await bulkhead.attempt(() => 7), { ok: true, value: 7 })
  await assert.rejects(
    bulkhead.attempt(() => Promise.reject(undefined)),
    (error) => error === undefined,
  )
  assert.equal(report().inUse, 0)
})

test('attempt waits in the queue, and answers a wait in vain as plain data', async (t) => {
  const { bulkhead, load, tick } = timed(t, { limit: 1, queue: 2, queueTimeout: 1000 })
  const held = bulkhead.tryAcquire()
  const served = bulkhead.attempt(() => 'served', { priority: 'high' })
  const vain = bulkhead.attempt(() => assert.fail('it was called'))
  tick(999)
  held.release()
  assert.deepEqual(await served, { ok: true, value: 'served' })
  assert.deepEqual(await vain.catch(() => 'called'), 'called')
  const other = bulkhead.tryAcquire()
  const late = bulkhead.attempt(() => assert.fail('it was called'))
  tick(1000)
  assert.deepEqual(await late, { ok: false, refusal: { code: 'E_FULL', primitive: 'slots', status: 503 } })
  assert.deepEqual(load(), [1, 0])
  other.release()
})

// ---------------------------------------------------------------- what is told

test('the snapshot says how long those who had to wait did so, served or not', async (t) => {
  const { bulkhead, report, tick } = timed(t, { limit: 1, queue: 200, queueTimeout: '10s' })
  for (let i = 0; i < 3; i++) (await bulkhead.acquire()).release()
  assert.equal(report().wait.count, 0, 'who need not wait is not counted')
  const held = bulkhead.tryAcquire()
  const runs = Array.from({ length: 100 }, () => bulkhead.run(() => tick(1)))
  const { signal, abort } = aborting()
  const given = bulkhead.run(() => assert.fail('it was called'), { signal, priority: 'low' })
  tick(50)
  abort()
  assert.equal((await fate(given)).error.name, 'AbortError')
  held.release()
  await Promise.all(runs)
  const { wait, left } = report()
  // 50 to 149 ms of those who were served one after the other, and 50 of the one who left.
  assert.equal(left, 1)
  assert.equal(wait.count, 101)
  assert.equal(wait.maxMs, 149)
  assert.ok(Math.abs(wait.meanMs - (50 + (100 * (50 + 149)) / 2) / 101) < 1e-6)
  for (const [told, exact] of [
    [wait.p50Ms, 99],
    [wait.p95Ms, 144],
    [wait.p99Ms, 148],
  ]) {
    assert.ok(told >= exact && told <= exact * 1.125, `${told} for ${exact}`)
  }
})

function aborting() {
  const controller = new AbortController()
  return { signal: controller.signal, abort: () => controller.abort() }
}

test('who had to wait is told of when that is over, served or not', async (t) => {
  const { bulkhead, tick } = timed(t, { limit: 1, queue: 2, queueTimeout: 500 })
  const told = []
  bulkhead.on('waited', (event) => told.push(event))
  const first = bulkhead.tryAcquire()
  const served = bulkhead.acquire()
  const left = bulkhead.acquire()
  tick(200)
  first.release()
  await served
  tick(300)
  await assert.rejects(left, { code: 'E_FULL' })
  assert.deepEqual(told, [
    { bulkhead, waitMs: 200, served: true },
    { bulkhead, waitMs: 500, served: false },
  ])
})

test('an operator sets limit, queue and lease from outside, by names of one’s own too, and sees where each came from', async (t) => {
  const env = { BULKHEAD_TOOL_JOB_MAX: '2', BULKHEAD_TOOL_JOB_LEASE_MS: '900', SPILLWAY_BULKHEAD_TOOL_JOB_QUEUE: '5' }
  const sp = spillway({ isolated: true, env })
  t.after(() => sp.close())
  const names = { limit: 'BULKHEAD_TOOL_JOB_MAX', lease: 'BULKHEAD_TOOL_JOB_LEASE_MS' }
  const bulkhead = sp.bulkhead('tool-job', { limit: 8, queue: 1, env: names })
  assert.equal(bulkhead.limit, 2)
  const { config, provenance } = sp.snapshot().bulkheads['tool-job']
  assert.deepEqual(config, { limit: 2, queue: 5, perKey: false, leaseMs: 900 })
  assert.deepEqual(provenance, {
    limit: 'env BULKHEAD_TOOL_JOB_MAX',
    queue: 'env SPILLWAY_BULKHEAD_TOOL_JOB_QUEUE',
    queueTimeout: 'default',
    perKey: 'default',
    lease: 'env BULKHEAD_TOOL_JOB_LEASE_MS',
  })
  assert.equal(sp.bulkhead('tool-job', { limit: 2, queue: 5, lease: '900ms', env: false }), bulkhead)
  const bad = spillway({ isolated: true, env: { SPILLWAY_BULKHEAD_JOBS_LIMIT: '1e3' } })
  t.after(() => bad.close())
  assert.throws(() => bad.bulkhead('jobs', { limit: 1 }), { code: 'E_ENV', option: 'limit' })
})

test('options out of range are refused, and nothing is opened', (t) => {
  const { sp } = opened(t, { limit: 1 })
  for (const [options, code, option] of [
    [{ limit: 1, lease: 0 }, 'E_DURATION', 'lease'],
    [{ limit: 1, lease: '2d' }, 'E_DURATION', 'lease'],
    [{ limit: 1, lease: 'soon' }, 'E_DURATION', 'lease'],
    [{ limit: 1, perKey: 'yes' }, 'E_OPTION', 'perKey'],
    [{ limit: 1, priority: 'low' }, 'E_OPTION', 'priority'],
  ]) {
    assert.throws(() => sp.bulkhead('wrong', options), { code, option })
  }
  assert.deepEqual(Object.keys(sp.snapshot().bulkheads), ['slots'])
})

test('a name is not the same bulkhead with a lease or with keys', (t) => {
  const { sp } = opened(t, { limit: 1 })
  const message = /`lease` is null there and 1000 ms here/
  assert.throws(() => sp.bulkhead('slots', { limit: 1, lease: '1s' }), { code: 'E_MISMATCH', message })
  assert.throws(() => sp.bulkhead('slots', { limit: 1, perKey: true }), { code: 'E_MISMATCH', message: /perKey/ })
})

test('a wave of a thousand runs of mixed priority is served whole', async (t) => {
  const { bulkhead, report } = opened(t, { limit: 3, queue: 1000 })
  const priorities = ['low', 'normal', 'high', 'critical']
  let inside = 0
  const runs = Array.from({ length: 1000 }, (_, index) =>
    bulkhead.run(
      async () => {
        assert.ok(++inside <= 3)
        await turn()
        inside--
      },
      { priority: priorities[index % 4] },
    ),
  )
  await Promise.all(runs)
  const { inUse, waiting, admitted, wait } = report()
  assert.deepEqual([inUse, waiting, admitted, wait.count], [0, 0, 1000, 997])
})
