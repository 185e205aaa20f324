// Permits that expire by themselves: who gets them then, and that what comes late frees nobody's. Owns leases as users see them.
// Never waits for real, but where a thread has to hang: that one has a lease of some milliseconds.
'use strict'

const assert = require('node:assert/strict')
const { subscribe, unsubscribe } = require('node:diagnostics_channel')
const path = require('node:path')
const { test } = require('node:test')
const { Worker } = require('node:worker_threads')
const { spillway } = require('../index.js')
const { fate, pending, timed, turn } = require('./bulkheads.js')

const FACE = JSON.stringify(path.join(__dirname, '..', 'index.js'))

test('a permit that is not given back in time goes to who waits, by itself', async (t) => {
  const { bulkhead, load, report, tick } = timed(t, { limit: 1, queue: 2, lease: '5s' })
  const lost = bulkhead.tryAcquire()
  tick(2000)
  const waiting = bulkhead.acquire()
  tick(2999)
  assert.equal(await fate(waiting), 'pending')
  tick(1)
  assert.notEqual(await fate(waiting), 'pending')
  const permit = await waiting
  assert.deepEqual(load(), [1, 0])
  lost.release()
  assert.deepEqual(load(), [1, 0], 'what comes late frees nobody’s permit')
  permit.release()
  assert.deepEqual(load(), [0, 0])
  assert.equal(report().expired, 1)
})

test('one waiter after the other is served as leases end, each with a whole one', async (t) => {
  const { bulkhead, report, tick } = timed(t, { limit: 2, queue: 10, lease: 1000 })
  const lost = [bulkhead.tryAcquire()]
  tick(400)
  lost.push(bulkhead.tryAcquire())
  const served = []
  for (let i = 0; i < 4; i++) bulkhead.acquire().then((permit) => served.push([i, permit]))
  for (const [ms, count] of [
    [599, 0],
    [1, 1],
    [399, 1],
    [1, 2],
    [599, 2],
    [1, 3],
    [400, 4],
  ]) {
    tick(ms)
    await turn()
    assert.equal(served.length, count)
  }
  assert.deepEqual(
    served.map(([index]) => index),
    [0, 1, 2, 3],
  )
  for (const permit of lost) permit.release()
  assert.deepEqual([report().inUse, report().expired], [2, 4])
})

test('a permit given back in time does not expire, and whoever asks finds out what has', async (t) => {
  const { bulkhead, report, tick } = timed(t, { limit: 1, lease: 1000 })
  bulkhead.tryAcquire().release()
  const permit = bulkhead.tryAcquire()
  tick(999)
  assert.equal(bulkhead.tryAcquire(), null)
  permit.release()
  const lost = bulkhead.tryAcquire()
  tick(1000)
  const next = bulkhead.tryAcquire()
  assert.notEqual(next, null, 'nobody waited, and to ask is enough')
  lost.release()
  assert.equal(bulkhead.tryAcquire(), null)
  assert.equal(report().expired, 1)
})

test('whose permit was found to have expired hears of it, though nobody asks again', async (t) => {
  const { bulkhead, tick } = timed(t, { limit: 1, lease: 1000 })
  const heard = []
  bulkhead.on('expired', (message) => heard.push(message.bulkhead.name))
  const lost = bulkhead.tryAcquire()
  tick(1000)
  const next = bulkhead.tryAcquire()
  await turn()
  await turn()
  assert.deepEqual(heard, ['slots'])
  for (const permit of [lost, next]) permit.release()
})

test('what comes late frees nobody’s permit, also once its number has come round and stands for another', (t) => {
  const { bulkhead, report, tick } = timed(t, { limit: 1, lease: 1000 })
  const lost = bulkhead.tryAcquire()
  tick(1000)
  assert.equal(report().inUse, 0)
  for (let i = 1; i < 4096; i++) bulkhead.tryAcquire().release()
  assert.notEqual(bulkhead.tryAcquire(), null)
  lost.release()
  assert.equal(report().inUse, 1)
})

test('a run whose lease has ended still answers its caller, and its end frees nobody’s permit', async (t) => {
  const { bulkhead, load, tick } = timed(t, { limit: 1, queue: 1, lease: 1000 })
  const [slow, next] = [pending(), pending()]
  const running = bulkhead.run(slow.fn)
  const second = bulkhead.run(next.fn)
  tick(1000)
  await turn()
  slow.resolve('late')
  assert.equal(await running, 'late')
  assert.deepEqual(load(), [1, 0])
  assert.equal(bulkhead.tryAcquire(), null)
  next.reject(new Error('mine'))
  await assert.rejects(second, { message: 'mine' })
  assert.deepEqual(load(), [0, 0])
})

test('leases of one key say nothing of another', async (t) => {
  const { bulkhead, report, tick } = timed(t, { limit: 1, queue: 1, lease: 1000, perKey: true })
  const acme = bulkhead.tryAcquire('acme')
  const waiting = bulkhead.run(() => 'served', { key: 'acme' })
  tick(500)
  const zulu = bulkhead.tryAcquire('zulu')
  tick(500)
  assert.equal(await waiting, 'served')
  acme.release()
  assert.deepEqual([report().keys, report().inUse], [1, 1])
  zulu.release()
  assert.deepEqual([report().keys, report().expired], [0, 1])
})

test('who is refused for want of a place is told when the first lease ends, if nobody is in front', async (t) => {
  const { bulkhead, sp, tick } = timed(t, { limit: 1, lease: 1000 })
  const lost = bulkhead.tryAcquire()
  tick(400)
  const { refusal } = await bulkhead.attempt(() => {})
  assert.deepEqual(refusal, { code: 'E_FULL', primitive: 'slots', status: 503, retryAfterMs: 600 })
  await assert.rejects(
    bulkhead.run(() => {}),
    { code: 'E_FULL', retryAfterMs: 600 },
  )
  tick(600)
  assert.deepEqual(await bulkhead.attempt(() => 7), { ok: true, value: 7 })
  const queued = sp.bulkhead('queued', { limit: 1, queue: 1, lease: 1000 })
  const held = queued.tryAcquire()
  queued.acquire().catch(() => {})
  assert.equal('retryAfterMs' in (await queued.attempt(() => {})).refusal, false)
  for (const permit of [lost, held]) permit.release()
})

test('the end of a lease is told to its handle and on the channel, with the key, once', async (t) => {
  const { bulkhead, report, tick } = timed(t, { limit: 1, lease: 1000, perKey: true })
  const [heard, published] = [[], []]
  const onMessage = (message) => published.push(message)
  subscribe('spillway:bulkhead:expired', onMessage)
  t.after(() => unsubscribe('spillway:bulkhead:expired', onMessage))
  const off = bulkhead.on('expired', (event) => heard.push(event))
  const lost = bulkhead.tryAcquire('acme')
  bulkhead.run(() => new Promise(() => {}), { key: 'zulu' })
  tick(1000)
  assert.deepEqual(heard, [], 'nobody has looked')
  assert.equal(report().inUse, 0)
  assert.deepEqual(heard.map(({ key }) => key).sort(), ['acme', 'zulu'])
  assert.ok(heard.every((event) => event.bulkhead === bulkhead))
  assert.deepEqual(published, heard)
  lost.release()
  off()
  const unheard = bulkhead.tryAcquire('acme')
  tick(1000)
  report()
  assert.deepEqual([heard.length, published.length], [2, 3])
  unheard.release()
})

test('an abort or a timeout ends the looking for leases too, and no deadline stays behind', async (t) => {
  const { bulkhead, report, tick } = timed(t, { limit: 1, queue: 2, lease: '1h', queueTimeout: 500 })
  const held = bulkhead.tryAcquire()
  const controller = new AbortController()
  const [aborted, late] = [bulkhead.acquire({ signal: controller.signal }), bulkhead.acquire()]
  controller.abort(new Error('gone'))
  await assert.rejects(aborted, { message: 'gone' })
  tick(500)
  await assert.rejects(late, { code: 'E_FULL' })
  tick(3_600_000)
  held.release()
  assert.deepEqual([report().inUse, report().expired], [0, 0], 'it came back late, and nobody had looked')
})

test('a permit of a thread that hangs goes to who waits in another, and comes back from the dead only once', async (t) => {
  const prefix = `leases-${process.pid}`
  const sp = spillway({ prefix })
  const gate = new Int32Array(new SharedArrayBuffer(4))
  const source = `
    const { workerData: { prefix, gate }, parentPort } = require('node:worker_threads')
    const bulkhead = require(${FACE}).spillway({ prefix }).bulkhead('slots', { limit: 1, queue: 1, lease: 30 })
    const heard = []
    bulkhead.on('expired', () => heard.push('expired'))
    bulkhead.run(async () => {
      parentPort.postMessage('holding')
      Atomics.wait(gate, 0, 0)
      await new Promise((resolve) => setImmediate(resolve))
      return 'answered'
    }).then((answer) => setImmediate(() => parentPort.postMessage([answer, ...heard])))
  `
  const worker = new Worker(source, { eval: true, workerData: { prefix, gate } })
  t.after(() => Promise.all([worker.terminate(), sp.close()]))
  const said = () => new Promise((resolve) => worker.once('message', resolve))
  await said()
  const bulkhead = sp.bulkhead('slots', { limit: 1, queue: 1, lease: 30 })
  const permit = await bulkhead.acquire()
  const answer = said()
  Atomics.store(gate, 0, 1)
  Atomics.notify(gate, 0)
  assert.deepEqual(await answer, ['answered', 'expired'])
  permit.release()
  assert.equal(sp.snapshot().bulkheads[`${prefix}:slots`].inUse, 0)
})
