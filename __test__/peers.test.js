// Bugs that other limiters have, or had, each as a test that this one does not. Owns nothing of its own.
// Never names a peer: what happened is the name.
'use strict'

const assert = require('node:assert/strict')
const { execFile } = require('node:child_process')
const path = require('node:path')
const { test } = require('node:test')
const { spillway } = require('../index.js')
const { opened, admitted, randomOf, MIDNIGHT, MINUTE, HOUR, DAY } = require('./limiters.js')

const ALGORITHMS = ['token-bucket', 'fixed-window', 'sliding-window']

/** What the process waits for: timers, handles, work. */
const resources = () => process.getActiveResourcesInfo().length

test('over-admission after idle: a burst of 10 admits 10 after 8.9 s of rest, not 17', (t) => {
  const { limiter, clock } = opened(t, { limit: 10, window: '10s' })
  assert.equal(admitted(limiter, 'a', 1), 1)
  clock.now += 8900
  assert.equal(admitted(limiter, 'a', 30), 10)
})

test('over-admission after idle: no rest, however long, buys more than the limit at once', (t) => {
  for (const algorithm of ALGORITHMS) {
    for (const rest of [1, 500, 999, 1000, 1001, 8900, 60_000, HOUR, 30 * DAY, 400 * DAY]) {
      const { limiter, clock } = opened(t, { limit: 10, window: '1s', algorithm })
      admitted(limiter, 'a', 3)
      clock.now += rest
      assert.ok(admitted(limiter, 'a', 50) <= 10, `${algorithm} after ${rest} ms`)
    }
  }
})

test('a burst of 1 that never limits: here it is one at a time', (t) => {
  const { limiter, clock } = opened(t, { limit: 10, window: '1s', burst: 1 })
  for (let i = 0; i < 20; i++) {
    assert.equal(admitted(limiter, 'a', 10), 1)
    clock.now += 100
  }
})

test('spending on rejection: 9 and a refused 5 of 10 leave 1, not minus 4', (t) => {
  for (const algorithm of ALGORITHMS) {
    const { limiter, clock } = opened(t, { limit: 10, window: '1h', algorithm })
    limiter.consume('a', 9)
    for (let i = 0; i < 50; i++) {
      const refused = limiter.consume('a', 5)
      assert.deepEqual([refused.ok, refused.remaining], [false, 1], algorithm)
    }
    assert.equal(limiter.consume('a').ok, true, algorithm)
    clock.now += 2 * HOUR
    assert.equal(admitted(limiter, 'a', 20), 10, `${algorithm}: the refused ones are not owed either`)
  }
})

test('spending on rejection: a storm of retries does not push the refill back', (t) => {
  for (const algorithm of ALGORITHMS) {
    const { limiter, clock } = opened(t, { limit: 1, window: '1s', algorithm })
    limiter.consume('a')
    const { retryAfterMs } = limiter.consume('a')
    for (let ms = 0; ms < retryAfterMs; ms++) {
      clock.now = MIDNIGHT + ms
      assert.equal(limiter.consume('a').retryAfterMs, retryAfterMs - ms, algorithm)
    }
    clock.now = MIDNIGHT + retryAfterMs
    assert.equal(limiter.consume('a').ok, true, algorithm)
  }
})

test('going negative: what is left is never below zero, whatever is asked, refunded or planned', (t) => {
  const random = randomOf(3)
  for (const algorithm of ALGORITHMS) {
    const { limiter, clock } = opened(t, { limit: 10, window: '1s', algorithm })
    const held = []
    for (let i = 0; i < 3000; i++) {
      clock.now += random(90)
      const plan = random(4) === 0 ? { limit: 1 + random(20) } : undefined
      const decision = limiter.consume('a', random(12), plan)
      held.push(decision)
      if (random(5) === 0) limiter.refund('a', held[random(held.length)])
      for (const { remaining, limit } of [decision, limiter.peek('a'), limiter.peek('a', 1, { limit: 2 })]) {
        assert.ok(remaining >= 0 && remaining <= limit, `${algorithm}: ${remaining} of ${limit}`)
      }
    }
  }
})

test('a fixed window that never expires: each new one begins with nothing spent', (t) => {
  const { limiter, clock } = opened(t, { limit: 3, window: '1s', algorithm: 'fixed-window' })
  for (let window = 0; window < 50; window++) {
    assert.equal(admitted(limiter, 'a', 10), 3, `window ${window}`)
    clock.now += 1000
  }
})

test('windows over 24.8 days: they still limit, a minute later and until they are over', (t) => {
  for (const algorithm of ALGORITHMS) {
    for (const days of [24, 25, 30, 31, 50, 100, 365, 3650]) {
      const start = Math.floor(MIDNIGHT / (days * DAY)) * days * DAY
      const { limiter, clock } = opened(t, { limit: 3, window: `${days}d`, algorithm }, start)
      const label = `${algorithm} of ${days} days`
      assert.equal(admitted(limiter, 'a', 10), 3, label)
      for (const later of [1, MINUTE, DAY, (days * DAY) / 3 - 1]) {
        clock.now = start + later
        assert.equal(admitted(limiter, 'a', 10), 0, `${label}, ${later} ms later`)
      }
      clock.now = start + 2 * days * DAY
      assert.equal(admitted(limiter, 'a', 10), 3, label)
    }
  }
})

test('blocks over 24.8 days: they hold, and end', (t) => {
  const { limiter, clock } = opened(t, { limit: 3, window: '1s' })
  for (const days of [24, 25, 31, 100, 3650]) {
    limiter.block('a', `${days}d`)
    clock.now += days * DAY - 1
    assert.equal(limiter.consume('a').reason, 'blocked', `${days} days`)
    clock.now += 1
    assert.equal(limiter.consume('a').ok, true, `${days} days`)
  }
})

test('sub-second durations: windows and blocks of milliseconds end, and limit until then', (t) => {
  for (const algorithm of ALGORITHMS) {
    for (const window of [1, 2, '10ms', '0.25s', '999ms']) {
      const { limiter, clock } = opened(t, { limit: 2, window, algorithm })
      const label = `${algorithm} of ${window}`
      assert.equal(admitted(limiter, 'a', 10), 2, label)
      clock.now += 2 * limiter.windowMs
      assert.equal(admitted(limiter, 'a', 10), 2, `${label}: again`)
      limiter.block('b', window)
      assert.equal(limiter.consume('b').retryAfterMs, Math.ceil(limiter.windowMs), label)
      clock.now += limiter.windowMs
      assert.equal(limiter.consume('b').ok, true, label)
    }
  }
})

test('evicting the attacker’s own counter: a flood of other keys resets nobody', (t) => {
  for (const algorithm of ALGORITHMS) {
    const { limiter } = opened(t, { limit: 5, window: '1d', maxKeys: 8, algorithm })
    assert.equal(admitted(limiter, 'attacker', 10), 5)
    for (let key = 0; key < 20_000; key++) limiter.consume(`stranger-${key}`)
    assert.equal(admitted(limiter, 'attacker', 10), 0, algorithm)
  }
})

test('evicting the attacker’s own counter: nor does a flood before the attacker’s first call', (t) => {
  for (const algorithm of ALGORITHMS) {
    const { limiter } = opened(t, { limit: 5, window: '1d', maxKeys: 8, algorithm })
    for (let key = 0; key < 20_000; key++) limiter.consume(`stranger-${key}`)
    let count = admitted(limiter, 'attacker', 10)
    for (let key = 0; key < 1000; key++) limiter.consume(`stranger-${key}`)
    count += admitted(limiter, 'attacker', 10)
    assert.ok(count <= 5, `${algorithm}: ${count}`)
  }
})

test('one timer per hit: a hundred thousand hits, blocks and reservations start none', (t) => {
  const sp = spillway({ isolated: true, env: false })
  t.after(() => sp.close())
  for (const name of ['setTimeout', 'setInterval', 'setImmediate']) {
    t.mock.method(globalThis, name, () => assert.fail(`a ${name}`))
  }
  const before = resources()
  for (const algorithm of ALGORITHMS) {
    const limiter = sp.limiter(algorithm, { limit: 3, window: '1h', algorithm })
    for (let key = 0; key < 33_000; key++) limiter.consume(`key-${key}`)
    for (let key = 0; key < 1000; key++) limiter.block(`key-${key}`, '1h')
    if (algorithm === 'token-bucket') limiter.reserve('key-5000', 3, { maxWait: '1d' })
    limiter.consumeMany(Array.from({ length: 1000 }, (_, key) => `key-${key}`))
    limiter.reset('key-7')
  }
  assert.equal(resources(), before)
})

test('a limiter that keeps the process alive: this one lets it end', async () => {
  const script = `
    const { limiter } = require('.')
    for (const algorithm of ${JSON.stringify(ALGORITHMS)}) {
      const one = limiter(algorithm, { limit: 3, window: '1d', algorithm })
      for (let i = 0; i < 10; i++) one.consume('a')
      one.block('a', '1d')
    }
  `
  const code = await new Promise((resolve) => {
    execFile(process.execPath, ['-e', script], { cwd: path.join(__dirname, '..'), timeout: 20_000 }, (error) =>
      resolve(error === null ? 0 : (error.code ?? error.signal)),
    )
  })
  assert.equal(code, 0)
})
