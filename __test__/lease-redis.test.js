// Leases over a real Redis, between processes that are killed, frozen and hung. Owns the promise of the fence: of those who ever held
// it, only the last has its writes accepted. How many are killed is scaled down here; SPILLWAY_KILLS asks for more.
'use strict'

const assert = require('node:assert/strict')
const { fork } = require('node:child_process')
const path = require('node:path')
const { test } = require('node:test')
const { Worker } = require('node:worker_threads')
const { spillway } = require('../index.js')
const { lease } = require('../kit/lease.js')
const { cluster, redis, until } = require('./redis/servers.js')

const HELPER = path.join(__dirname, 'threads', 'leasing.js')
const FENCED = path.join(__dirname, 'threads', 'fenced.js')
const KILLS = Number(process.env.SPILLWAY_KILLS ?? 10)
const prefix = 'leases'

async function opened(t, server, options, name = 'job') {
  const sp = spillway({ redis: server.url, prefix, env: false, isolated: true })
  t.after(() => sp.close())
  await sp.ready()
  return { sp, job: lease(sp, name, options), report: () => sp.snapshot().leases[`${prefix}:${name}`] }
}

/** What a helper says, one message after the other. */
function heard(emitter) {
  const said = []
  const waiting = []
  emitter.on('message', (message) => (waiting.length > 0 ? waiting.shift()(message) : said.push(message)))
  return () => (said.length > 0 ? Promise.resolve(said.shift()) : new Promise((resolve) => waiting.push(resolve)))
}

function process_(t, server, task) {
  const child = fork(HELPER, [JSON.stringify({ redis: server.url, prefix, name: 'job', ...task })])
  t.after(() => child.kill('SIGKILL'))
  return { child, next: heard(child) }
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

test('over Redis one holds it, of all processes', async (t) => {
  const server = await redis(t)
  const [one, two] = [await opened(t, server), await opened(t, server)]
  const held = await one.job.tryAcquire('k')
  assert.equal(await two.job.tryAcquire('k'), null)
  const other = await two.job.tryAcquire('other')
  assert.ok(other.fence > held.fence)
  const waiting = two.job.acquire({ key: 'k' })
  await until('it waits', () => two.report().waiting === 1)
  const began = performance.now()
  await held.release()
  const next = await waiting
  assert.ok(performance.now() - began < 400, `told of the release after ${performance.now() - began} ms`)
  assert.ok(next.fence > held.fence && !next.tookOver)
  assert.equal(await next.renew(), true)
  assert.match(next.token, /^[0-9a-f]{32}-/)
  await next.release()
})

test('a process that is killed loses it within its time to live', async (t) => {
  const server = await redis(t)
  const options = { ttl: 800 }
  const { job } = await opened(t, server, options)
  const { child, next } = process_(t, server, { options })
  const { fence } = await next()
  assert.equal(await job.tryAcquire(), null)
  child.kill('SIGKILL')
  const began = performance.now()
  const held = await job.acquire({ wait: 5_000 })
  assert.ok(performance.now() - began < 1_200, `after ${performance.now() - began} ms`)
  assert.ok(held.tookOver && held.fence > fence)
})

test('a process that ends by itself, or a thread that is ended, gives it back at once', async (t) => {
  const server = await redis(t)
  const options = { ttl: '60s' }
  const { job } = await opened(t, server, options)
  const { child, next } = process_(t, server, { options, exits: true })
  await next()
  await new Promise((resolve) => child.once('exit', resolve))
  assert.equal((await job.tryAcquire()).tookOver, false, 'process.exit() releases')
  const thread = new Worker(HELPER, { workerData: { redis: server.url, prefix, name: 'job', options, key: 'k' } })
  await heard(thread)()
  const waiting = job.acquire({ key: 'k', wait: 10_000 })
  await pause(50)
  const began = performance.now()
  await thread.terminate()
  assert.equal((await waiting).tookOver, false)
  assert.ok(performance.now() - began < 1_500, `after ${performance.now() - began} ms`)
})

test('in a cluster each key is held where it belongs, and who waits is told there too', async (t) => {
  const { urls } = await cluster(t)
  const open = async () => {
    const sp = spillway({ redis: { urls, cluster: true }, prefix, env: false, isolated: true })
    t.after(() => sp.close())
    await sp.ready()
    return lease(sp, 'job')
  }
  const [one, two] = [await open(), await open()]
  const keys = Array.from({ length: 40 }, (_, at) => `key ${at}`)
  const held = await Promise.all(keys.map((key) => one.acquire({ key })))
  assert.deepEqual(await Promise.all(keys.map((key) => two.tryAcquire(key))), Array(40).fill(null))
  const waiting = Promise.all(keys.map((key) => two.acquire({ key, wait: 10_000 })))
  await pause(100)
  const began = performance.now()
  await Promise.all(held.map((each) => each.release()))
  const theirs = await waiting
  assert.ok(performance.now() - began < 450, `told after ${performance.now() - began} ms`)
  theirs.forEach(({ fence }, at) => assert.ok(fence > held[at].fence))
})

test('a process whose event loop hangs keeps it under maxStall and loses it beyond', async (t) => {
  const server = await redis(t)
  const options = { ttl: 600, maxStall: 2_500 }
  const { job } = await opened(t, server, options)
  const short = process_(t, server, { options, hangMs: 1_800 })
  const { fence } = await short.next()
  for (const end = Date.now() + 1_500; Date.now() < end; await pause(50)) assert.equal(await job.tryAcquire(), null)
  const kept = await short.next()
  assert.deepEqual([kept.aborted, kept.within > 0], [false, true], 'three times its ttl it hung')
  const long = process_(t, server, { options, hangMs: 4_500, wait: 5_000 })
  const lost = await long.next()
  assert.ok(lost.fence > fence)
  const mine = await job.acquire({ wait: 8_000 })
  assert.ok(mine.tookOver && mine.fence > lost.fence)
  const { aborted, code, within } = await long.next()
  assert.deepEqual([aborted, code, within], [true, 'E_LEASE_LOST', 0])
})

test('a process that was frozen believes in nothing it held', async (t) => {
  const server = await redis(t)
  const options = { ttl: 400 }
  const { job } = await opened(t, server, options)
  const { child, next } = process_(t, server, { options, hangMs: 0 })
  await next()
  child.kill('SIGSTOP')
  const mine = await job.acquire({ wait: 5_000 })
  assert.ok(mine.tookOver)
  await pause(300)
  child.kill('SIGCONT')
  const { aborted, code } = await next()
  assert.deepEqual([aborted, code], [true, 'E_LEASE_LOST'])
})

test('while Redis is gone nobody new gets it, and whoever holds it does so until the local deadline', async (t) => {
  const server = await redis(t)
  const { job } = await opened(t, server, { ttl: 900 })
  const held = await job.acquire()
  const { signal } = held
  await server.kill9()
  const began = performance.now()
  await assert.rejects(job.tryAcquire('other'), { code: 'E_STORE_UNAVAILABLE', status: 503 })
  assert.ok(performance.now() - began < 200, `after ${performance.now() - began} ms`)
  assert.equal(signal.aborted, false)
  assert.equal(await held.renew(), true, 'as far as is known')
  await until('it is lost', () => signal.aborted)
  assert.ok(performance.now() - began < 1_000)
  assert.equal(signal.reason.code, 'E_LEASE_LOST')
  await server.start()
  await until('Redis is back', async () => (await job.tryAcquire('other').catch(() => null)) !== null)
})

test('a Redis that is frozen for less than the lease lasts loses none', async (t) => {
  const server = await redis(t)
  const { job, report } = await opened(t, server, { ttl: 2_000 })
  const held = await job.acquire()
  const { signal } = held
  server.freeze()
  await pause(900)
  server.thaw()
  await pause(2_000)
  assert.equal(signal.aborted, false)
  assert.deepEqual([report().held, report().lost], [1, 0])
})

test('whoever waits does so through an outage', async (t) => {
  const server = await redis(t)
  const { job } = await opened(t, server)
  await server.kill9()
  await assert.rejects(job.acquire({ wait: 300 }), { code: 'E_STORE_UNAVAILABLE' })
  const waiting = job.acquire({ wait: 10_000 })
  await pause(200)
  await server.start()
  assert.ok((await waiting).fence > 0)
})

test('a release that Redis did not hear is told again', async (t) => {
  const server = await redis(t)
  const [one, two] = [await opened(t, server, { ttl: '60s' }), await opened(t, server, { ttl: '60s' })]
  const held = await one.job.acquire()
  server.freeze()
  const began = performance.now()
  await held.release()
  assert.ok(performance.now() - began < 500, 'release() answers in spite of it')
  server.thaw()
  const next = await two.job.acquire({ wait: 5_000 })
  assert.equal(next.tookOver, false)
})

test('what a spillway held over Redis is given back when it is closed', async (t) => {
  const server = await redis(t)
  const [one, two] = [await opened(t, server), await opened(t, server)]
  const { signal } = await one.job.acquire()
  const waiting = two.job.acquire({ wait: 5_000 })
  await one.sp.close()
  assert.equal(signal.aborted, true)
  assert.equal((await waiting).tookOver, false)
})

test('another application’s data under its key is left alone, and nobody holds the lease', async (t) => {
  const server = await redis(t)
  const { job } = await opened(t, server)
  await (await job.acquire()).release()
  const [key] = await server.call('KEYS', '*:lease:job:*')
  await server.call('DEL', key)
  await server.call('SET', key, 'theirs')
  await assert.rejects(job.tryAcquire(), { code: 'E_STORE_UNAVAILABLE' })
  assert.equal(await server.call('GET', key), 'theirs')
})

test(`of those who are killed and frozen at their work, ${KILLS} times, only the one that holds has its writes accepted`, async (t) => {
  const server = await redis(t)
  const options = { ttl: 150 }
  const task = JSON.stringify({ redis: server.url, prefix, name: 'fenced', options })
  const living = new Set()
  let ready = 0
  let largest = 0
  const counts = { accepted: 0, refused: 0, killed: 0, frozen: 0 }
  const writerOf = new Map()
  const begin = () => {
    const child = fork(FENCED, [task])
    living.add(child)
    child.on('message', ({ pid, fence }) => {
      if (fence === undefined) return ready++
      assert.equal(writerOf.get(fence) ?? pid, pid, 'a fence has one holder')
      writerOf.set(fence, pid)
      if (fence < largest) return counts.refused++
      largest = fence
      counts.accepted++
    })
  }
  t.after(() => living.forEach((child) => child.kill('SIGKILL')))
  for (let i = 0; i < 4; i++) begin()
  await until('all are there', () => ready >= 4)
  while (counts.killed < KILLS) {
    const before = largest
    await until('somebody else writes', () => largest > before)
    const child = [...living].find(({ pid }) => pid === writerOf.get(largest))
    if (child === undefined) continue
    if (counts.killed % 5 === 4) {
      // Not ended: it wakes up when another has long taken over, and goes on writing.
      child.kill('SIGSTOP')
      counts.frozen++
      const mine = largest
      await until('another takes over', () => largest > mine)
      child.kill('SIGCONT')
    } else {
      living.delete(child)
      child.kill('SIGKILL')
      begin()
    }
    counts.killed++
  }
  t.diagnostic(JSON.stringify(counts))
  assert.ok(counts.accepted > KILLS && counts.frozen > 0)
})
