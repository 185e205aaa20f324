// What the worker threads of threads.test.js do, by name. Never asserts: it reports, and the test judges.
'use strict'

const { parentPort, workerData } = require('node:worker_threads')
const face = require('../../index.js')

/** Wait until the test lets every worker go at once. */
function start(gate) {
  Atomics.add(gate, 0, 1)
  Atomics.wait(gate, 1, 0)
}

const jobs = {
  /** Spend as much of one shared limit as it gives. */
  async consume({ gate, name, attempts }) {
    const limiter = face.limiter(name, { limit: 1000, window: '365d' })
    start(gate)
    let admitted = 0
    for (let i = 0; i < attempts; i++) if (limiter.consume('everybody').ok) admitted++
    return admitted
  },

  /** As above, of a limiter with any options, over any keys in turn, by any of the ways to ask. */
  async spend({ gate, name, options, keys, attempts, way = 'consume' }) {
    const limiter = face.limiter(name, options)
    start(gate)
    let admitted = 0
    for (let i = 0; i < attempts; i++) {
      const key = keys[i % keys.length]
      if (way === 'consumeMany') admitted += limiter.consumeMany([key, key, key]).filter(({ ok }) => ok).length
      else if (way === 'reserve') admitted += limiter.reserve(key, 1, { maxWait: '1s' }).ok ? 1 : 0
      else admitted += limiter.consume(key).ok ? 1 : 0
    }
    return admitted
  },

  /** Spend of a user and of the organisation at once. */
  async spendAll({ gate, users, organisations, keys, attempts }) {
    const [user, organisation] = [users, organisations].map(({ name, options }) => face.limiter(name, options))
    start(gate)
    let admitted = 0
    for (let i = 0; i < attempts; i++) {
      const charges = [
        { limiter: user, key: keys[i % keys.length] },
        { limiter: organisation, key: 'acme' },
      ]
      // Either order: nothing may depend on it.
      if (face.consumeAll(i % 2 === 0 ? charges : charges.reverse()).ok) admitted++
    }
    return admitted
  },

  /** Ask until blocked; then block somebody else. */
  async untilBlocked({ name, options }) {
    const limiter = face.limiter(name, options)
    limiter.consume('a')
    parentPort.postMessage('asking')
    while (limiter.consume('a').reason !== 'blocked');
    limiter.block('b', '1h')
    return limiter.consume('a').reason
  },

  /** A thousand callers ask for one key that nobody has. */
  async load({ gate, loads, name }) {
    const cache = face.cache(name)
    start(gate)
    const load = async () => {
      Atomics.add(loads, 0, 1)
      await new Promise((resolve) => setTimeout(resolve, 100))
      return { from: 'the one loader' }
    }
    const values = await Promise.all(Array.from({ length: 1000 }, () => cache.getOrSet('cold', load)))
    return values.filter((value) => value.from === 'the one loader').length
  },

  /**
   * Write some keys and read all of them. `truth` is what a key's value is; `floor` what it was when a mutator last returned,
   * so whoever reads `floor` and then the cache must not find anything older.
   */
  async fuzz({ gate, name, seed, writes, truth, floor, operations, clears }) {
    const cache = face.cache(name, { jitter: 0 })
    const random = randomOf(seed)
    const keys = floor.length
    let stale = 0
    let found = 0
    const judge = (key, least) => (value) => {
      if (value === undefined) return
      found++
      if (value.version < least) stale++
    }
    start(gate)
    for (let i = 0; i < operations; i++) {
      const key = random() % keys
      const text = `key-${key}`
      const draw = random() % 100
      if (draw < 8 && (writes === null || key % 4 === writes)) {
        const version = Atomics.add(truth, key, 1) + 1
        if (clears && draw === 0) {
          cache.clear()
        } else if (draw < 4) {
          cache.delete(text)
        } else {
          cache.set(text, { version, filler: 'x'.repeat(random() % 40) })
        }
        raise(floor, key, version)
      } else if (draw < 30) {
        const least = Atomics.load(floor, key)
        await cache.getOrSet(text, () => ({ version: Atomics.load(truth, key) })).then(judge(key, least))
      } else {
        const least = Atomics.load(floor, key)
        judge(key, least)(cache.get(text))
      }
    }
    return { stale, found }
  },

  /** Hold a permit until told, or until the thread ends. */
  async hold({ name, options, until }) {
    const permit = await face.bulkhead(name, options).acquire()
    parentPort.postMessage('holding')
    // The timer has the permit, which would come back when it is collected.
    if (until === undefined) return new Promise(() => setInterval(() => {}, 1000, permit))
    await new Promise((resolve) => setTimeout(resolve, until))
    permit.release()
    return 'released'
  },

  /** Begin a load that never ends. */
  async hang({ name }) {
    const cache = face.cache(name)
    const hanging = cache.getOrSet('cold', () => new Promise(() => setInterval(() => {}, 1000)))
    parentPort.postMessage('loading')
    return hanging
  },

  /** Say where the breaker stands, isolate it, and say it again. */
  async isolate({ name }) {
    const breaker = face.breaker(name)
    const before = breaker.state
    breaker.isolate()
    return { before, admitted: breaker.enter() !== null }
  },

  /** Open a name with other options than the test has. */
  async mismatch({ name }) {
    try {
      face.limiter(name, { limit: 2, window: '1s' })
      return 'opened'
    } catch (error) {
      return { code: error.code, message: error.message }
    }
  },

  /** Use everything at once, until terminated. */
  async rage({ name }) {
    const limiter = face.limiter(name, { limit: 1e6, window: '1s' })
    const breaker = face.breaker(name, { minCalls: 5, open: 5, probeTimeout: 5 })
    const bulkhead = face.bulkhead(name, { limit: 4, queue: 1000 })
    const cache = face.cache(name, { ttl: 50 })
    parentPort.postMessage('raging')
    for (let i = 0; ; i++) {
      limiter.consume(`key-${i % 50}`)
      const calls = []
      for (let k = 0; k < 20; k++) {
        calls.push(
          bulkhead.run(() =>
            breaker.attempt(() => new Promise((resolve, reject) => setImmediate(i % 3 ? resolve : reject))),
          ),
        )
        calls.push(cache.getOrSet(`key-${(i + k) % 30}`, () => new Promise((resolve) => setImmediate(resolve, { i }))))
      }
      if (i % 10 === 0) cache.clear()
      cache.delete(`key-${i % 30}`)
      await Promise.allSettled(calls)
    }
  },
}

/** Raise to `version`, which another writer may have passed already. */
function raise(floor, key, version) {
  for (let seen = Atomics.load(floor, key); seen < version;) {
    const before = Atomics.compareExchange(floor, key, seen, version)
    if (before === seen) return
    seen = before
  }
}

/** Marsaglia's xorshift. */
function randomOf(seed) {
  let word = seed || 1
  return () => {
    word ^= word << 13
    word ^= word >>> 17
    word ^= word << 5
    return word >>> 0
  }
}

module.exports = { randomOf }

if (workerData?.job) {
  jobs[workerData.job](workerData).then((answer) => parentPort.postMessage({ answer }))
}
