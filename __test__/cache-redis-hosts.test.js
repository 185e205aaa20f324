// A cache over Redis in processes of its own: one load over all of them, whatever becomes of who runs it, and what one has forgotten none
// reads. Owns statements about processes. Never a Redis that fails.
'use strict'

const assert = require('node:assert/strict')
const { after, before, test } = require('node:test')
const { Worker } = require('node:worker_threads')
const { startServer } = require('./redis/servers.js')
const { host, liveHosts, ownPrefix, soon } = require('./hosts.js')

let server
before(async () => (server = await startServer()))
after(() => server.close())

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** So many processes with one cache. */
function processes(t, count, options, prefix = ownPrefix()) {
  return Promise.all(Array.from({ length: count }, () => host(t, { url: server.url, prefix, options })))
}

test('ten thousand callers in eight processes load a cold key once', async (t) => {
  const all = await processes(t, 8)
  const answers = await Promise.all(
    all.map(({ tell }) => tell('load', 'cold', { value: '<pid>', afterMs: 200 }, { callers: 1_250 })),
  )
  assert.equal(
    answers.reduce((sum, { loads }) => sum + loads, 0),
    1,
  )
  const values = new Set(answers.flatMap((answer) => answer.values))
  assert.equal(values.size, 1)
  assert.ok(all.some(({ pid }) => values.has(pid)))
  assert.deepEqual(
    answers.flatMap(({ errors }) => errors),
    [],
  )
})

for (const [title, loading, end] of [
  ['is killed', { value: 'never', afterMs: 60_000 }, (leader) => leader.kill9()],
  ['hangs', { hang: true }, () => {}],
  [
    'keeps its event loop from turning',
    { value: 'too late', afterMs: 200 },
    (leader) => void leader.tell('block', 2_500),
  ],
]) {
  test(`when the process that loads ${title}, one other does after loadTimeout, and all are answered with that`, async (t) => {
    const [leader, ...others] = await processes(t, 5, { loadTimeout: '1s' })
    const leading = leader.tell('load', 'k', loading, { callers: 100 }).catch(() => {})
    await soon(async () => (await leader.tell('loads')) === 1)
    const began = performance.now()
    const waiting = others.map(({ tell }) => tell('load', 'k', { value: '<pid>', afterMs: 20 }, { callers: 500 }))
    await end(leader)
    const answers = await Promise.all(waiting)
    const tookMs = performance.now() - began
    assert.equal(
      answers.reduce((sum, { loads }) => sum + loads, 0),
      1,
    )
    const values = new Set(answers.flatMap((answer) => answer.values))
    assert.equal(values.size, 1, 'all have what was loaded in its place')
    assert.ok(tookMs < 2_200, `${Math.round(tookMs)} ms`)
    const [value] = values
    await leading
    await pause(50)
    for (const { call } of others) assert.equal(await call('get', 'k'), value, 'and only that is stored')
  })
}

test('a process that fails to load is followed by one other at a time, and nobody waits for a ninth', async (t) => {
  const all = await processes(t, 8)
  const answers = await Promise.all(
    all.map(({ tell }) => tell('load', 'k', { error: 'no', afterMs: 20 }, { callers: 50 })),
  )
  assert.deepEqual(
    answers.map(({ loads, errors, values }) => [loads, errors, values]),
    all.map(() => [1, ['no'], []]),
  )
})

/** What changes a key, and what is read after that. */
const CHANGES = {
  delete: [['delete', 'k']],
  expire: [['expire', 'k']],
  set: [['set', 'k', 'new'], 'new'],
  deletePrefix: [['deletePrefix', 'k']],
  invalidateTag: [['invalidateTag', 'x']],
  expireTag: [['expireTag', 'x']],
  clear: [['clear']],
  setVersion: [['setVersion', '2']],
}

test('what one process has changed no other reads: not from Redis once the call has returned, nor from memory some milliseconds later', async (t) => {
  const tookMs = []
  const [a, b, c] = await processes(t, 3, { version: '1' })
  for (const [title, [change, wanted]] of Object.entries(CHANGES)) {
    for (let round = 0; round < 4; round++) {
      await a.call('setVersion', '1')
      await a.call('set', 'k', 'old', { tags: ['x'] })
      await soon(async () => (await b.call('get', 'k')) === 'old')
      const gone = b.tell('gone', 'k', 'old')
      await pause(5)
      await a.call(...change)
      const changed = performance.timeOrigin + performance.now()
      assert.equal(await c.call('get', 'k'), wanted, `${title}: from Redis`)
      tookMs.push((await gone) - changed)
      await a.call('delete', 'k')
      await soon(async () => (await c.call('get', 'k')) === undefined)
    }
  }
  tookMs.sort((one, other) => one - other)
  const most = tookMs.at(-1)
  t.diagnostic(
    `memory of another process: median ${tookMs[tookMs.length >> 1].toFixed(1)} ms, at most ${most.toFixed(1)} ms`,
  )
  assert.ok(most < 1_000)
})

test('threads of a process have one memory and one connection, and each hears of what the others forget', async (t) => {
  const prefix = ownPrefix()
  const [outside] = await processes(t, 1, {}, prefix)
  const { connected_clients: before } = await server.info('clients')
  const code = `
    const { parentPort, workerData } = require('node:worker_threads')
    const { spillway } = require(workerData.root)
    const cache = spillway({ redis: workerData.url, prefix: workerData.prefix, env: false }).cache('shared', { jitter: 0 })
    parentPort.on('message', async ([call, ...given]) => parentPort.postMessage(await cache[call](...given)))
    const live = () => (cache.stats().redis.state === 'live' ? Promise.resolve() : cache.get('x').then(live))
    live().then(() => parentPort.postMessage('ready'))`
  const workers = Array.from({ length: 4 }, () => {
    const workerData = { root: require.resolve('../index.js'), url: server.url, prefix }
    const worker = new Worker(code, { eval: true, workerData })
    t.after(() => worker.terminate())
    return worker
  })
  const answer = (worker) => new Promise((resolve) => worker.once('message', resolve))
  await Promise.all(workers.map(answer))
  const ask = (worker, ...call) => {
    worker.postMessage(call)
    return answer(worker)
  }
  await outside.call('set', 'k', 'old')
  for (const worker of workers) assert.equal(await ask(worker, 'get', 'k'), 'old')
  await ask(workers[0], 'delete', 'k')
  for (const worker of workers) assert.equal(await ask(worker, 'get', 'k'), undefined, 'at once in this process')
  await outside.call('set', 'k', 'new')
  for (const worker of workers) await soon(async () => (await ask(worker, 'get', 'k')) === 'new')
  const { connected_clients: now } = await server.info('clients')
  assert.ok(now - before <= 2, `${now - before} more connections for four threads`)
})

test('a thread that ends amidst a load leaves it to another process, by loadTimeout at the latest', async (t) => {
  const prefix = ownPrefix()
  const options = { loadTimeout: '1s' }
  const [outside] = await processes(t, 1, options, prefix)
  const code = `
    const { parentPort, workerData } = require('node:worker_threads')
    const { spillway } = require(workerData.root)
    const sp = spillway({ redis: { url: workerData.url, deadline: '5s' }, prefix: workerData.prefix, env: false })
    const cache = sp.cache('shared', { jitter: 0, ...workerData.options })
    const live = () => (cache.stats().redis.state === 'live' ? Promise.resolve() : cache.get('x').then(live))
    live().then(() => cache.getOrSet('k', () => (parentPort.postMessage('leads'), new Promise(() => {}))))`
  const workerData = { root: require.resolve('../index.js'), url: server.url, prefix, options }
  const worker = new Worker(code, { eval: true, workerData })
  await new Promise((resolve) => worker.once('message', resolve))
  const waiting = outside.tell('load', 'k', { value: 'taken over' }, { callers: 10 })
  const began = performance.now()
  await worker.terminate()
  assert.deepEqual(await waiting, { values: ['taken over'], errors: [], loads: 1 })
  assert.ok(performance.now() - began < 2_000)
})

/** Changes of the fuzz, each with the keys it forgets. */
const KEYS = ['a', 'b', 'c', 'd']
/** How long a memory may not have heard of a change. */
const SLACK_MS = 400

test('no read is older than the last change that had returned some time before, over many operations of four hosts', async (t) => {
  const all = await liveHosts(t, server.url, 4, { loadTimeout: '5s', ttl: '1h' })
  /** What is true of each key, and from when on nobody may be told less. */
  const truth = new Map(KEYS.map((key) => [key, 0]))
  const floors = new Map(KEYS.map((key) => [key, [{ at: -Infinity, least: 0 }]]))
  const pick = (list) => list[Math.floor(Math.random() * list.length)]
  let [reads, changes, version] = [0, 0, 0]

  /** A change of some keys, which is over when its call has returned. */
  async function changed(keys, call) {
    const values = keys.map((key) => [key, truth.get(key) + 1])
    for (const [key, value] of values) truth.set(key, value)
    await call()
    const at = performance.now()
    for (const [key, value] of values) floors.get(key).push({ at, least: value })
    changes++
  }
  async function read(cache, key) {
    const called = performance.now()
    const value = await cache.getOrSet(
      key,
      async () => {
        const seen = truth.get(key)
        if (Math.random() < 0.5) await pause(Math.random() * 3)
        return seen
      },
      { tags: [`of ${key}`] },
    )
    const least = Math.max(...floors.get(key).map((floor) => (floor.at <= called - SLACK_MS ? floor.least : 0)))
    assert.ok(value >= least, `${key} is ${value}, and was ${least} ${SLACK_MS} ms before it was asked for`)
    reads++
  }
  const end = performance.now() + 6_000
  const worker = async () => {
    while (performance.now() < end) {
      const { cache } = pick(all)
      const key = pick(KEYS)
      const random = Math.random()
      if (random < 0.9) await read(cache, key)
      else if (random < 0.93) await changed([key], () => cache.delete(key))
      else if (random < 0.96) await changed([key], () => cache.invalidateTag(`of ${key}`))
      else if (random < 0.97) await changed([key], () => cache.deletePrefix(key))
      else if (random < 0.98) await changed(KEYS, () => cache.clear())
      else if (random < 0.985) await changed(KEYS, () => cache.setVersion(++version))
      else if (random < 0.99) await changed([key], () => cache.expire(key))
      else await changed([key], () => cache.expireTag(`of ${key}`))
      for (const list of floors.values()) if (list.length > 64) list.splice(0, list.length - 48)
    }
  }
  await Promise.all(Array.from({ length: 32 }, worker))
  await pause(SLACK_MS)
  for (const { cache } of all) {
    for (const key of KEYS) {
      const value = await cache.get(key)
      assert.ok(value === undefined || value >= floors.get(key).at(-1).least, `at rest ${key} is ${value}`)
    }
  }
  t.diagnostic(`${reads} reads, ${changes} changes`)
  assert.ok(reads > 1_000 && changes > 50)
})
