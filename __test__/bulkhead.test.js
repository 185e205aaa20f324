// How many calls run at once, who waits and who is next. Owns the face of permits: none is lost and none is counted twice.
// Never waits for real: timers are faked, and what needs a process of its own gets one.
'use strict'

const assert = require('node:assert/strict')
const { execFile } = require('node:child_process')
const { getEventListeners } = require('node:events')
const path = require('node:path')
const { test } = require('node:test')
const { promisify } = require('node:util')
const { Worker } = require('node:worker_threads')
const { spillway, Refusal } = require('../index.js')
const { fate, opened, pending, turn } = require('./bulkheads.js')

const FACE = JSON.stringify(path.join(__dirname, '..', 'index.js'))

// ---------------------------------------------------------------- permits

test('so many permits are out at once and not one more', (t) => {
  const { bulkhead, load } = opened(t, { limit: 3 })
  const permits = [bulkhead.tryAcquire(), bulkhead.tryAcquire(), bulkhead.tryAcquire()]
  assert.ok(permits.every((permit) => permit !== null))
  assert.equal(bulkhead.tryAcquire(), null)
  assert.deepEqual(load(), [3, 0])
  permits[1].release()
  assert.notEqual(bulkhead.tryAcquire(), null)
  assert.equal(bulkhead.tryAcquire(), null)
})

test('a second release does nothing, also when another holds the permit since', (t) => {
  const { bulkhead, load } = opened(t, { limit: 1 })
  const first = bulkhead.tryAcquire()
  first.release()
  const second = bulkhead.tryAcquire()
  for (let i = 0; i < 10; i++) first.release()
  assert.equal(bulkhead.tryAcquire(), null)
  assert.deepEqual(load(), [1, 0])
  second.release()
  second.release()
  assert.deepEqual(load(), [0, 0])
})

test('a permit is disposable, once', (t) => {
  const { bulkhead, load } = opened(t, { limit: 2 })
  const other = bulkhead.tryAcquire()
  const permit = bulkhead.tryAcquire()
  permit[Symbol.dispose]()
  assert.deepEqual(load(), [1, 0])
  permit[Symbol.dispose]()
  permit.release()
  assert.deepEqual(load(), [1, 0])
  other.release()
})

test('a permit has nothing to read or to change', (t) => {
  const { bulkhead } = opened(t, { limit: 1 })
  assert.deepEqual(Object.keys(bulkhead.tryAcquire()), [])
})

test('a handle says what it is', (t) => {
  const { bulkhead, report } = opened(t, { limit: 7, queue: 3 })
  const { kind, name, limit } = bulkhead
  assert.deepEqual({ kind, name, limit }, { kind: 'bulkhead', name: 'slots', limit: 7 })
  const provenance = { limit: 'option', queue: 'option', queueTimeout: 'default', perKey: 'default', lease: 'default' }
  assert.deepEqual(report(), {
    config: { limit: 7, queue: 3, perKey: false, leaseMs: null },
    provenance,
    inUse: 0,
    waiting: 0,
    waitingByPriority: { low: 0, normal: 0, high: 0, critical: 0 },
    peakWaiting: 0,
    keys: 0,
    admitted: 0,
    refused: 0,
    left: 0,
    expired: 0,
    wait: { count: 0, meanMs: 0, p50Ms: 0, p95Ms: 0, p99Ms: 0, maxMs: 0 },
  })
})

// ---------------------------------------------------------------- run

test('run passes on what the function returns', async (t) => {
  const { bulkhead } = opened(t, { limit: 1 })
  const value = { of: 'mine' }
  assert.equal(await bulkhead.run(() => value), value)
  assert.equal(await bulkhead.run(async () => value), value)
  assert.equal(await bulkhead.run(() => {}), undefined)
})

const thrower = (error) => () => {
  throw error
}

for (const [what, fn] of [
  ['throws', thrower(new RangeError('mine'))],
  ['rejects', () => Promise.reject(new RangeError('mine'))],
  ['throws what is no error', thrower(null)],
  ['returns a thenable that throws', () => Object.defineProperty({}, 'then', { get: () => assert.fail('mine') })],
]) {
  test(`a function that ${what} gives its permit back, and its error comes through`, async (t) => {
    const { bulkhead, load } = opened(t, { limit: 1 })
    for (let i = 0; i < 3; i++) {
      const caught = await bulkhead.run(fn).then(
        () => assert.fail('it resolved'),
        (error) => error,
      )
      assert.equal(caught?.message, caught === null ? undefined : 'mine')
    }
    assert.deepEqual(load(), [0, 0])
  })
}

test('run holds its permit until the function itself settles, also when the caller has given up', async (t) => {
  const { bulkhead, load } = opened(t, { limit: 1 })
  const { fn, resolve } = pending()
  const controller = new AbortController()
  const running = bulkhead.run(fn, { signal: controller.signal })
  const answered = Promise.race([running, Promise.resolve('the caller was answered')])
  assert.equal(await answered, 'the caller was answered')
  controller.abort()
  await turn()
  assert.deepEqual(load(), [1, 0])
  await assert.rejects(
    bulkhead.run(() => {}),
    { code: 'E_FULL' },
  )
  resolve('late')
  assert.equal(await running, 'late')
  assert.deepEqual(load(), [0, 0])
})

test('the function begins in the turn of the call when a permit is free', (t) => {
  const { bulkhead } = opened(t, { limit: 1 })
  let began = false
  bulkhead.run(() => {
    began = true
  })
  assert.equal(began, true)
})

test('without a permit or a place to wait run and acquire are refused with E_FULL, and nothing is called', async (t) => {
  const { bulkhead, report } = opened(t, { limit: 1 })
  const held = bulkhead.tryAcquire()
  for (const call of [() => bulkhead.run(() => assert.fail('it was called')), () => bulkhead.acquire()]) {
    const refusal = await call().catch((error) => error)
    assert.ok(refusal instanceof Refusal)
    const { code, primitive, status, message } = refusal
    assert.deepEqual(
      { code, primitive, status, message },
      { code: 'E_FULL', primitive: 'slots', status: 503, message: 'the bulkhead "slots" is full' },
    )
    assert.equal('retryAfterMs' in refusal, false)
  }
  assert.equal(bulkhead.tryAcquire(), null)
  const { admitted, refused } = report()
  assert.deepEqual({ admitted, refused }, { admitted: 1, refused: 3 })
  held.release()
})

test('what is no function or no signal is told, and no permit is used', async (t) => {
  const { bulkhead, load } = opened(t, { limit: 1 })
  for (const fn of [undefined, null, 'fn', {}]) {
    await assert.rejects(bulkhead.run(fn), { name: 'TypeError', code: 'E_FUNCTION', message: /the bulkhead "slots"/ })
  }
  for (const signal of ['signal', 7, {}]) {
    await assert.rejects(
      bulkhead.run(() => {}, { signal }),
      { code: 'E_OPTION', option: 'signal' },
    )
    await assert.rejects(bulkhead.acquire({ signal }), { code: 'E_OPTION', option: 'signal' })
  }
  assert.deepEqual(load(), [0, 0])
})

test('the caller’s signal is handed on; without one a call has its own', async (t) => {
  const { bulkhead } = opened(t, { limit: 2 })
  const { signal } = new AbortController()
  assert.equal(await bulkhead.run((call) => call.signal, { signal }), signal)
  const [one, two] = await Promise.all([bulkhead.run((call) => call.signal), bulkhead.run((call) => call.signal)])
  assert.ok(one instanceof AbortSignal)
  assert.notEqual(one, two)
})

// ---------------------------------------------------------------- the queue

test('waiters are served in the order they came', async (t) => {
  const { bulkhead, load } = opened(t, { limit: 2, queue: 100 })
  const order = []
  const runs = Array.from({ length: 50 }, (_, index) =>
    bulkhead.run(async () => {
      order.push(index)
      await turn()
    }),
  )
  assert.deepEqual(load(), [2, 48])
  await Promise.all(runs)
  assert.deepEqual(order, [...Array(50).keys()])
  assert.deepEqual(load(), [0, 0])
})

test('the queue takes as many as it says, and whoever comes then is refused at once', async (t) => {
  const { bulkhead, load } = opened(t, { limit: 1, queue: 2 })
  const held = bulkhead.tryAcquire()
  const waiting = [bulkhead.acquire(), bulkhead.acquire()]
  assert.deepEqual(load(), [1, 2])
  await assert.rejects(bulkhead.acquire(), { code: 'E_FULL' })
  held.release()
  ;(await waiting[0]).release()
  const third = bulkhead.acquire()
  ;(await waiting[1]).release()
  ;(await third).release()
  assert.deepEqual(load(), [0, 0])
})

test('tryAcquire does not overtake who waits', async (t) => {
  const { bulkhead } = opened(t, { limit: 1, queue: 1 })
  const held = bulkhead.tryAcquire()
  const waiting = bulkhead.acquire()
  assert.equal(bulkhead.tryAcquire(), null)
  held.release()
  assert.equal(bulkhead.tryAcquire(), null, 'the permit has passed to the waiter')
  ;(await waiting).release()
  assert.notEqual(bulkhead.tryAcquire(), null)
})

test('a permit released by a waiter at once goes on to the next, a thousand deep', async (t) => {
  const { bulkhead, report } = opened(t, { limit: 1, queue: 1000 })
  const held = bulkhead.tryAcquire()
  const served = []
  const waiting = Array.from({ length: 1000 }, (_, index) =>
    bulkhead.acquire().then((permit) => {
      served.push(index)
      permit.release()
    }),
  )
  held.release()
  await Promise.all(waiting)
  assert.equal(served.length, 1000)
  const { inUse, waiting: left, admitted } = report()
  assert.deepEqual([inUse, left, admitted], [0, 0, 1001])
})

test('a wait that is too long is refused with E_FULL and leaves the queue', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] })
  const { bulkhead, report } = opened(t, { limit: 1, queue: 5, queueTimeout: '2s' })
  const held = bulkhead.tryAcquire()
  const waiting = bulkhead.acquire()
  t.mock.timers.tick(1999)
  assert.equal(await fate(waiting), 'pending')
  t.mock.timers.tick(1)
  const { error } = await fate(waiting)
  assert.ok(error instanceof Refusal)
  assert.equal(error.code, 'E_FULL')
  assert.equal(error.message, 'no permit of the bulkhead "slots" came free within 2000 ms')
  const { inUse, waiting: left, left: gone } = report()
  assert.deepEqual([inUse, left, gone], [1, 0, 1])
  held.release()
  assert.notEqual(bulkhead.tryAcquire(), null, 'the permit did not go to who has left')
})

test('each waiter has its own timeout, from when it came', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] })
  const { bulkhead, load } = opened(t, { limit: 1, queue: 5, queueTimeout: 1000 })
  const held = bulkhead.tryAcquire()
  const first = bulkhead.run(() => assert.fail('it was called'))
  t.mock.timers.tick(600)
  const second = bulkhead.acquire()
  t.mock.timers.tick(400)
  assert.equal((await fate(first)).error.code, 'E_FULL')
  assert.equal(await fate(second), 'pending')
  assert.deepEqual(load(), [1, 1])
  t.mock.timers.tick(599)
  assert.equal(await fate(second), 'pending')
  t.mock.timers.tick(1)
  assert.equal((await fate(second)).error.code, 'E_FULL')
  held.release()
  assert.deepEqual(load(), [0, 0])
})

test('who is served in time is not refused later', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] })
  const { bulkhead, load } = opened(t, { limit: 1, queue: 5, queueTimeout: 1000 })
  const held = bulkhead.tryAcquire()
  const waiting = bulkhead.acquire()
  t.mock.timers.tick(999)
  held.release()
  const permit = await waiting
  t.mock.timers.tick(100_000)
  assert.deepEqual(load(), [1, 0])
  permit.release()
  assert.deepEqual(load(), [0, 0])
})

test('an abort in the queue removes the waiter and rejects with the reason', async (t) => {
  const { bulkhead, report } = opened(t, { limit: 1, queue: 2 })
  const held = bulkhead.tryAcquire()
  const controller = new AbortController()
  const reason = new Error('the client has gone')
  const waiting = bulkhead.run(() => assert.fail('it was called'), { signal: controller.signal })
  waiting.catch(() => {})
  const behind = bulkhead.acquire()
  assert.equal(report().waiting, 2)
  controller.abort(reason)
  assert.equal(report().waiting, 1, 'in the very moment')
  assert.equal((await fate(waiting)).error, reason)
  assert.equal(report().left, 1)
  held.release()
  ;(await behind).release()
  assert.equal(report().inUse, 0)
})

test('a signal that is aborted already asks for no permit and throws its reason', async (t) => {
  const { bulkhead, report } = opened(t, { limit: 1, queue: 1 })
  const reason = new Error('gone before')
  const options = { signal: AbortSignal.abort(reason) }
  for (const call of [
    () => bulkhead.run(() => assert.fail('it was called'), options),
    () => bulkhead.acquire(options),
  ]) {
    assert.equal(await call().catch((error) => error), reason)
  }
  const { admitted, refused, left } = report()
  assert.deepEqual([admitted, refused, left], [0, 0, 0])
})

test('an abort in the same turn in which the permit comes gives it to the next', async (t) => {
  const { bulkhead, load } = opened(t, { limit: 1, queue: 2 })
  const held = bulkhead.tryAcquire()
  const controller = new AbortController()
  const waiting = bulkhead.acquire({ signal: controller.signal })
  const behind = bulkhead.acquire()
  // Whichever is first decides, and either way nothing is lost.
  held.release()
  controller.abort(new Error('too late'))
  const served = await waiting.catch(() => null)
  served?.release()
  ;(await behind).release()
  assert.deepEqual(load(), [0, 0])
})

/** A waiter here to whom a permit of another thread has been passed on, in this very turn, so that no letter has come yet. */
async function passedOn(t, options) {
  const prefix = `slots-${process.pid}-${Math.random()}`
  const sp = spillway({ prefix })
  const gate = new Int32Array(new SharedArrayBuffer(8))
  const source = `
    const { workerData: { prefix, gate }, parentPort } = require('node:worker_threads')
    const bulkhead = require(${FACE}).spillway({ prefix }).bulkhead('slots', { limit: 1, queue: 1 })
    const permit = bulkhead.tryAcquire()
    parentPort.postMessage('holding')
    Atomics.wait(gate, 0, 0)
    permit.release()
    Atomics.store(gate, 1, 1)
    Atomics.notify(gate, 1)
  `
  const worker = new Worker(source, { eval: true, workerData: { prefix, gate } })
  t.after(() => Promise.all([worker.terminate(), sp.close()]))
  await new Promise((resolve) => worker.once('message', resolve))
  const bulkhead = sp.bulkhead('slots', { limit: 1, queue: 1 })
  const waiting = bulkhead.acquire(options)
  Atomics.store(gate, 0, 1)
  Atomics.notify(gate, 0)
  Atomics.wait(gate, 1, 0)
  return { waiting, inUse: () => sp.snapshot().bulkheads[`${prefix}:slots`].inUse }
}

test('an abort after the permit has passed on rejects with its reason, and the permit is free', async (t) => {
  const controller = new AbortController()
  const reason = new Error('too late')
  const { waiting, inUse } = await passedOn(t, { signal: controller.signal })
  controller.abort(reason)
  assert.equal(inUse(), 1)
  assert.equal(await waiting.catch((error) => error), reason)
  assert.equal(inUse(), 0)
})

test('a timeout after the permit has passed on is too late: the permit is there', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] })
  const { waiting, inUse } = await passedOn(t)
  t.mock.timers.tick(30_000)
  ;(await waiting).release()
  assert.equal(inUse(), 0)
})

test('a long-lived signal gathers no listeners', async (t) => {
  const { bulkhead } = opened(t, { limit: 1, queue: 1 })
  const { signal } = new AbortController()
  for (let i = 0; i < 100; i++) {
    const held = bulkhead.tryAcquire()
    const waiting = bulkhead.run(() => {}, { signal })
    assert.equal(getEventListeners(signal, 'abort').length, 1)
    held.release()
    await waiting
    assert.equal(getEventListeners(signal, 'abort').length, 0)
    await bulkhead.run(() => {}, { signal })
  }
})

test('a call that was queued is not rejected when the queue fills up behind it, as in the best-typed library', async (t) => {
  const { bulkhead } = opened(t, { limit: 1, queue: 1 })
  const { fn, resolve } = pending()
  const running = bulkhead.run(fn)
  const queued = bulkhead.run(() => 'queued')
  for (let i = 0; i < 100; i++) {
    await assert.rejects(
      bulkhead.run(() => {}),
      { code: 'E_FULL' },
    )
  }
  resolve('ran')
  assert.deepEqual(await Promise.all([running, queued]), ['ran', 'queued'])
})

// ---------------------------------------------------------------- nothing is lost

test('permits come back after their bulkhead was disposed of, and those who wait are still served', async (t) => {
  const { bulkhead, sp } = opened(t, { limit: 1, queue: 1 })
  const { fn, resolve } = pending()
  const running = bulkhead.run(fn)
  const queued = bulkhead.run(() => 'queued')
  bulkhead.dispose()
  await assert.rejects(
    bulkhead.run(() => {}),
    { code: 'E_DISPOSED' },
  )
  assert.throws(() => bulkhead.tryAcquire(), { code: 'E_DISPOSED' })
  await assert.rejects(bulkhead.acquire(), { code: 'E_DISPOSED' })
  resolve('ran')
  assert.deepEqual(await Promise.all([running, queued]), ['ran', 'queued'])
  const fresh = sp.bulkhead('slots', { limit: 1 })
  assert.notEqual(fresh.tryAcquire(), null)
})

test('after a million random operations every permit is back', async (t) => {
  const { bulkhead, report } = opened(t, { limit: 8, queue: 16, queueTimeout: '1d' })
  let seed = 42
  const random = (below) => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((seed / 2 ** 32) * below)
  }
  const held = []
  const released = []
  const controllers = []
  const open = []
  let count = { out: 0, most: 0 }
  const keep = (permit) => {
    count = { out: count.out + 1, most: Math.max(count.most, count.out + 1) }
    held.push(permit)
  }
  const release = () => {
    const [permit] = held.splice(random(held.length), 1)
    count.out--
    permit.release()
    released[random(64)] = permit
  }
  for (let operation = 1; operation <= 1_000_000; operation++) {
    const which = random(100)
    if (which < 45) {
      const permit = bulkhead.tryAcquire()
      if (permit !== null) keep(permit)
    } else if (which < 85) {
      if (held.length > 0) release()
    } else if (which < 92) {
      released[random(64)]?.release()
    } else if (which < 96) {
      open.push(bulkhead.acquire().then(keep, () => {}))
    } else if (which < 98) {
      const controller = new AbortController()
      controllers[random(8)] = controller
      open.push(bulkhead.acquire({ signal: controller.signal }).then(keep, () => {}))
    } else if (which < 99) {
      controllers[random(8)]?.abort()
    } else {
      open.push(
        bulkhead.run(() => (random(2) ? Promise.resolve() : Promise.reject(new Error('thrown')))).catch(() => {}),
      )
    }
    if (random(50) === 0) await null
    if (operation % 100_000 === 0) {
      const { inUse, waiting } = report()
      assert.ok(inUse <= 8 && waiting <= 16 && count.out <= 8, `${inUse} in use, ${waiting} waiting`)
    }
  }
  const settled = Promise.all(open).then(() => true)
  while (!(await Promise.race([settled, turn()])) || held.length > 0) {
    while (held.length > 0) release()
  }
  const { inUse, waiting, left, admitted, refused } = report()
  assert.deepEqual([inUse, waiting], [0, 0])
  assert.equal(count.most, 8)
  assert.ok(
    left > 100 && admitted > 100_000 && refused > 10_000,
    `${left} left, ${admitted} admitted, ${refused} refused`,
  )
  const permits = Array.from({ length: 8 }, () => bulkhead.tryAcquire())
  assert.ok(permits.every((permit) => permit !== null))
  assert.equal(bulkhead.tryAcquire(), null)
})

// ---------------------------------------------------------------- in a process of its own

/** What a script prints before it ends by itself. */
async function printed(script, ...flags) {
  const run = promisify(execFile)
  const { stdout } = await run(process.execPath, [...flags, '-e', script], { timeout: 20_000, killSignal: 'SIGKILL' })
  return stdout.trim()
}

test('a permit that is collected comes back', async () => {
  const script = `
    const sp = require(${FACE}).spillway({ isolated: true })
    const bulkhead = sp.bulkhead('slots', { limit: 50, queue: 1 })
    const inUse = () => sp.snapshot().bulkheads.slots.inUse
    for (let i = 0; i < 50; i++) bulkhead.tryAcquire()
    const before = inUse()
    let turns = 0
    const look = () => {
      gc()
      if (inUse() > 0 && ++turns < 1000) setImmediate(look)
      else console.log(before, inUse())
    }
    look()
  `
  assert.equal(await printed(script, '--expose-gc'), '50 0')
})

test('a permit that is collected goes to who waits for it', async () => {
  const script = `
    const sp = require(${FACE}).spillway({ isolated: true })
    const bulkhead = sp.bulkhead('slots', { limit: 1, queue: 1 })
    ;(() => { bulkhead.tryAcquire() })()
    let served = false
    bulkhead.acquire().then((permit) => {
      served = true
      console.log('served')
      permit.release()
    })
    const look = () => {
      gc()
      if (!served) setImmediate(look)
    }
    look()
  `
  assert.equal(await printed(script, '--expose-gc'), 'served')
})

test('a permit that is still held is not collected, nor one of a run that goes on', async () => {
  const script = `
    const sp = require(${FACE}).spillway({ isolated: true })
    const bulkhead = sp.bulkhead('slots', { limit: 2, queue: 1 })
    globalThis.held = bulkhead.tryAcquire()
    bulkhead.run(() => new Promise((resolve) => (globalThis.resolve = resolve)))
    let turns = 0
    const look = () => {
      gc()
      if (++turns < 50) return setImmediate(look)
      console.log(sp.snapshot().bulkheads.slots.inUse)
    }
    look()
  `
  assert.equal(await printed(script, '--expose-gc'), '2')
})

test('the process ends by itself while permits are out and nobody waits any more', async () => {
  const script = `
    const sp = require(${FACE}).spillway({ isolated: true })
    const bulkhead = sp.bulkhead('slots', { limit: 1, queue: 1, queueTimeout: '1d' })
    const held = bulkhead.tryAcquire()
    const waiting = bulkhead.acquire()
    held.release()
    waiting.then((permit) => {
      globalThis.permit = permit
      console.log('the last work is done')
    })
  `
  assert.equal(await printed(script), 'the last work is done')
})

test('the process stays alive while somebody waits for a permit of another thread, by the wait and not by its timeout', async () => {
  const script = `
    const { setTimeout } = globalThis
    globalThis.setTimeout = (...call) => setTimeout(...call).unref()
    const { bulkhead: open } = require(${FACE})
    const { Worker } = require('node:worker_threads')
    const gate = new Int32Array(new SharedArrayBuffer(4))
    const worker = new Worker(\`
      const { workerData, parentPort } = require('node:worker_threads')
      const permit = require(${FACE.replaceAll('\\', '\\\\')}).bulkhead('slots', { limit: 1, queue: 1 }).tryAcquire()
      parentPort.postMessage('holding')
      Atomics.wait(workerData, 0, 0)
      permit.release()
    \`, { eval: true, workerData: gate })
    worker.once('message', () => {
      worker.unref()
      const waiting = open('slots', { limit: 1, queue: 1 }).acquire()
      waiting.then(() => console.log('served'))
      setTimeout(() => {
        Atomics.store(gate, 0, 1)
        Atomics.notify(gate, 0)
      }, 50)
    })
  `
  assert.equal(await printed(script), 'served')
})

test('the process stays alive until a wait in vain has been refused', async () => {
  const script = `
    const sp = require(${FACE}).spillway({ isolated: true })
    const bulkhead = sp.bulkhead('slots', { limit: 1, queue: 1, queueTimeout: 20 })
    globalThis.held = bulkhead.tryAcquire()
    bulkhead.acquire().catch(({ code }) => console.log(code))
  `
  assert.equal(await printed(script), 'E_FULL')
})
