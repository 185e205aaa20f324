// What one call on another plan is answered, and what it leaves to the key's other calls. Owns override.
// Never waits: time is an argument.
'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')
const { opened, admitted, MIDNIGHT, SECOND, MINUTE, HOUR, DAY } = require('./limiters.js')

const BUCKET = { limit: 10, window: '1s' }
const FIXED = { limit: 10, window: '1s', algorithm: 'fixed-window' }
const SLIDING = { limit: 10, window: '1s', algorithm: 'sliding-window' }

/** How many of `attempts` calls on a plan are admitted. */
function onPlan(limiter, key, attempts, plan) {
  let count = 0
  for (let i = 0; i < attempts; i++) count += limiter.consume(key, 1, plan).ok
  return count
}

test('a plan of more or less is counted to the unit, and the decision has its limit', (t) => {
  for (const options of [BUCKET, FIXED, SLIDING]) {
    for (const limit of [1, 3, 10, 25, 1000]) {
      const { limiter } = opened(t, options)
      const first = limiter.consume('a', 1, { limit })
      assert.deepEqual([first.limit, first.remaining, first.limiter], [limit, limit - 1, 'api'])
      assert.equal(onPlan(limiter, 'a', 2000, { limit }), limit - 1, options.algorithm)
      const denied = limiter.consume('a', 1, { limit })
      assert.deepEqual([denied.ok, denied.limit, denied.remaining], [false, limit, 0])
    }
  }
})

test('a plan denies and admits at its own rate, to the millisecond', (t) => {
  const { limiter, clock } = opened(t, BUCKET)
  onPlan(limiter, 'a', 10, { limit: 2, window: '1m' })
  const { retryAfterMs } = limiter.consume('a', 1, { limit: 2, window: '1m' })
  assert.equal(retryAfterMs, 30 * SECOND)
  clock.now += retryAfterMs - 1
  assert.equal(limiter.peek('a', 1, { limit: 2, window: '1m' }).ok, false)
  clock.now += 1
  assert.equal(limiter.consume('a', 1, { limit: 2, window: '1m' }).ok, true)
})

test('a burst of a plan is the one it says, else its limit, else the limiter’s', (t) => {
  const options = { limit: 10, window: '1s', burst: 4 }
  for (const [plan, burst] of [
    [undefined, 4],
    [{}, 4],
    [{ window: '1h' }, 4],
    [{ limit: 7 }, 7],
    [{ limit: 7, burst: 2 }, 2],
    [{ burst: 20 }, 20],
    [{ limit: undefined, window: undefined, burst: undefined }, 4],
  ]) {
    const { limiter } = opened(t, options)
    assert.equal(onPlan(limiter, 'a', 50, plan), burst, JSON.stringify(plan))
  }
})

test('a plan that says nothing is the limiter’s own', (t) => {
  for (const options of [BUCKET, FIXED, SLIDING]) {
    const [plain, planned] = [opened(t, options), opened(t, options)]
    for (let i = 0; i < 15; i++)
      assert.deepEqual({ ...planned.limiter.consume('a', 1, {}) }, { ...plain.limiter.consume('a') })
  }
})

test('a key’s calls on plans of the same window count together', (t) => {
  for (const options of [FIXED, SLIDING]) {
    const { limiter } = opened(t, options)
    limiter.consume('a', 6)
    assert.equal(limiter.consume('a', 1, { limit: 20 }).remaining, 13)
    assert.equal(limiter.consume('a', 1, { limit: 5 }).ok, false)
    assert.equal(limiter.peek('a').remaining, 3)
    assert.equal(limiter.consume('a', 1, { limit: 20, window: 1000 }).remaining, 12, 'the same window, written out')
  }
})

test('windows of another length count apart from the limiter’s own, and from each other', (t) => {
  for (const options of [FIXED, SLIDING]) {
    const { limiter, clock } = opened(t, { ...options, window: '1h' })
    limiter.consume('a', 10)
    assert.equal(onPlan(limiter, 'a', 20, { window: '1d', limit: 12 }), 12, options.algorithm)
    assert.equal(onPlan(limiter, 'a', 20, { window: '1m' }), 10, options.algorithm)
    assert.equal(limiter.consume('a').ok, false)
    clock.now += 2 * MINUTE
    assert.equal(onPlan(limiter, 'a', 20, { window: '1m' }), 10, 'its minute is over')
    assert.equal(limiter.consume('a').ok, false, 'the hour is not')
    clock.now += 2 * HOUR
    assert.equal(limiter.consume('a', 10).ok, true)
    assert.equal(limiter.consume('a', 1, { window: '1d', limit: 12 }).ok, false, 'nor is the day')
  }
})

test('a short window as a plan forgets nobody’s long one', (t) => {
  for (const options of [FIXED, SLIDING]) {
    const { limiter, clock } = opened(t, { ...options, limit: 2, window: '31d', maxKeys: 64 }, MIDNIGHT)
    for (let key = 0; key < 64; key++) limiter.consume(`key-${key}`, 2)
    for (let step = 0; step < 40; step++) {
      clock.now += HOUR / 4
      for (let key = 0; key < 200; key++) limiter.consume(`stranger-${step}-${key}`, 1, { window: 1 })
    }
    for (let key = 0; key < 64; key++) assert.equal(limiter.consume(`key-${key}`).ok, false, options.algorithm)
  }
})

test('a small plan of a bucket forgets nothing that the larger one owes', (t) => {
  const { limiter } = opened(t, { limit: 100, window: '1h' })
  assert.equal(admitted(limiter, 'a', 200), 100)
  assert.equal(limiter.consume('a', 1, { burst: 10 }).ok, false)
  assert.equal(limiter.consume('a').ok, false)
  assert.equal(limiter.peek('a').resetMs, HOUR)
})

test('a large plan of a bucket owes more than the limiter’s own rate would, and the own rate waits for it', (t) => {
  const { limiter, clock } = opened(t, BUCKET)
  assert.equal(onPlan(limiter, 'a', 200, { burst: 100 }), 100)
  const { ok, retryAfterMs } = limiter.consume('a')
  assert.deepEqual([ok, retryAfterMs], [false, 9100])
  clock.now += 9099
  assert.equal(limiter.consume('a').ok, false)
  clock.now += 1
  assert.equal(limiter.consume('a').ok, true)
})

test('what is owed on a plan with another window is not owed at the limiter’s own rate, nor the other way round', (t) => {
  for (const options of [BUCKET, FIXED, SLIDING]) {
    const { limiter } = opened(t, options)
    const plan = { limit: 100, window: '1d' }
    assert.equal(onPlan(limiter, 'a', 200, plan), 100)
    assert.equal(admitted(limiter, 'a', 20), 10)
    assert.equal(limiter.consume('a', 1, plan).ok, false)
    limiter.reset('a')
    assert.equal(limiter.peek('a', 1, plan).remaining, 100)
  }
})

test('a refund of a plan’s charge gives back at the plan’s rate, once', (t) => {
  const { limiter, clock } = opened(t, BUCKET)
  const plan = { limit: 4, window: '4s', burst: 4 }
  const decision = limiter.consume('a', 3, plan)
  limiter.consume('a', 1, plan)
  clock.now += SECOND
  limiter.refund('a', decision)
  assert.equal(limiter.peek('a', 1, plan).resetMs, 1000, '4 owed, 1 refilled, 2 of the charge had not')
  limiter.refund('a', decision)
  assert.equal(limiter.peek('a', 1, plan).resetMs, 1000)
})

test('a refund of a plan’s window goes into that window and no other', (t) => {
  for (const options of [FIXED, SLIDING]) {
    const { limiter } = opened(t, options)
    const plan = { limit: 20, window: '1d' }
    limiter.consume('a', 10)
    const decision = limiter.consume('a', 15, plan)
    limiter.refund('a', decision)
    limiter.refund('a', decision)
    assert.deepEqual([limiter.peek('a').remaining, limiter.peek('a', 1, plan).remaining], [0, 20], options.algorithm)
  }
})

test('a reset forgets what was spent on plans too', (t) => {
  for (const options of [BUCKET, FIXED, SLIDING]) {
    const { limiter } = opened(t, options)
    const plan = { limit: 3, window: '1d' }
    limiter.consume('a', 10)
    onPlan(limiter, 'a', 5, plan)
    limiter.reset('a')
    assert.equal(limiter.peek('a').remaining, 10, options.algorithm ?? 'token-bucket')
    assert.equal(limiter.peek('a', 1, plan).remaining, 3, options.algorithm ?? 'token-bucket')
  }
})

test('a peek on a plan answers what consume would, and spends nothing', (t) => {
  for (const options of [BUCKET, FIXED, SLIDING]) {
    const { limiter } = opened(t, options)
    const plan = { limit: 3, window: '1d' }
    for (let i = 0; i < 5; i++) {
      for (let k = 0; k < 10; k++) limiter.peek('a', 1, plan)
      const { ok, retryAfterMs, limit } = limiter.peek('a', 1, plan)
      const would = limiter.consume('a', 1, plan)
      assert.deepEqual([ok, retryAfterMs, limit], [would.ok, would.retryAfterMs, would.limit])
    }
  }
})

test('a cost over the plan is impossible on it, whatever the limiter holds', (t) => {
  for (const options of [BUCKET, FIXED, SLIDING]) {
    const { limiter } = opened(t, options)
    assert.deepEqual(
      [limiter.consume('a', 4, { limit: 3 }).reason, limiter.consume('a', 12, { limit: 12 }).reason],
      ['impossible', 'allowed'],
    )
  }
})

test('a plan in shadow decides without denying', (t) => {
  const { limiter, sp } = opened(t, { ...FIXED, shadow: true })
  limiter.consume('a', 1, { limit: 1 })
  const { ok, shadowed, limit } = limiter.consume('a', 1, { limit: 1 })
  assert.deepEqual([ok, shadowed, limit], [true, true, 1])
  assert.equal(sp.snapshot().limiters.api.shadowed, 1)
})

test('a limiter of several limits takes no override, and says what to do', (t) => {
  const { limiter } = opened(t, [BUCKET, { ...FIXED, window: '1h' }])
  for (const call of [() => limiter.consume('a', 1, { limit: 5 }), () => limiter.peek('a', 1, {})]) {
    assert.throws(call, {
      name: 'TypeError',
      code: 'E_OPTION',
      option: 'override',
      message: /^the limiter "api" has several limits, and an override says for none .* open a limiter for each plan/,
    })
  }
  assert.equal(limiter.consume('a', 1, undefined).remaining, 9)
})

test('a plan is held to the ranges of the options, and a wrong one spends nothing', (t) => {
  const whole = 'must be a whole number from 1 to 1,000,000,000'
  for (const [options, plan, code, option, part] of [
    [BUCKET, { limit: 0 }, 'E_OPTION', 'limit', whole],
    [BUCKET, { limit: 1.5 }, 'E_OPTION', 'limit', whole],
    [BUCKET, { limit: '5' }, 'E_OPTION', 'limit', whole],
    [BUCKET, { limit: NaN }, 'E_OPTION', 'limit', whole],
    [BUCKET, { limit: null }, 'E_OPTION', 'limit', whole],
    [BUCKET, { limit: 1e9 + 1 }, 'E_OPTION', 'limit', whole],
    [BUCKET, { burst: 0 }, 'E_OPTION', 'burst', whole],
    [BUCKET, { burst: 1e9 + 1 }, 'E_OPTION', 'burst', whole],
    [BUCKET, { window: 0 }, 'E_DURATION', 'window', 'must be from 1 ms'],
    [BUCKET, { window: '3651d' }, 'E_DURATION', 'window', 'must be from 1 ms'],
    [BUCKET, { window: 'soon' }, 'E_DURATION', 'window', 'like'],
    [BUCKET, { window: Infinity }, 'E_DURATION', 'window', 'like'],
    [BUCKET, { maxKeys: 5 }, 'E_OPTION', 'maxKeys', 'there are limit, window and burst'],
    [BUCKET, { algorithm: 'fixed-window' }, 'E_OPTION', 'algorithm', 'there are limit, window and burst'],
    [FIXED, { burst: 5 }, 'E_OPTION', 'burst', 'a fixed-window allows its limit at once'],
    [SLIDING, { burst: 5 }, 'E_OPTION', 'burst', 'a sliding-window allows its limit at once'],
    [SLIDING, { limit: 1_048_576 }, 'E_OPTION', 'limit', 'from 1 to 1,048,575'],
    [BUCKET, 30, 'E_OPTION', undefined, 'an override must be an object with limit, window and burst; got 30'],
    [BUCKET, null, 'E_OPTION', undefined, 'got null'],
    [BUCKET, [], 'E_OPTION', undefined, 'got an array'],
  ]) {
    const { limiter } = opened(t, options)
    for (const call of [() => limiter.consume('a', 1, plan), () => limiter.peek('a', 1, plan)]) {
      assert.throws(call, (error) => {
        assert.deepEqual([error.code, error.option], [code, option], error.message)
        assert.ok(error.message.includes(part), error.message)
        return true
      })
    }
    assert.equal(limiter.peek('a').remaining, 10)
  }
  assert.equal(opened(t, SLIDING).limiter.consume('a', 1, { limit: 1_048_575 }).remaining, 1_048_574)
  assert.equal(opened(t, FIXED).limiter.consume('a', 1, { limit: 1e9, window: '3650d' }).remaining, 999_999_999)
})

test('a plan whose rate cannot be counted is told as the limiter’s would be', (t) => {
  const { limiter } = opened(t, BUCKET)
  for (const call of [
    () => limiter.consume('a', 1, { limit: 1_000_000, window: 1 }),
    () => limiter.peek('a', 1, { limit: 1_000_000, window: 1 }),
  ]) {
    assert.throws(call, { name: 'RangeError', code: 'E_RATE_TOO_FINE', message: /finest rate that can be counted/ })
  }
  assert.throws(() => limiter.consume('a', 1, { limit: 1, window: '3650d', burst: 1000 }), {
    name: 'RangeError',
    code: 'E_OPTION',
    message: /takes over 146 years to refill/,
  })
  assert.equal(limiter.peek('a').remaining, 10)
})

test('a wrong key or cost is told on a plan too', (t) => {
  const { limiter } = opened(t, BUCKET)
  assert.throws(() => limiter.consume('', 1, { limit: 5 }), { code: 'E_KEY' })
  assert.throws(() => limiter.consume('a', -1, { limit: 5 }), { code: 'E_COST' })
  assert.throws(() => limiter.peek('a', 0.5, { limit: 5 }), { code: 'E_COST' })
})

test('a polluted prototype is no plan', (t) => {
  t.after(() => delete Object.prototype.burst)
  const { limiter } = opened(t, BUCKET)
  const { prototype } = Object
  prototype.burst = 1
  assert.equal(onPlan(limiter, 'a', 20, { limit: 7 }), 7)
})

test('a limiter counts windows of a bounded number of lengths, and one more is told', (t) => {
  for (const options of [FIXED, SLIDING]) {
    const { limiter } = opened(t, { ...options, maxKeys: 16 })
    for (let i = 0; i < 16; i++) assert.equal(limiter.consume('a', 1, { window: DAY + i * HOUR }).ok, true, String(i))
    for (let i = 0; i < 3; i++) {
      assert.throws(() => limiter.consume('a', 1, { window: '99d' }), {
        name: 'RangeError',
        code: 'E_OPTION',
        message: /window/,
      })
    }
    assert.equal(limiter.consume('a', 1, { window: DAY }).remaining, 8, 'those there are go on')
    assert.equal(limiter.consume('a').ok, true)
  }
})
