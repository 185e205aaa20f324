// The harness of faults/: that a row says NOT when something was not seen, and what its figures mean. Owns the harness's own faults.
// Never needs the native side.
'use strict'

const assert = require('node:assert/strict')
const path = require('node:path')
const { test } = require('node:test')
const { isAlive } = require('./redis/reaper.js')
const { until } = require('./redis/until.js')
const { now } = require('../faults/moment.js')
const { Pace } = require('../faults/pace.js')
const { Record } = require('../faults/record.js')
const { names, play } = require('../faults/run.js')
const { table } = require('../faults/table.js')

const NAIVE = path.join(__dirname, 'redis', 'naive-store.js')
const folder = path.join(__dirname, 'redis', 'scenarios')

test('a row is NOT when one of its checks is, and its table says which', async () => {
  const row = await play('denies', { folder, short: true })
  assert.equal(row.ok, false)
  assert.equal(row.broken, undefined)
  const [, , line] = table([row]).split('\n')
  assert.equal(line, '| 1 | a \\| b | two things | this 1; **that 2,500 ms (≤ 1 ms)** | NOT |')
})

test('a scenario that breaks is NOT, whatever it had seen by then', async () => {
  const row = await play('breaks', { folder, short: true })
  assert.equal(row.ok, false)
  assert.match(table([row]), /well; \*\*Error: broken in the middle\*\* \| NOT/)
})

test('a scenario that checks nothing is NOT', async () => {
  const row = await play('forgets', { folder, short: true })
  assert.equal(row.ok, false)
  assert.match(row.broken, /checked nothing/)
})

test('a scenario whose process ends without a word is NOT, and its servers end with it', async () => {
  const row = await play('vanishes', { folder, short: true })
  assert.equal(row.ok, false)
  const pid = Number(/server (\d+)/.exec(row.broken)[1])
  await until('the end of the server', () => !isAlive(pid), 5000)
})

test('a limiter written in an afternoon is found out: latency does not trip it, and it keeps its process', async () => {
  const row = await play('04-slow-50ms', { short: true, first: NAIVE })
  const not = row.checks.filter(({ ok }) => !ok).map(({ seen }) => seen)
  assert.equal(row.ok, false)
  assert.match(not.join('; '), /open after \d+ slow calls.*exit SIGKILL/)
})

test('and it gives callers the answers of others', async () => {
  const row = await play('06-garbled-limiter', { short: true, first: NAIVE })
  const not = row.checks.filter(({ ok }) => !ok).map(({ seen }) => seen)
  assert.match(not.join('; '), /others' answers [1-9]/)
})

test('what cannot be tried here says so', async () => {
  const row = await play('elsewhere', { folder, short: true })
  assert.match(table([row]), /not tried: this is \w+, and it takes plan9 \| – \|/)
})

test('each scenario says which row it belongs to, what is broken and what must be seen', () => {
  assert.ok(names().length >= 20)
  for (const name of names()) {
    const { row, fault, must, run } = require(`../faults/scenarios/${name}.js`)
    assert.ok(row && fault && must && run, name)
    assert.equal(Number(row), Number(name.slice(0, 2)), name)
  }
})

test('a record tells calls by who decided, by when they were asked, and what was slow', async () => {
  const record = new Record(10)
  record.follow(Promise.resolve({ ok: true, decidedBy: 'redis', reason: 'allowed' }))
  record.follow(Promise.resolve({ ok: false, decidedBy: 'redis', reason: 'limited' }))
  assert.equal(record.pending, 2)
  await until('both', () => record.pending === 0)
  const later = now()
  record.follow(Promise.resolve({ ok: true, decidedBy: 'fail-mode', reason: 'store-unavailable' }))
  record.follow(Promise.reject(Object.assign(new Error('no'), { code: 'E_NO' })))
  record.follow(new Promise((resolve) => setTimeout(resolve, 40, { ok: true, decidedBy: 'redis', reason: 'allowed' })))
  await until('the rest', () => record.pending === 0)
  const all = record.between()
  assert.equal(all.calls, 5)
  assert.deepEqual([all.by.redis, all.by['fail-mode'], all.by.error], [3, 1, 1])
  assert.deepEqual([all.ok, all.okByRedis, all.unavailable, all.slow, all.mostPending], [3, 2, 1, 1, 3])
  assert.deepEqual(all.codes, { E_NO: 1 })
  assert.ok(all.max >= 39 && all.lastSlowAt >= later)
  assert.equal(record.between(0, later).calls, 2)
  assert.equal(record.between(0, later).max, 0, 'answered in the turn in which they were asked')
  assert.equal(record.between(later).by.redis, 1)
  record.mark()
  assert.equal(record.mostPending, 0)
})

test('calls keep their pace, and a pause is not made up for beyond measure', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  let at = 1000
  let calls = 0
  const pace = new Pace(
    5000,
    () => calls++,
    () => at,
  )
  const pass = (ms) => {
    at += ms
    t.mock.timers.tick(ms)
  }
  pace.start()
  for (let ms = 0; ms < 100; ms++) pass(1)
  assert.equal(calls, 500)
  at += 3_600_000
  pass(1)
  assert.equal(calls, 600)
  pass(1)
  assert.equal(calls, 605)
  pace.stop()
  pass(100)
  assert.equal(calls, 605)
})
