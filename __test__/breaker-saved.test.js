// A breaker's state as data: taken in one process, gone on with in another. Owns snapshot() and restore().
// Never waits: time is an argument.
'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')
const { opened, calls } = require('./breakers.js')

/** As a store keeps it. */
const kept = (breaker) => JSON.parse(JSON.stringify(breaker.snapshot()))

test('a restored open breaker serves the rest of its open time, which the most used one skips', async (t) => {
  const options = { consecutive: 1, open: { for: 10_000, jitter: 0 } }
  const [one, two] = [opened(t, options), opened(t, options)]
  calls(one.breaker, 'f')
  one.clock.now += 3000
  const data = kept(one.breaker)
  two.clock.now += 5000
  assert.equal(two.breaker.restore(data), true)
  assert.equal(two.breaker.state, 'open')
  assert.equal((await two.breaker.attempt(() => {})).refusal.retryAfterMs, 5000, '3000 there, 2000 on the way')
  two.clock.now += 4999
  assert.equal(two.breaker.enter(), null)
  two.clock.now += 1
  assert.notEqual(two.breaker.enter(), null)
  assert.equal(two.breaker.state, 'half-open', 'and is probed, not closed')
})

test('failed probes are remembered: the next open time is the doubled one', (t) => {
  const options = { consecutive: 1, probes: 1 }
  const [one, two] = [opened(t, options), opened(t, options)]
  calls(one.breaker, 'f')
  one.clock.now += 1000
  calls(one.breaker, 'f')
  two.clock.now += 1000
  two.breaker.restore(kept(one.breaker))
  two.clock.now += 2000
  calls(two.breaker, 'f')
  two.clock.now += 3999
  assert.equal(two.breaker.enter(), null)
  two.clock.now += 1
  assert.notEqual(two.breaker.enter(), null)
})

test('half-open comes back as open without any time left, isolated as isolated', (t) => {
  const [one, two] = [opened(t, { consecutive: 1, probes: 1 }), opened(t, { consecutive: 1, probes: 1 })]
  calls(one.breaker, 'f')
  one.clock.now += 1000
  one.breaker.enter()
  two.clock.now += 1000
  two.breaker.restore(kept(one.breaker))
  assert.equal(two.breaker.state, 'open')
  calls(two.breaker, 'o')
  assert.equal(two.breaker.state, 'closed')
  one.breaker.isolate()
  two.breaker.restore(kept(one.breaker))
  two.clock.now += 86_400_000
  assert.deepEqual([two.breaker.state, two.breaker.enter()], ['isolated', null])
})

test('the window goes on by the age of its buckets, and a row of failures goes on', (t) => {
  const options = { window: '10s', minCalls: 10, consecutive: 4 }
  const [one, two] = [opened(t, options), opened(t, options)]
  calls(one.breaker, 'oof')
  one.clock.now += 5000
  calls(one.breaker, 'ff')
  two.clock.now += 8000
  two.breaker.restore(kept(one.breaker))
  assert.deepEqual(two.report().window, { calls: 5, failures: 3, slow: 0 })
  two.clock.now += 2000
  assert.deepEqual(two.report().window, { calls: 2, failures: 2, slow: 0 }, 'the first three are ten seconds old')
  calls(two.breaker, 'f')
  assert.equal(two.breaker.state, 'open', 'four in a row')
})

test('a window of calls comes back exactly', (t) => {
  const options = { window: { calls: 5 }, minCalls: 5, slow: { over: 10, rate: 1 } }
  const [one, two] = [opened(t, options), opened(t, options)]
  const exit = (outcome, ms) => one.breaker.exit(one.breaker.enter(), outcome, ms)
  for (const [outcome, ms] of [
    ['fail', 0],
    ['ok', 11],
    ['ok', 0],
    ['fail', 11],
    ['ok', 0],
    ['ok', 11],
  ])
    exit(outcome, ms)
  const data = kept(one.breaker)
  assert.deepEqual(data.circuit.window, { calls: '20302' })
  two.breaker.restore(data)
  assert.deepEqual(kept(two.breaker).circuit, data.circuit)
  calls(two.breaker, 'o')
  assert.deepEqual(two.report().window, { calls: 5, failures: 1, slow: 2 }, 'the oldest, a slow one, has left')
})

test('keys come back with their states; those that are as good as new are not in the data', (t) => {
  const options = { perKey: true, consecutive: 2 }
  const [one, two] = [opened(t, options), opened(t, { ...options, maxKeys: 2 })]
  calls(one.breaker, 'f', 'counting')
  calls(one.breaker, 'ff', '\ud800 open')
  one.breaker.isolate('isolated')
  one.breaker.enter('new')
  const data = kept(one.breaker)
  assert.deepEqual(data.keys.map(({ key }) => key).sort(), ['counting', 'isolated', '\ud800 open'])
  assert.equal(two.breaker.restore(data), true)
  assert.deepEqual(
    ['\ud800 open', 'isolated'].map((key) => two.breaker.stateOf(key)),
    ['open', 'isolated'],
  )
  assert.equal(two.report().keys, 2, 'those that refuse come first')
})

test('data that is too old, or from the future, is not used, and nothing is changed', (t) => {
  const { breaker, clock } = opened(t)
  breaker.isolate()
  const data = kept(breaker)
  breaker.reset()
  clock.now += 3_600_001
  assert.equal(breaker.restore(data), false)
  assert.equal(breaker.restore(data, { maxAge: '1m' }), false)
  assert.equal(breaker.restore({ ...data, takenAt: clock.now + 1 }), false)
  assert.equal(breaker.state, 'closed')
  assert.equal(breaker.restore(data, { maxAge: '2h' }), true)
  assert.equal(breaker.state, 'isolated')
  for (const maxAge of [0, 'soon', '366d', null]) {
    assert.throws(() => breaker.restore(data, { maxAge }), { code: 'E_DURATION', option: 'maxAge' })
  }
})

test('a restore is told as a transition, and late results of before are stale', (t) => {
  const { breaker, report } = opened(t, { consecutive: 1 })
  const told = []
  breaker.on('transition', ({ from, to }) => told.push(`${from} ${to}`))
  calls(breaker, 'f')
  const data = kept(breaker)
  breaker.reset()
  const late = breaker.enter()
  breaker.restore(data)
  breaker.exit(late, 'ok')
  assert.deepEqual(told, ['closed open', 'open closed', 'closed open'])
  assert.deepEqual([breaker.state, report().stale], ['open', 1])
})

test('bad data is told, and never half applied', (t) => {
  const { breaker, sp } = opened(t, { consecutive: 2 })
  const keyed = sp.breaker('keyed', { perKey: true, consecutive: 2 })
  calls(breaker, 'f')
  calls(keyed, 'ff', 'a')
  const [good, many] = [kept(breaker), kept(keyed)]
  const bent = (change) => ({ ...good, circuit: { ...good.circuit, ...change } })
  const bucket = (...row) => bent({ window: { buckets: [row] } })
  for (const data of [
    undefined,
    null,
    7,
    'text',
    [],
    {},
    { ...good, version: 0 },
    { ...good, version: '2' },
    { ...good, takenAt: '2026' },
    { ...good, takenAt: NaN },
    { ...good, more: 1 },
    { ...good, circuit: undefined },
    { ...good, keys: [] },
    many,
    bent({ state: 'ajar' }),
    bent({ state: 'open' }),
    bent({ state: 'open', openMs: -1 }),
    bent({ state: 'open', openMs: Infinity }),
    bent({ failedProbes: -1 }),
    bent({ inARow: 1.5 }),
    bent({ window: undefined }),
    bent({ window: { calls: '012x' } }),
    bent({ window: { calls: '0'.repeat(100_001) } }),
    bent({ window: { buckets: 'none' } }),
    bent({ window: { buckets: Array.from({ length: 11 }, () => [0, 1, 0, 0]) } }),
    bucket(0, 1, 2, 0),
    bucket(0, 1, 0, 2),
    bucket(-1, 1, 0, 0),
    bucket(0, 1.5, 0, 0),
    bucket(0, 1, 0),
    bucket('0', 1, 0, 0),
  ]) {
    assert.throws(() => breaker.restore(data), { code: 'E_OPTION' }, JSON.stringify(data))
  }
  const other = { key: 'b', circuit: { ...many.keys[0].circuit, state: 'isolated' } }
  for (const data of [
    good,
    { ...many, keys: {} },
    { ...many, keys: [other, { ...other, key: '' }] },
    { ...many, keys: [other, null] },
  ]) {
    assert.throws(() => keyed.restore(data), { code: 'E_OPTION' })
  }
  assert.deepEqual([breaker.state, keyed.stateOf('a'), keyed.stateOf('b')], ['closed', 'open', 'closed'])
  calls(breaker, 'f')
  assert.equal(breaker.state, 'open', 'the row of failures is what it was')
})

test('what another version has saved is nothing to go on from, and no mistake', (t) => {
  const { breaker } = opened(t)
  assert.equal(breaker.restore({ version: 2, takenAt: 'in words', more: true }), false)
  assert.equal(breaker.state, 'closed')
})
