// What the rates of a breaker are taken over: the last so many calls, and calls that were counted without being told of.
// Never waits: where there is no clock of the test's, nothing depends on when it runs.
'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')
const { spillway } = require('../index.js')
const { opened, calls } = require('./breakers.js')

test('a window of calls holds the last so many, whatever their age', (t) => {
  const { breaker, clock, report } = opened(t, { window: { calls: 10 }, minCalls: 10, failureRate: 0.5 })
  calls(breaker, 'ffff')
  clock.now += 86_400_000
  calls(breaker, 'oooooo')
  assert.deepEqual(report().window, { calls: 10, failures: 4, slow: 0 })
  calls(breaker, 'f')
  assert.deepEqual(report().window, { calls: 10, failures: 4, slow: 0 }, 'the first of them has left')
  calls(breaker, 'oooo')
  assert.deepEqual(report().window, { calls: 10, failures: 1, slow: 0 })
  calls(breaker, 'ffff')
  assert.equal(breaker.state, 'open', '5 of the last 10')
})

test('a window of one call opens with it', (t) => {
  const { breaker } = opened(t, { window: { calls: 1 }, minCalls: 1 })
  calls(breaker, 'oooo')
  assert.equal(breaker.state, 'closed')
  calls(breaker, 'f')
  assert.equal(breaker.state, 'open')
})

test('slow calls leave a window of calls as failures do', (t) => {
  const { breaker, report } = opened(t, { window: { calls: 4 }, slow: { over: 100, rate: 1 }, minCalls: 4 })
  const took = (ms) => breaker.exit(breaker.enter(), 'ok', ms)
  for (const ms of [101, 101, 101, 100]) took(ms)
  assert.deepEqual(report().window, { calls: 4, failures: 0, slow: 3 })
  for (const ms of [101, 101, 101]) took(ms)
  assert.deepEqual(report().window, { calls: 4, failures: 0, slow: 3 })
  assert.equal(breaker.state, 'closed')
  took(101)
  assert.equal(breaker.state, 'open')
})

test('a window of no calls, of too many or of anything else is told', (t) => {
  const { sp } = opened(t)
  for (const calls of [0, 100_001, 1.5, NaN, '10', null, undefined]) {
    assert.throws(() => sp.breaker('other', { window: { calls } }), { code: 'E_OPTION', option: 'window.calls' })
  }
  assert.throws(() => sp.breaker('other', { window: { call: 5 } }), { code: 'E_OPTION', option: 'window.call' })
  assert.throws(() => sp.breaker('other', { window: [] }), { code: 'E_DURATION', option: 'window' })
})

for (const window of ['1h', { calls: 1000 }]) {
  test(`on the system’s clock, calls that went well count as those that did not, in the order they ended (${shown(window)})`, async (t) => {
    const sp = spillway({ isolated: true, env: false })
    t.after(() => sp.close())
    const breaker = sp.breaker('upstream', { window, minCalls: 10, failureRate: 0.5, consecutive: 6 })
    const ok = async () => {}
    const fail = () => Promise.reject(new Error('down'))
    const report = () => sp.snapshot().breakers.upstream
    for (let i = 0; i < 5; i++) await breaker.run(fail).catch(() => {})
    for (let i = 0; i < 20; i++) await breaker.run(ok)
    assert.deepEqual(report().window, { calls: 25, failures: 5, slow: 0 })
    assert.equal(report().ok, 20)
    for (let i = 0; i < 5; i++) await breaker.run(fail).catch(() => {})
    assert.equal(breaker.state, 'closed', 'five in a row, and 10 of 30')
    await breaker.run(ok)
    for (let i = 0; i < 5; i++) await breaker.run(fail).catch(() => {})
    assert.equal(breaker.state, 'closed', 'a call that went well has begun the row anew')
    await breaker.run(fail).catch(() => {})
    assert.equal(breaker.state, 'open')
    assert.deepEqual([report().ok, report().failed], [21, 16])
  })
}

test('a call that began before a reset is not counted in memory either', async (t) => {
  const sp = spillway({ isolated: true, env: false })
  t.after(() => sp.close())
  const breaker = sp.breaker('upstream')
  let answer
  const late = breaker.run(() => new Promise((resolve) => (answer = resolve)))
  await breaker.run(() => {})
  breaker.reset()
  answer()
  await late
  const { window, ok, stale } = sp.snapshot().breakers.upstream
  assert.deepEqual([window.calls, ok, stale], [0, 1, 1])
})

test('what a spillway counted before it was closed is in the snapshot of another', async (t) => {
  const prefix = `counted-${process.pid}`
  const [one, two] = [spillway({ prefix, env: false }), spillway({ prefix, env: false })]
  t.after(() => two.close())
  const [here] = [one.breaker('upstream'), two.breaker('upstream')]
  for (let i = 0; i < 7; i++) await here.run(() => {})
  await one.close()
  const { window, ok } = two.snapshot().breakers[`${prefix}:upstream`]
  assert.deepEqual([window.calls, ok], [7, 7])
})

test('places for breakers come back: the ten-thousandth to be opened and disposed of has one like the first', async (t) => {
  const sp = spillway({ isolated: true, env: false })
  t.after(() => sp.close())
  for (let i = 0; i < 10_000; i++) {
    const breaker = sp.breaker(`one-of-many-${i % 7}`)
    if (i % 1000 === 0) await breaker.run(() => {})
    breaker.dispose()
  }
  const native = require('../lib/native.js')
  const last = sp.breaker('the last')
  assert.ok(native.details[0] >= 0 && native.details[1] >= 0, 'it has a slot and a counter')
  await last.run(() => {})
  assert.equal(sp.snapshot().breakers['the last'].ok, 1)
  assert.equal(native.movers.size <= 8, true, 'nobody listens for those that are gone')
})

test('the time in which the event loop was late is not charged to the dependency', async (t) => {
  const sp = spillway({ isolated: true, env: false })
  t.after(() => sp.close())
  const breaker = sp.breaker('upstream', { slow: { over: 150, rate: 1 }, minCalls: 1000 })
  await breaker.run(async () => {
    await new Promise((resolve) => setImmediate(resolve))
    const until = performance.now() + 300
    while (performance.now() < until);
  })
  assert.equal(sp.snapshot().breakers.upstream.window.slow, 0)
})

function shown(window) {
  return typeof window === 'string' ? window : 'calls'
}
