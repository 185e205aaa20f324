// What a blocked key is answered, for how long, and what block, unblock, reset, peek and refund are to each other. Owns blocks.
// Never waits: time is an argument.
'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')
const { spillway } = require('../index.js')
const { opened, admitted, MINUTE, HOUR, DAY } = require('./limiters.js')

const ALL = ['token-bucket', 'fixed-window', 'sliding-window'].map((algorithm) => ({
  limit: 5,
  window: '1m',
  algorithm,
}))

test('a blocked key is denied everything until the block ends, and not a millisecond longer', (t) => {
  for (const options of ALL) {
    const { limiter, clock } = opened(t, options)
    assert.equal(limiter.block('a', '5m'), undefined)
    clock.now += 60_000.5
    assert.deepEqual(
      { ...limiter.consume('a', 2) },
      {
        ok: false,
        reason: 'blocked',
        limit: 5,
        remaining: 0,
        cost: 2,
        retryAfterMs: 240_000,
        resetMs: 240_000,
        decidedBy: 'local',
        limiter: 'api',
      },
    )
    clock.now += 239_999
    assert.equal(limiter.consume('a').reason, 'blocked')
    assert.equal(limiter.consume('a').retryAfterMs, 1)
    clock.now += 0.5
    assert.deepEqual([limiter.consume('a').ok, limiter.peek('a').remaining], [true, 4])
  }
})

test('a block is of one key', (t) => {
  const { limiter } = opened(t, ALL[0])
  limiter.block('a', '5m')
  assert.equal(admitted(limiter, 'b', 10), 5)
})

test('nothing is spent while a key is blocked, and what it had spent stays spent', (t) => {
  for (const options of ALL) {
    const { limiter, clock } = opened(t, { ...options, window: '1d' })
    limiter.consume('a', 3)
    limiter.block('a', 10)
    for (let i = 0; i < 100; i++) assert.equal(limiter.consume('a').reason, 'blocked')
    clock.now += 10
    assert.equal(limiter.peek('a').remaining, 2, options.algorithm)
  }
})

test('even what is free, or never would be, is denied while a key is blocked', (t) => {
  const { limiter } = opened(t, ALL[0])
  limiter.block('a', '5m')
  for (const cost of [0, 1, 5, 6, 4_294_967_295]) {
    const { ok, reason, retryAfterMs } = limiter.consume('a', cost)
    assert.deepEqual([ok, reason, retryAfterMs], [false, 'blocked', 5 * MINUTE], String(cost))
  }
})

test('a peek says blocked too, and counts nothing', (t) => {
  const { limiter, sp } = opened(t, ALL[0])
  limiter.block('a', '5m')
  const { ok, reason, retryAfterMs, resetMs, remaining } = limiter.peek('a')
  assert.deepEqual([ok, reason, retryAfterMs, resetMs, remaining], [false, 'blocked', 300_000, 300_000, 0])
  assert.equal(limiter.peek('a', 1, { limit: 50 }).reason, 'blocked')
  assert.equal(sp.snapshot().limiters.api.blocked, 0)
})

test('a plan does not lift a block', (t) => {
  for (const options of ALL) {
    const { limiter } = opened(t, options)
    limiter.block('a', '5m')
    for (const plan of [{ limit: 50 }, { window: '1s' }, {}]) {
      assert.equal(limiter.consume('a', 1, plan).reason, 'blocked', JSON.stringify(plan))
    }
  }
})

test('a block is made longer or shorter by the next one', (t) => {
  const { limiter, clock } = opened(t, ALL[0])
  limiter.block('a', '1m')
  limiter.block('a', '1h')
  assert.equal(limiter.peek('a').retryAfterMs, HOUR)
  limiter.block('a', '1s')
  assert.equal(limiter.peek('a').retryAfterMs, 1000)
  clock.now += 1000
  assert.equal(limiter.consume('a').ok, true)
})

test('unblock lifts a block and says whether there was one', (t) => {
  const { limiter, clock } = opened(t, ALL[0])
  assert.equal(limiter.unblock('a'), false)
  limiter.consume('a', 2)
  limiter.block('a', '5m')
  assert.equal(limiter.unblock('b'), false)
  assert.equal(limiter.unblock('a'), true)
  assert.equal(limiter.unblock('a'), false)
  assert.deepEqual([limiter.consume('a').ok, limiter.peek('a').remaining], [true, 2])
  limiter.block('a', '5m')
  clock.now += 5 * MINUTE
  assert.equal(limiter.unblock('a'), false, 'it had ended by itself')
})

test('a reset forgets what was spent, and a block of the key stays', (t) => {
  for (const options of ALL) {
    const { limiter } = opened(t, options)
    limiter.consume('a', 5)
    limiter.block('a', '5m')
    limiter.reset('a')
    assert.equal(limiter.consume('a').reason, 'blocked')
    limiter.unblock('a')
    assert.equal(limiter.peek('a').remaining, 5, options.algorithm)
  }
})

test('a refund goes through while a key is blocked', (t) => {
  for (const options of ALL) {
    const { limiter } = opened(t, options)
    const decision = limiter.consume('a', 5)
    limiter.block('a', '5m')
    limiter.refund('a', decision)
    limiter.unblock('a')
    assert.equal(limiter.peek('a').remaining, 5, options.algorithm)
  }
})

test('a denial for a block leaves nothing to give back', (t) => {
  const { limiter } = opened(t, ALL[1])
  limiter.consume('a', 3)
  limiter.block('a', '5m')
  const blocked = limiter.consume('a')
  limiter.unblock('a')
  limiter.refund('a', blocked)
  assert.equal(limiter.peek('a').remaining, 2)
})

test('blocked calls are counted apart, and blocked keys are counted', (t) => {
  const { limiter, sp } = opened(t, ALL[0])
  limiter.block('a', '5m')
  limiter.block('b', '5m')
  limiter.block('b', '6m')
  for (let i = 0; i < 7; i++) limiter.consume('a')
  limiter.consume('c')
  const report = () => sp.snapshot().limiters.api
  const { allowed, limited, blocked, shadowed, blockedKeys, keys } = report()
  assert.deepEqual(
    { allowed, limited, blocked, shadowed, blockedKeys, keys },
    {
      allowed: 1,
      limited: 0,
      blocked: 7,
      shadowed: 0,
      blockedKeys: 2,
      keys: 1,
    },
  )
  limiter.unblock('a')
  assert.equal(report().blockedKeys, 1)
})

test('of several limits a block denies the key all of them', (t) => {
  const { limiter } = opened(t, [
    { limit: 5, window: '1s' },
    { limit: 9, window: '1d', algorithm: 'fixed-window' },
  ])
  limiter.block('a', '2d')
  const { ok, reason, retryAfterMs, limit } = limiter.consume('a')
  assert.deepEqual([ok, reason, retryAfterMs, limit], [false, 'blocked', 2 * DAY, 5])
  limiter.unblock('a')
  assert.equal(limiter.consume('a').ok, true)
})

test('in shadow a block denies nothing and says so; with one limit in earnest it denies', (t) => {
  const { limiter, sp } = opened(t, { ...ALL[1], shadow: true })
  limiter.block('a', '5m')
  const { ok, reason, shadowed, retryAfterMs } = limiter.consume('a')
  assert.deepEqual([ok, reason, shadowed, retryAfterMs], [true, 'blocked', true, 300_000])
  assert.deepEqual([limiter.peek('a').ok, limiter.peek('a').shadowed], [true, true])
  const { allowed, blocked, shadowed: counted } = sp.snapshot().limiters.api
  assert.deepEqual([allowed, blocked, counted], [0, 0, 1])
  const half = opened(t, [
    { ...ALL[0], shadow: true, name: 'trial' },
    { ...ALL[0], name: 'earnest' },
  ])
  half.limiter.block('a', '5m')
  assert.deepEqual([half.limiter.consume('a').ok, half.limiter.consume('a').reason], [false, 'blocked'])
})

test('what a shadow lets through in spite of a block is charged', (t) => {
  const { limiter } = opened(t, { ...ALL[1], shadow: true })
  limiter.block('a', '5m')
  assert.equal(limiter.consume('a', 3).shadowed, true)
  limiter.unblock('a')
  assert.equal(limiter.peek('a').remaining, 2)
})

test('as many keys may be blocked as maxKeys, one more is told, and none of the others is let go', (t) => {
  for (const maxKeys of [1, 7, 100, 5000]) {
    const { limiter, sp } = opened(t, { ...ALL[0], maxKeys })
    let count = 0
    assert.throws(
      () => {
        for (; count <= maxKeys; count++) limiter.block(`key-${count}`, '1h')
      },
      {
        name: 'RangeError',
        code: 'E_BLOCKS_FULL',
        message:
          'the limiter "api" has as many keys blocked as it may hold, `maxKeys`; this one is not [E_BLOCKS_FULL]',
      },
    )
    assert.equal(count, maxKeys)
    assert.equal(sp.snapshot().limiters.api.blockedKeys, maxKeys)
    for (let key = 0; key < maxKeys; key++) assert.equal(limiter.consume(`key-${key}`).reason, 'blocked')
    assert.equal(limiter.consume(`key-${maxKeys}`).reason, 'allowed', 'who was not blocked is not')
    limiter.block('key-0', '2h')
    assert.equal(limiter.peek('key-0').retryAfterMs, 2 * HOUR, 'whoever is blocked already may be again')
  }
})

test('blocks that have ended or were lifted make room', (t) => {
  const { limiter, clock } = opened(t, { ...ALL[0], maxKeys: 4 })
  for (let key = 0; key < 4; key++) limiter.block(`key-${key}`, '1m')
  assert.throws(() => limiter.block('new', '1m'), { code: 'E_BLOCKS_FULL' })
  limiter.unblock('key-2')
  limiter.block('new', '1m')
  assert.equal(limiter.consume('new').reason, 'blocked')
  assert.throws(() => limiter.block('newer', '1m'), { code: 'E_BLOCKS_FULL' })
  clock.now += MINUTE
  for (let key = 0; key < 4; key++) limiter.block(`later-${key}`, '1m')
  assert.equal(limiter.consume('later-3').reason, 'blocked')
})

test('a flood of strangers lifts nobody’s block', (t) => {
  const { limiter } = opened(t, { ...ALL[0], maxKeys: 8 })
  limiter.block('attacker', '1h')
  for (let key = 0; key < 20_000; key++) limiter.consume(`stranger-${key}`)
  assert.equal(limiter.consume('attacker').reason, 'blocked')
})

test('a block lasts 1 ms to 3650 days, and anything else is told', (t) => {
  const { limiter, clock } = opened(t, ALL[0])
  limiter.block('a', 1)
  limiter.block('b', '3650d')
  assert.equal(limiter.consume('b').retryAfterMs, 3650 * DAY)
  clock.now += 1
  assert.equal(limiter.consume('a').ok, true)
  for (const [duration, Base] of [
    [0, RangeError],
    [0.5, RangeError],
    [-1, RangeError],
    ['3651d', RangeError],
    [NaN, TypeError],
    [Infinity, TypeError],
    ['soon', TypeError],
    ['', TypeError],
    [undefined, TypeError],
    [null, TypeError],
    [5n, TypeError],
  ]) {
    assert.throws(
      () => limiter.block('c', duration),
      (error) => {
        assert.ok(error instanceof Base)
        assert.deepEqual([error.code, error.option], ['E_DURATION', 'duration'])
        assert.match(error.message, /^`duration` of block\(\) must be /)
        return true
      },
    )
  }
  assert.equal(limiter.consume('c').ok, true)
})

test('what is no key is blocked, unblocked and counted by nobody', (t) => {
  const { limiter, sp } = opened(t, ALL[0])
  for (const key of [undefined, null, '', 7, {}, Symbol('key')]) {
    for (const call of [() => limiter.block(key, '1m'), () => limiter.unblock(key)]) {
      assert.throws(call, { name: 'TypeError', code: 'E_KEY' })
    }
  }
  assert.equal(sp.snapshot().limiters.api.blockedKeys, 0)
})

test('a clock that goes back does not make a block longer, and one that goes forward ends it', (t) => {
  for (const jump of [1000, HOUR, 40 * DAY]) {
    const { limiter, clock } = opened(t, ALL[0])
    limiter.block('a', '5m')
    clock.now -= jump
    const { reason, retryAfterMs } = limiter.consume('a')
    assert.deepEqual([reason, retryAfterMs], ['blocked', 300_000])
    clock.now += 5 * MINUTE + (jump <= 1000 ? jump : 0)
    assert.equal(limiter.consume('a').ok, true)
    limiter.block('a', '5m')
    clock.now += 40 * DAY
    assert.equal(limiter.consume('a').ok, true)
  }
})

test('on the system’s clock a block holds, of windows too', (t) => {
  const sp = spillway({ isolated: true, env: false })
  t.after(() => sp.close())
  for (const [index, options] of ALL.entries()) {
    const limiter = sp.limiter(`limiter ${index}`, options)
    limiter.consume('a')
    limiter.block('a', '1d')
    const { reason, retryAfterMs } = limiter.consume('a')
    assert.equal(reason, 'blocked')
    assert.ok(retryAfterMs <= DAY && retryAfterMs > DAY - MINUTE, String(retryAfterMs))
    assert.equal(limiter.unblock('a'), true)
    assert.equal(limiter.consume('a').ok, true)
  }
})

test('an ended limiter blocks and unblocks nobody', (t) => {
  const { limiter } = opened(t, ALL[0])
  limiter.dispose()
  for (const call of [
    () => limiter.block('a', '1m'),
    () => limiter.unblock('a'),
    () => limiter.reserve('a', 1, { maxWait: 1 }),
    () => limiter.consumeMany(['a']),
    () => limiter.consume('a', 1, { limit: 1 }),
  ]) {
    assert.throws(call, { name: 'Error', code: 'E_DISPOSED', message: /^the limiter "api" has been disposed of/ })
  }
})
