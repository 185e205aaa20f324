// A flood of keys that nobody has seen before: what it costs, and what it does to those who were there. Owns floods.
// Never asserts on wall time: a busy machine is no defect.
'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')
const { opened, admitted, randomOf } = require('./limiters.js')

const STRANGERS = 1_500_000
const MAX_KEYS = 100_000
const HOT = 50
const LIMIT = 1000
/** Calls between two looks at the processor's clock, which costs more than a call. */
const BATCH = 50
const PAUSE_US = 5000
/** One in ten thousand. */
const OUTLIERS = STRANGERS / BATCH / 10_000

/** Microseconds this process has used of the processors. */
function used() {
  const { user, system } = process.cpuUsage()
  return user + system
}

/** Let strangers in, and between them the hot keys, each as often as it may and half as often again. */
function flood(limiter, run, measure) {
  const attempts = HOT * LIMIT * 1.5
  const spared = new Map()
  let hot = 0
  let pauses = 0
  for (let batch = 0; batch < STRANGERS / BATCH; batch++) {
    const keys = Array.from({ length: BATCH }, (_, index) => `${run}:stranger-${batch * BATCH + index}`)
    const before = used()
    for (const key of keys) limiter.consume(key)
    if (used() - before > PAUSE_US) pauses++
    for (; hot < ((batch + 1) * BATCH * attempts) / STRANGERS; hot++) {
      const key = `${run}:hot-${hot % HOT}`
      if (limiter.consume(key).ok) spared.set(key, (spared.get(key) ?? 0) + 1)
    }
    if (batch % 3000 === 2999) measure()
  }
  return { pauses, spared }
}

for (const algorithm of ['token-bucket', 'fixed-window', 'sliding-window']) {
  test(`1.5 million strangers at a ${algorithm} for 100,000 keys: memory is flat, no call pauses, hot keys have exactly their limit`, (t) => {
    let fewest = Infinity
    // A collection of garbage is on the same clock, so a few outliers are forgiven, and more if they do not come again.
    for (let run = 0; run < 3 && fewest > OUTLIERS; run++) {
      const { limiter, sp } = opened(t, { limit: LIMIT, window: '365d', maxKeys: MAX_KEYS, algorithm })
      for (let key = 0; key < HOT; key++) limiter.consume(`${run}:hot-${key}`, 0)
      for (let key = 0; key < HOT; key++) assert.equal(limiter.consume(`${run}:hot-${key}`).ok, true)
      const sizes = []
      const { pauses, spared } = flood(limiter, run, () => sizes.push(sp.snapshot().limiters.api.bytes))
      fewest = Math.min(fewest, pauses)
      assert.equal(sizes.length, 10)
      // The first look comes after 150,000 strangers.
      assert.deepEqual(new Set(sizes), new Set([sizes[0]]), sizes.join())
      assert.ok(sizes[0] <= 64 * MAX_KEYS, `${sizes[0] / MAX_KEYS} bytes a key`)
      assert.equal(spared.size, HOT)
      for (const [key, count] of spared) assert.equal(count, LIMIT - 1, key)
      const { keys, overflowed } = sp.snapshot().limiters.api
      // Each shard's share is rounded up.
      assert.ok(keys <= 1.05 * MAX_KEYS && keys > 0.9 * MAX_KEYS, String(keys))
      assert.ok(overflowed >= STRANGERS - 1.05 * MAX_KEYS, String(overflowed))
      limiter.dispose()
    }
    assert.ok(fewest <= OUTLIERS, `${fewest} times ${BATCH} calls took over ${PAUSE_US} µs of processor`)
  })
}

for (const algorithm of ['token-bucket', 'sliding-window']) {
  test(`while strangers come and expire at a ${algorithm}, a key that never rests is answered as if it were alone`, (t) => {
    const random = randomOf(8)
    const options = { limit: 20, window: '100ms', algorithm }
    const crowded = opened(t, { ...options, maxKeys: 2000 })
    const alone = opened(t, options)
    let stranger = 0
    let denied = 0
    for (let ms = 0; ms < 2000; ms++) {
      crowded.clock.now += 1
      alone.clock.now += 1
      for (let i = 0; i < 150; i++) crowded.limiter.consume(`stranger-${stranger++}`, 1 + random(20))
      for (let key = 0; key < 10; key++) {
        const [one, other] = [crowded, alone].map(({ limiter }) => limiter.consume(`hot-${key}`))
        assert.deepEqual({ ...one }, { ...other }, `hot-${key} at ${ms} ms`)
        denied += !one.ok
      }
    }
    const { keys, bytes } = crowded.sp.snapshot().limiters.api
    assert.ok(denied > 1000 && keys <= 2000 && bytes < 2000 * 200, `${denied} ${keys} ${bytes}`)
  })
}

test('who comes in a flood is limited early or in time, never late, whatever the algorithm', (t) => {
  for (const algorithm of ['token-bucket', 'fixed-window', 'sliding-window']) {
    const { limiter } = opened(t, { limit: 3, window: '1d', maxKeys: 1000, algorithm })
    for (let key = 0; key < 50_000; key++) assert.ok(admitted(limiter, `key-${key}`, 5) <= 3)
    for (let key = 0; key < 50_000; key += 7) assert.equal(limiter.consume(`key-${key}`).ok, false, algorithm)
  }
})

test('a flood of keys in one call is a flood like any other', (t) => {
  const { limiter, sp } = opened(t, { limit: 3, window: '1d', maxKeys: 1000 })
  const keys = (from) => Array.from({ length: 100_000 }, (_, index) => `key-${from + index}`)
  limiter.consumeMany(keys(0))
  const { bytes } = sp.snapshot().limiters.api
  for (let round = 1; round < 5; round++) limiter.consumeMany(keys(round * 100_000))
  assert.equal(sp.snapshot().limiters.api.bytes, bytes)
})

test('a flood at several limits is held by each of them', (t) => {
  const { limiter, sp } = opened(t, [
    { limit: 5, window: '1h', maxKeys: 1000 },
    { limit: 9, window: '1d', maxKeys: 500, algorithm: 'fixed-window' },
  ])
  const sizes = []
  for (let key = 0; key < 200_000; key++) {
    limiter.consume(`key-${key}`)
    if (key % 50_000 === 49_999) sizes.push(sp.snapshot().limiters.api.bytes)
  }
  assert.deepEqual(new Set(sizes), new Set([sizes[0]]))
  const { limits } = sp.snapshot().limiters.api
  assert.ok(limits[0].keys <= 1000 && limits[1].keys <= 500)
  for (const { overflowed } of limits) assert.ok(overflowed > 0)
})
