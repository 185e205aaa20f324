// What windows answer, to the unit and the millisecond, what clocks that jump do to them, and what several limits and shadows
// make of one call. Owns the public face of limits. Never waits: time is an argument.
'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')
const { spillway, presets } = require('../index.js')
const { opened, admitted, randomOf, MIDNIGHT, SECOND, MINUTE, HOUR, DAY } = require('./limiters.js')

const FIXED = { limit: 10, window: '1s', algorithm: 'fixed-window' }
const SLIDING = { limit: 10, window: '1s', algorithm: 'sliding-window' }
const BUCKET = { limit: 10, window: '1s', algorithm: 'token-bucket' }
const ALL = [BUCKET, FIXED, SLIDING]

/** The fields that say how much and until when. */
const numbers = ({ ok, remaining, retryAfterMs, resetMs }) => ({ ok, remaining, retryAfterMs, resetMs })

// ---------------------------------------------------------------- fixed windows

test('a fixed window of a day turns at 00:00 UTC, not a millisecond before', (t) => {
  const { limiter, clock } = opened(t, { ...FIXED, limit: 3, window: '1d' }, MIDNIGHT - 10)
  assert.equal(admitted(limiter, 'a', 10), 3)
  assert.equal(limiter.consume('a').retryAfterMs, 10)
  clock.now = MIDNIGHT - 1
  assert.deepEqual(numbers(limiter.consume('a')), { ok: false, remaining: 0, retryAfterMs: 1, resetMs: 1 })
  clock.now = MIDNIGHT
  assert.equal(admitted(limiter, 'a', 10), 3)
  assert.equal(limiter.consume('a').retryAfterMs, DAY)
  clock.now = MIDNIGHT + DAY - 1
  assert.equal(limiter.consume('a').ok, false)
  clock.now = MIDNIGHT + DAY
  assert.equal(admitted(limiter, 'a', 10), 3)
})

test('every fixed window turns where its length divides the time since 1970', (t) => {
  const random = randomOf(4)
  for (const [window, ms] of [
    [1, 1],
    ['7ms', 7],
    [12.5, 12.5],
    ['250ms', 250],
    ['1s', SECOND],
    ['1.5s', 1500],
    ['1m', MINUTE],
    ['1h', HOUR],
    ['7d', 7 * DAY],
    ['31d', 31 * DAY],
    ['3650d', 3650 * DAY],
  ]) {
    for (let round = 0; round < 50; round++) {
      const start = MIDNIGHT + random(400 * DAY)
      const { limiter, clock } = opened(t, { ...FIXED, limit: 2, window }, start)
      const end = (Math.floor(start / ms) + 1) * ms
      const label = `${window} at ${start}`
      assert.deepEqual(
        numbers(limiter.consume('a')),
        { ok: true, remaining: 1, retryAfterMs: 0, resetMs: Math.ceil(end - start) },
        label,
      )
      assert.equal(admitted(limiter, 'a', 5), 1, label)
      const { retryAfterMs } = limiter.consume('a')
      assert.equal(retryAfterMs, Math.ceil(end - start), label)
      if (retryAfterMs > 1) {
        clock.now = start + retryAfterMs - 1
        assert.equal(limiter.consume('a').ok, false, `${label}: too early`)
      }
      clock.now = start + retryAfterMs
      assert.equal(limiter.consume('a').ok, true, `${label}: too late`)
    }
  }
})

test('a decision of a fixed window says everything a Decision has', (t) => {
  const { limiter, clock } = opened(t, FIXED)
  clock.now += 400
  assert.deepEqual(
    { ...limiter.consume('a', 4) },
    {
      ok: true,
      reason: 'allowed',
      limit: 10,
      remaining: 6,
      cost: 4,
      retryAfterMs: 0,
      resetMs: 600,
      decidedBy: 'local',
      limiter: 'api',
    },
  )
  clock.now += 100
  assert.deepEqual(
    { ...limiter.consume('a', 7) },
    {
      ok: false,
      reason: 'limited',
      limit: 10,
      remaining: 6,
      cost: 7,
      retryAfterMs: 500,
      resetMs: 500,
      decidedBy: 'local',
      limiter: 'api',
    },
  )
  const { ok, reason, retryAfterMs, remaining } = limiter.consume('a', 11)
  assert.deepEqual([ok, reason, retryAfterMs, remaining], [false, 'impossible', Infinity, 6])
})

test('an untouched key has nothing to reset, in windows too', (t) => {
  for (const options of ALL) {
    const { limiter } = opened(t, options)
    const untouched = { ok: true, remaining: 10, retryAfterMs: 0, resetMs: 0 }
    assert.deepEqual(numbers(limiter.peek('a')), untouched)
    assert.deepEqual(numbers(limiter.consume('a', 0)), untouched)
  }
})

test('a window admits its limit at the end and again at the turn: two limits in two milliseconds, as documented', (t) => {
  const { limiter, clock } = opened(t, { ...FIXED, window: '1h' }, MIDNIGHT - 1)
  const before = admitted(limiter, 'a', 30)
  clock.now = MIDNIGHT
  assert.deepEqual([before, admitted(limiter, 'a', 30)], [10, 10])
})

test('a billion of a fixed window is counted to the unit', (t) => {
  const { limiter } = opened(t, { ...FIXED, limit: 1e9, window: '1d' })
  assert.equal(limiter.consume('a', 999_999_999).remaining, 1)
  assert.equal(limiter.consume('a', 2).ok, false)
  assert.equal(limiter.consume('a').remaining, 0)
  assert.equal(limiter.consume('a', 4_294_967_295).reason, 'impossible')
  assert.equal(limiter.consume('a').ok, false)
})

// ---------------------------------------------------------------- sliding windows

test('a sliding window counts of the last one what would still lie within its length', (t) => {
  const { limiter, clock } = opened(t, SLIDING)
  clock.now = MIDNIGHT + 900
  assert.deepEqual(numbers(limiter.consume('a', 10)), { ok: true, remaining: 0, retryAfterMs: 0, resetMs: 1100 })
  for (const [into, remaining] of [
    [0, 0],
    [99, 0],
    [100, 1],
    [101, 1],
    [500, 5],
    [999, 9],
    [1000, 10],
  ]) {
    clock.now = MIDNIGHT + 1000 + into
    assert.equal(limiter.peek('a').remaining, remaining, `${into} ms into the next window`)
    assert.equal(limiter.peek('a').resetMs, 1000 - into, `${into} ms into the next window`)
  }
})

test('a denial of a sliding window says when, in this window or in the next', (t) => {
  const { limiter, clock } = opened(t, SLIDING)
  limiter.consume('a', 8)
  clock.now = MIDNIGHT + 1500
  // 8 · 0.5 = 4 of the last window still count.
  assert.deepEqual(numbers(limiter.consume('a', 7)), { ok: false, remaining: 6, retryAfterMs: 125, resetMs: 500 })
  assert.deepEqual(numbers(limiter.consume('a', 6)), { ok: true, remaining: 0, retryAfterMs: 0, resetMs: 1500 })
  // 6 are of this window: not before the next is a third of them gone, to leave room for 6.
  assert.deepEqual(numbers(limiter.consume('a', 6)), { ok: false, remaining: 0, retryAfterMs: 834, resetMs: 1500 })
})

test('the same call is admitted at exactly retryAfterMs and not a millisecond before, whatever the algorithm', (t) => {
  const random = randomOf(99)
  let denials = 0
  for (const options of ALL) {
    for (let round = 0; round < 400; round++) {
      const [limit, windowMs] = [1 + random(40), [2, 10, 999, 1000, 60_000, 86_400_000][random(6)]]
      const { limiter, clock } = opened(t, { ...options, limit, window: windowMs }, MIDNIGHT + random(DAY))
      const label = `${options.algorithm} ${limit} in ${windowMs} ms, round ${round}`
      for (let step = 0; step < 8; step++) {
        clock.now += random(3) === 0 ? random(windowMs) : 0
        const cost = 1 + random(limit)
        const { ok, retryAfterMs } = limiter.consume('a', cost)
        if (ok) continue
        denials++
        const asked = clock.now
        clock.now = asked + retryAfterMs - 1
        assert.equal(limiter.peek('a', cost).ok, false, `${label}: too early`)
        clock.now = asked + retryAfterMs
        assert.equal(limiter.consume('a', cost).ok, true, `${label}: too late`)
      }
    }
  }
  assert.ok(denials > 2000, `only ${denials} denials`)
})

test('after resetMs a key is as if it had never been charged, and a millisecond before it is not', (t) => {
  const random = randomOf(7)
  for (const options of ALL) {
    for (let round = 0; round < 200; round++) {
      const [limit, windowMs] = [1 + random(40), [10, 1000, 60_000][random(3)]]
      const { limiter, clock } = opened(t, { ...options, limit, window: windowMs }, MIDNIGHT + random(DAY))
      for (let step = 0; step < 5; step++) {
        clock.now += random(windowMs)
        limiter.consume('a', 1 + random(limit))
      }
      const { resetMs } = limiter.peek('a')
      clock.now += resetMs - 1
      assert.ok(limiter.peek('a').resetMs > 0, `${options.algorithm}, round ${round}: before its time`)
      clock.now += 1
      const { remaining, resetMs: left } = limiter.peek('a')
      assert.deepEqual([remaining, left], [limit, 0], `${options.algorithm}, round ${round}`)
    }
  }
})

test('a rejected call adds nothing to a window, however often it comes', (t) => {
  for (const options of [FIXED, SLIDING]) {
    const { limiter, clock } = opened(t, options)
    limiter.consume('a', 9)
    for (let i = 0; i < 1000; i++) assert.equal(limiter.consume('a', 5).ok, false)
    assert.equal(limiter.consume('a').ok, true)
    clock.now += 1500
    const { remaining } = limiter.peek('a')
    assert.equal(remaining, options === FIXED ? 10 : 5)
  }
})

test('a sliding window admits no more than its limit where the load is even, and below twice it however greedy', (t) => {
  const most = (times, windowMs) =>
    Math.max(...times.map((from, index) => times.slice(index).filter((at) => at < from + windowMs).length))
  const even = opened(t, { ...SLIDING, window: 100 })
  const times = []
  for (let ms = 0; ms < 3000; ms += 5) {
    even.clock.now = MIDNIGHT + ms
    if (even.limiter.consume('a').ok) times.push(ms)
  }
  assert.ok(most(times, 100) <= 10 && times.length > 270, `${most(times, 100)} of ${times.length}`)
  const greedy = opened(t, { ...SLIDING, window: 100 })
  const taken = []
  for (let ms = 0; ms < 1000; ms++) {
    greedy.clock.now = MIDNIGHT + ms
    if (ms % 200 >= 99) for (let i = admitted(greedy.limiter, 'a', 30); i > 0; i--) taken.push(ms)
  }
  assert.ok(most(taken, 100) < 20, String(most(taken, 100)))
})

test('a sliding window holds 1,048,575 to the unit over windows of a millisecond and of ten years', (t) => {
  for (const window of [1, '1s', '31d', '3650d']) {
    const { limiter, clock } = opened(t, { ...SLIDING, limit: 1_048_575, window })
    assert.equal(limiter.consume('a', 1_048_574).remaining, 1)
    assert.equal(limiter.consume('a', 2).ok, false)
    assert.equal(limiter.consume('a').remaining, 0)
    const { retryAfterMs } = limiter.consume('a', 1_048_575)
    clock.now += retryAfterMs - 1
    assert.equal(limiter.peek('a', 1_048_575).ok, false, `${window}: too early`)
    clock.now += 1
    assert.equal(limiter.consume('a', 1_048_575).ok, true, `${window}: too late`)
  }
})

// ---------------------------------------------------------------- refunds

test('a refund of a window goes into the window that was charged and into no other', (t) => {
  for (const options of [FIXED, SLIDING]) {
    const { limiter, clock } = opened(t, options)
    const [one, two] = [limiter.consume('a', 4), limiter.consume('a', 3)]
    clock.now += 999
    limiter.refund('a', one)
    limiter.refund('a', one)
    assert.equal(limiter.peek('a').remaining, 7, options.algorithm)
    clock.now += 1
    limiter.consume('a', 5)
    limiter.refund('a', two)
    const { remaining } = limiter.peek('a')
    assert.equal(remaining, options === FIXED ? 5 : 2, `${options.algorithm}: the last window's charge is history`)
  }
})

test('a refund of everything leaves a window as if it had not been charged', (t) => {
  for (const options of [FIXED, SLIDING]) {
    const { limiter } = opened(t, options)
    limiter.refund('a', limiter.consume('a', 10))
    assert.deepEqual(numbers(limiter.peek('a')), { ok: true, remaining: 10, retryAfterMs: 0, resetMs: 0 })
  }
})

test('a reset forgets a window, and voids the refunds of what it held', (t) => {
  for (const options of [FIXED, SLIDING]) {
    const { limiter, clock } = opened(t, options)
    const before = limiter.consume('a', 10)
    limiter.reset('a')
    clock.now += 1
    assert.equal(limiter.consume('a', 8).remaining, 2)
    limiter.refund('a', before)
    assert.equal(limiter.peek('a').remaining, 2, options.algorithm)
  }
})

// ---------------------------------------------------------------- clocks that jump

for (const [jump, name] of [
  [SECOND, 'a second'],
  [HOUR, 'an hour'],
  [40 * DAY, '40 days'],
]) {
  test(`a clock that goes ${name} forward refills what refills in that time`, (t) => {
    for (const options of ALL) {
      for (const window of ['100ms', '1s', '1m', '1h', '31d']) {
        const { limiter, clock } = opened(t, { ...options, window })
        const { windowMs } = limiter
        admitted(limiter, 'a', 20)
        clock.now += jump
        const label = `${options.algorithm} of ${window}`
        const count = admitted(limiter, 'a', 20)
        const turns = Math.floor(clock.now / windowMs) > Math.floor(MIDNIGHT / windowMs)
        if (jump >= 2 * windowMs) assert.equal(count, 10, label)
        else if (options === BUCKET) assert.equal(count, Math.min(10, Math.floor((jump * 10) / windowMs)), label)
        else if (options === FIXED) assert.equal(count, turns ? 10 : 0, label)
        else if (!turns) assert.equal(count, 0, label)
        assert.ok(count <= 10, label)
      }
    }
  })

  test(`a clock that goes ${name} back locks nobody out for longer than a window, and who was spent stays spent`, (t) => {
    for (const options of ALL) {
      for (const window of ['2s', '1m', '1h', '1d', '31d']) {
        const { limiter, clock } = opened(t, { ...options, window })
        const { windowMs } = limiter
        admitted(limiter, 'a', 20)
        clock.now -= jump
        const label = `${options.algorithm} of ${window}`
        assert.equal(limiter.consume('a').ok, false, label)
        const { retryAfterMs } = limiter.consume('a')
        // A clock that is a second late is waited for; a sliding window keeps a share of the last one anyway.
        const longest = (options === SLIDING ? 1.1 : 1) * windowMs + SECOND
        assert.ok(retryAfterMs > 0 && retryAfterMs <= longest, `${label}: ${retryAfterMs} ms`)
        clock.now += retryAfterMs + (options === BUCKET && jump <= SECOND ? jump : 0)
        assert.ok(limiter.consume('a').ok, `${label}: after ${retryAfterMs} ms`)
        clock.now += 2 * windowMs
        assert.equal(admitted(limiter, 'a', 20), 10, `${label}: two windows later`)
      }
    }
  })
}

test('a clock that leaps to and fro for years neither locks out nor lets through without end', (t) => {
  const random = randomOf(31)
  for (const options of ALL) {
    const { limiter, clock } = opened(t, { ...options, window: '1m' })
    for (let leap = 0; leap < 60; leap++) {
      clock.now = MIDNIGHT + (random(2000) - 1000) * DAY + random(DAY)
      assert.ok(admitted(limiter, 'a', 40) <= 10, options.algorithm)
      assert.equal(limiter.consume('a').ok, false)
      clock.now += 2 * MINUTE
      assert.equal(admitted(limiter, 'a', 40), 10, options.algorithm)
    }
  }
})

test('after a jump windows turn by the new date, in every way to ask, and buckets refill by what has passed', (t) => {
  for (const options of [FIXED, SLIDING]) {
    const { limiter, sp, clock } = opened(t, { ...options, window: '1h' })
    limiter.consume('a', 10)
    clock.now -= 3 * HOUR - 20 * MINUTE
    limiter.consume('a', 1)
    const resetMs = (options === SLIDING ? 2 : 1) * HOUR - 20 * MINUTE
    for (const [name, decision] of Object.entries({
      consume: limiter.consume('a'),
      peek: limiter.peek('a'),
      plan: limiter.consume('a', 1, {}),
      many: limiter.consumeMany(['a'])[0],
      all: sp.consumeAll([{ limiter, key: 'a' }]),
    })) {
      assert.deepEqual([decision.ok, decision.resetMs], [false, resetMs], `${options.algorithm}, ${name}`)
    }
  }
})

test('a refund finds its charge on a clock that has jumped before, whatever the algorithm and the way to ask', (t) => {
  for (const options of [...ALL, [BUCKET, { ...FIXED, window: '1m' }]]) {
    for (const jump of [-2 * HOUR, 2 * HOUR, -40 * DAY, 400 * DAY]) {
      const { limiter, sp, clock } = opened(t, options)
      clock.now += jump
      for (const ask of [
        () => limiter.consume('a', 6),
        () => limiter.consumeMany(['a'], [6])[0],
        () => sp.consumeAll([{ limiter, key: 'a', cost: 6 }]),
        () => (limiter.limits.length === 1 ? limiter.consume('a', 6, {}) : limiter.consume('a', 6)),
        () => (options === BUCKET ? limiter.reserve('a', 6, { maxWait: 0 }) : limiter.consume('a', 6)),
      ]) {
        const decision = ask()
        assert.equal(decision.ok, true)
        limiter.refund('a', decision)
        const { remaining, resetMs } = limiter.peek('a')
        assert.deepEqual([remaining, resetMs], [10, 0], `${options.algorithm}, ${jump} ms, ${ask}`)
      }
    }
  }
})

test('a clock before 1970 counts as 1970', (t) => {
  for (const options of ALL) {
    const { limiter } = opened(t, options, -5 * DAY)
    assert.equal(admitted(limiter, 'a', 20), 10, options.algorithm)
    assert.ok(limiter.consume('a').retryAfterMs <= 2000)
  }
})

// ---------------------------------------------------------------- several limits

const BOTH = [
  { limit: 3, window: '1s' },
  { limit: 5, window: '1h', algorithm: 'sliding-window' },
]

test('of several limits all pass and are charged, or none is', (t) => {
  const { limiter, clock } = opened(t, BOTH)
  assert.equal(admitted(limiter, 'a', 10), 3, 'the first limit')
  clock.now += SECOND
  assert.equal(admitted(limiter, 'a', 10), 2, 'what the second leaves')
  clock.now += SECOND
  for (let i = 0; i < 100; i++) {
    const { ok, limiter: spoke, remaining } = limiter.consume('a')
    assert.deepEqual([ok, spoke, remaining], [false, 'api/1h', 0])
  }
  limiter.reset('a')
  assert.equal(admitted(limiter, 'a', 10), 3, 'the hundred denials have charged the first nothing')
})

test('a denial of the last limit gives back what the ones before had taken, in any order and algorithm', (t) => {
  for (const options of ALL) {
    for (const other of ALL) {
      const [wide, narrow] = [
        { ...options, limit: 8, name: 'wide' },
        { ...other, limit: 2, window: '1d', name: 'narrow' },
      ]
      for (const limits of [
        [wide, narrow],
        [narrow, wide],
      ]) {
        const { limiter, sp } = opened(t, limits)
        const label = limits.map(({ algorithm, name }) => `${algorithm} ${name}`).join(', ')
        assert.equal(limiter.consume('a', 2).ok, true, label)
        for (let i = 0; i < 20; i++) assert.equal(limiter.consume('a').limiter, 'api/narrow', label)
        const alone = sp.limiter('alone', limits)
        alone.consume('a', 2)
        const left = (each) => each.peek('a', 0).resetMs
        assert.equal(left(limiter), left(alone), label)
        assert.deepEqual({ ...limiter.peek('a', 8) }, { ...alone.peek('a', 8), limiter: limiter.peek('a', 8).limiter })
      }
    }
  }
})

test('the decision of several limits is the tightest, with its own limit and name', (t) => {
  const { limiter } = opened(t, BOTH)
  const first = limiter.consume('a')
  assert.deepEqual([first.limiter, first.limit, first.remaining, first.resetMs], ['api/1s', 3, 2, 334])
  limiter.consume('a', 2)
  const denied = limiter.consume('a')
  assert.deepEqual([denied.limiter, denied.limit, denied.remaining, denied.retryAfterMs], ['api/1s', 3, 0, 334])
})

test('of two denials the longest speaks: who waits for it is admitted by both', (t) => {
  const { limiter, clock } = opened(t, [
    { limit: 1, window: '1s' },
    { limit: 1, window: '1h', algorithm: 'fixed-window' },
    { limit: 1, window: '1m', algorithm: 'fixed-window' },
  ])
  limiter.consume('a')
  const { retryAfterMs, limiter: spoke } = limiter.consume('a')
  assert.deepEqual([retryAfterMs, spoke], [HOUR, 'api/1h'])
  clock.now += retryAfterMs - 1
  assert.equal(limiter.consume('a').ok, false)
  clock.now += 1
  assert.equal(limiter.consume('a').ok, true)
})

test('each of eight limits speaks when it is the tightest, and when it denies', (t) => {
  const limits = Array.from({ length: 8 }, (_, index) => ({ limit: 9, window: '1h', name: `n${index}` }))
  for (let tight = 0; tight < 8; tight++) {
    const { limiter, sp } = opened(
      t,
      limits.map((each, index) => (index === tight ? { ...each, limit: 2, algorithm: 'fixed-window' } : each)),
    )
    const speaks = ({ limiter: name, limit }) => assert.deepEqual([name, limit], [`api/n${tight}`, 2])
    speaks(limiter.consume('a'))
    speaks(limiter.consumeMany(['a'])[0])
    speaks(limiter.consume('a'))
    speaks(limiter.consumeMany(['a'])[0])
    speaks(limiter.peek('a'))
    speaks(
      sp.consumeAll([
        { limiter, key: 'b', cost: 0 },
        { limiter, key: 'a' },
      ]),
    )
  }
})

test('a cost over any of the limits is impossible, whatever the others say', (t) => {
  const { limiter } = opened(t, BOTH)
  const { ok, reason, limiter: spoke, retryAfterMs } = limiter.consume('a', 4)
  assert.deepEqual([ok, reason, spoke, retryAfterMs], [false, 'impossible', 'api/1s', Infinity])
  assert.equal(admitted(limiter, 'a', 10), 3)
})

test('a refund gives back to every limit, bucket or window, once', (t) => {
  const { limiter, clock } = opened(t, [
    { limit: 10, window: '1s', name: 'bucket' },
    { limit: 10, window: '1m', algorithm: 'fixed-window', name: 'fixed' },
    { limit: 10, window: '1h', algorithm: 'sliding-window', name: 'sliding' },
  ])
  const decision = limiter.consume('a', 6)
  clock.now += 100
  limiter.refund('b', decision)
  limiter.refund('a', decision)
  assert.deepEqual(numbers(limiter.peek('a', 10)), { ok: true, remaining: 10, retryAfterMs: 0, resetMs: 0 })
  limiter.consume('a', 4)
  limiter.refund('a', decision)
  assert.equal(limiter.peek('a').remaining, 6)
})

test('a refund after the minute has turned gives back to the day alone', (t) => {
  const limits = [
    { limit: 9, window: '1m', algorithm: 'fixed-window' },
    { limit: 10, window: '1d', algorithm: 'fixed-window' },
  ]
  const { limiter, clock } = opened(t, limits, MIDNIGHT + MINUTE - 1)
  const decision = limiter.consume('a', 5)
  clock.now += 1
  limiter.consume('a', 5)
  assert.deepEqual([limiter.peek('a').limiter, limiter.peek('a').remaining], ['api/1d', 0])
  limiter.refund('a', decision)
  assert.deepEqual([limiter.peek('a').limiter, limiter.peek('a').remaining], ['api/1m', 4])
  assert.equal(admitted(limiter, 'a', 9), 4)
  clock.now += MINUTE
  assert.equal(admitted(limiter, 'a', 9), 1, 'five and four and one of ten')
})

test('limits are named after their window in its largest unit, or by a name of their own', (t) => {
  const { limiter, sp } = opened(t, [
    { limit: 1, window: 1500 },
    { limit: 2, window: 1000 },
    { limit: 3, window: '60s' },
    { limit: 4, window: '120m', name: 'two hours' },
    { limit: 5, window: '24h', shadow: true },
    { limit: 6, window: '36h' },
  ])
  assert.deepEqual(
    limiter.limits.map(({ name, limit }) => [name, limit]),
    [
      ['api/1500ms', 1],
      ['api/1s', 2],
      ['api/1m', 3],
      ['api/two hours', 4],
      ['api/1d', 5],
      ['api/36h', 6],
    ],
  )
  assert.deepEqual(
    sp.snapshot().limiters.api.limits.map(({ name }) => name),
    limiter.limits.map(({ name }) => name),
  )
})

test('a handle says what its limits are, and nobody can change it', (t) => {
  const { limiter } = opened(t, BOTH)
  const { name, limit, windowMs, burst, kind } = limiter
  assert.deepEqual(
    { kind, name, limit, windowMs, burst },
    { kind: 'limiter', name: 'api', limit: 3, windowMs: 1000, burst: 3 },
  )
  assert.deepEqual(limiter.limits, [
    { name: 'api/1s', algorithm: 'token-bucket', limit: 3, windowMs: 1000, burst: 3, shadow: false },
    { name: 'api/1h', algorithm: 'sliding-window', limit: 5, windowMs: 3_600_000, burst: 5, shadow: false },
  ])
  for (const value of [limiter.limits, ...limiter.limits]) assert.ok(Object.isFrozen(value))
  const [one] = opened(t, FIXED).limiter.limits
  assert.deepEqual(one, { name: 'api', algorithm: 'fixed-window', limit: 10, windowMs: 1000, burst: 10, shadow: false })
})

test('an array of one limit is that limit, under the limiter’s own name', (t) => {
  const { limiter, sp } = opened(t, [{ ...FIXED, name: 'mine' }])
  assert.equal(limiter.consume('a').limiter, 'api')
  assert.deepEqual(
    limiter.limits.map(({ name }) => name),
    ['api'],
  )
  assert.equal(sp.limiter('api', FIXED), limiter)
  assert.equal(limiter.consume('a', 1, { limit: 20 }).remaining, 18)
})

test('two limits of one name are refused, with what to do', (t) => {
  const { sp } = opened(t, FIXED)
  for (const limits of [
    [FIXED, SLIDING],
    [FIXED, { ...FIXED, window: 1000 }],
    [
      { ...FIXED, name: 'x' },
      { ...SLIDING, name: 'x', window: '1h' },
    ],
    [FIXED, { ...SLIDING, name: '1s', window: '1h' }],
  ]) {
    assert.throws(() => sp.limiter('twice', limits), {
      name: 'TypeError',
      code: 'E_OPTION',
      option: 'name',
      message: /^two limits of the limiter "twice" are called "twice\/(1s|x)"; give each a `name`, or another `window`/,
    })
  }
})

test('a limiter has 1 to 8 limits, and what is wrong in one of them is told with its place', (t) => {
  const { sp } = opened(t, FIXED)
  const limits = (count) => Array.from({ length: count }, (_, index) => ({ ...FIXED, name: `n${index}` }))
  for (const count of [0, 9, 100]) {
    assert.throws(() => sp.limiter('many', limits(count)), {
      name: 'RangeError',
      code: 'E_OPTION',
      message: `a limiter takes 1 to 8 limits; got ${count} [E_OPTION]`,
    })
  }
  const eight = sp.limiter('eight', limits(8))
  assert.equal(admitted(eight, 'a', 20), 10)
  assert.equal(eight.consume('a').limiter, 'eight/n0')
  for (const [second, code, option, message] of [
    [
      { limit: 0, window: '1h' },
      'E_OPTION',
      'limit',
      /^`limit` of limit 1 of the limiter "bad" must be a whole number/,
    ],
    [{ limit: 1 }, 'E_DURATION', 'window', /^`window` of limit 1 of the limiter "bad" .*it is missing/],
    [
      { limit: 1, window: '1h', nmae: 'x' },
      'E_OPTION',
      'nmae',
      /^`nmae` is not an option of limit 1 .* and name; got "x"/,
    ],
    [{ limit: 1, window: '1h', name: '' }, 'E_NAME', undefined, /^the name of a limit must be a string of 1 to 128/],
    [{ limit: 1, window: '1h', name: 7 }, 'E_NAME', undefined, /^the name of a limit must be a string of 1 to 128/],
    [
      null,
      'E_OPTION',
      undefined,
      /^the options of limit 1 of the limiter "bad" must be an object with limit, .*; got null/,
    ],
    [[FIXED], 'E_OPTION', undefined, /^the options of limit 1 .*; got an array/],
  ]) {
    assert.throws(
      () => sp.limiter('bad', [FIXED, second]),
      (error) => {
        assert.deepEqual([error.code, error.option], [code, option], error.message)
        assert.match(error.message, message)
        return true
      },
    )
  }
  assert.deepEqual(Object.keys(sp.snapshot().limiters).sort(), ['api', 'eight'], 'nothing else was opened')
})

test('a name among several is no option where there is one limit', (t) => {
  const { sp } = opened(t, FIXED)
  assert.throws(() => sp.limiter('one', { ...FIXED, name: 'mine' }), { code: 'E_OPTION', option: 'name' })
})

test('other limits, or the same in another order, are a mismatch that says what differs', (t) => {
  const { sp } = opened(t, BOTH)
  assert.equal(sp.limiter('api', BOTH), sp.limiter('api', structuredClone(BOTH)))
  for (const [limits, says] of [
    [[...BOTH].reverse(), /order/],
    [BOTH.slice(0, 1), /`api\/1h limit` is 5 there and missing here/],
    [[BOTH[0], { ...BOTH[1], limit: 6 }], /`api\/1h limit` is 5 there and 6 here/],
    [[{ ...BOTH[0], shadow: true }, BOTH[1]], /`api\/1s shadow` is false there and true here/],
    [BOTH[0], /`api\/1h limit` is 5 there and missing here/],
  ]) {
    assert.throws(
      () => sp.limiter('api', limits),
      ({ name, code, message }) => {
        assert.deepEqual([name, code], ['TypeError', 'E_MISMATCH'])
        assert.match(message, /^the limiter "api" is open with other options: /)
        assert.match(message, says)
        return true
      },
    )
  }
})

test('each of several limits has knobs of its own name', (t) => {
  const env = { SPILLWAY_LIMITER_API_1S_LIMIT: '7', SPILLWAY_LIMITER_API_DAILY_WINDOW: '2d', OTHER: '9' }
  const limits = [
    { limit: 3, window: '1s' },
    { limit: 5, window: '1d', name: 'daily', env: { limit: 'OTHER' } },
  ]
  const { limiter, sp } = opened(t, limits, MIDNIGHT, { env })
  assert.deepEqual(
    limiter.limits.map(({ name, limit, windowMs }) => [name, limit, windowMs]),
    [
      ['api/1s', 7, 1000],
      ['api/daily', 9, 2 * DAY],
    ],
  )
  const [first, second] = sp.snapshot().limiters.api.limits.map(({ provenance }) => provenance)
  assert.equal(first.limit, 'env SPILLWAY_LIMITER_API_1S_LIMIT')
  assert.deepEqual([second.limit, second.window], ['env OTHER', 'env SPILLWAY_LIMITER_API_DAILY_WINDOW'])
})

test('a limit goes by its window as the code has it, so a knob of the window does not rename it', (t) => {
  const env = { SPILLWAY_LIMITER_API_1S_WINDOW: '1m' }
  const { limiter } = opened(t, BOTH, MIDNIGHT, { env })
  assert.deepEqual(limiter.limits.map(({ name, windowMs }) => [name, windowMs])[0], ['api/1s', MINUTE])
})

// ---------------------------------------------------------------- shadow

test('a limit in shadow admits everything, and says of which calls it would not have', (t) => {
  for (const options of ALL) {
    const { limiter, sp } = opened(t, { ...options, shadow: true })
    assert.equal(limiter.limits[0].shadow, true)
    const decisions = Array.from({ length: 13 }, () => limiter.consume('a'))
    assert.ok(decisions.every(({ ok }) => ok))
    assert.ok(decisions.slice(0, 10).every((decision) => decision.reason === 'allowed' && !('shadowed' in decision)))
    for (const { reason, shadowed, remaining, retryAfterMs } of decisions.slice(10)) {
      assert.deepEqual([reason, shadowed, remaining], ['limited', true, 0])
      assert.ok(retryAfterMs > 0)
    }
    const { reason, shadowed, retryAfterMs } = limiter.consume('a', 11)
    assert.deepEqual([reason, shadowed, retryAfterMs], ['impossible', true, Infinity])
    const { allowed, limited, blocked, shadowed: counted } = sp.snapshot().limiters.api
    assert.deepEqual([allowed, limited, blocked, counted], [10, 0, 0, 4], options.algorithm)
  }
})

test('a limit in shadow is not charged by what it would have denied', (t) => {
  const { limiter, clock } = opened(t, { ...BUCKET, shadow: true })
  for (let i = 0; i < 100; i++) limiter.consume('a')
  clock.now += 100
  const decision = limiter.consume('a')
  assert.deepEqual([decision.reason, 'shadowed' in decision], ['allowed', false])
})

test('a peek of a limit in shadow is ok and says what would have been', (t) => {
  const { limiter, sp } = opened(t, { ...FIXED, shadow: true })
  limiter.consume('a', 10)
  const { ok, reason, shadowed } = limiter.peek('a')
  assert.deepEqual([ok, reason, shadowed], [true, 'limited', true])
  assert.equal(sp.snapshot().limiters.api.shadowed, 0)
})

test('a refund of what only the shadow let through gives back nothing', (t) => {
  const { limiter, clock } = opened(t, { ...BUCKET, shadow: true })
  limiter.consume('a', 10)
  clock.now += 500
  const shadowed = limiter.consume('a', 6)
  assert.equal(shadowed.shadowed, true)
  limiter.refund('a', shadowed)
  assert.equal(limiter.peek('a').remaining, 5)
})

test('a refund of what a limit in shadow has admitted gives it back, alone and among others', (t) => {
  const shadow = { ...FIXED, shadow: true }
  for (const options of [shadow, { ...SLIDING, shadow: true }, [{ ...BUCKET, limit: 20, name: 'roomy' }, shadow]]) {
    const { limiter } = opened(t, options)
    const { remaining } = limiter.peek('a')
    const decision = limiter.consume('a', 4)
    assert.equal('shadowed' in decision, false)
    assert.equal(decision.remaining, remaining - 4)
    limiter.refund('a', decision)
    assert.equal(limiter.peek('a').remaining, remaining)
    // The one in shadow has all of its units again too.
    assert.equal(limiter.consume('a', 10).shadowed, undefined)
  }
})

test('one limit in shadow among several denies nothing, and the others do', (t) => {
  const { limiter, sp, clock } = opened(t, [
    { limit: 5, window: '1h' },
    { limit: 2, window: '1m', algorithm: 'fixed-window', shadow: true },
  ])
  const decisions = Array.from({ length: 6 }, () => limiter.consume('a'))
  assert.deepEqual(
    decisions.map(({ ok, reason, shadowed, limiter: spoke }) => [ok, reason, shadowed ?? false, spoke]),
    [
      [true, 'allowed', false, 'api/1h'],
      [true, 'allowed', false, 'api/1h'],
      [true, 'limited', true, 'api/1m'],
      [true, 'limited', true, 'api/1m'],
      [true, 'limited', true, 'api/1m'],
      [false, 'limited', false, 'api/1h'],
    ],
  )
  const { allowed, limited, shadowed } = sp.snapshot().limiters.api
  assert.deepEqual([allowed, limited, shadowed], [2, 1, 3])
  // What only the shadow let through was charged to the other limit, and goes back there.
  limiter.refund('a', decisions[4])
  assert.equal(limiter.consume('a').ok, true)
  clock.now += HOUR
  assert.equal(limiter.peek('a').remaining, 5)
})

test('shadow is part of the identity of a limiter', (t) => {
  const { sp } = opened(t, FIXED)
  assert.throws(() => sp.limiter('api', { ...FIXED, shadow: true }), {
    code: 'E_MISMATCH',
    message: /`limits\[0\]\.shadow`|`shadow` is false there and true here/,
  })
})

// ---------------------------------------------------------------- where figures come from

test('a snapshot says of each figure whether the code, a preset, a default or a variable gave it', (t) => {
  const env = { SPILLWAY_LIMITER_LINK_CODE_WINDOW: '30m', MAX: '3' }
  const sp = spillway({ isolated: true, env })
  t.after(() => sp.close())
  sp.limiter('link-code', presets.otp)
  sp.limiter('mine', { ...presets.heavyQuery, burst: 4, maxKeys: 100, env: { limit: 'MAX' } })
  const { limiters } = sp.snapshot()
  assert.deepEqual(limiters['link-code'].limits[0].provenance, {
    limit: 'preset otp',
    window: 'env SPILLWAY_LIMITER_LINK_CODE_WINDOW',
    burst: 'default',
    algorithm: 'preset otp',
    maxKeys: 'default',
    shadow: 'default',
  })
  assert.deepEqual(limiters.mine.limits[0].provenance, {
    limit: 'env MAX',
    window: 'preset heavyQuery',
    burst: 'option',
    algorithm: 'preset heavyQuery',
    maxKeys: 'option',
    shadow: 'default',
  })
  assert.deepEqual([limiters.mine.limits[0].limit, limiters.mine.limits[0].burst], [3, 4])
})

test('the same figures from elsewhere are the same limiter, and one handle', (t) => {
  const sp = spillway({ isolated: true, env: { SPILLWAY_LIMITER_API_LIMIT: '10' } })
  t.after(() => sp.close())
  const limiter = sp.limiter('api', { limit: 5, window: '1s' })
  assert.equal(limiter.limit, 10)
  assert.equal(sp.limiter('api', { limit: 10, window: 1000, burst: 10, shadow: false }), limiter)
})

test('env false, of the spillway or of one limiter, keeps the environment out', (t) => {
  const env = { SPILLWAY_LIMITER_API_LIMIT: '7' }
  assert.equal(opened(t, FIXED, MIDNIGHT, { env }).limiter.limit, 7)
  assert.equal(opened(t, { ...FIXED, env: false }, MIDNIGHT, { env }).limiter.limit, 10)
  assert.equal(opened(t, FIXED, MIDNIGHT, { env: false }).limiter.limit, 10)
})

test('without an `env` of its own a spillway reads process.env as it is when a limiter is opened', (t) => {
  const name = 'SPILLWAY_LIMITER_FROM_PROCESS_ENV_LIMIT'
  t.after(() => delete process.env[name])
  const sp = spillway({ isolated: true })
  t.after(() => sp.close())
  process.env[name] = '4'
  assert.equal(sp.limiter('from process.env', FIXED).limit, 4)
  process.env[name] = 'many'
  assert.throws(() => sp.limiter('from process env', FIXED), { code: 'E_ENV', option: 'limit' })
  const deaf = spillway({ isolated: true, env: false })
  t.after(() => deaf.close())
  assert.equal(deaf.limiter('from process.env', FIXED).limit, 10)
})

test('a variable that is wrong opens nothing', (t) => {
  const sp = spillway({ isolated: true, env: { SPILLWAY_LIMITER_API_LIMIT: '1e3', SPILLWAY_LIMITER_B_BURST: '5' } })
  t.after(() => sp.close())
  assert.throws(() => sp.limiter('api', FIXED), {
    code: 'E_ENV',
    option: 'limit',
    message: /SPILLWAY_LIMITER_API_LIMIT/,
  })
  assert.throws(() => sp.limiter('b', FIXED), { code: 'E_ENV', option: 'burst' })
  assert.deepEqual(sp.snapshot().limiters, {})
})

test('figures from the environment that do not go together are told to who set them', (t) => {
  const sp = spillway({
    isolated: true,
    env: {
      SPILLWAY_LIMITER_FINE_LIMIT: '1000000',
      SPILLWAY_LIMITER_FINE_WINDOW: '1',
      SPILLWAY_LIMITER_WIDE_LIMIT: '2000000',
    },
  })
  t.after(() => sp.close())
  assert.throws(
    () => sp.limiter('fine', BUCKET),
    (error) => {
      assert.equal(error.code, 'E_ENV', error.message)
      assert.equal(error.cause.code, 'E_RATE_TOO_FINE')
      assert.match(error.message, /SPILLWAY_LIMITER_FINE_LIMIT and `window` is from SPILLWAY_LIMITER_FINE_WINDOW/)
      return true
    },
  )
  assert.throws(
    () => sp.limiter('wide', SLIDING),
    (error) => {
      assert.equal(error.code, 'E_ENV', error.message)
      assert.equal(error.cause.code, 'E_OPTION')
      return true
    },
  )
})

test('every preset of a limiter opens as it is, spread, and among others', (t) => {
  const { sp } = opened(t, FIXED)
  const { http, ...limits } = presets
  assert.equal(typeof http, 'function', 'that one is no limiter')
  for (const [name, preset] of Object.entries(limits)) {
    const limiter = sp.limiter(name, preset)
    const { limit, algorithm, burst } = limiter.limits[0]
    assert.deepEqual([limit, algorithm, burst], [preset.limit, preset.algorithm, preset.burst ?? preset.limit])
    assert.equal(admitted(limiter, 'a', 500), burst, name)
    assert.equal(sp.limiter(`${name} spread`, { ...preset, limit: 4 }).limit, 4)
    assert.equal(sp.limiter(`${name} array`, [preset, { limit: 9, window: '3650d' }]).limits.length, 2)
  }
})
