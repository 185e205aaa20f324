// Floods of keys, of tags and of what has expired: what a cache takes of memory while they last and when they are over. Owns floods.
// Never asserts on time: a busy machine is no defect.
'use strict'

const assert = require('node:assert/strict')
const { fork } = require('node:child_process')
const { once } = require('node:events')
const path = require('node:path')
const { test } = require('node:test')
const { spillway } = require('../index.js')

const MIB = 1024 ** 2
const FLOODING = path.join(__dirname, 'threads', 'flooding.js')

/** What a flood has reported, in a process of its own whose young garbage takes little room: how much larger that has become, in MiB, and the cache's numbers. */
async function flooded(t, flood) {
  const child = fork(FLOODING, [flood], { execArgv: ['--max-semi-space-size=1'] })
  t.after(() => child.kill())
  const [[before, ...reports]] = await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(() => assert.fail('it ended without a report')),
  ])
  return reports.map(({ residentMiB, stats }) => ({ grownMiB: residentMiB - before.residentMiB, stats }))
}

/** What a process may grow by beside its cache: its own heap, and pages the allocator holds back. */
const FIXED_SHARE_MIB = 16

for (const flood of ['keys', 'sizes']) {
  test(`a flood of ${flood === 'keys' ? 'two million keys' : 'values of all sizes'} takes no more memory than maxBytes and a fixed share`, async (t) => {
    const reports = await flooded(t, flood)
    for (const { grownMiB, stats } of reports) {
      assert.ok(stats.bytes <= 64 * MIB && stats.bytes > 56 * MIB, `${stats.bytes} bytes are counted`)
      assert.ok(grownMiB <= 64 + FIXED_SHARE_MIB, `${grownMiB} MiB, of which ${stats.bytes / MIB} are counted`)
      assert.ok(stats.evictions > 0)
    }
    const { sets, entries, evictions } = reports.at(-1).stats
    assert.equal(entries + evictions, sets)
  })
}

test('five million tags, invalidated or expired, take a bounded amount of memory, and each did what it says', async (t) => {
  for (const { grownMiB, stats } of await flooded(t, 'tags')) {
    assert.ok(grownMiB <= 40, `${grownMiB} MiB`)
    assert.ok(stats.entries <= 2, `${stats.entries} entries`)
    assert.ok(stats.bytes < MIB, `${stats.bytes} bytes`)
  }
})

test('a cleared cache counts nothing, and what it gave back is used again', async (t) => {
  const reports = await flooded(t, 'clears')
  const full = reports.filter((_, index) => index % 2 === 0)
  const cleared = reports.filter((_, index) => index % 2 === 1)
  assert.deepEqual([full.length, cleared.length], [3, 3])
  for (const { stats } of full) assert.ok(stats.entries >= 200_000, `${stats.entries} entries`)
  for (const { stats } of cleared) assert.deepEqual([stats.entries, stats.bytes], [0, 0])
  const [first, ...later] = full.map(({ grownMiB }) => grownMiB)
  // While the old contents are being dropped, new ones come.
  for (const grown of later) assert.ok(grown <= 1.1 * first, `${grown} MiB, and ${first} the first time`)
})

test('what has expired goes while others are written, whether anybody asks for it or not', async (t) => {
  const clock = { now: 1_700_000_000_000 }
  const sp = spillway({ env: false, clock: () => clock.now })
  t.after(() => sp.close())
  const cache = sp.cache('swept', { jitter: 0, ttl: '1s', stale: '1s', grace: '1s', maxBytes: '256mb' })
  const write = (round, count) => {
    for (let key = 0; key < count; key++) cache.set(`${round}:${key}`, 'x'.repeat(100))
  }
  write(0, 50_000)
  const { bytes } = cache.stats()
  clock.now += 2999
  write(1, 1000)
  assert.equal(cache.stats().entries, 51_000, 'what is in grace stays')
  clock.now += 1
  write(2, 50_000)
  const { entries, expirations, bytes: now } = cache.stats()
  assert.ok(entries <= 51_000 + 5000, `${entries} entries, of which 50,000 had expired`)
  assert.ok(expirations >= 45_000, `${expirations} have expired`)
  assert.ok(now < 1.2 * bytes, `${now} bytes`)
})
