// Leases of one process: who holds, who waits, and what becomes of them when a thread hangs or ends. What they are over Redis is in
// lease-redis.test.js.
'use strict'

const assert = require('node:assert/strict')
const path = require('node:path')
const { test } = require('node:test')
const { Worker } = require('node:worker_threads')
const { isRefusal, spillway } = require('../index.js')
const { lease } = require('../kit/lease.js')

const HELPER = path.join(__dirname, 'threads', 'leasing.js')
let names = 0

/** A lease nobody else has, and its spillway. */
function opened(t, options, more = { isolated: true }) {
  const sp = spillway({ env: false, ...more })
  t.after(() => sp.close())
  const name = `job-${process.pid}-${++names}`
  return { sp, name, job: lease(sp, name, options), report: () => sp.snapshot().leases[name] }
}

/** A thread of helpers: what it says, one after the other, and its end. */
function helper(t, task) {
  const worker = new Worker(HELPER, { workerData: { prefix: '', ...task } })
  t.after(() => worker.terminate())
  const said = []
  const waiting = []
  worker.on('message', (message) => (waiting.length > 0 ? waiting.shift()(message) : said.push(message)))
  const next = () => (said.length > 0 ? Promise.resolve(said.shift()) : new Promise((resolve) => waiting.push(resolve)))
  return { next, terminate: () => worker.terminate() }
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

test('one holds it, another does not, and each holder has a larger fence', async (t) => {
  const { job } = opened(t)
  const first = await job.tryAcquire()
  assert.equal(await job.tryAcquire(), null)
  const other = await job.tryAcquire('tenant-7')
  assert.equal(other.key, 'tenant-7')
  assert.equal(first.key, undefined)
  await first.release()
  const second = await job.tryAcquire()
  assert.ok(Number.isSafeInteger(first.fence) && second.fence > first.fence, `${second.fence} after ${first.fence}`)
  assert.notEqual(second.token, first.token)
  assert.equal(second.tookOver, false, 'it was released')
  await first.release()
  assert.equal(await job.tryAcquire(), null, 'what is released twice frees nothing of another’s')
})

test('as many hold it as may', async (t) => {
  const { job, report } = opened(t, { holders: 2 })
  const [one, two] = [await job.tryAcquire(), await job.tryAcquire()]
  assert.ok(two.fence > one.fence)
  assert.equal(await job.tryAcquire(), null)
  assert.deepEqual(report(), {
    config: { holders: 2, ttlMs: 30_000, maxStallMs: 60_000 },
    held: 2,
    waiting: 0,
    acquired: 2,
    refused: 1,
    left: 0,
    lost: 0,
    takenOver: 0,
    unavailable: 0,
    owed: 0,
  })
  await two.release()
  assert.ok(await job.tryAcquire())
})

test('who waits is served in the order of coming, or told when it took too long', async (t) => {
  const { job } = opened(t)
  const held = await job.acquire()
  const order = []
  const waiting = ['a', 'b', 'c'].map(async (name) => {
    const mine = await job.acquire()
    order.push(name)
    await mine.release()
  })
  await assert.rejects(job.acquire({ wait: 20 }), (error) => {
    assert.ok(isRefusal(error))
    assert.deepEqual([error.code, error.status, error.primitive], ['E_FULL', 503, job.name])
    assert.match(error.message, /did not come free within 20 ms/)
    return true
  })
  await assert.rejects(job.acquire({ wait: 0 }), /is held by another/)
  await held.release()
  await Promise.all(waiting)
  assert.deepEqual(order, ['a', 'b', 'c'])
})

test('an aborted wait ends with its reason and leaves nothing behind', async (t) => {
  const { job, report } = opened(t)
  const held = await job.acquire()
  const controller = new AbortController()
  const waiting = job.acquire({ signal: controller.signal })
  controller.abort(new Error('no longer'))
  await assert.rejects(waiting, /no longer/)
  assert.equal(report().waiting, 0)
  await held.release()
  await assert.rejects(job.acquire({ signal: controller.signal }), /no longer/)
  assert.equal(report().held, 0)
})

test('run() holds it until its function settles, whichever way, and passes on what that says', async (t) => {
  const { job, report } = opened(t)
  const seen = await job.run(async ({ fence, signal, expiresInMs }) => {
    assert.equal(report().held, 1)
    assert.ok(expiresInMs > 29_000 && expiresInMs < 30_000, `${expiresInMs}`)
    assert.equal(signal.aborted, false)
    return fence
  })
  assert.ok(seen > 0)
  await assert.rejects(
    job.run(() => {
      throw new Error('its own')
    }),
    /its own/,
  )
  assert.equal(report().held, 0)
  const controller = new AbortController()
  const aborted = await job.run(
    ({ signal }) => {
      setImmediate(() => controller.abort('enough'))
      return new Promise((resolve) => signal.addEventListener('abort', () => resolve(signal.reason)))
    },
    { signal: controller.signal },
  )
  assert.equal(aborted, 'enough', 'the caller’s signal is that of what is held, too')
})

test('it ends with its block', async (t) => {
  const { job, report } = opened(t)
  const held = await job.acquire()
  await held[Symbol.asyncDispose]()
  assert.deepEqual([report().held, held.expiresInMs], [0, 0])
  const other = await job.acquire()
  other[Symbol.dispose]()
  assert.equal(report().held, 0)
})

test('a renewal by hand says whether it is held', async (t) => {
  const { job } = opened(t, { ttl: 2_000 })
  const held = await job.acquire()
  await pause(30)
  const before = held.expiresInMs
  assert.equal(await held.renew(), true)
  assert.ok(held.expiresInMs > before, `${held.expiresInMs} after ${before}`)
  await held.release()
  assert.equal(await held.renew(), false)
})

test('it is renewed for as long as it is held', async (t) => {
  const { job, report } = opened(t, { ttl: 150 })
  const held = await job.acquire()
  const { signal } = held
  await pause(600)
  assert.equal(signal.aborted, false)
  assert.ok(held.expiresInMs > 0)
  assert.equal(await job.tryAcquire(), null)
  assert.equal(report().lost, 0)
})

test('a thread that hangs keeps it under maxStall, and loses it beyond', async (t) => {
  const options = { ttl: 300, maxStall: 1_500 }
  const { name, job } = opened(t, options, {})
  const short = helper(t, { name, options, hangMs: 900 })
  const { fence } = await short.next()
  for (const until = Date.now() + 700; Date.now() < until; await pause(20)) assert.equal(await job.tryAcquire(), null)
  assert.deepEqual(
    await short.next().then(({ within, ...rest }) => ({ ...rest, within: within > 0, expiresInMs: 0 })),
    {
      within: true,
      aborted: false,
      code: undefined,
      expiresInMs: 0,
    },
  )
  assert.deepEqual(await short.next(), { done: true })

  const long = helper(t, { name, options, hangMs: 3_000, wait: 5_000 })
  const lost = await long.next()
  assert.ok(lost.fence > fence)
  const mine = await job.acquire({ wait: 5_000 })
  const waitedMs = Date.now() - lost.at
  assert.ok(waitedMs > 1_400 && waitedMs < 2_600, `after ${waitedMs} ms`)
  assert.ok(mine.fence > lost.fence && mine.tookOver)
  assert.deepEqual(await long.next(), { within: 0, aborted: true, code: 'E_LEASE_LOST', expiresInMs: 0 })
})

test('what is got and lost while the loop hangs is known to be lost', async (t) => {
  const { job } = opened(t, { ttl: 100, maxStall: 100 })
  const first = await job.acquire()
  const waiting = job.acquire()
  await pause(20)
  void first.release()
  // The letter that it is held has come, and that it is lost will, before anybody here has run.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 600)
  const held = await waiting
  await pause(0)
  assert.deepEqual([held.expiresInMs, held.signal.aborted, held.signal.reason?.code], [0, true, 'E_LEASE_LOST'])
})

test('a thread that ends gives it back at once', async (t) => {
  const options = { ttl: '60s' }
  const { name, job } = opened(t, options, {})
  const other = helper(t, { name, options })
  await other.next()
  const waiting = job.acquire({ wait: 10_000 })
  const began = Date.now()
  await other.terminate()
  const held = await waiting
  assert.ok(Date.now() - began < 2_000, `${Date.now() - began} ms`)
  assert.equal(held.tookOver, false, 'a thread that ends releases')
})

test('whoever listens hears of what was lost and taken over, the whole process too', async (t) => {
  const diagnostics = require('node:diagnostics_channel')
  const options = { ttl: 200, maxStall: 200 }
  const { name, job } = opened(t, options, {})
  const heard = []
  const onTaken = (message) => heard.push(['published', message.fence])
  diagnostics.subscribe('spillway:lease:tookOver', onTaken)
  t.after(() => diagnostics.unsubscribe('spillway:lease:tookOver', onTaken))
  job.on('tookOver', ({ lease, key, fence }) => heard.push([lease.name, key, fence]))
  const other = helper(t, { name, options, key: 'k', hangMs: 1_500 })
  const { fence } = await other.next()
  const held = await job.acquire({ key: 'k' })
  assert.ok(held.fence > fence)
  await pause(0)
  assert.deepEqual(
    heard.sort(),
    [
      [name, 'k', held.fence],
      ['published', held.fence],
    ].sort(),
  )
})

test('a run lease with heartbeat and recovery of stale runs needs nothing beside it', async (t) => {
  // What systems 000 to 003 keep in a table: one active run, a heartbeat that compares and swaps, and runs found stale.
  const { name, job } = opened(t, { ttl: 200, maxStall: 400 }, {})
  const runs = []
  const begin = async (id) => {
    const held = await job.tryAcquire()
    if (held === null) return 'a run is active'
    if (held.tookOver) runs.filter((run) => run.state === 'running').forEach((run) => (run.state = 'stale'))
    runs.push({ id, state: 'running', fence: held.fence })
    return held
  }
  const crashed = helper(t, { name, options: { ttl: 200, maxStall: 400 }, hangMs: 2_500 })
  runs.push({ id: 'first', state: 'running', fence: (await crashed.next()).fence })
  assert.equal(await begin('second'), 'a run is active')
  let held
  for (const until = Date.now() + 5_000; typeof (held = await begin('third')) === 'string'; await pause(25)) {
    assert.ok(Date.now() < until, 'the stale run is never found')
  }
  assert.deepEqual(
    runs.map(({ id, state }) => [id, state]),
    [
      ['first', 'stale'],
      ['third', 'running'],
    ],
  )
  assert.equal(await held.renew(), true, 'the heartbeat, which nobody has to send')
  await held.release()
})

test('what is wrong is told at once, with its option', async (t) => {
  const { sp, job } = opened(t)
  const wrong = (fn, code, message) => assert.throws(fn, (error) => error.code === code && message.test(error.message))
  wrong(() => lease({}, 'x'), 'E_OPTION', /lease\(\) takes a spillway/)
  wrong(() => lease(sp, ''), 'E_NAME', /the name of a lease/)
  wrong(() => lease(sp, 'x', { ttl: 99 }), 'E_DURATION', /`ttl` of a lease must be from 100 ms/)
  wrong(() => lease(sp, 'x', { ttl: '1w' }), 'E_DURATION', /`ttl`/)
  wrong(() => lease(sp, 'x', { maxStall: 0 }), 'E_DURATION', /`maxStall`/)
  wrong(() => lease(sp, 'x', { holders: 0 }), 'E_OPTION', /`holders` of a lease must be a whole number/)
  wrong(() => lease(sp, 'x', { limit: 1 }), 'E_OPTION', /`limit` is not an option of a lease/)
  wrong(() => lease(sp, job.name, { ttl: '1m' }), 'E_MISMATCH', /`ttl` is 30000 ms there and 60000 ms here/)
  const manual = spillway({ clock: () => 0 })
  t.after(() => manual.close())
  wrong(() => lease(manual, 'x'), 'E_OPTION', /`clock`|clock of the system/)
  await assert.rejects(job.tryAcquire(''), { code: 'E_KEY' })
  await assert.rejects(job.acquire({ key: 7 }), { code: 'E_KEY' })
  await assert.rejects(job.acquire({ wait: -1 }), { code: 'E_DURATION' })
  await assert.rejects(job.acquire({ timeout: 5 }), { code: 'E_OPTION' })
  await assert.rejects(job.run('no function'), { code: 'E_FUNCTION' })
  assert.equal(lease(sp, job.name), job, 'one name, one handle')
  job.dispose()
  await assert.rejects(job.tryAcquire(), { code: 'E_DISPOSED' })
})

test('what was held and waited for by a name ends with it', async (t) => {
  const { sp, name, job } = opened(t, undefined, {})
  const lost = []
  job.on('lost', ({ fence }) => lost.push(fence))
  const held = await job.acquire()
  const waiting = job.acquire()
  const { signal } = held
  job.dispose()
  await assert.rejects(waiting, { code: 'E_DISPOSED' })
  assert.deepEqual([signal.aborted, signal.reason.code, held.expiresInMs], [true, 'E_LEASE_LOST', 0])
  assert.equal(await held.renew(), false)
  await held.release()
  await pause(0)
  assert.deepEqual(lost, [held.fence])
  const again = lease(sp, name)
  const next = await again.tryAcquire()
  assert.equal(next.tookOver, false, 'it was given back')
  await sp.close()
  assert.equal(next.signal.aborted, true)
})

test('keys are told apart by every bit, lone surrogates too', async (t) => {
  const { job } = opened(t)
  for (const key of ['a', 'b', 'a{b}', 'ä', '\ud800', '\udc00', '\ufffd', ' ', '__proto__', 'x'.repeat(100_000)]) {
    assert.ok(await job.tryAcquire(key), key.slice(0, 10))
  }
  assert.equal(await job.tryAcquire('\ud800'), null)
})
