// Bulkheads that threads share, some of which are terminated while they hold permits and wait for others. Owns that all permits come
// home. Bounded by a number of operations, of which the engine's own proofs do a million.
'use strict'

const assert = require('node:assert/strict')
const path = require('node:path')
const { test } = require('node:test')
const { Worker } = require('node:worker_threads')
const { spillway } = require('../index.js')
const { randomOf } = require('./limiters.js')
const { turn } = require('./bulkheads.js')

const OPERATIONS = 300_000
const BATCH = 500
const WORKERS = 3
/** One thread is terminated for so many operations. */
const LIFE = 8_000
const KEYS = ['a', 'b', 'c', '\ud800']
const BULKHEADS = {
  plain: { limit: 3, queue: 4, queueTimeout: 50 },
  keyed: { limit: 2, queue: 3, queueTimeout: 50, perKey: true },
  leased: { limit: 2, queue: 3, queueTimeout: 50, lease: 15 },
  both: { limit: 1, queue: 3, queueTimeout: 50, lease: 15, perKey: true },
}

test(
  'after random operations of threads that end at random moments every permit is home',
  { timeout: 120_000 },
  async (t) => {
    const prefix = `home-${process.pid}`
    const sp = spillway({ prefix })
    const bulkheads = Object.entries(BULKHEADS).map(([name, options]) => [sp.bulkhead(name, options), options])
    const reports = () =>
      Object.fromEntries(Object.entries(sp.snapshot().bulkheads).filter(([name]) => name.startsWith(prefix)))
    const random = randomOf(7)
    const workers = new Set()
    const endings = []
    const mine = []
    let done = 0
    let born = 0
    await new Promise((resolve, reject) => {
      const begin = () => {
        const workerData = { prefix, bulkheads: BULKHEADS, keys: KEYS, seed: ++born * 7919, batch: BATCH }
        const worker = new Worker(path.join(__dirname, 'threads', 'permits.js'), { workerData })
        workers.add(worker)
        worker.on('error', reject)
        worker.on('message', (count) => {
          const before = done
          done += count
          for (const [name, { inUse, waiting, config }] of Object.entries(reports())) {
            const rooms = config.perKey ? KEYS.length : 1
            if (inUse > config.limit * rooms || waiting > config.queue * rooms)
              reject(new Error(`${name}: ${inUse}, ${waiting}`))
          }
          // This thread waits among the others, and is served whoever ends.
          for (const [bulkhead, { perKey }] of bulkheads) {
            const key = perKey ? KEYS[random(KEYS.length)] : undefined
            mine.push(bulkhead.run(turn, { key, priority: 'high' }).catch(({ code }) => assert.equal(code, 'E_FULL')))
          }
          if (done >= OPERATIONS) return resolve()
          if (Math.floor(done / LIFE) === Math.floor(before / LIFE)) return
          const victim = [...workers][random(workers.size)]
          workers.delete(victim)
          endings.push(victim.terminate())
          begin()
        })
      }
      for (let i = 0; i < WORKERS; i++) begin()
    }).finally(() => Promise.all([...workers].map((worker) => worker.terminate())))
    await Promise.all([...endings, ...mine])

    t.diagnostic(`${done} operations, ${endings.length + WORKERS} threads terminated`)
    assert.ok(endings.length >= 20)
    for (const [name, { inUse, waiting, keys, admitted, refused, left, wait }] of Object.entries(reports())) {
      assert.deepEqual({ name, inUse, waiting, keys }, { name, inUse: 0, waiting: 0, keys: 0 })
      assert.ok(
        admitted > 1000 && refused > 100 && left > 10 && wait.count > left,
        `${name}: ${[admitted, refused, left]}`,
      )
    }
    for (const [bulkhead, { limit, perKey }] of bulkheads) {
      for (const key of perKey ? KEYS : [undefined]) {
        const permits = Array.from({ length: limit }, () => bulkhead.tryAcquire(key))
        assert.ok(permits.every((permit) => permit !== null))
        assert.equal(bulkhead.tryAcquire(key), null, 'and none twice')
        for (const permit of permits) permit.release()
      }
    }
    await sp.close()
  },
)
