// Bulkheads over a real Redis: permits that all processes share, who waits for them, and what counts while Redis is gone.
'use strict'

const assert = require('node:assert/strict')
const { fork } = require('node:child_process')
const path = require('node:path')
const { test } = require('node:test')
const { Worker } = require('node:worker_threads')
const { bulkhead, breaker, spillway } = require('../index.js')
const { redis, until } = require('./redis/servers.js')

const HELPER = path.join(__dirname, 'threads', 'permitted.js')
const prefix = 'permits'
let names = 0

/** As many hosts as asked for: spillways that share nothing but Redis. */
async function hosts(t, server, count, options, name = `slots-${++names}`) {
  const made = Array.from({ length: count }, () => spillway({ redis: server.url, prefix, env: false, isolated: true }))
  t.after(() => Promise.all(made.map((sp) => sp.close())))
  await Promise.all(made.map((sp) => sp.ready()))
  return made.map((sp) => {
    const slots = sp.bulkhead(name, options)
    return { sp, name, slots, report: () => sp.snapshot().bulkheads[`${prefix}:${name}`] }
  })
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

test('so many permits are out on all hosts together, and each has a larger fence', async (t) => {
  const server = await redis(t)
  const [one, two] = await hosts(t, server, 2, { limit: 2 })
  const first = await one.slots.tryAcquire()
  const second = await two.slots.tryAcquire()
  assert.ok(Number.isSafeInteger(first.fence) && second.fence > first.fence)
  assert.equal(await one.slots.tryAcquire(), null)
  await assert.rejects(two.slots.run(assert.fail), { code: 'E_FULL', status: 503 })
  const { ok, refusal } = await one.slots.attempt(assert.fail)
  assert.deepEqual([ok, refusal.code], [false, 'E_FULL'])
  assert.deepEqual([one.report().inUse, two.report().inUse], [1, 1])
  first.release()
  first.release()
  await until('it is free', async () => {
    const permit = await two.slots.tryAcquire()
    permit?.release()
    return permit
  })
  assert.equal(
    bulkhead(`local-${process.pid}`, { limit: 1 }).tryAcquire().fence,
    undefined,
    'in a process there is none',
  )
})

test('who waits on another host is told when one comes free, in order', async (t) => {
  const server = await redis(t)
  const [one, two] = await hosts(t, server, 2, { limit: 1, queue: 3 })
  const waits = []
  two.slots.on('waited', ({ served, waitMs }) => waits.push([served, waitMs >= 0]))
  const held = await one.slots.acquire()
  const order = []
  const calls = [
    ['low', 'a'],
    ['normal', 'b'],
    ['critical', 'c'],
  ].map(([priority, name], at) =>
    // One after the other, so that they come in this order.
    pause(at * 30).then(() => two.slots.run(() => order.push(name), { priority })),
  )
  await until('they wait', () => two.report().waiting === 3)
  assert.deepEqual(two.report().waitingByPriority, { low: 1, normal: 1, high: 0, critical: 1 })
  await assert.rejects(two.slots.acquire(), { code: 'E_FULL' }, 'a line that is full')
  const began = performance.now()
  held.release()
  await Promise.all(calls)
  assert.ok(performance.now() - began < 450, `${performance.now() - began} ms`)
  assert.deepEqual(order, ['c', 'b', 'a'])
  await pause(0)
  assert.deepEqual(
    waits,
    [1, 2, 3].map(() => [true, true]),
  )
  const { admitted, wait, peakWaiting, inUse } = two.report()
  assert.deepEqual([admitted, wait.count, peakWaiting, inUse], [3, 3, 3, 0])
})

test('a wait that is too long or aborted leaves its place and no permit behind', async (t) => {
  const server = await redis(t)
  const [one, two] = await hosts(t, server, 2, { limit: 1, queue: 3, queueTimeout: 60 })
  const held = await one.slots.acquire()
  await assert.rejects(two.slots.acquire(), /no permit of the bulkhead "slots-\d+" came free within 60 ms/)
  const controller = new AbortController()
  const waiting = two.slots.run(assert.fail, { signal: controller.signal })
  setTimeout(() => controller.abort(new Error('no longer')), 10)
  await assert.rejects(waiting, /no longer/)
  assert.deepEqual([two.report().waiting, two.report().left], [0, 2])
  held.release()
  const permit = await until('it is free', () => two.slots.tryAcquire())
  permit.release()
})

test('each key has permits of its own, on all hosts', async (t) => {
  const server = await redis(t)
  const [one, two] = await hosts(t, server, 2, { limit: 1, perKey: true })
  const keys = ['acme', 'globex', '{acme}', 'a b', '\ud800', '\udc00']
  for (const key of keys) assert.ok(await one.slots.tryAcquire(key), key)
  for (const key of keys) assert.equal(await two.slots.tryAcquire(key), null, key)
  assert.deepEqual([one.report().keys, two.report().keys], [keys.length, 0])
  await assert.rejects(one.slots.tryAcquire(''), { code: 'E_KEY' })
})

test('a policy takes a bulkhead over hosts as it takes any', async (t) => {
  const server = await redis(t)
  const [{ sp, slots, report }] = await hosts(t, server, 1, { limit: 1 })
  const policy = sp.policy('calls', breaker(`beside-${process.pid}`), slots)
  let finish
  const first = policy.run(() => new Promise((resolve) => (finish = resolve)))
  await until('it runs', () => finish !== undefined)
  await assert.rejects(policy.run(assert.fail), { code: 'E_FULL' })
  finish('done')
  assert.equal(await first, 'done')
  assert.equal(report().inUse, 0)
})

test('permits of a process that is killed come back within their lease, those of one that ends at once', async (t) => {
  const server = await redis(t)
  const options = { limit: 2, lease: 700 }
  const [{ name, slots, report }] = await hosts(t, server, 1, options)
  const task = { redis: server.url, prefix, name, options, count: 2 }
  const child = fork(HELPER, [JSON.stringify(task)])
  t.after(() => child.kill('SIGKILL'))
  await new Promise((resolve) => child.once('message', resolve))
  assert.equal(await slots.tryAcquire(), null)
  child.kill('SIGKILL')
  const killed = performance.now()
  const permit = await until('they come back', () => slots.tryAcquire())
  assert.ok(performance.now() - killed < 1_000, `${performance.now() - killed} ms`)
  assert.ok(report().takenOver >= 1)
  permit.release()
  const worker = new Worker(HELPER, { workerData: { ...task, options: { ...options, lease: 700 } } })
  await new Promise((resolve) => worker.once('message', resolve))
  await worker.terminate()
  const ended = performance.now()
  await until('they come back', () => slots.tryAcquire())
  assert.ok(performance.now() - ended < 300, `${performance.now() - ended} ms`)
})

test('without Redis each fail mode decides, and when it is back Redis does', async (t) => {
  const server = await redis(t)
  const [{ sp, slots, report }] = await hosts(t, server, 1, { limit: 2, queue: 1, lease: 1_000 })
  const open = sp.bulkhead('open', { limit: 1, failMode: 'open' })
  const closed = sp.bulkhead('closed', { limit: 1, failMode: 'closed' })
  const told = []
  for (const each of [slots, open, closed]) each.on('unavailable', ({ bulkhead }) => told.push(bulkhead))
  const far = await slots.acquire()
  await pause(0)
  assert.deepEqual(told, [])
  await server.kill9()
  const began = performance.now()
  const near = await slots.acquire()
  assert.ok(performance.now() - began < 150, `${performance.now() - began} ms`)
  assert.deepEqual([typeof far.fence, near.fence], ['number', undefined])
  assert.equal(await slots.tryAcquire(), null, 'local: with what Redis had given out')
  const waiting = slots.run(() => 'served')
  await pause(20)
  far.release()
  assert.equal(await waiting, 'served')
  assert.equal((await Promise.all([1, 2, 3].map(() => open.tryAcquire()))).includes(null), false)
  await assert.rejects(closed.run(assert.fail), { code: 'E_STORE_UNAVAILABLE', status: 503 })
  assert.equal(await closed.tryAcquire(), null)
  const refused = await closed.attempt(assert.fail)
  assert.equal(refused.refusal.code, 'E_STORE_UNAVAILABLE')
  assert.ok(report().unavailable > 0)
  await pause(0)
  assert.ok([slots, open, closed].every((each) => told.includes(each)))
  near.release()
  await server.start()
  const permit = await until('Redis decides', async () => {
    const permit = await slots.tryAcquire()
    if (permit?.fence === undefined) permit?.release()
    return permit?.fence && permit
  })
  permit.release()
})

test('a permit outlives an outage that is longer than its lease, as far as its own process is concerned', async (t) => {
  const server = await redis(t)
  const [{ slots, report }] = await hosts(t, server, 1, { limit: 1, lease: 300 })
  const expired = []
  slots.on('expired', () => expired.push(1))
  const held = await slots.acquire()
  await server.kill9()
  await pause(700)
  assert.deepEqual([expired, report().inUse], [[], 1])
  assert.equal(await slots.tryAcquire(), null)
  held.release()
  assert.deepEqual([(await slots.tryAcquire())?.fence, report().inUse], [undefined, 1])
})

test('what is wrong is told at once', async (t) => {
  const server = await redis(t)
  const [{ sp }] = await hosts(t, server, 1, { limit: 1 })
  const wrong = (options, code, message) =>
    assert.throws(
      () => sp.bulkhead('wrong', options),
      (error) => error.code === code && message.test(error.message),
    )
  wrong({ limit: 1, failMode: 'never' }, 'E_OPTION', /`failMode` of a bulkhead must be 'open', 'closed' or 'local'/)
  wrong({ limit: 1, lease: 50 }, 'E_DURATION', /`lease` of a bulkhead must be from 100 ms/)
  wrong({ limit: 1, maxStall: 0 }, 'E_DURATION', /`maxStall`/)
  assert.throws(() => bulkhead('wrong', { limit: 1, failMode: 'open' }), /`failMode` is not an option of a bulkhead/)
})

test('random calls of several hosts never exceed the limit, and leave nothing behind', async (t) => {
  const server = await redis(t)
  const all = await hosts(t, server, 3, { limit: 3, queue: 20, queueTimeout: 3_000 })
  let out = 0
  let most = 0
  let served = 0
  const calls = all.flatMap(({ slots }, host) =>
    Array.from({ length: 60 }, async (_, at) => {
      await pause(at * 3)
      const work = async () => {
        most = Math.max(most, ++out)
        await pause((at * 7 + host) % 11)
        out--
        served++
      }
      await slots.run(work).catch(({ code }) => assert.equal(code, 'E_FULL'))
    }),
  )
  await Promise.all(calls)
  t.diagnostic(`${served} of ${calls.length} served, ${most} at once at most`)
  assert.ok(most <= 3 && served > 60)
  for (const { report } of all) assert.deepEqual([report().inUse, report().waiting, report().owed], [0, 0, 0])
  await until('all are free', async () => {
    const permits = await Promise.all([0, 1, 2].map(() => all[0].slots.tryAcquire()))
    permits.forEach((permit) => permit?.release())
    return !permits.includes(null)
  })
})
