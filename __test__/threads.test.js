// One state for all threads, and what becomes of it when they end. Never tests one thread's semantics: those are the others'.
'use strict'

const assert = require('node:assert/strict')
const { execFile } = require('node:child_process')
const path = require('node:path')
const { test } = require('node:test')
const { promisify } = require('node:util')
const { Worker } = require('node:worker_threads')
const face = require('../index.js')

const JOBS = path.join(__dirname, 'threads', 'jobs.js')

let names = 0
/** A name no other test has: these tests share the process's registry on purpose. */
const fresh = (what) => `${what}-${++names}-${process.pid}`

/** A worker doing `job`, with its messages and its answer. */
function work(job, data = {}) {
  const worker = new Worker(JOBS, { workerData: { job, ...data } })
  const said = new Promise((resolve) => worker.once('message', resolve))
  const answer = new Promise((resolve, reject) => {
    worker.on('message', (message) => message?.answer !== undefined && resolve(message.answer))
    worker.on('error', reject)
    worker.on('exit', (code) => reject(new Error(`the worker ended with ${code} and no answer`)))
  })
  answer.catch(() => {})
  return { worker, said, answer }
}

/** Let `count` workers begin in the same moment. */
async function together(count, job, dataOf) {
  const gate = new Int32Array(new SharedArrayBuffer(8))
  const workers = Array.from({ length: count }, (_, index) => work(job, { gate, ...dataOf(index) }))
  while (Atomics.load(gate, 0) < count) await new Promise((resolve) => setImmediate(resolve))
  Atomics.store(gate, 1, 1)
  Atomics.notify(gate, 1)
  const answers = await Promise.all(workers.map(({ answer }) => answer))
  await Promise.all(workers.map(({ worker }) => worker.terminate()))
  return answers
}

test('four workers share one limit to the unit', async () => {
  const name = fresh('shared')
  const answers = await together(4, 'consume', () => ({ name, attempts: 25_000 }))
  assert.equal(
    answers.reduce((sum, admitted) => sum + admitted, 0),
    1000,
    `admitted ${answers}`,
  )
  const { limiters } = face.spillway().snapshot()
  assert.equal(limiters[name].allowed, 1000)
  assert.equal(limiters[name].limited, 99_000)
})

/** A window of about a year that does not turn within the next minutes. */
function calm() {
  const DAY = 86_400_000
  const days = [365, 364, 363].find((each) => each * DAY - (Date.now() % (each * DAY)) > 600_000)
  return `${days}d`
}

const sum = (numbers) => numbers.reduce((one, other) => one + other, 0)

for (const algorithm of ['fixed-window', 'sliding-window']) {
  test(`four workers share one ${algorithm} to the unit`, async () => {
    const name = fresh('window')
    const options = { limit: 1000, window: calm(), algorithm }
    const answers = await together(4, 'spend', () => ({ name, options, keys: ['everybody'], attempts: 100_000 }))
    assert.equal(sum(answers), 1000, `admitted ${answers}`)
    const { allowed, limited } = face.spillway().snapshot().limiters[name]
    assert.deepEqual([allowed, limited], [1000, 399_000])
  })
}

for (const roomier of [1, 300]) {
  for (const first of ['tight', 'roomy']) {
    test(`four workers admit what two limits admit, the ${first} one first, and a denial by one costs nothing of the other (${roomier} roomier)`, async () => {
      const name = fresh('several')
      const options = [
        { limit: 1000, window: '365d', name: 'tight' },
        { limit: 1000 + roomier, window: '3650d', algorithm: 'fixed-window', name: 'roomy' },
      ]
      if (first === 'roomy') options.reverse()
      const answers = await together(4, 'spend', () => ({ name, options, keys: ['everybody'], attempts: 100_000 }))
      assert.equal(sum(answers), 1000, `admitted ${answers}`)
      // Of two denials the longer speaks, the window's, and it denies only what is more than it has left.
      const limiter = face.limiter(name, options)
      assert.equal(limiter.peek('everybody', roomier).limiter, `${name}/tight`)
      assert.equal(limiter.peek('everybody', roomier + 1).limiter, `${name}/roomy`)
    })
  }
}

for (const way of ['consumeMany', 'reserve']) {
  test(`four workers share one limit by ${way} as well`, async () => {
    const name = fresh(way)
    const options = { limit: 999, window: '365d' }
    const answers = await together(4, 'spend', () => ({ name, options, keys: ['a'], attempts: 25_000, way }))
    assert.equal(sum(answers), 999, `admitted ${answers}`)
  })
}

test('four workers spend of four users and one organisation exactly what the organisation has, and no user too much', async () => {
  const users = { name: fresh('users'), options: { limit: 400, window: '365d' } }
  const organisations = {
    name: fresh('organisations'),
    options: { limit: 1000, window: calm(), algorithm: 'fixed-window' },
  }
  const keys = ['ada', 'bob', 'cy', 'di']
  const answers = await together(4, 'spendAll', () => ({ users, organisations, keys, attempts: 100_000 }))
  assert.equal(sum(answers), 1000, `admitted ${answers}`)
  const user = face.limiter(users.name, users.options)
  const spent = keys.map((key) => 400 - user.peek(key).remaining)
  assert.equal(sum(spent), 1000, `spent ${spent}`)
  assert.equal(face.limiter(organisations.name, organisations.options).peek('acme').remaining, 0)
  const { limiters } = face.spillway().snapshot()
  assert.equal(limiters[users.name].allowed, 1000)
  assert.equal(limiters[organisations.name].allowed, 1000)
  assert.equal(limiters[users.name].limited + limiters[organisations.name].limited, 399_000)
})

test('a block made in one thread is seen in another at once, and so is its end', async () => {
  for (const algorithm of ['token-bucket', 'fixed-window', 'sliding-window']) {
    const name = fresh('blocked')
    const options = { limit: 1_000_000, window: '365d', algorithm }
    const limiter = face.limiter(name, options)
    const { said, answer, worker } = work('untilBlocked', { name, options })
    assert.equal(await said, 'asking')
    assert.equal(limiter.consume('b').ok, true)
    limiter.block('a', '1h')
    assert.equal(await answer, 'blocked')
    assert.equal(limiter.consume('b').reason, 'blocked', 'what the worker has blocked')
    assert.equal(limiter.unblock('b'), true)
    assert.equal(limiter.consume('b').ok, true)
    await worker.terminate()
    assert.equal(face.spillway().snapshot().limiters[name].blockedKeys, 1)
  }
})

test('four workers with a thousand callers each load a cold key once', async () => {
  const loads = new Int32Array(new SharedArrayBuffer(4))
  const answers = await together(4, 'load', () => ({ loads, name: cold }))
  assert.deepEqual(answers, [1000, 1000, 1000, 1000])
  assert.equal(loads[0], 1)
})
const cold = fresh('cold')

for (const { title, clears, writesOf } of [
  { title: 'each writing its own keys', clears: false, writesOf: (index) => index },
  { title: 'of which one writes and clears', clears: true, writesOf: (index) => (index === 0 ? null : -1) },
]) {
  test(`no decoded copy is stale after a mutator has returned, over a million operations of four threads, ${title}`, async () => {
    const keys = 64
    const truth = new Int32Array(new SharedArrayBuffer(4 * keys))
    const floor = new Int32Array(new SharedArrayBuffer(4 * keys))
    const name = fresh('fuzz')
    const answers = await together(4, 'fuzz', (index) => ({
      name,
      seed: 7919 * (index + 1),
      writes: writesOf(index),
      truth,
      floor,
      operations: 250_000,
      clears,
    }))
    const found = answers.reduce((sum, answer) => sum + answer.found, 0)
    assert.ok(found > 500_000, `only ${found} reads found anything`)
    assert.deepEqual(
      answers.map((answer) => answer.stale),
      [0, 0, 0, 0],
    )
  })
}

test('the addon loaded only in workers, which come and go 200 times, keeps its state and ends with 0', async () => {
  const script = path.join(__dirname, 'threads', 'come-and-go.js')
  const { stdout } = await promisify(execFile)(process.execPath, [script])
  assert.deepEqual(JSON.parse(stdout), { workers: 200, admitted: 100, visits: JSON.parse(stdout).visits })
  assert.ok(JSON.parse(stdout).visits > 40, 'the cache has forgotten its visits')
})

test('a permit released in one thread wakes who waits in another', async () => {
  const name = fresh('wake')
  const options = { limit: 1, queue: 1 }
  const { said, answer } = work('hold', { name, options, until: 50 })
  assert.equal(await said, 'holding')
  const bulkhead = face.bulkhead(name, options)
  assert.equal(bulkhead.tryAcquire(), null)
  const permit = await bulkhead.acquire()
  permit.release()
  assert.equal(await answer, 'released')
})

test('a terminated worker gives back the permit it held', async () => {
  const name = fresh('terminated')
  const options = { limit: 1, queue: 1 }
  const { worker, said } = work('hold', { name, options })
  assert.equal(await said, 'holding')
  const bulkhead = face.bulkhead(name, options)
  const waiting = bulkhead.acquire()
  await worker.terminate()
  const permit = await waiting
  permit.release()
  assert.equal(face.spillway().snapshot().bulkheads[name].inUse, 0)
})

test('a terminated worker leaves the queue it waited in', async () => {
  const name = fresh('queue')
  const options = { limit: 1, queue: 1 }
  const bulkhead = face.bulkhead(name, options)
  const held = await bulkhead.acquire()
  const { worker } = work('hold', { name, options })
  const report = () => face.spillway().snapshot().bulkheads[name]
  while (report().waiting === 0) await new Promise((resolve) => setImmediate(resolve))
  await worker.terminate()
  assert.equal(report().waiting, 0)
  held.release()
  assert.equal(report().inUse, 0)
})

test('a load whose thread is terminated passes to who waits for it', async () => {
  const name = fresh('orphan')
  const { worker, said } = work('hang', { name })
  assert.equal(await said, 'loading')
  const value = face.cache(name).getOrSet('cold', () => ({ from: 'the next in line' }))
  await worker.terminate()
  assert.deepEqual(await value, { from: 'the next in line' })
})

test('a breaker isolated in one thread admits nobody in another, which asks nobody while it is closed', async () => {
  const name = fresh('isolated')
  const breaker = face.breaker(name)
  assert.notEqual(breaker.enter(), null)
  assert.deepEqual(await work('isolate', { name }).answer, { before: 'closed', admitted: false })
  assert.equal(breaker.enter(), null)
  assert.equal(breaker.state, 'isolated')
  // A thread that comes later finds it isolated; one that is there already sees it closed again.
  assert.deepEqual(await work('isolate', { name }).answer, { before: 'isolated', admitted: false })
  breaker.reset()
  assert.notEqual(breaker.enter(), null)
})

test('the breakers for which no slot is left work as the others do', async () => {
  const sp = face.spillway({ isolated: true })
  const breakers = Array.from({ length: 1100 }, (_, i) => sp.breaker(`breaker-${i}`, { consecutive: 1 }))
  for (const breaker of breakers) {
    await assert.rejects(
      breaker.run(() => Promise.reject(new Error('down'))),
      /down/,
    )
    assert.equal(breaker.enter(), null)
  }
  await sp.close()
})

test('a name opened in another thread with other options is a mismatch there too', async () => {
  const name = fresh('mismatch')
  face.limiter(name, { limit: 1, window: '1s' })
  const { answer } = work('mismatch', { name })
  const { code, message } = await answer
  assert.equal(code, 'E_MISMATCH')
  assert.match(message, /`limit` is 1 there and 2 here/)
})

test('forty workers terminated in the midst of using everything leave nothing behind', async () => {
  const name = fresh('rage')
  const bulkhead = face.bulkhead(name, { limit: 4, queue: 1000 })
  for (let round = 0; round < 10; round++) {
    const workers = Array.from({ length: 4 }, () => work('rage', { name }))
    await Promise.all(workers.map(({ said }) => said))
    for (const { worker } of workers) {
      await new Promise((resolve) => setTimeout(resolve, (round * 7) % 20))
      await worker.terminate()
    }
  }
  const { inUse, waiting } = face.spillway().snapshot().bulkheads[name]
  assert.deepEqual({ inUse, waiting }, { inUse: 0, waiting: 0 })
  const permits = [1, 2, 3, 4].map(() => bulkhead.tryAcquire())
  assert.ok(permits.every((permit) => permit !== null))
  assert.equal(bulkhead.tryAcquire(), null)
  for (const permit of permits) permit.release()
})
