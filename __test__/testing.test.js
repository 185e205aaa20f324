// How users test code that stands on this package: with a clock of their own, and with the fake timers of node:test. Owns
// adapters/testing.js. Never waits. Jest and Vitest, which take whole processes, are in consumers.test.js.
'use strict'

const assert = require('node:assert/strict')
const { execFile } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { test } = require('node:test')
const { promisify } = require('node:util')
const { spillway } = require('spillway')
const { manualClock } = require('spillway/testing')

const ROOT = path.join(__dirname, '..')

// ---------------------------------------------------------------- the clock

test('a manual clock stands still until it is moved, and says where to', () => {
  const clock = manualClock()
  assert.equal(clock(), 0)
  assert.equal(clock.advance(250), 250)
  assert.equal(clock.advance('1.5s'), 1750)
  assert.equal(clock.advance(0), 1750)
  assert.equal(clock.advance('2m'), 121_750)
  assert.deepEqual([clock(), clock.now], [121_750, 121_750])
  assert.equal(clock.set(7), 7)
  assert.deepEqual([clock(), clock.now], [7, 7])
})

test('a manual clock begins where it is told', () => {
  assert.equal(manualClock(Date.UTC(2026, 0, 1))(), Date.UTC(2026, 0, 1))
  assert.equal(manualClock(-5).now, -5)
})

test('its methods may be taken off it', () => {
  const { advance, set, ...rest } = manualClock()
  assert.equal(advance('1s'), 1000)
  assert.equal(set(1), 1)
  assert.deepEqual(rest, { now: 0 })
})

test('what is no duration is E_DURATION, and time stays', () => {
  const clock = manualClock()
  for (const [duration, shown] of [
    ['5 minutes', '"5 minutes"'],
    ['-5s', '"-5s"'],
    [NaN, 'NaN'],
    [Infinity, 'Infinity'],
    [undefined, 'undefined'],
  ]) {
    assert.throws(() => clock.advance(duration), {
      name: 'TypeError',
      code: 'E_DURATION',
      option: 'duration',
      message: `\`duration\` of advance() must be milliseconds as a number, or a number with ms, s, m, h or d, like '30s'; got ${shown} [E_DURATION]`,
    })
  }
  assert.equal(clock(), 0)
})

test('time goes forward; to jump back there is set', () => {
  const clock = manualClock(5000)
  assert.throws(() => clock.advance(-1), {
    name: 'RangeError',
    code: 'E_DURATION',
    message: '`duration` of advance() must be 0 or more; got -1. To jump back, use set() [E_DURATION]',
  })
  assert.equal(clock.set(4999), 4999)
})

test('a time that is no finite number is E_OPTION', () => {
  for (const ms of ['5s', NaN, Infinity, null, undefined]) {
    assert.throws(() => manualClock().set(ms), { code: 'E_OPTION', option: 'ms' })
    if (ms !== undefined) assert.throws(() => manualClock(ms), { code: 'E_OPTION', option: 'start' })
  }
})

test('it loads where native code does not', async () => {
  const script = `
    const Module = require('node:module')
    const { _load } = Module
    Module._load = (request, ...rest) => {
      if (/native|^node:/.test(request)) throw new Error(request)
      return _load(request, ...rest)
    }
    const { manualClock } = require('spillway/testing')
    console.log(manualClock().advance('1s'))
  `
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', script], { cwd: ROOT })
  assert.equal(stdout, '1000\n')
})

// ---------------------------------------------------------------- a spillway on it

test('five link codes in ten minutes: the sixth comes two minutes later', (t) => {
  const clock = manualClock()
  const sp = spillway({ clock })
  t.after(() => sp.close())
  const codes = sp.limiter('link-code', { limit: 5, window: '10m' })
  for (let code = 0; code < 5; code++) assert.ok(codes.consume('ada').ok)
  const denied = codes.consume('ada')
  assert.deepEqual([denied.ok, denied.retryAfterMs], [false, 120_000])
  clock.advance(denied.retryAfterMs - 1)
  assert.equal(codes.consume('ada').ok, false)
  clock.advance(1)
  assert.equal(codes.consume('ada').ok, true)
})

test('a breaker stays open until the clock says so', async (t) => {
  const clock = manualClock()
  const sp = spillway({ clock })
  t.after(() => sp.close())
  const payments = sp.breaker('payments', { consecutive: 1, open: { for: '30s', jitter: 0 }, probes: 1 })
  await assert.rejects(payments.run(() => Promise.reject(new Error('down'))))
  clock.advance('29s')
  await assert.rejects(payments.run(assert.fail), { code: 'E_OPEN', retryAfterMs: 1000 })
  clock.advance('1s')
  assert.equal(await payments.run(() => 'paid'), 'paid')
  assert.equal(payments.state, 'closed')
})

test('a cached value lives as long as the clock says', (t) => {
  const clock = manualClock()
  const sp = spillway({ clock })
  t.after(() => sp.close())
  const catalog = sp.cache('catalog', { ttl: '15m', jitter: 0 })
  catalog.set('packages', ['gold'])
  clock.advance('14m')
  assert.deepEqual(catalog.get('packages'), ['gold'])
  clock.advance('1m')
  assert.equal(catalog.get('packages'), undefined)
})

test('two clocks are two times, and what happens on one is not seen on the other', (t) => {
  const [one, two] = [manualClock(), manualClock()]
  const spillways = [one, two].map((clock) => spillway({ clock }))
  t.after(() => Promise.all(spillways.map((sp) => sp.close())))
  const [first, second] = spillways.map((sp) => sp.limiter('door', { limit: 1, window: '1m' }))
  assert.ok(first.consume('a').ok)
  assert.ok(second.consume('a').ok)
  one.advance('1m')
  assert.deepEqual([first.consume('a').ok, second.consume('a').ok], [true, false])
})

// ---------------------------------------------------------------- the fake timers of node:test

/** A spillway whose time is that of the fake timers: what is reckoned and what wakes somebody up move together. */
function faked(t) {
  t.mock.timers.enable({ apis: ['Date', 'setTimeout'] })
  const sp = spillway({ clock: () => Date.now() })
  t.after(() => sp.close())
  return sp
}

test('under the fake timers of node:test a limit refills as they tick', (t) => {
  const chat = faked(t).limiter('chat', { limit: 2, window: '1m' })
  assert.deepEqual(
    [1, 2, 3].map(() => chat.consume('ada').ok),
    [true, true, false],
  )
  t.mock.timers.tick(30_000)
  assert.deepEqual(
    [1, 2].map(() => chat.consume('ada').ok),
    [true, false],
  )
})

test('under the fake timers of node:test who waits in a queue is refused as they tick', async (t) => {
  const uploads = faked(t).bulkhead('uploads', { limit: 1, queue: 1, queueTimeout: '5s' })
  const permit = uploads.tryAcquire()
  const refused = assert.rejects(uploads.run(assert.fail), { code: 'E_FULL' })
  t.mock.timers.tick(5000)
  await refused
  permit.release()
  assert.equal(await uploads.run(() => 'stored'), 'stored')
})

test('under the fake timers of node:test a load takes too long as they tick', async (t) => {
  const search = faked(t).cache('search', { loadTimeout: '5s' })
  const refused = assert.rejects(
    search.getOrSet('dam', () => new Promise(() => {})),
    { code: 'E_TIMEOUT' },
  )
  t.mock.timers.tick(5000)
  await refused
})

test('without a clock of its own a spillway keeps real time under fake timers', (t) => {
  t.mock.timers.enable({ apis: ['Date', 'setTimeout'] })
  const sp = spillway({ isolated: true })
  t.after(() => sp.close())
  const door = sp.limiter('door', { limit: 1, window: '1h' })
  door.consume('ada')
  t.mock.timers.tick(3_600_000)
  assert.equal(door.consume('ada').ok, false)
})

test('a manual clock does not wake up who waits: deadlines run on the timers', async (t) => {
  t.mock.timers.enable({ apis: ['Date', 'setTimeout'] })
  const clock = manualClock()
  const sp = spillway({ clock })
  t.after(() => sp.close())
  const uploads = sp.bulkhead('uploads', { limit: 1, queue: 1, queueTimeout: '5s' })
  const permit = uploads.tryAcquire()
  let ended = 'waiting'
  const waiting = uploads.run(() => 'stored').finally(() => (ended = 'over'))
  clock.advance('1h')
  await null
  assert.equal(ended, 'waiting')
  permit.release()
  assert.equal(await waiting, 'stored')
})

// ---------------------------------------------------------------- docs/testing.md

test('every example of docs/testing.md for node:test runs', async () => {
  const page = fs.readFileSync(path.join(ROOT, 'docs', 'testing.md'), 'utf8')
  const examples = [...page.matchAll(/```js\n([^]*?)```/g)].map(([, code]) => code)
  const runnable = examples.filter((code) => code.includes("require('node:test')"))
  assert.ok(runnable.length >= 3, `only ${runnable.length}`)
  for (const code of runnable) {
    const { NODE_TEST_CONTEXT: _, ...env } = process.env
    const { stdout } = await promisify(execFile)(process.execPath, ['--test-reporter=tap', '-e', code], {
      cwd: ROOT,
      env,
    })
    assert.match(stdout, /^# pass [1-9]/m)
    assert.match(stdout, /^# fail 0/m)
  }
})
