// Four threads over one cache, with every way to write and to forget: nobody reads what is older than the last completed write.
// Owns the numbers of that run. Never says what is stale: threads/cache-fuzz.js does.
'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')
const face = require('../index.js')
const { boardOf } = require('./threads/cache-fuzz.js')
const { answersOf, fresh, together } = require('./threads/crew.js')

const THREADS = 4
const KEYS = 320
const OPERATIONS = 2_400_000

/** How often each thing must at least have been done for the run to say anything. */
const ENOUGH = {
  found: 1_000_000,
  loads: 20_000,
  failed: 500,
  graced: 50,
  'served stale': 50,
  set: 100_000,
  setMany: 10_000,
  delete: 5000,
  expire: 3000,
  invalidateTag: 1000,
  expireTag: 1000,
  'common invalidateTag': 1000,
  'common expireTag': 500,
  deletePrefix: 500,
  clear: 100,
  setVersion: 100,
}

test(`no read is older than the last completed write, over ${OPERATIONS.toLocaleString('en-US')} operations of four threads`, async (t) => {
  const name = fresh('stale-reads')
  const options = { jitter: 0, grace: '1h', stale: '1h', maxBytes: '64mb', version: '1' }
  const board = boardOf(KEYS)
  const workers = await together(t, THREADS, 'fuzz', (thread) => {
    const seed = 7919 * (thread + 1)
    return { board, name, options, thread, threads: THREADS, seed, operations: OPERATIONS / THREADS }
  })
  const counts = {}
  for (const { stale, lost, counts: some } of await answersOf(workers)) {
    assert.deepEqual({ stale, lost }, { stale: [], lost: [] })
    for (const [what, count] of Object.entries(some)) counts[what] = (counts[what] ?? 0) + count
  }
  for (const [what, least] of Object.entries(ENOUGH))
    assert.ok(counts[what] >= least, `${what}: ${JSON.stringify(counts)}`)
  const { evictions } = face.cache(name, options).stats()
  assert.equal(evictions, 0, 'what was absent had been forgotten, not evicted')
})
