// The standard order around calls over HTTP: its figures, what is opened for it, and which options are told to be wrong.
// Owns lib/http-preset.js. Never waits for real.
'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')
const { fallback, presets, timeout } = require('../index.js')
const { end, faked, fate, inTurn, opened, scripted } = require('./staged.js')

const down = new Error('down')
const made = (t, options, ...around) => {
  const { sp } = opened(t)
  sp.policy('upstream', ...around, presets.http(options))
  const { policies, breakers, bulkheads, limiters, budgets } = sp.snapshot()
  const names = (primitives) => Object.keys(primitives)
  return {
    strategies: policies.upstream.strategies,
    opened: {
      breakers: names(breakers),
      bulkheads: names(bulkheads),
      limiters: names(limiters),
      budgets: names(budgets),
    },
  }
}

test('without options it is total timeout, retry, breaker and attempt timeout, in this order', (t) => {
  const { strategies, opened } = made(t)
  assert.deepEqual(strategies, ['timeout 30000 ms', 'retry 3', 'breaker upstream', 'timeout 10000 ms'])
  assert.deepEqual(opened, { breakers: ['upstream'], bulkheads: [], limiters: [], budgets: ['upstream'] })
})

test('with all of them it is limiter, total timeout, retry, breaker, bulkhead and attempt timeout', (t) => {
  const { strategies, opened } = made(t, {
    limiter: { limit: 5, window: '1s' },
    timeout: '20s',
    retry: { max: 1 },
    breaker: { failureRate: 0.3 },
    bulkhead: { limit: 7 },
    attemptTimeout: '2s',
  })
  assert.deepEqual(strategies, [
    'limiter upstream',
    'timeout 20000 ms',
    'retry 1',
    'breaker upstream',
    'bulkhead upstream',
    'timeout 2000 ms',
  ])
  assert.deepEqual(opened, {
    breakers: ['upstream'],
    bulkheads: ['upstream'],
    limiters: ['upstream'],
    budgets: ['upstream'],
  })
})

test('any of them can be left out', (t) => {
  const none = { limiter: false, timeout: false, retry: false, breaker: false, bulkhead: false, attemptTimeout: false }
  const { strategies, opened } = made(t, none)
  assert.deepEqual(strategies, [])
  assert.deepEqual(opened, { breakers: [], bulkheads: [], limiters: [], budgets: [] })
})

test('what is undefined is as left out of the options', (t) => {
  const { strategies } = made(t, { limiter: undefined, timeout: undefined, retry: undefined, breaker: undefined })
  assert.deepEqual(strategies, made(t).strategies)
})

test('primitives that are open already are taken as they are, under their own names', (t) => {
  const { sp } = opened(t)
  const limiter = sp.limiter('quota', { limit: 5, window: '1s' })
  const breaker = sp.breaker('shared')
  const bulkhead = sp.bulkhead('slots', { limit: 5 })
  sp.policy(
    'upstream',
    presets.http({ limiter, breaker, bulkhead, timeout: false, retry: false, attemptTimeout: false }),
  )
  const { policies, breakers } = sp.snapshot()
  assert.deepEqual(policies.upstream.strategies, ['limiter quota', 'breaker shared', 'bulkhead slots'])
  assert.deepEqual(Object.keys(breakers), ['shared'])
})

test('several limits make one limiter', (t) => {
  const limits = [
    { limit: 5, window: '1s' },
    { limit: 50, window: '1m' },
  ]
  assert.equal(made(t, { limiter: limits }).strategies[0], 'limiter upstream')
})

test('other strategies stand around it as around any', (t) => {
  const strategies = made(
    t,
    { breaker: false },
    fallback(() => 'instead'),
  )
  assert.deepEqual(strategies.strategies, ['fallback', 'timeout 30000 ms', 'retry 3', 'timeout 10000 ms'])
})

test('no attempt is given more than the whole call: with a shorter total, attempts have no timeout of their own', (t) => {
  const timeouts = (options) => made(t, { ...options, retry: false, breaker: false }).strategies
  assert.deepEqual(timeouts({ timeout: '5s' }), ['timeout 5000 ms'])
  assert.deepEqual(timeouts({ timeout: '10s' }), ['timeout 10000 ms'])
  assert.deepEqual(timeouts({ timeout: 10_001 }), ['timeout 10001 ms', 'timeout 10000 ms'])
  assert.deepEqual(timeouts({ timeout: false }), ['timeout 10000 ms'])
  assert.deepEqual(timeouts({ timeout: '5s', attemptTimeout: '1s' }), ['timeout 5000 ms', 'timeout 1000 ms'])
})

test('it does what the order promises: a failure is retried, a slow attempt too, and the whole has its end', async (t) => {
  const { policy, pass, counted } = faked(t)
  t.mock.method(Math, 'random', () => 0)
  const guarded = policy(presets.http({ attemptTimeout: 500, timeout: 1500 }))
  const retried = guarded.run(inTurn(down, 'up'))
  await pass(100)
  assert.deepEqual(await fate(retried), { value: 'up' })
  const { fn, calls } = scripted()
  const slow = guarded.run(fn)
  await pass(600)
  assert.equal(calls.length, 2)
  assert.equal(calls[0].context.signal.aborted, true)
  await pass(900)
  assert.equal((await fate(slow)).error.code, 'E_TIMEOUT')
  assert.equal(calls.length, 3)
  await pass(2000)
  assert.equal(calls.length, 3)
  assert.equal(counted().timeouts >= 3, true)
})

test('its breaker sees every attempt', async (t) => {
  const { sp, policy, pass } = faked(t)
  const guarded = policy(presets.http({ retry: { base: 5 }, breaker: { consecutive: 3 } }))
  const fn = inTurn(down)
  const answer = guarded.run(fn)
  await pass(200)
  assert.equal((await fate(answer)).error.code, 'E_OPEN')
  assert.equal(fn.calls(), 3)
  assert.equal(sp.snapshot().breakers.calls.state, 'open')
})

test('with a limiter calls take a key, and are charged once, not for each attempt', async (t) => {
  const { sp, policy, pass } = faked(t)
  const guarded = policy(presets.http({ limiter: { limit: 2, window: '1h' }, retry: { base: 5 } }))
  assert.equal(await end(guarded.run(() => 1)), 'E_KEY')
  const answer = guarded.run(inTurn(down, down, 'up'), { key: 'a' })
  await pass(200)
  assert.deepEqual(await fate(answer), { value: 'up' })
  assert.equal(sp.limiter('calls', { limit: 2, window: '1h' }).peek('a').remaining, 1)
})

test('one preset serves many policies, each with primitives of its own', (t) => {
  const { sp } = opened(t)
  const preset = presets.http({ bulkhead: { limit: 3 } })
  sp.policy('one', preset)
  sp.policy('two', preset)
  const { breakers, bulkheads } = sp.snapshot()
  assert.deepEqual(
    [Object.keys(breakers).sort(), Object.keys(bulkheads).sort()],
    [
      ['one', 'two'],
      ['one', 'two'],
    ],
  )
  assert.throws(() => (preset.kind = 'other'), TypeError)
})

test('a mistake in its timeouts and retry is told where the preset is written', () => {
  for (const [options, code, option] of [
    [{ timeout: 'soon' }, 'E_DURATION', 'timeout'],
    [{ timeout: 0 }, 'E_DURATION', 'timeout'],
    [{ timeout: null }, 'E_DURATION', 'timeout'],
    [{ attemptTimeout: '2d' }, 'E_DURATION', 'attemptTimeout'],
    [{ timeout: '1s', attemptTimeout: 'soon' }, 'E_DURATION', 'attemptTimeout'],
    [{ retry: { max: 1000 } }, 'E_OPTION', 'max'],
    [{ hedge: {} }, 'E_OPTION', 'hedge'],
  ]) {
    assert.throws(() => presets.http(options), { code, option }, JSON.stringify(options))
  }
  assert.throws(() => presets.http({ retry: 3 }), { code: 'E_OPTION' })
  assert.throws(() => presets.http('fast'), { code: 'E_OPTION' })
})

test('a mistake in its primitives is told where the policy is made', (t) => {
  const { sp } = opened(t)
  for (const [options, code, option] of [
    [{ limiter: { limit: 5 } }, 'E_DURATION', 'window'],
    [{ breaker: { failureRate: 2 } }, 'E_OPTION', 'failureRate'],
    [{ bulkhead: { limit: 0 } }, 'E_OPTION', 'limit'],
    [{ breaker: timeout(5) }, 'E_OPTION', undefined],
    [{ bulkhead: true }, 'E_OPTION', undefined],
  ]) {
    assert.throws(
      () => sp.policy('broken', presets.http(options)),
      (error) => error.code === code && (option === undefined || error.option === option),
      JSON.stringify(options),
    )
  }
})

test('it stands beside the presets of limits, which are as they were', () => {
  assert.equal(typeof presets.http, 'function')
  assert.equal(presets.otp.limit, 5)
  assert.throws(() => (presets.http = undefined), TypeError)
})
