// What may be spent ahead of time, and how long to wait for it. Owns reserve. Never waits: time is an argument.
'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')
const { opened, randomOf, MIDNIGHT, SECOND, HOUR, DAY } = require('./limiters.js')

const PACED = { limit: 10, window: '1s', burst: 2 }

test('what is free at once is reserved without a wait', (t) => {
  const { limiter } = opened(t, PACED)
  const decision = limiter.reserve('a', 2, { maxWait: '1s' })
  assert.deepEqual(
    { ...decision },
    {
      ok: true,
      reason: 'allowed',
      limit: 10,
      remaining: 0,
      cost: 2,
      retryAfterMs: 0,
      resetMs: 200,
      decidedBy: 'local',
      limiter: 'api',
      waitMs: 0,
    },
  )
})

test('reservations queue up behind each other, one period apart, until the next would wait too long', (t) => {
  const { limiter } = opened(t, PACED)
  const decisions = Array.from({ length: 9 }, () => limiter.reserve('a', 1, { maxWait: 500 }))
  assert.deepEqual(
    decisions.map(({ ok, waitMs }) => [ok, waitMs]),
    [0, 0, 100, 200, 300, 400, 500]
      .map((wait) => [true, wait])
      .concat([
        [false, 0],
        [false, 0],
      ]),
  )
  const { reason, retryAfterMs, remaining } = decisions[8]
  assert.deepEqual([reason, retryAfterMs, remaining], ['limited', 100, 0])
})

test('whoever waits as told keeps to the rate: never more than the burst and what refills', (t) => {
  const random = randomOf(5)
  const { limiter, clock } = opened(t, PACED)
  const begun = []
  for (let call = 0; call < 500; call++) {
    clock.now += random(3) === 0 ? random(400) : 0
    const cost = 1 + random(2)
    const { ok, waitMs } = limiter.reserve('a', cost, { maxWait: random(1500) })
    if (ok) for (let unit = 0; unit < cost; unit++) begun.push(clock.now + waitMs)
  }
  begun.sort((one, two) => one - two)
  for (let from = 0; from < begun.length; from++) {
    for (let to = from; to < begun.length; to++) {
      assert.ok(to - from + 1 <= 2 + Math.floor((begun[to] - begun[from]) / 100), `${from} to ${to}`)
    }
  }
  assert.ok(begun.length > 300, String(begun.length))
})

test('a denied reservation is admitted after retryAfterMs and not a millisecond before, and changes nothing', (t) => {
  const { limiter, clock } = opened(t, { limit: 7, window: '1s', burst: 3 })
  limiter.reserve('a', 3, { maxWait: '2s' })
  limiter.reserve('a', 3, { maxWait: '2s' })
  clock.now += 50
  for (let i = 0; i < 100; i++) {
    const { ok, retryAfterMs } = limiter.reserve('a', 3, { maxWait: 400 })
    assert.deepEqual([ok, retryAfterMs], [false, Math.ceil((6 * 1000) / 7 - 50 - 400)])
  }
  const { retryAfterMs } = limiter.reserve('a', 3, { maxWait: 400 })
  clock.now += retryAfterMs - 1
  assert.equal(limiter.reserve('a', 3, { maxWait: 400 }).ok, false)
  clock.now += 1
  const { ok, waitMs } = limiter.reserve('a', 3, { maxWait: 400 })
  assert.deepEqual([ok, waitMs], [true, 400])
})

test('with maxWait 0 it is consume', (t) => {
  const { limiter } = opened(t, PACED)
  const oks = Array.from({ length: 4 }, () => limiter.reserve('a', 1, { maxWait: 0 }).ok)
  assert.deepEqual(oks, [true, true, false, false])
})

test('a plain consume after a reservation is denied until its wait is over and one unit has come back', (t) => {
  const { limiter, clock } = opened(t, PACED)
  limiter.consume('a', 2)
  assert.equal(limiter.reserve('a', 2, { maxWait: '1s' }).waitMs, 200)
  const { ok, remaining, retryAfterMs, resetMs } = limiter.consume('a')
  assert.deepEqual([ok, remaining, retryAfterMs, resetMs], [false, 0, 300, 400])
  clock.now += 299
  assert.equal(limiter.consume('a').ok, false)
  clock.now += 1
  assert.equal(limiter.consume('a').ok, true)
})

test('more than the burst is impossible, however long one would wait', (t) => {
  const { limiter } = opened(t, PACED)
  const { ok, reason, retryAfterMs, waitMs } = limiter.reserve('a', 3, { maxWait: '365d' })
  assert.deepEqual([ok, reason, retryAfterMs, waitMs], [false, 'impossible', Infinity, 0])
})

test('cost 0 is free, waits for nothing and spends nothing', (t) => {
  const { limiter } = opened(t, PACED)
  limiter.reserve('a', 2, { maxWait: '1s' })
  const { ok, waitMs } = limiter.reserve('a', 0, { maxWait: '1s' })
  assert.deepEqual([ok, waitMs, limiter.peek('a').resetMs], [true, 0, 200])
})

test('a reservation is given back: at once all of it, later what has not refilled by itself', (t) => {
  const { limiter, clock } = opened(t, PACED)
  limiter.consume('a', 2)
  const [one, two] = [2, 1].map((cost) => limiter.reserve('a', cost, { maxWait: '1s' }))
  limiter.refund('a', one)
  limiter.refund('a', one)
  assert.equal(limiter.peek('a').resetMs, 300)
  clock.now += 60
  limiter.refund('a', two)
  assert.equal(limiter.peek('a').resetMs, 200, '300 - 60 - (100 - 60)')
  const denied = limiter.reserve('a', 2, { maxWait: 0 })
  limiter.refund('a', denied)
  assert.equal(limiter.peek('a').resetMs, 200)
})

test('the longest wait there is, 365 days, is kept to the millisecond', (t) => {
  const { limiter, clock } = opened(t, { limit: 1, window: '1d' })
  for (let day = 0; day <= 365; day++) assert.equal(limiter.reserve('a', 1, { maxWait: '365d' }).waitMs, day * DAY)
  assert.deepEqual(limiter.reserve('a', 1, { maxWait: '365d' }).retryAfterMs, DAY)
  assert.equal(limiter.consume('a').retryAfterMs, 366 * DAY)
  assert.equal(limiter.consume('b').ok, true, 'and of no other key')
  clock.now += 366 * DAY - 1
  assert.equal(limiter.consume('a').ok, false)
  clock.now += 1
  assert.equal(limiter.consume('a').ok, true)
})

test('a debt of reservations outlives calls of other patience, and peeks', (t) => {
  const { limiter } = opened(t, PACED)
  for (let i = 0; i < 2 + 100; i++) limiter.reserve('a', 1, { maxWait: '10s' })
  assert.equal(limiter.reserve('a', 1, { maxWait: 10 }).ok, false)
  assert.equal(limiter.consume('a').ok, false)
  limiter.peek('a', 1, { limit: 1 })
  limiter.reserve('b', 1, { maxWait: '365d' })
  assert.equal(limiter.peek('a').retryAfterMs, 10_100)
})

test('several buckets reserve together: the longest wait is told, a denial charges none', (t) => {
  const { limiter } = opened(t, [
    { limit: 10, window: '1s', burst: 1 },
    { limit: 3, window: '3m', name: 'slow', burst: 2 },
  ])
  const reserve = (maxWait) => limiter.reserve('a', 1, { maxWait })
  assert.equal(reserve('2m').waitMs, 0)
  assert.equal(reserve('2m').waitMs, 100)
  const third = reserve('2m')
  assert.deepEqual([third.ok, third.waitMs, third.limiter], [true, 60_000, 'api/slow'])
  for (let i = 0; i < 10; i++) {
    const denied = reserve('30s')
    assert.deepEqual([denied.ok, denied.limiter], [false, 'api/slow'])
  }
  limiter.refund('a', third)
  assert.equal(reserve('2m').waitMs, 60_000)
})

test('of several reservations the denial names the limit that denied, and when the same reservation is admitted', (t) => {
  const { limiter, clock } = opened(t, [
    { limit: 10, window: '1s', burst: 1, name: 'fast' },
    { limit: 1, window: '10s', name: 'slow' },
  ])
  limiter.consume('a')
  for (const limits of [1, 2]) {
    const { ok, retryAfterMs, limiter: spoke } = limiter.reserve('a', 1, { maxWait: '4s' })
    assert.deepEqual([ok, retryAfterMs, spoke], [false, 6000, 'api/slow'], String(limits))
  }
  clock.now += 6000
  assert.equal(limiter.reserve('a', 1, { maxWait: '4s' }).waitMs, 4000)
})

test('a limit that would let a reservation wait does not prolong the denial of another', (t) => {
  const limits = [
    { limit: 1, window: '5s', name: 'one' },
    { limit: 1, window: '3s', name: 'two' },
  ]
  const { limiter } = opened(t, limits)
  limiter.consume('a')
  const { ok, retryAfterMs, limiter: spoke } = limiter.reserve('a', 1, { maxWait: '4s' })
  assert.deepEqual([ok, retryAfterMs, spoke], [false, 1000, 'api/one'])
})

test('a limiter with a window among its limits reserves nothing, and says so', (t) => {
  for (const options of [
    { limit: 1, window: '1s', algorithm: 'fixed-window' },
    { limit: 1, window: '1s', algorithm: 'sliding-window' },
    [PACED, { limit: 1, window: '1h', algorithm: 'fixed-window' }],
  ]) {
    const { limiter } = opened(t, options)
    assert.throws(() => limiter.reserve('a', 1, { maxWait: '1s' }), {
      name: 'TypeError',
      code: 'E_UNSUPPORTED',
      message: /^the limiter "api" reserves nothing: only a token bucket knows when/,
    })
    assert.equal(limiter.consume('a').ok, true, 'nothing was spent')
  }
})

test('maxWait is a duration of up to 365 days and has to be said', (t) => {
  const { limiter } = opened(t, PACED)
  for (const [options, code, option] of [
    [undefined, 'E_DURATION', 'maxWait'],
    [{}, 'E_DURATION', 'maxWait'],
    [{ maxWait: 'soon' }, 'E_DURATION', 'maxWait'],
    [{ maxWait: -1 }, 'E_DURATION', 'maxWait'],
    [{ maxWait: NaN }, 'E_DURATION', 'maxWait'],
    [{ maxWait: Infinity }, 'E_DURATION', 'maxWait'],
    [{ maxWait: '366d' }, 'E_DURATION', 'maxWait'],
    [{ maxWait: null }, 'E_DURATION', 'maxWait'],
    [{ maxWait: '1s', wait: 1 }, 'E_OPTION', 'wait'],
    [null, 'E_OPTION', undefined],
    ['1s', 'E_OPTION', undefined],
  ]) {
    assert.throws(
      () => limiter.reserve('a', 1, options),
      (error) => {
        assert.deepEqual([error.code, error.option], [code, option], error.message)
        assert.match(error.message, /reserve\(\)/)
        return true
      },
    )
  }
  for (const key of ['', 7, undefined]) {
    assert.throws(() => limiter.reserve(key, 1, { maxWait: 1 }), { code: 'E_KEY' })
  }
  for (const cost of [-1, 0.5, '1', null, 2 ** 32]) {
    assert.throws(() => limiter.reserve('a', cost, { maxWait: 1 }), { code: 'E_COST' })
  }
  assert.equal(limiter.peek('a').remaining, 2)
})

test('a blocked key reserves nothing', (t) => {
  const { limiter } = opened(t, PACED)
  limiter.block('a', '1m')
  const { ok, reason, waitMs, retryAfterMs } = limiter.reserve('a', 1, { maxWait: '1h' })
  assert.deepEqual([ok, reason, waitMs, retryAfterMs], [false, 'blocked', 0, 60_000])
  limiter.unblock('a')
  assert.equal(limiter.peek('a').remaining, 2)
})

test('a clock that jumps back leaves waits as they were', (t) => {
  for (const jump of [SECOND, HOUR, 40 * DAY]) {
    const { limiter, clock } = opened(t, PACED)
    for (let i = 0; i < 12; i++) limiter.reserve('a', 1, { maxWait: '2s' })
    clock.now -= jump
    const { waitMs } = limiter.reserve('a', 1, { maxWait: '2s' })
    assert.equal(waitMs, 1100, `${jump} ms back`)
  }
})

test('a clock that jumps forward has refilled what was reserved', (t) => {
  const { limiter, clock } = opened(t, PACED, MIDNIGHT)
  for (let i = 0; i < 12; i++) limiter.reserve('a', 1, { maxWait: '2s' })
  clock.now += 40 * DAY
  assert.deepEqual([limiter.peek('a').remaining, limiter.peek('a').resetMs], [2, 0])
})

test('a limit in shadow lets every reservation through without a wait', (t) => {
  const { limiter } = opened(t, { ...PACED, shadow: true })
  for (let i = 0; i < 5; i++) limiter.reserve('a', 1, { maxWait: 200 })
  const { ok, shadowed, waitMs } = limiter.reserve('a', 1, { maxWait: 200 })
  assert.deepEqual([ok, shadowed, waitMs], [true, true, 0])
})
