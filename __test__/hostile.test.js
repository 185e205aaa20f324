// What a limiter makes of keys, costs, durations and clocks that mean harm or make no sense. Owns hostile input.
// Never tests what a sane call is answered.
'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')
const { spillway } = require('../index.js')
const { opened, admitted, randomOf, MIDNIGHT, HOUR, DAY } = require('./limiters.js')

const ALGORITHMS = ['token-bucket', 'fixed-window', 'sliding-window']
/** The last millisecond a clock may tell, in the year 2116. */
const FARTHEST = 4_611_686_018_427
const HOURLY = { limit: 3, window: '1h' }

/** Keys that are apart in every way to ask: each has a budget of its own, and is the same key again. */
function areApart(t, keys) {
  for (const algorithm of ALGORITHMS) {
    const { limiter, sp } = opened(t, { ...HOURLY, algorithm })
    for (const key of keys) assert.equal(limiter.consume(key, 3).ok, true, JSON.stringify(key.slice(0, 20)))
    for (const key of keys) assert.equal(limiter.consume(key).ok, false, JSON.stringify(key.slice(0, 20)))
    for (const { ok } of limiter.consumeMany(keys)) assert.equal(ok, false)
    for (const key of keys) {
      const charges = [
        { limiter, key: 'nobody else', cost: 0 },
        { limiter, key },
      ]
      assert.equal(sp.consumeAll(charges).ok, false)
      assert.equal(limiter.peek(key).ok, false)
    }
    assert.equal(sp.snapshot().limiters.api.keys, keys.length)
  }
}

test('line ends, NULs, spaces and other signs are part of a key', (t) => {
  areApart(t, [
    'a',
    'a\r\n',
    'a\n',
    'a\r',
    'a\r\nSet-Cookie: b=c',
    '\0',
    '\0\0',
    'a\0',
    'a\0b',
    'a\u2028',
    ' a',
    'a ',
    '\u00a0a',
    '\ufeffa',
    '\u200ba',
    'a\u0007',
    '../../etc/passwd',
    "'; DROP TABLE users; --",
    '$' + '{7*7}',
    '{{7*7}}',
    '%00',
    '%0d%0a',
    ':',
    'a:b',
    'a:b:c',
    '{a}',
    '*',
  ])
})

test('names of an object’s own machinery are keys like others, and change no object', (t) => {
  areApart(t, [
    '__proto__',
    'constructor',
    'prototype',
    'toString',
    'valueOf',
    'then',
    'toJSON',
    '__defineSetter__',
    'length',
  ])
  assert.deepEqual(Object.keys(Object.prototype), [])
  assert.equal({}.ok, undefined)
})

test('keys that differ in a lone surrogate, a case, an accent or a form of it stay apart', (t) => {
  areApart(t, [
    '\ud800',
    '\ud801',
    '\udbff',
    '\udc00',
    '\udfff',
    '\ufffd',
    '\ud800\udc00',
    '\udc00\ud800',
    'x\ud800',
    '\ud800x',
    'é',
    'e\u0301',
    'É',
    'ß',
    'ss',
    'ſ',
    '\u212a',
    'K',
    'ﬁ',
    'fi',
    '１',
    '1',
    '😀',
    '😀\ufe0f',
  ])
})

test('keys of a megabyte are read whole, and keep nothing but their cell', (t) => {
  const megabyte = 'k'.repeat(1 << 20)
  areApart(t, [megabyte, `${megabyte}1`, `1${megabyte}`, `${megabyte.slice(0, 1000)}€${megabyte.slice(1001)}`, 'k'])
  const { limiter, sp } = opened(t, HOURLY)
  const before = sp.snapshot().limiters.api.bytes
  for (let i = 0; i < 20; i++) limiter.consume(`${megabyte}${i}`)
  assert.ok(sp.snapshot().limiters.api.bytes - before < 1 << 20, 'of 20 MB of keys')
})

test('a hundred thousand different keys of a kilobyte cost what short ones cost', (t) => {
  const bytes = [0, 1000].map((length) => {
    const { limiter, sp } = opened(t, HOURLY)
    const rest = 'k'.repeat(length)
    for (let key = 0; key < 100_000; key++) assert.equal(limiter.consume(`${rest}${key}`).remaining, 2)
    for (let key = 0; key < 100_000; key += 997) assert.equal(limiter.consume(`${rest}${key}`).remaining, 1)
    const { keys, bytes, overflowed } = sp.snapshot().limiters.api
    assert.deepEqual([keys, overflowed], [100_000, 0])
    return bytes
  })
  assert.ok(Math.abs(bytes[1] - bytes[0]) < bytes[0] / 2, String(bytes))
  assert.ok(bytes[1] < 100_000 * 100, `${bytes[1] / 100_000} bytes a key`)
})

test('what is no non-empty string is no key, whatever it would turn into', (t) => {
  const { limiter, sp } = opened(t, HOURLY)
  let asked = 0
  const wily = { toString: () => `${asked++}`, [Symbol.toPrimitive]: () => `${asked++}`, length: 1 }
  for (const key of [
    '',
    undefined,
    null,
    0,
    NaN,
    false,
    true,
    7n,
    Symbol('a'),
    wily,
    ['a'],
    Object('a'),
    () => 'a',
    /a/,
  ]) {
    for (const call of [
      () => limiter.consume(key),
      () => limiter.consume(key, 2),
      () => limiter.consume(key, 1, { limit: 5 }),
      () => limiter.peek(key),
      () => limiter.reserve(key, 1, { maxWait: 1 }),
      () => limiter.block(key, 1),
      () => limiter.unblock(key),
      () => limiter.reset(key),
      () => limiter.consumeMany(['a', key]),
      () => sp.consumeAll([{ limiter, key }]),
    ]) {
      assert.throws(call, {
        name: 'TypeError',
        code: 'E_KEY',
        message: /^a key of the limiter "api" must be a non-empty/,
      })
    }
  }
  assert.equal(asked, 0)
  assert.deepEqual([sp.snapshot().limiters.api.keys, sp.snapshot().limiters.api.allowed], [0, 0])
})

test('no key and no value of the user’s own is in a message beyond its first sixty characters', (t) => {
  const { limiter, sp } = opened(t, HOURLY)
  const secret = `Bearer ${'s3cret'.repeat(100)}`
  for (const call of [
    () => limiter.consume('a', secret),
    () => sp.limiter('b', { limit: secret, window: '1h' }),
    () => limiter.block('a', secret),
    () => sp.limiter(secret, HOURLY),
  ]) {
    assert.throws(call, ({ message }) => message.length < 300)
  }
})

test('what is no whole number of 32 bits is no cost, and is not turned into one', (t) => {
  const { limiter, sp } = opened(t, HOURLY)
  let asked = 0
  const wily = { valueOf: () => ++asked, [Symbol.toPrimitive]: () => ++asked }
  for (const [cost, Base] of [
    [-1, RangeError],
    [-0.5, RangeError],
    [0.1, RangeError],
    [1 + Number.EPSILON, RangeError],
    [NaN, RangeError],
    [Infinity, RangeError],
    [-Infinity, RangeError],
    [2 ** 32, RangeError],
    [2 ** 53, RangeError],
    [1e308, RangeError],
    [5e-324, RangeError],
    ['1', TypeError],
    [1n, TypeError],
    [null, TypeError],
    [true, TypeError],
    [[1], TypeError],
    [wily, TypeError],
    [new Date(1), TypeError],
  ]) {
    for (const call of [
      () => limiter.consume('a', cost),
      () => limiter.consume('a', cost, { limit: 5 }),
      () => limiter.peek('a', cost),
      () => limiter.reserve('a', cost, { maxWait: 1 }),
      () => limiter.consumeMany(['a'], [cost]),
      () => sp.consumeAll([{ limiter, key: 'a', cost }]),
    ]) {
      assert.throws(call, (error) => error instanceof Base && error.code === 'E_COST', String(call))
    }
  }
  assert.equal(asked, 0)
  assert.equal(limiter.peek('a').remaining, 3)
})

test('minus zero is zero', (t) => {
  const { limiter } = opened(t, HOURLY)
  assert.deepEqual([limiter.consume('a', -0).ok, limiter.peek('a').remaining], [true, 3])
})

test('the largest costs there are overflow nothing', (t) => {
  for (const algorithm of ALGORITHMS) {
    const { limiter, sp } = opened(t, { ...HOURLY, limit: 1_000_000, window: '3650d', algorithm })
    for (const cost of [4_294_967_295, 4_294_967_294, 2 ** 31, 2 ** 31 - 1, 2 ** 20, 1_000_001]) {
      const { ok, reason, remaining } = limiter.consume('a', cost)
      assert.deepEqual([ok, reason, remaining], [false, 'impossible', 1_000_000])
    }
    assert.equal(limiter.consume('a', 999_999).remaining, 1)
    assert.equal(limiter.consume('a', 4_294_967_295).remaining, 1)
    assert.equal(sp.consumeAll(Array(8).fill({ limiter, key: 'b', cost: 4_294_967_295 })).reason, 'impossible')
    assert.equal(sp.consumeAll(Array(8).fill({ limiter, key: 'b', cost: 200_000 })).ok, false)
    assert.equal(limiter.peek('b').remaining, 1_000_000)
  }
})

test('limits above what an algorithm can hold are refused when they are opened', (t) => {
  const { sp } = opened(t, HOURLY)
  for (const [options, code] of [
    [{ limit: 1_048_576, window: '1h', algorithm: 'sliding-window' }, 'E_OPTION'],
    [{ limit: 1e9 + 1, window: '1h', algorithm: 'fixed-window' }, 'E_OPTION'],
    [{ limit: 2 ** 32, window: '1h', algorithm: 'fixed-window' }, 'E_OPTION'],
    [{ limit: 1e9, window: '1s' }, 'E_RATE_TOO_FINE'],
    [{ limit: 20_000, window: 1 }, 'E_RATE_TOO_FINE'],
    [{ limit: 1, window: '3650d', burst: 1e9 }, 'E_OPTION'],
    [{ limit: Number.MAX_SAFE_INTEGER, window: '1h' }, 'E_OPTION'],
    [{ limit: 5n, window: '1h' }, 'E_OPTION'],
    [{ limit: '5', window: '1h' }, 'E_OPTION'],
  ]) {
    assert.throws(
      () => sp.limiter('new', options),
      { code },
      JSON.stringify(options, (_, value) => String(value)),
    )
  }
  assert.deepEqual(Object.keys(sp.snapshot().limiters), ['api'])
})

test('windows that are none are refused, for every algorithm', (t) => {
  const { sp } = opened(t, HOURLY)
  for (const algorithm of ALGORITHMS) {
    for (const window of [
      0,
      -0,
      0.999,
      -1,
      NaN,
      Infinity,
      -Infinity,
      '0s',
      '0.5ms',
      '1e3s',
      '-1s',
      '+1s',
      '1 s',
      ' 1s',
      '1s ',
      '1S',
      '1.s',
      '.5s',
      '1,5s',
      '0x10s',
      '1s1s',
      '1w',
      '1month',
      '1',
      '',
      's',
      'Infinitys',
      'NaNms',
      '١s',
      '3651d',
      `${'9'.repeat(400)}s`,
      5n,
      [1000],
      { valueOf: () => 1000 },
      new Date(1000),
      null,
      true,
      undefined,
    ]) {
      assert.throws(() => sp.limiter('new', { limit: 1, window, algorithm }), { code: 'E_DURATION', option: 'window' })
    }
  }
})

test('a window of a month, 31 days, counts and turns to the millisecond', (t) => {
  for (const algorithm of ALGORITHMS) {
    const start = Math.floor(MIDNIGHT / (31 * DAY)) * 31 * DAY
    const { limiter, clock } = opened(t, { ...HOURLY, window: '31d', algorithm }, start)
    assert.equal(admitted(limiter, 'a', 10), 3)
    const { retryAfterMs } = limiter.consume('a')
    assert.ok(retryAfterMs > 10 * DAY && retryAfterMs <= (31 * 4 * DAY) / 3, `${algorithm}: ${retryAfterMs}`)
    clock.now = start + retryAfterMs - 1
    assert.equal(limiter.consume('a').ok, false, algorithm)
    clock.now += 1
    assert.equal(limiter.consume('a').ok, true, algorithm)
  }
})

test('fractions of a millisecond in a window are kept, not rounded away', (t) => {
  const { limiter, clock } = opened(t, { limit: 1, window: 1.000001, algorithm: 'fixed-window' }, 0)
  let turns = 0
  for (let step = 0; step < 2000; step++) {
    clock.now = step * 1.000001 + 0.0000005
    turns += limiter.consume('a').ok
  }
  assert.equal(turns, 2000)
})

test('options with getters, proxies and symbols are read without being changed', (t) => {
  const { sp } = opened(t, HOURLY)
  const reads = []
  const options = new Proxy(Object.freeze({ ...HOURLY, [Symbol('mine')]: 1 }), {
    get: (target, name, receiver) => {
      reads.push(name)
      return Reflect.get(target, name, receiver)
    },
    set: () => assert.fail('written'),
    defineProperty: () => assert.fail('defined'),
    deleteProperty: () => assert.fail('deleted'),
  })
  assert.equal(sp.limiter('proxied', options).limit, 3)
  assert.ok(reads.includes('limit'))
  const error = new Error('the getter’s own')
  const angry = {
    window: '1h',
    get limit() {
      throw error
    },
  }
  assert.throws(
    () => sp.limiter('angry', angry),
    (thrown) => thrown === error,
  )
})

// ---------------------------------------------------------------- clocks

test('a clock that answers no time is told at every call, and nothing is spent meanwhile', (t) => {
  for (const algorithm of ALGORITHMS) {
    const { limiter, sp, clock } = opened(t, { ...HOURLY, algorithm })
    limiter.consume('a')
    for (const answer of [NaN, Infinity, -Infinity, FARTHEST + 1, 1e15, undefined, null, '0', 0n, new Date(0), {}]) {
      clock.now = answer
      for (const call of [
        () => limiter.consume('a'),
        () => limiter.consume('a', 2),
        () => limiter.consume('a', 1, { limit: 5 }),
        () => limiter.peek('a'),
        () => limiter.reset('a'),
        () => limiter.block('a', 1),
        () => limiter.unblock('a'),
        () => limiter.consumeMany(['a']),
        () => sp.consumeAll([{ limiter, key: 'a' }]),
      ]) {
        const name = typeof answer === 'number' ? 'RangeError' : 'TypeError'
        assert.throws(call, { name, code: 'E_OPTION', option: 'clock' }, `${String(answer)} in ${call}`)
      }
    }
    clock.now = MIDNIGHT
    assert.equal(limiter.peek('a').remaining, 2, algorithm)
  }
})

test('a refund that a clock made impossible can be made when it answers again', (t) => {
  const { limiter, clock } = opened(t, HOURLY)
  const decision = limiter.consume('a', 3)
  clock.now = NaN
  assert.throws(() => limiter.refund('a', decision), { code: 'E_OPTION' })
  clock.now = MIDNIGHT
  limiter.refund('a', decision)
  assert.equal(limiter.peek('a').remaining, 3)
})

test('what a clock throws comes through, and nothing is spent', (t) => {
  const error = new Error('the clock’s own')
  let angry = false
  const sp = spillway({
    env: false,
    clock: () => {
      if (angry) throw error
      return MIDNIGHT
    },
  })
  t.after(() => sp.close())
  const limiter = sp.limiter('api', HOURLY)
  angry = true
  for (const call of [
    () => limiter.consume('a'),
    () => limiter.peek('a'),
    () => limiter.consumeMany(['a', 'b']),
    () => sp.consumeAll([{ limiter, key: 'a' }]),
  ]) {
    assert.throws(call, (thrown) => thrown === error)
  }
  angry = false
  assert.equal(limiter.peek('a').remaining, 3)
})

test('a clock that asks the limiter itself mixes up no answer', (t) => {
  const asked = { depth: 0, limiter: undefined }
  const sp = spillway({
    env: false,
    clock: () => {
      if (asked.limiter !== undefined && asked.depth === 0) {
        asked.depth++
        asked.limiter.consume('other', 2)
        asked.depth--
      }
      return MIDNIGHT
    },
  })
  t.after(() => sp.close())
  const limiter = sp.limiter('api', { ...HOURLY, limit: 100 })
  asked.limiter = limiter
  for (let call = 1; call <= 20; call++) assert.equal(limiter.consume('a').remaining, 100 - call)
  assert.equal(limiter.consumeMany(['a', 'a']).at(-1).remaining, 78)
})

test('clocks at the ends of what may be told break nothing', (t) => {
  for (const algorithm of ALGORITHMS) {
    for (const start of [0, -1, -1e15, -1e300, -Number.MAX_VALUE, 5e-324, 1e12 + 1e-3, FARTHEST - HOUR, FARTHEST]) {
      const { limiter, clock } = opened(t, { ...HOURLY, algorithm }, start)
      assert.equal(admitted(limiter, 'a', 10), 3, `${algorithm} at ${start}`)
      limiter.block('c', '3650d')
      assert.equal(limiter.consume('c').reason, 'blocked')
      clock.now = MIDNIGHT
      assert.equal(admitted(limiter, 'b', 10), 3, `${algorithm} from ${start} to today`)
      const { retryAfterMs } = limiter.consume('b')
      assert.ok(retryAfterMs > 0 && retryAfterMs < DAY, `${algorithm}: ${retryAfterMs}`)
    }
  }
})

test('a clock of microseconds is told, not taken for one of a far future', (t) => {
  const { limiter, clock } = opened(t, HOURLY)
  for (const now of [MIDNIGHT * 1000, MIDNIGHT * 1e6, FARTHEST + 1, Number.MAX_VALUE]) {
    clock.now = now
    assert.throws(() => limiter.consume('a'), {
      name: 'RangeError',
      code: 'E_OPTION',
      message: /^`clock` must answer milliseconds since 1970 as a finite number up to 4,611,686,018,427; got /,
    })
    assert.throws(() => spillway({ clock: () => now }), { name: 'RangeError', code: 'E_OPTION', option: 'clock' })
  }
})

test('a clock that answers anything at any time lets nothing through beyond a limit at one moment', (t) => {
  const random = randomOf(666)
  for (const algorithm of ALGORITHMS) {
    const { limiter, clock } = opened(t, { ...HOURLY, algorithm })
    for (let step = 0; step < 3000; step++) {
      const scale = 10 ** random(7)
      clock.now = (random(2) === 0 ? 1 : -1) * random(1000) * scale + random(1000) / 7
      assert.ok(admitted(limiter, `key-${random(5)}`, 6) <= 3, `${algorithm} at ${clock.now}`)
    }
  }
})
