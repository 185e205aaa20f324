// What the worker threads of the cache's tests do, by name. Never asserts: it reports, and the test judges.
'use strict'

const { parentPort, workerData } = require('node:worker_threads')
const face = require('../../index.js')
const { turn } = require('./crew.js')

/** Wait until the test lets every worker go at once. */
function start(gate) {
  Atomics.add(gate, 0, 1)
  Atomics.wait(gate, 1, 0)
}

/** Let the event loop go round until `done`. */
async function until(done) {
  while (!done()) await turn()
}

/** What a load or a caller ended with, as something that can be sent. */
const told = (settled) =>
  settled.status === 'fulfilled' ? { value: settled.value } : { error: settled.reason?.code ?? String(settled.reason) }

/** How the loads of one key end, in the order in which they begin. */
const fates = {
  land: ({ number }) => ({ loadedBy: number }),
  exit: () => process.exit(0),
  fail: () => {
    throw new Error('down')
  },
  hang: () => new Promise((resolve) => setInterval(() => {}, 1000, resolve)),
  /** Deaf to the event loop for so long, and then it has a value all the same. */
  block: ({ number, blockedMs, counts }) => {
    const over = performance.now() + blockedMs
    while (performance.now() < over);
    return { loadedBy: number, loadsByThen: Atomics.load(counts, 1) }
  },
}

const jobs = {
  /**
   * Callers that all ask for one key. The first load waits until every caller of every worker has asked; the `n`th ends as
   * `plan[n]` says. Counts in `counts`: [callers, loads].
   */
  async ask({ gate, counts, name, options, callers, everybody, plan, blockedMs }) {
    const cache = face.cache(name, options)
    const load = async () => {
      const number = Atomics.add(counts, 1, 1)
      await until(() => Atomics.load(counts, 0) >= everybody)
      parentPort.postMessage({ loading: plan[number] })
      return fates[plan[number]]({ number, blockedMs, counts })
    }
    start(gate)
    const waiting = Array.from({ length: callers }, () => cache.getOrSet('cold', load))
    Atomics.add(counts, 0, callers)
    const ends = {}
    for (const settled of await Promise.allSettled(waiting)) {
      const end = JSON.stringify(told(settled))
      ends[end] = (ends[end] ?? 0) + 1
    }
    return { ends, after: cache.get('cold') }
  },

  /** Callers for what is stale, of whom one loads: not before all have been answered. Counts in `counts`: [answered, loads]. */
  async askStale({ gate, counts, name, options, callers, everybody }) {
    const cache = face.cache(name, options)
    const refreshes = []
    const load = async () => {
      Atomics.add(counts, 1, 1)
      await until(() => Atomics.load(counts, 0) >= everybody)
      return 'new'
    }
    const call = { ttl: '1h', waitUntil: (refresh) => refreshes.push(refresh) }
    start(gate)
    const ends = {}
    for (let caller = 0; caller < callers; caller++) {
      const value = await cache.getOrSet('stale', load, call)
      ends[value] = (ends[value] ?? 0) + 1
      Atomics.add(counts, 0, 1)
    }
    await Promise.all(refreshes)
    return { ends, refreshes: refreshes.length }
  },

  /** One load, which lands when told to, under a permit of a bulkhead if there is a limit. */
  async load({ name, options, key, call, addTags, limit }) {
    const bulkhead = limit === undefined ? undefined : face.bulkhead(name, { limit, queue: 100 })
    const cache = face.cache(name, { ...options, bulkhead })
    const go = new Promise((resolve) => parentPort.once('message', resolve))
    const loading = cache.getOrSet(
      key,
      async (context) => {
        if (addTags) context.tags(...addTags)
        await go
        return { from: 'the worker' }
      },
      call,
    )
    parentPort.postMessage('loading')
    const value = await loading
    return { value, after: cache.get(key) }
  },

  /** Load keys of its own, and say how many loads ran at the same time over all threads. */
  async loadMany({ gate, running, name, limit, keys, number }) {
    const bulkhead = face.bulkhead(name, { limit, queue: 10_000 })
    const cache = face.cache(name, { bulkhead, jitter: 0 })
    let most = 0
    const load = async () => {
      most = Math.max(most, Atomics.add(running, 0, 1) + 1)
      for (let turns = 0; turns < 3; turns++) await turn()
      Atomics.sub(running, 0, 1)
      return number
    }
    start(gate)
    const all = Array.from({ length: keys }, (_, key) => cache.getOrSet(`${number}:${key}`, load))
    const found = await Promise.all(all)
    return { most, found: found.filter((value) => value === number).length }
  },

  /** Read, write and forget, and judge every value by what had been completed before it was asked for: see cache-fuzz.test.js. */
  fuzz: (data) => require('./cache-fuzz.js').fuzz(data, start),
}

jobs[workerData.job](workerData).then((answer) => parentPort.postMessage({ answer }))
