// Owns the proof that the demo runs, tells the truth it measured, and leaves nothing behind.
// Never asserts how fast this machine is.
'use strict'

const assert = require('node:assert/strict')
const { execFile, spawn } = require('node:child_process')
const { mkdtemp, readFile, rm } = require('node:fs/promises')
const { tmpdir } = require('node:os')
const { join } = require('node:path')
const { once } = require('node:events')
const { test } = require('node:test')
const { NOISY, arrivals, randomOf, zipf } = require('../demo/arrivals.js')
const { full, quick, durationMs, phaseAt } = require('../demo/schedule.js')
const { groupOf, percentile, tally } = require('../demo/tally.js')
const { milliseconds, share } = require('../demo/words.js')

const DEMO = join(__dirname, '..', 'demo', 'index.js')

test('a percentile is the value at the nearest rank', () => {
  const values = Array.from({ length: 100 }, (_, index) => 100 - index)
  assert.equal(percentile(values, 0.5), 50)
  assert.equal(percentile(values, 0.99), 99)
  assert.equal(percentile(values, 1), 100)
  assert.equal(percentile([7], 0.01), 7)
  assert.ok(Number.isNaN(percentile([], 0.5)))
  assert.deepEqual(values[0], 100, 'what was given is not sorted in place')
})

test('the same seed gives the same load, in the order of time, and another seed another', () => {
  const load = arrivals(full, 1)
  assert.deepEqual(arrivals(full, 1), load)
  assert.notDeepEqual(arrivals(full, 2), load)
  for (let index = 1; index < load.length; index += 1) assert.ok(load[index - 1].at <= load[index].at)
  assert.ok(load[0].at > 0 && load[load.length - 1].at < durationMs(full))
})

test('the load has the rates it was asked for', () => {
  const seconds = durationMs(full) / 1000
  const load = arrivals(full, 3)
  const near = (found, perSecond) => {
    const expected = perSecond * seconds
    assert.ok(Math.abs(found - expected) < 5 * Math.sqrt(expected), `${found} is not near ${expected}`)
  }
  near(load.filter(({ route }) => route === 'search').length, full.search.perSecond)
  near(load.filter(({ tenant }) => tenant === NOISY).length, full.chat.noisyPerSecond)
  near(load.filter(({ route, tenant }) => route === 'chat' && tenant !== NOISY).length, full.chat.othersPerSecond)
})

test('popularity is spread as Zipf says: the second is asked for half as often as the first', () => {
  const rank = zipf(1_000, 1, randomOf(1))
  const times = new Array(1_000).fill(0)
  for (let draw = 0; draw < 200_000; draw += 1) times[rank()] += 1
  assert.ok(Math.abs(times[0] / times[1] - 2) < 0.1, `${times[0]} ${times[1]}`)
  assert.ok(Math.abs(times[0] / times[9] - 10) < 1, `${times[0]} ${times[9]}`)
})

test('a phase begins where the one before it ends, and the last one does not end', () => {
  assert.equal(phaseAt(full, 0), 'healthy')
  assert.equal(phaseAt(full, full.phases[0].ms - 0.001), 'healthy')
  assert.equal(phaseAt(full, full.phases[0].ms), 'slow')
  assert.equal(phaseAt(full, durationMs(full) + 1), 'well again')
})

test('an answer counts once: as ok, as refused, or as failed', () => {
  const answer = (who, at, status, code, ms) => ({ who, at, status, code, ms, retry: false })
  const answers = [
    answer('search', 10, 200, 'ok', 5),
    answer('search', 20, 503, 'E_OPEN', 1),
    answer('search', 1_100, 504, 'upstream_timeout', 1_500),
    answer('noisy', 30, 429, 'E_LIMITED', 1),
    answer('others', 40, 200, 'ok', 80),
    answer('search', 50, 0, 'client_gave_up', 5_000),
  ]
  const { search, noisy, codes, phases, timeline } = tally(answers, quick)
  assert.deepEqual([search.asked, search.ok, search.refused, search.failed], [4, 1, 1, 2])
  assert.deepEqual([noisy.asked, noisy.refused], [1, 1])
  assert.deepEqual(search.noMs, { p50: 1_500, p95: 5_000, p99: 5_000 })
  assert.deepEqual(codes, { ok: 2, E_OPEN: 1, upstream_timeout: 1, E_LIMITED: 1, client_gave_up: 1 })
  assert.deepEqual(
    phases.map(({ name, asked }) => [name, asked]),
    [
      ['healthy', 3],
      ['slow', 1],
      ['failing', 0],
      ['well again', 0],
    ],
  )
  assert.equal(timeline[0], 1 / 3)
  assert.ok(Number.isNaN(timeline[59]))
  assert.equal(groupOf([]).asked, 0)
})

test('numbers are said with the digits they deserve', () => {
  assert.deepEqual([0.123, 9.96, 10, 999.4, 1_234, 12_345].map(milliseconds), [
    '0.1 ms',
    '10.0 ms',
    '10 ms',
    '999 ms',
    '1.23 s',
    '12.3 s',
  ])
  assert.deepEqual([milliseconds(NaN), share(0, 0), share(1, 3)], ['–', '–', '33.3 %'])
})

test('the quick demo runs both ways, writes what it printed, and ends well', { timeout: 120_000 }, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'spillway-demo-'))
  t.after(() => rm(folder, { recursive: true }))
  const json = join(folder, 'result.json')
  const { error, stdout, stderr } = await new Promise((resolve) => {
    execFile(process.execPath, [DEMO, '--quick', '--seed', '5', '--json', json], (failed, out, err) => {
      resolve({ error: failed, stdout: out, stderr: err })
    })
  })
  assert.equal(error, null, stdout + stderr)
  assert.equal(stderr, '')
  const result = JSON.parse(await readFile(json, 'utf8'))
  const requests = arrivals(quick, 5).length
  assert.equal(result.requests, requests)
  assert.deepEqual(
    result.checks.filter(({ ok, always }) => always && !ok),
    [],
  )
  for (const run of [result.runs.without, result.runs.with]) {
    const groups = [run.search, run.others, run.noisy]
    assert.equal(
      groups.reduce((sum, { ok, refused, failed }) => sum + ok + refused + failed, 0),
      requests,
    )
    assert.equal(
      Object.values(run.codes).reduce((sum, count) => sum + count, 0),
      requests,
    )
  }
  assert.equal(result.runs.without.service.snapshot, null)

  // What the service counted and what the clients saw are two books; who got no answer is in the first alone.
  const { codes, search, others, noisy, upstream, service } = result.runs.with
  const { limiters, caches, bulkheads } = service.snapshot
  const between = (least, found, most) => assert.ok(least <= found && found <= most, `${least} ≤ ${found} ≤ ${most}`)
  const chatLost = others.lost + noisy.lost
  between(codes.E_LIMITED, limiters.chat.limited, codes.E_LIMITED + chatLost)
  const chats = others.asked + noisy.asked
  between(chats - chatLost, limiters.chat.allowed + limiters.chat.limited, chats)
  between(1, caches.search.hits, search.ok + search.lost)
  between(1, upstream.search.calls, bulkheads.upstream.admitted)
  if (search.lost === 0) assert.equal(bulkheads.upstream.inUse, 0, 'every permit came back')

  const printed = stdout.slice(stdout.indexOf('GET /api/search'))
  assert.match(printed, new RegExp(`E_LIMITED +– +${result.runs.with.codes.E_LIMITED.toLocaleString('en-US')}\\n`))
  const lines = stdout.split('\n').filter((line) => !line.includes(json))
  for (const line of lines) assert.ok(line.length <= 80, `wider than a terminal: ${line}`)
})

test('Ctrl-C ends the demo and every process it started', { timeout: 60_000 }, async () => {
  const demo = spawn(process.execPath, [DEMO, '--quick'], { stdio: ['ignore', 'pipe', 'inherit'] })
  let printed = ''
  demo.stdout.setEncoding('utf8')
  await new Promise((resolve) => {
    demo.stdout.on('data', (text) => {
      printed += text
      if (/healthy.+breaker|healthy +\d/.test(printed)) resolve()
    })
  })
  demo.kill('SIGINT')
  // All its processes share its output, so it closes when the last of them has ended.
  const [status] = await once(demo, 'close')
  assert.equal(status, 130)
  assert.match(printed, /Stopped\.\n$/)
})

test('what the demo does not know, it says', async () => {
  for (const args of [['--fast'], ['--seed', 'x']]) {
    const { status, stderr } = await new Promise((resolve) => {
      execFile(process.execPath, [DEMO, ...args], (error, _out, err) => resolve({ status: error?.code, stderr: err }))
    })
    assert.equal(status, 2)
    assert.match(stderr, /usage: npm run demo/)
  }
})

test('three processes share one limit and one cache through Redis, which is killed meanwhile', async () => {
  const { error, stdout, stderr } = await new Promise((resolve) => {
    execFile(process.execPath, [DEMO, '--redis'], { timeout: 120_000 }, (failed, out, err) => {
      resolve({ error: failed, stdout: out, stderr: err })
    })
  })
  assert.equal(error, null, stdout + stderr)
  assert.match(stdout, /50 an hour allowed: 50 accepted/)
  assert.match(stdout, /the catalogue was asked 20 times/)
  assert.doesNotMatch(stdout, /NOT/)
})
