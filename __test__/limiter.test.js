// What a limiter answers, to the unit and to the millisecond. Owns the public face of the token bucket: keys, costs, refunds.
// Never waits: time is an argument.
'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')
const { spillway } = require('../index.js')

const EPOCH = 1_700_000_000_000

/** A limiter on a clock that stands still until it is told. */
function opened(t, options, start = 0) {
  const clock = { now: start }
  const sp = spillway({ clock: () => clock.now })
  t.after(() => sp.close())
  return { sp, clock, limiter: sp.limiter('chat', options) }
}

/** How many of `attempts` calls are admitted. */
function admitted(limiter, key, attempts, cost = 1) {
  let count = 0
  for (let i = 0; i < attempts; i++) count += limiter.consume(key, cost).ok
  return count
}

/** Whether two keys have each a budget of their own. */
function areApart(t, keys) {
  const { limiter } = opened(t, { limit: 1, window: '1h' })
  for (const key of keys)
    assert.equal(limiter.consume(key).ok, true, `${key.length} units share a cell with another key`)
  for (const key of keys) assert.equal(limiter.consume(key).ok, false, `${key.length} units are not the same key again`)
}

test('a rested key may spend its burst at once and not a unit more', (t) => {
  const { limiter } = opened(t, { limit: 10, window: '1s' })
  assert.equal(admitted(limiter, 'a', 25), 10)
})

test('without a clock of its own it limits on the system clock', (t) => {
  const sp = spillway({ isolated: true })
  t.after(() => sp.close())
  const limiter = sp.limiter('chat', { limit: 5, window: '365d' })
  assert.equal(admitted(limiter, 'a', 100), 5)
  const { retryAfterMs } = limiter.peek('a')
  assert.ok(retryAfterMs <= 73 * 86_400_000 && retryAfterMs > 73 * 86_400_000 - 60_000, String(retryAfterMs))
})

test('a spent key gets one unit back each window / limit, and never more than its burst', (t) => {
  const { limiter, clock } = opened(t, { limit: 10, window: '1s', burst: 4 })
  assert.equal(admitted(limiter, 'a', 10), 4)
  for (const [now, units] of [
    [99, 0],
    [100, 1],
    [199, 0],
    [450, 3],
    [499, 0],
    [3_600_000, 4],
  ]) {
    clock.now = now
    assert.equal(admitted(limiter, 'a', 10), units, `at ${now}`)
  }
})

test('a burst larger than the limit may be spent at once and refills at the rate of the limit', (t) => {
  const { limiter, clock } = opened(t, { limit: 1, window: '1s', burst: 100 })
  assert.equal(admitted(limiter, 'a', 200), 100)
  clock.now = 50_000
  assert.equal(admitted(limiter, 'a', 200), 50)
})

test('one key spends nothing of another', (t) => {
  const { limiter } = opened(t, { limit: 3, window: '1s' })
  assert.equal(admitted(limiter, 'a', 10), 3)
  assert.equal(admitted(limiter, 'b', 10), 3)
})

test('an admission says everything a Decision has', (t) => {
  const { limiter } = opened(t, { limit: 10, window: '1s', burst: 5 })
  assert.deepEqual(
    { ...limiter.consume('a', 2) },
    {
      ok: true,
      reason: 'allowed',
      limit: 10,
      remaining: 3,
      cost: 2,
      retryAfterMs: 0,
      resetMs: 200,
      decidedBy: 'local',
      limiter: 'chat',
    },
  )
})

test('a denial says everything a Decision has', (t) => {
  const { limiter, clock } = opened(t, { limit: 10, window: '1s', burst: 5 })
  limiter.consume('a', 4)
  clock.now = 50
  assert.deepEqual(
    { ...limiter.consume('a', 3) },
    {
      ok: false,
      reason: 'limited',
      limit: 10,
      remaining: 1,
      cost: 3,
      retryAfterMs: 150,
      resetMs: 350,
      decidedBy: 'local',
      limiter: 'chat',
    },
  )
})

test('a cost over the burst is impossible, for ever, and spends nothing', (t) => {
  const { limiter } = opened(t, { limit: 10, window: '1s', burst: 5 })
  assert.deepEqual(
    { ...limiter.consume('a', 6) },
    {
      ok: false,
      reason: 'impossible',
      limit: 10,
      remaining: 5,
      cost: 6,
      retryAfterMs: Infinity,
      resetMs: 0,
      decidedBy: 'local',
      limiter: 'chat',
    },
  )
  assert.equal(limiter.consume('a', 4_294_967_295).reason, 'impossible')
  assert.equal(limiter.consume('a', 5).ok, true)
})

test('a decision is plain data to JSON, with nothing of the charge behind it', (t) => {
  const { limiter } = opened(t, { limit: 10, window: '1s' })
  assert.deepEqual(Object.keys(JSON.parse(JSON.stringify(limiter.consume('a')))), [
    'ok',
    'reason',
    'limit',
    'remaining',
    'cost',
    'retryAfterMs',
    'resetMs',
    'decidedBy',
    'limiter',
  ])
})

test('cost 0 is free and ok, even when nothing is left', (t) => {
  const { limiter, sp } = opened(t, { limit: 2, window: '1s' })
  for (let i = 0; i < 100; i++) assert.equal(limiter.consume('a', 0).remaining, 2)
  assert.equal(sp.snapshot().limiters.chat.keys, 0)
  assert.equal(admitted(limiter, 'a', 5), 2)
  const { ok, remaining, retryAfterMs, resetMs } = limiter.consume('a', 0)
  assert.deepEqual({ ok, remaining, retryAfterMs, resetMs }, { ok: true, remaining: 0, retryAfterMs: 0, resetMs: 1000 })
})

test('peek answers what consume would, and spends nothing', (t) => {
  const { limiter, clock, sp } = opened(t, { limit: 10, window: '1s' })
  limiter.consume('a', 8)
  clock.now = 30
  for (const cost of [0, 1, 2, 3, 10, 11]) {
    for (let i = 0; i < 50; i++) limiter.peek('a', cost)
    const { ok, reason, retryAfterMs, remaining, cost: asked } = limiter.peek('a', cost)
    const other = opened(t, { limit: 10, window: '1s' })
    other.limiter.consume('a', 8)
    other.clock.now = 30
    const would = other.limiter.consume('a', cost)
    assert.deepEqual([ok, reason, retryAfterMs], [would.ok, would.reason, would.retryAfterMs], `cost ${cost}`)
    assert.deepEqual([remaining, asked], [2, cost])
  }
  assert.equal(limiter.peek('a').resetMs, 770)
  assert.equal(limiter.peek('never seen').remaining, 10)
  const { keys, allowed, limited } = sp.snapshot().limiters.chat
  assert.deepEqual([keys, allowed, limited], [1, 1, 0])
})

for (const start of [0, EPOCH]) {
  test(`the same call is admitted at exactly retryAfterMs and not a millisecond before, on a clock at ${start}`, (t) => {
    for (const [limit, windowMs, burst, cost] of [
      [10, 1000, 10, 1],
      [3, 1000, 3, 1],
      [3, 1000, 7, 5],
      [7, 60_000, 7, 3],
      [30, 300_000, 30, 1],
      [1, 86_400_000, 1, 1],
      [1000, 1, 1000, 999],
      [1_000_003, 3_600_000, 999, 998],
    ]) {
      const { limiter, clock } = opened(t, { limit, window: windowMs, burst }, start)
      limiter.consume('a', burst)
      clock.now += 0.5
      const { ok, retryAfterMs } = limiter.consume('a', cost)
      const label = `${limit} in ${windowMs}, ${cost} of ${burst}`
      if (ok) {
        assert.ok((cost * windowMs) / limit <= 0.5, label)
        continue
      }
      assert.equal(retryAfterMs, Math.ceil((cost * windowMs) / limit - 0.5 + 1e-9), label)
      const asked = clock.now
      clock.now = asked + retryAfterMs - 1
      assert.equal(limiter.consume('a', cost).ok, false, `${label}: too early`)
      clock.now = asked + retryAfterMs
      assert.equal(limiter.consume('a', cost).ok, true, `${label}: too late`)
    }
  })
}

test('on a clock of the size of an epoch whole milliseconds are exact', (t) => {
  const { limiter, clock } = opened(t, { limit: 1000, window: '1s', burst: 1 }, EPOCH)
  for (let i = 0; i < 1000; i++) {
    assert.equal(limiter.consume('a').ok, true, `millisecond ${i}`)
    assert.equal(limiter.consume('a').retryAfterMs, 1, `millisecond ${i}`)
    clock.now += 1
  }
})

test('a clock may answer fractions of a millisecond', (t) => {
  const { limiter, clock } = opened(t, { limit: 2, window: 1, burst: 1 })
  assert.equal(limiter.consume('a').ok, true)
  clock.now = 0.25
  assert.equal(limiter.consume('a').ok, false)
  clock.now = 0.5
  assert.equal(limiter.consume('a').ok, true)
})

test('a denied request does not push the refill time back', (t) => {
  const { limiter, clock, sp } = opened(t, { limit: 1, window: '1s' })
  limiter.consume('a')
  for (clock.now = 0; clock.now < 1000; clock.now++) {
    const { ok, retryAfterMs } = limiter.consume('a')
    assert.deepEqual([ok, retryAfterMs], [false, 1000 - clock.now])
  }
  assert.equal(limiter.consume('a').ok, true)
  const { allowed, limited } = sp.snapshot().limiters.chat
  assert.deepEqual([allowed, limited], [2, 1000])
})

test('every field agrees with a naive bucket of nanoseconds over 50,000 random calls', (t) => {
  let seed = 12_345
  const random = (below) => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0
    return Math.floor((seed / 2 ** 32) * below)
  }
  for (let round = 0; round < 100; round++) {
    const [limit, windowMs, burst] = [1 + random(50), 1 + random(2000), 1 + random(60)]
    const { limiter, clock } = opened(t, { limit, window: windowMs, burst })
    const unit = Math.ceil((windowMs * 1e6) / limit)
    const full = burst * unit
    let level = full
    for (let call = 0; call < 500; call++) {
      const elapsedMs = random(3) === 0 ? random(windowMs * 2) : 0
      clock.now += elapsedMs
      level = Math.min(full, level + elapsedMs * 1e6)
      const cost = random(random(10) === 0 ? burst + 3 : 4)
      const ok = cost <= burst && level >= cost * unit
      const peeked = limiter.peek('a', cost)
      assert.equal(peeked.ok, ok)
      assert.equal(peeked.remaining, Math.floor(level / unit))
      if (ok) level -= cost * unit
      const decision = limiter.consume('a', cost)
      const retryAfterMs = ok ? 0 : cost > burst ? Infinity : Math.ceil((cost * unit - level) / 1e6)
      assert.deepEqual(
        [decision.ok, decision.remaining, decision.retryAfterMs, decision.resetMs],
        [ok, Math.floor(level / unit), retryAfterMs, Math.ceil((full - level) / 1e6)],
        `round ${round}, call ${call}: ${limit} in ${windowMs} ms, burst ${burst}, cost ${cost}`,
      )
    }
  }
})

test('in no span S more than burst + S·limit/window is admitted, however greedily it is asked', (t) => {
  const { limiter, clock } = opened(t, { limit: 7, window: 100, burst: 5 })
  const admissions = []
  for (clock.now = 0; clock.now < 2000; clock.now += 1) {
    for (let i = admitted(limiter, 'a', 10); i > 0; i--) admissions.push(clock.now)
  }
  for (let from = 0; from < admissions.length; from++) {
    for (let to = from; to < admissions.length; to++) {
      const span = admissions[to] - admissions[from]
      assert.ok(to - from + 1 <= 5 + Math.floor((span * 7) / 100), `${to - from + 1} in ${span} ms`)
    }
  }
  assert.ok(admissions.length >= 5 + Math.floor((1999 * 7) / 100) - 1, `only ${admissions.length} in all`)
})

test('whoever asks for half the limit with its default burst never gets more than the limit in any window', (t) => {
  const { limiter, clock } = opened(t, { limit: 5, window: 100 })
  const admissions = []
  for (clock.now = 0; clock.now < 1000; clock.now += 1) {
    // Rests, then takes all it can around the edge of a window.
    if (clock.now % 200 >= 95) for (let i = admitted(limiter, 'a', 10); i > 0; i--) admissions.push(clock.now)
  }
  for (const [index, at] of admissions.entries()) {
    assert.ok(admissions[index + 10] === undefined || admissions[index + 10] - at >= 100)
  }
})

// ---------------------------------------------------------------- refunds

test('a refund at once gives back the whole charge', (t) => {
  const { limiter } = opened(t, { limit: 10, window: '1s' })
  const decision = limiter.consume('a', 7)
  assert.equal(limiter.refund('a', decision), undefined)
  assert.equal(limiter.peek('a').remaining, 10)
  assert.equal(limiter.peek('a').resetMs, 0)
})

test('a decision is refunded only once', (t) => {
  const { limiter } = opened(t, { limit: 10, window: '1s' })
  const decision = limiter.consume('a', 3)
  limiter.consume('a', 5)
  limiter.refund('a', decision)
  limiter.refund('a', decision)
  limiter.refund('a', decision)
  assert.equal(limiter.peek('a').remaining, 5)
})

test('a decision is refunded only for the key it was made for, and stays good for that one', (t) => {
  const { limiter } = opened(t, { limit: 10, window: '1s' })
  const decision = limiter.consume('a', 4)
  limiter.consume('b', 4)
  limiter.refund('b', decision)
  assert.equal(limiter.peek('b').remaining, 6)
  limiter.refund('a', decision)
  assert.equal(limiter.peek('a').remaining, 10)
})

test('a decision is refunded only by the limiter that made it, even if another has the same options', (t) => {
  const { sp, limiter } = opened(t, { limit: 10, window: '1s' })
  const other = sp.limiter('other', { limit: 10, window: '1s' })
  const decision = limiter.consume('a', 4)
  other.consume('a', 4)
  other.refund('a', decision)
  assert.equal(other.peek('a').remaining, 6)
})

test('what is not an admission gives back nothing', (t) => {
  const { limiter } = opened(t, { limit: 10, window: '1s' })
  const real = limiter.consume('a', 8)
  const denied = limiter.consume('a', 5)
  const impossible = limiter.consume('a', 11)
  const peeked = limiter.peek('a', 2)
  for (const decision of [denied, impossible, peeked, { ...real }, structuredClone(real), {}, null, undefined, 8]) {
    limiter.refund('a', decision)
    assert.equal(limiter.peek('a').remaining, 2)
  }
  limiter.refund('a', limiter.consume('a', 0))
  assert.equal(limiter.peek('a').remaining, 2)
})

test('what has refilled by itself since is not given back again', (t) => {
  const { limiter, clock } = opened(t, { limit: 10, window: '1s' })
  const decision = limiter.consume('a', 5)
  limiter.consume('a', 5)
  clock.now = 300
  limiter.refund('a', decision)
  assert.equal(limiter.peek('a').remaining, 5, '3 refilled, and 2 of the charge had not')
  clock.now = 500
  assert.equal(limiter.peek('a').remaining, 7)
})

test('a refund of what has refilled entirely changes nothing', (t) => {
  const { limiter, clock } = opened(t, { limit: 10, window: '1s' })
  const decision = limiter.consume('a', 2)
  clock.now = 200
  limiter.consume('a', 9)
  limiter.refund('a', decision)
  assert.equal(limiter.peek('a').remaining, 1)
})

test('5 at 0, 3 at 3, the 5 refunded: 10 at once would make 13 of a burst of 10', (t) => {
  const { limiter, clock } = opened(t, { limit: 1000, window: '1s', burst: 10 })
  const five = limiter.consume('a', 5)
  clock.now = 3
  assert.equal(limiter.consume('a', 3).ok, true)
  limiter.refund('a', five)
  assert.equal(limiter.consume('a', 10).ok, false)
  assert.equal(limiter.peek('a').remaining, 7, 'full at 3 but for the three')
})

test('a refund never admits more than had the charge never been made, over random timelines', (t) => {
  let seed = 99
  const random = (below) => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((seed / 2 ** 32) * below)
  }
  const options = { limit: 100, window: '1s', burst: 10 }
  for (let round = 0; round < 300; round++) {
    const refunding = opened(t, options)
    const without = opened(t, options)
    for (let step = 0; step < 20; step++) {
      const elapsed = random(60)
      refunding.clock.now += elapsed
      without.clock.now += elapsed
      const charge = refunding.limiter.consume('a', 1 + random(6))
      const wait = random(80)
      refunding.clock.now += wait
      without.clock.now += wait
      refunding.limiter.refund('a', charge)
      const cost = random(5)
      if (refunding.limiter.consume('a', cost).ok) assert.equal(without.limiter.consume('a', cost).ok, true)
      assert.ok(refunding.limiter.peek('a').resetMs >= without.limiter.peek('a').resetMs)
    }
  }
})

test('a reset voids the refunds of what was spent before it', (t) => {
  const { limiter, clock } = opened(t, { limit: 10, window: '1s' })
  const before = limiter.consume('a', 6)
  clock.now = 10
  limiter.reset('a')
  clock.now = 20
  limiter.consume('a', 8)
  limiter.refund('a', before)
  assert.equal(limiter.peek('a').remaining, 2)
})

test('a charge made after a reset can be refunded', (t) => {
  const { limiter, clock } = opened(t, { limit: 10, window: '1s' })
  limiter.consume('a', 6)
  limiter.reset('a')
  clock.now = 1
  const after = limiter.consume('a', 8)
  limiter.refund('a', after)
  assert.equal(limiter.peek('a').remaining, 10)
})

// ---------------------------------------------------------------- reset, windows, clocks

test('a reset key has its full burst again, and no other key does', (t) => {
  const { limiter } = opened(t, { limit: 3, window: '1h' })
  admitted(limiter, 'a', 5)
  admitted(limiter, 'b', 5)
  assert.equal(limiter.reset('a'), undefined)
  limiter.reset('never seen')
  assert.equal(admitted(limiter, 'a', 5), 3)
  assert.equal(admitted(limiter, 'b', 5), 0)
})

test('a window of 365 days holds to the unit and says when the next one comes', (t) => {
  const { limiter, clock } = opened(t, { limit: 1000, window: '365d' }, EPOCH)
  assert.equal(limiter.windowMs, 365 * 86_400_000)
  assert.equal(admitted(limiter, 'a', 2000), 1000)
  assert.equal(limiter.consume('a').retryAfterMs, 31_536_000)
  assert.equal(limiter.peek('a').resetMs, 365 * 86_400_000)
  clock.now += 31_536_000
  assert.equal(admitted(limiter, 'a', 2000), 1)
})

test('one unit in 3650 days comes back after 3650 days', (t) => {
  const { limiter, clock } = opened(t, { limit: 1, window: '3650d' }, EPOCH)
  limiter.consume('a')
  const tenYears = 3650 * 86_400_000
  assert.equal(limiter.consume('a').retryAfterMs, tenYears)
  clock.now += tenYears - 1
  assert.equal(limiter.consume('a').ok, false)
  clock.now += 1
  assert.equal(limiter.consume('a').ok, true)
})

test('durations may be fractions, in text and in milliseconds', (t) => {
  for (const [window, windowMs] of [
    ['1.5s', 1500],
    ['0.5m', 30_000],
    ['0.25h', 900_000],
    ['1.5d', 129_600_000],
    ['2.5ms', 2.5],
    [1.5, 1.5],
    [250, 250],
  ]) {
    const { limiter, clock } = opened(t, { limit: 1, window })
    assert.equal(limiter.windowMs, windowMs)
    limiter.consume('a')
    assert.equal(limiter.consume('a').retryAfterMs, Math.ceil(windowMs))
    clock.now = windowMs
    assert.equal(limiter.consume('a').ok, true)
  }
})

test('a clock that goes back by up to a second gives nothing away', (t) => {
  const { limiter, clock } = opened(t, { limit: 10, window: '1s' }, 10_000)
  admitted(limiter, 'a', 10)
  for (clock.now = 9999; clock.now >= 9000; clock.now -= 37) {
    assert.deepEqual([limiter.consume('a').ok, limiter.consume('a').retryAfterMs], [false, 100])
  }
  clock.now = 10_100
  assert.equal(admitted(limiter, 'a', 10), 1)
})

test('a clock that goes back farther continues spans where they were', (t) => {
  const { limiter, clock } = opened(t, { limit: 10, window: '1s' }, 10_000)
  admitted(limiter, 'a', 10)
  clock.now = 5000
  assert.deepEqual([limiter.consume('a').ok, limiter.consume('a').retryAfterMs], [false, 100])
  clock.now = 5099
  assert.equal(limiter.consume('a').ok, false)
  clock.now = 5100
  assert.equal(admitted(limiter, 'a', 10), 1)
  clock.now = 5400
  assert.equal(admitted(limiter, 'a', 10), 3)
})

test('a second back is waited for, and a millisecond more is a jump', (t) => {
  for (const [back, passed] of [
    [1000, 0],
    [1001, 1],
  ]) {
    const { limiter, clock } = opened(t, { limit: 10, window: '1s' }, 10_000)
    admitted(limiter, 'a', 10)
    clock.now -= back
    assert.equal(limiter.consume('a').retryAfterMs, 100)
    clock.now += 100
    assert.equal(admitted(limiter, 'a', 10), passed, `${back} ms back`)
  }
})

test('a clock that jumps back a year locks nobody out for longer than a burst takes to refill', (t) => {
  const { limiter, clock } = opened(t, { limit: 10, window: '1s' }, EPOCH)
  admitted(limiter, 'a', 10)
  clock.now -= 365 * 86_400_000
  assert.equal(limiter.consume('a').retryAfterMs, 100)
  clock.now += 1000
  assert.equal(admitted(limiter, 'a', 20), 10)
})

// ---------------------------------------------------------------- keys

test('keys of any length are told apart by their last character, at the buffer’s edges too', (t) => {
  const lengths = [1, 2, 100, ...range(120, 140), ...range(240, 270), 300, 511, 512, 1024, 4096, 100_000]
  areApart(
    t,
    lengths.flatMap((length) => [`${'k'.repeat(length - 1)}1`, `${'k'.repeat(length - 1)}2`]),
  )
})

test('no key is taken for a longer one that begins with it', (t) => {
  areApart(
    t,
    range(1, 400).map((length) => 'k'.repeat(length)),
  )
})

test('characters of several bytes are whole wherever a buffer may end', (t) => {
  const lengths = [...range(60, 66), ...range(83, 87), ...range(120, 131), ...range(250, 260)]
  areApart(
    t,
    lengths.flatMap((length) =>
      ['é', 'ê', '€', '₭', '😀', '😁'].map((character) => `${'x'.repeat(length)}${character}`),
    ),
  )
  areApart(
    t,
    range(40, 140).flatMap((length) => ['€'.repeat(length), '😀'.repeat(length)]),
  )
})

test('no two characters fold into one', (t) => {
  areApart(t, ['a', '\u0161', 'š!', 'é', 'Ã©', 'e\u0301', 'ÿ', '\u01ff', '?', '\ufffd', 'A', ' ', 'a ', ' a'])
  areApart(t, ['a\0', 'a', 'a\0b', 'a\0c', '\0', '\0\0', 'a\0\0'])
})

test('lone surrogates are apart from each other and from the replacement character, in long keys too', (t) => {
  const alone = ['\ud800', '\ud801', '\udbff', '\udc00', '\udfff', '\ufffd', '\ufffd\ufffd', '\ud800\ufffd', '\ufffe']
  areApart(t, alone)
  for (const length of [1, 126, 127, 128, 254, 1000]) {
    areApart(
      t,
      alone.map((key) => 'k'.repeat(length) + key),
    )
    areApart(
      t,
      alone.map((key) => key + 'k'.repeat(length)),
    )
  }
})

test('the same text is the same key, however the engine holds it', (t) => {
  const { limiter } = opened(t, { limit: 3, window: '1h' })
  const text = 'tenant-'.repeat(10)
  const twoByte = `${text}€`.slice(0, -1)
  const rope = ['tenant-'.repeat(5), 'tenant-'.repeat(5)].reduce((left, right) => left + right)
  assert.equal(limiter.consume(text).remaining, 2)
  assert.equal(limiter.consume(twoByte).remaining, 1)
  assert.equal(limiter.consume(rope).remaining, 0)
})

test('keys that are names of an object’s own machinery are keys like others', (t) => {
  areApart(t, ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'valueOf', '__defineGetter__'])
  assert.equal(Object.prototype.ok, undefined)
})

test('what is not a non-empty string is no key, in any call', (t) => {
  const { limiter, sp } = opened(t, { limit: 3, window: '1h' })
  const decision = limiter.consume('a')
  for (const key of [undefined, null, '', 7, NaN, true, Symbol('key'), {}, [], ['a'], () => 'a', 7n, Object('a')]) {
    for (const call of [() => limiter.consume(key), () => limiter.peek(key), () => limiter.reset(key)]) {
      assert.throws(call, (error) => {
        assert.ok(error instanceof TypeError)
        assert.equal(error.code, 'E_KEY')
        assert.match(error.message, /^a key of the limiter "chat" must be a non-empty string; got /)
        return true
      })
    }
  }
  limiter.refund(7, decision)
  assert.throws(() => limiter.consume(''), { message: /got "" \[E_KEY\]$/ })
  assert.equal(limiter.peek('a').remaining, 2)
  assert.equal(sp.snapshot().limiters.chat.keys, 1)
})

test('what is not a whole number of 32 bits is no cost, in consume and in peek', (t) => {
  const { limiter } = opened(t, { limit: 3, window: '1h' })
  for (const [cost, shown, Base] of [
    [-1, '-1', RangeError],
    [0.5, '0.5', RangeError],
    [1.000001, '1.000001', RangeError],
    [NaN, 'NaN', RangeError],
    [Infinity, 'Infinity', RangeError],
    [-Infinity, '-Infinity', RangeError],
    [4_294_967_296, '4294967296', RangeError],
    [Number.MAX_SAFE_INTEGER, '9007199254740991', RangeError],
    ['1', '"1"', TypeError],
    [null, 'null', TypeError],
    [true, 'true', TypeError],
    [2n, '2n', TypeError],
    [{}, 'an object (Object)', TypeError],
    [[1], 'an array', TypeError],
  ]) {
    for (const call of [() => limiter.consume('a', cost), () => limiter.peek('a', cost)]) {
      assert.throws(call, (error) => {
        assert.ok(error instanceof Base, `${shown} is no ${Base.name}`)
        assert.equal(error.code, 'E_COST')
        assert.match(error.message, /the limiter "chat" must be a whole number from 0 to 4,294,967,295; got /)
        assert.ok(error.message.endsWith(`got ${shown} [E_COST]`), error.message)
        return true
      })
    }
  }
  assert.equal(limiter.consume('a', undefined).cost, 1)
  assert.equal(limiter.peek('a').remaining, 2)
})

test('on the system clock a wrong key and a wrong cost are told the same way', (t) => {
  const sp = spillway({ isolated: true })
  t.after(() => sp.close())
  const limiter = sp.limiter('chat', { limit: 3, window: '1h' })
  assert.throws(() => limiter.consume(7), { code: 'E_KEY' })
  assert.throws(() => limiter.consume('a', -1), { code: 'E_COST' })
  assert.throws(() => limiter.peek('a', 1.5), { code: 'E_COST' })
  assert.throws(() => limiter.reset(''), { code: 'E_KEY' })
})

// ---------------------------------------------------------------- too many keys

test('keys beyond maxKeys are limited early or in time, never late', (t) => {
  const { limiter, sp } = opened(t, { limit: 3, window: '1h', maxKeys: 16 })
  let some = 0
  for (let key = 0; key < 2000; key++) {
    const count = admitted(limiter, `key-${key}`, 6)
    assert.ok(count <= 3, `${count} for key ${key}`)
    some += count
  }
  for (let key = 0; key < 2000; key++) assert.equal(limiter.consume(`key-${key}`).ok, false, `key ${key} again`)
  assert.ok(some >= 16 * 3, `only ${some} admitted in all`)
  const { keys, overflowed } = sp.snapshot().limiters.chat
  assert.equal(keys, 16)
  assert.ok(overflowed > 0)
})

test('a flood of strangers does not reset the counter of whoever sends it', (t) => {
  const { limiter, clock } = opened(t, { limit: 5, window: '1h', maxKeys: 8 })
  assert.equal(admitted(limiter, 'attacker', 10), 5)
  for (let key = 0; key < 10_000; key++) limiter.consume(`stranger-${key}`)
  assert.equal(admitted(limiter, 'attacker', 10), 0)
  clock.now = 720_000
  assert.equal(admitted(limiter, 'attacker', 10), 1)
})

test('cells of keys that have refilled make room for others', (t) => {
  const { limiter, clock, sp } = opened(t, { limit: 5, window: '1s', maxKeys: 8 })
  for (let round = 0; round < 100; round++) {
    for (let key = 0; key < 8; key++) assert.equal(admitted(limiter, `${round}-${key}`, 10), 5)
    clock.now += 1000
  }
  const { keys, overflowed } = sp.snapshot().limiters.chat
  assert.deepEqual([keys, overflowed], [8, 0])
})

test('a key that was counted with others keeps what it has spent when it gets a cell of its own', (t) => {
  const { limiter, clock } = opened(t, { limit: 10, window: '10s', burst: 10, maxKeys: 1 })
  limiter.consume('first', 1)
  assert.equal(admitted(limiter, 'second', 20), 10)
  clock.now = 1000
  // The first has refilled and gives up its cell; the second has one unit back and must not have ten.
  assert.equal(admitted(limiter, 'second', 20), 1)
})

// ---------------------------------------------------------------- the handle

test('a handle says what it is', (t) => {
  const { limiter } = opened(t, { limit: 30, window: '5m', burst: 50 })
  const { kind, name, limit, windowMs, burst } = limiter
  assert.deepEqual(
    { kind, name, limit, windowMs, burst },
    { kind: 'limiter', name: 'chat', limit: 30, windowMs: 300_000, burst: 50 },
  )
  assert.equal(opened(t, { limit: 30, window: '5m' }).limiter.burst, 30)
})

test('a limiter that was disposed of answers nothing but E_DISPOSED', (t) => {
  const { limiter } = opened(t, { limit: 3, window: '1h' })
  const decision = limiter.consume('a')
  limiter.dispose()
  for (const call of [
    () => limiter.consume('a'),
    () => limiter.peek('a'),
    () => limiter.reset('a'),
    () => limiter.refund('a', decision),
  ]) {
    assert.throws(call, { code: 'E_DISPOSED', message: /^the limiter "chat" has been disposed of/ })
  }
})

test('rates of up to one unit in 100 ns are counted, finer ones are refused with what to do', (t) => {
  const { sp } = opened(t, { limit: 1, window: '1s' })
  const clock = { now: 0 }
  const fine = spillway({ clock: () => clock.now })
  t.after(() => fine.close())
  const limiter = fine.limiter('fine', { limit: 10_000_000, window: '1s' })
  assert.equal(limiter.consume('a', 10_000_000).ok, true)
  clock.now = 1
  assert.equal(limiter.peek('a').remaining, 10_000)
  assert.throws(
    () => sp.limiter('too fine', { limit: 20_000_000, window: '1s' }),
    (error) => {
      assert.ok(error instanceof RangeError)
      assert.equal(error.code, 'E_RATE_TOO_FINE')
      assert.match(error.message, /`limit` 20000000 in a `window` of 1000 ms .* larger `cost` .* \[E_RATE_TOO_FINE\]$/)
      return true
    },
  )
})

test('a burst that would take over 146 years to refill is refused', (t) => {
  const { sp } = opened(t, { limit: 1, window: '1s' })
  sp.limiter('long', { limit: 1, window: '3650d', burst: 14 })
  assert.throws(() => sp.limiter('too long', { limit: 1, window: '3650d', burst: 15 }), {
    name: 'RangeError',
    code: 'E_OPTION',
    message: /`burst` 15 .* use a smaller `burst` or `window` \[E_OPTION\]$/,
  })
})

function range(from, to) {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index)
}
