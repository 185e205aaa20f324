// A breaker with a state for each key. Owns the bounded table: who has a place, and who shares one.
// Never waits: time is an argument.
'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')
const { opened, calls } = require('./breakers.js')

const KEYED = { perKey: true, consecutive: 2, probes: 1 }

test('each key opens, refuses, probes and closes by itself', async (t) => {
  const { breaker, clock, report } = opened(t, KEYED)
  calls(breaker, 'ff', 'a')
  assert.deepEqual([breaker.stateOf('a'), breaker.stateOf('b')], ['open', 'closed'])
  assert.equal(breaker.enter('a'), null)
  assert.equal(await breaker.run(() => 'b goes on', { key: 'b' }), 'b goes on')
  const { refusal } = await breaker.attempt(() => assert.fail('it was called'), { key: 'a' })
  assert.deepEqual(refusal, { code: 'E_OPEN', primitive: 'upstream', status: 503, retryAfterMs: 1000 })
  await assert.rejects(
    breaker.run(() => {}, { key: 'a' }),
    { code: 'E_OPEN' },
  )
  clock.now += 1000
  const probe = breaker.enter('a')
  assert.equal(breaker.stateOf('a'), 'half-open')
  breaker.exit(probe, 'ok')
  assert.equal(breaker.stateOf('a'), 'closed')
  const { keys, openKeys, overflowed, state, window, transitions } = report()
  assert.deepEqual({ keys, openKeys, overflowed, state }, { keys: 2, openKeys: 0, overflowed: 0, state: null })
  assert.deepEqual([window.calls, transitions], [1, { opened: 1, halfOpened: 1, closed: 1, isolated: 0 }])
})

test('a late result of a key changes nothing now', (t) => {
  const { breaker, clock } = opened(t, KEYED)
  const late = breaker.enter('a')
  calls(breaker, 'ff', 'a')
  clock.now += 1000
  const probe = breaker.enter('a')
  breaker.exit(late, 'ok')
  assert.equal(breaker.stateOf('a'), 'half-open')
  breaker.exit(probe, 'fail')
  breaker.exit(probe, 'ok')
  assert.equal(breaker.stateOf('a'), 'open')
})

test('isolate and reset are of a key', (t) => {
  const { breaker, report } = opened(t, KEYED)
  breaker.isolate('a')
  assert.deepEqual([breaker.stateOf('a'), breaker.stateOf('b'), breaker.enter('a')], ['isolated', 'closed', null])
  breaker.reset('b')
  breaker.reset('a')
  assert.equal(breaker.stateOf('a'), 'closed')
  assert.equal(report().keys, 1, 'a reset makes no place')
})

test('a key is needed, a non-empty string, and only with perKey', async (t) => {
  const { breaker, sp } = opened(t, KEYED)
  const plain = sp.breaker('plain')
  for (const key of [undefined, '', null, 7, {}, Symbol('k')]) {
    const wrong = { name: 'TypeError', code: 'E_KEY', message: /^a key of the breaker "upstream" must be / }
    assert.throws(() => breaker.enter(key), wrong)
    assert.throws(() => breaker.stateOf(key), wrong)
    assert.throws(() => breaker.isolate(key), wrong)
    assert.throws(() => breaker.reset(key), wrong)
    await assert.rejects(
      breaker.run(() => assert.fail('it was called'), { key }),
      wrong,
    )
    await assert.rejects(
      breaker.attempt(() => assert.fail('it was called'), { key }),
      wrong,
    )
  }
  assert.throws(() => breaker.state, { code: 'E_KEY' })
  const none = { code: 'E_OPTION', option: 'key', message: /^the breaker "plain" has no keys; / }
  for (const call of [
    () => plain.enter('a'),
    () => plain.stateOf('a'),
    () => plain.isolate('a'),
    () => plain.reset('a'),
  ]) {
    assert.throws(call, none)
  }
  await assert.rejects(
    plain.run(() => {}, { key: 'a' }),
    none,
  )
  assert.throws(() => sp.breaker('other', { maxKeys: 5 }), { code: 'E_OPTION', option: 'maxKeys' })
  assert.throws(() => sp.breaker('other', { perKey: true, maxKeys: 0 }), { code: 'E_OPTION', option: 'maxKeys' })
  assert.throws(() => sp.breaker('other', { perKey: 1 }), { code: 'E_OPTION', option: 'perKey' })
})

test('keys that differ in a lone surrogate, in case or in length are different keys', (t) => {
  const { breaker } = opened(t, KEYED)
  const keys = ['\ud800', '\udfff', '\ufffd', 'a', 'A', 'é', 'e\u0301', 'k'.repeat(500), 'k'.repeat(501), '__proto__']
  for (const key of keys) {
    assert.equal(breaker.stateOf(key), 'closed')
    calls(breaker, 'ff', key)
    assert.equal(breaker.stateOf(key), 'open')
  }
  assert.deepEqual(
    breaker
      .snapshot()
      .keys.map(({ key }) => key)
      .sort(),
    keys.sort(),
  )
})

test('when the table is full, a newcomer takes the place of a quiet key, and that key begins anew', (t) => {
  const { breaker, report } = opened(t, { ...KEYED, maxKeys: 3 })
  calls(breaker, 'o', 'a')
  calls(breaker, 'f', 'b')
  calls(breaker, 'ff', 'c')
  const late = breaker.enter('a')
  calls(breaker, 'ff', 'd')
  const { keys, openKeys, overflowed } = report()
  assert.deepEqual({ keys, openKeys, overflowed }, { keys: 3, openKeys: 2, overflowed: 0 })
  breaker.exit(late, 'ok')
  assert.equal(breaker.stateOf('d'), 'open', 'a permit of who had the place before is stale')
  assert.equal(report().stale, 1)
})

test('a key with failures, or one that is not closed, keeps its place; newcomers share one state', async (t) => {
  const { breaker, clock, report } = opened(t, { ...KEYED, maxKeys: 3, window: '10s' })
  calls(breaker, 'f', 'counting')
  calls(breaker, 'ff', 'open')
  breaker.isolate('isolated')
  calls(breaker, 'f', 'x')
  assert.equal(breaker.stateOf('x'), 'closed', 'it has no place of its own')
  calls(breaker, 'f', 'y')
  assert.equal(breaker.enter('z'), null, 'which x and y have opened')
  assert.deepEqual([report().keys, report().overflowed], [3, 3])
  assert.throws(() => breaker.isolate('w'), { name: 'RangeError', code: 'E_KEYS_FULL' })
  calls(breaker, 'f', 'counting')
  assert.equal(breaker.stateOf('counting'), 'open')
  breaker.reset('counting')
  clock.now += 10_000
  assert.notEqual(breaker.enter('z'), null, 'a place is free')
  assert.deepEqual([breaker.stateOf('open'), breaker.stateOf('isolated')], ['open', 'isolated'])
})

test('a flood of keys takes no more places than there are', (t) => {
  const { breaker, report } = opened(t, { ...KEYED, maxKeys: 100 })
  calls(breaker, 'ff', 'victim')
  for (let i = 0; i < 10_000; i++) calls(breaker, 'o', `flood-${i}`)
  assert.equal(report().keys, 100)
  assert.equal(breaker.stateOf('victim'), 'open')
})
