// What many charges in one crossing are answered: the same as one by one. Owns consumeMany.
// Never waits: time is an argument.
'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')
const { spillway } = require('../index.js')
const { opened, randomOf, MIDNIGHT } = require('./limiters.js')

const BUCKET = { limit: 3, window: '1m' }
const FIXED = { ...BUCKET, algorithm: 'fixed-window' }
const SLIDING = { ...BUCKET, algorithm: 'sliding-window' }
const SEVERAL = [
  { limit: 3, window: '1s' },
  { limit: 5, window: '1m', algorithm: 'sliding-window' },
  { limit: 4, window: '1m', algorithm: 'fixed-window', shadow: true, name: 'trial' },
]

const keys = (count, of = count) => Array.from({ length: count }, (_, index) => `key-${index % of}`)

test('the decisions stand in the order of the keys, each with its own numbers', (t) => {
  const { limiter } = opened(t, FIXED)
  assert.deepEqual(
    limiter
      .consumeMany(['a', 'b', 'a', 'a', 'a'], [1, 3, 1, 1, 1])
      .map(({ ok, remaining, cost }) => [ok, remaining, cost]),
    [
      [true, 2, 1],
      [true, 0, 3],
      [true, 1, 1],
      [true, 0, 1],
      [false, 0, 1],
    ],
  )
})

test('a cost that is not said is 1', (t) => {
  const { limiter } = opened(t, BUCKET)
  const decisions = limiter.consumeMany(['a', 'a', 'a', 'a'])
  assert.deepEqual(
    decisions.map(({ ok, cost }) => [ok, cost]),
    [
      [true, 1],
      [true, 1],
      [true, 1],
      [false, 1],
    ],
  )
  assert.equal(limiter.consumeMany(['b'], undefined)[0].ok, true)
})

test('no keys, no decisions', (t) => {
  const { limiter, sp } = opened(t, BUCKET)
  assert.deepEqual(limiter.consumeMany([]), [])
  assert.deepEqual(limiter.consumeMany([], []), [])
  assert.equal(sp.snapshot().limiters.api.allowed, 0)
})

test('any number of keys is answered, around every multiple of what one crossing takes', (t) => {
  for (const options of [BUCKET, SEVERAL]) {
    for (const count of [1, 2, 63, 64, 65, 127, 128, 129, 1000, 10_001]) {
      const { limiter, sp } = opened(t, options)
      const decisions = limiter.consumeMany(keys(count), Array(count).fill(2))
      assert.equal(decisions.length, count)
      assert.ok(decisions.every(({ ok, remaining, cost }) => ok && remaining === 1 && cost === 2))
      assert.equal(sp.snapshot().limiters.api.allowed, count)
      for (const index of [0, count >> 1, count - 1]) assert.equal(limiter.peek(`key-${index}`).remaining, 1)
    }
  }
})

for (const [options, name] of [
  [BUCKET, 'a token bucket'],
  [FIXED, 'a fixed window'],
  [SLIDING, 'a sliding window'],
  [SEVERAL, 'several limits'],
  [{ ...SLIDING, shadow: true }, 'a limit in shadow'],
]) {
  test(`it equals consume of each, over 10,000 random charges of ${name}`, (t) => {
    const random = randomOf(2024)
    const [many, single] = [opened(t, options), opened(t, options)]
    let denied = 0
    for (let charges = 0; charges < 10_000;) {
      const forward = random(3) === 0 ? random(30_000) : 0
      many.clock.now += forward
      single.clock.now += forward
      if (random(20) === 0) {
        const key = `key-${random(40)}`
        for (const { limiter } of [many, single]) limiter.block(key, 5000)
      }
      const count = 1 + random(150)
      const some = Array.from({ length: count }, () => `key-${random(40)}`)
      const costs = random(3) === 0 ? undefined : some.map(() => random(5))
      const decisions = many.limiter.consumeMany(some, costs)
      const expected = some.map((key, index) => single.limiter.consume(key, costs?.[index]))
      for (let index = 0; index < count; index++) {
        assert.deepEqual({ ...decisions[index] }, { ...expected[index] }, `charge ${charges + index}`)
        denied += expected[index].reason !== 'allowed'
      }
      charges += count
    }
    assert.ok(denied > 1000, String(denied))
    const [one, other] = [many, single].map(({ sp }) => sp.snapshot().limiters.api)
    assert.deepEqual({ ...one, bytes: 0 }, { ...other, bytes: 0 })
  })
}

test('each of its decisions is given back once, for its own key', (t) => {
  for (const options of [BUCKET, FIXED, SLIDING, SEVERAL.slice(0, 2)]) {
    const { limiter } = opened(t, options)
    const decisions = limiter.consumeMany(['a', 'b', 'a', 'a', 'a'], [1, 3, 2, 1, 0])
    limiter.refund('b', decisions[0])
    assert.equal(limiter.peek('b').remaining, 0)
    limiter.refund('a', decisions[3])
    assert.equal(limiter.peek('a').remaining, 0, 'a denial has nothing to give back')
    limiter.refund('a', decisions[2])
    limiter.refund('a', decisions[2])
    assert.equal(limiter.peek('a').remaining, 2)
    limiter.refund('a', decisions[0])
    limiter.refund('b', decisions[1])
    assert.deepEqual([limiter.peek('a').remaining, limiter.peek('b').remaining], [3, 3])
  }
})

test('a wrong key or cost anywhere among them throws, and nothing is charged', (t) => {
  for (const options of [BUCKET, SEVERAL]) {
    const { limiter, sp } = opened(t, options)
    for (const count of [3, 200]) {
      for (const at of [0, count >> 1, count - 1]) {
        for (const key of ['', undefined, null, 7, {}, Symbol('key')]) {
          const some = keys(count)
          some[at] = key
          assert.throws(() => limiter.consumeMany(some), {
            name: 'TypeError',
            code: 'E_KEY',
            message: /^a key of the limiter "api" must be a non-empty string; got /,
          })
        }
        for (const cost of [-1, 0.5, NaN, 2 ** 32, '1', null, undefined, 1n]) {
          const costs = Array(count).fill(1)
          costs[at] = cost
          assert.throws(() => limiter.consumeMany(keys(count), costs), {
            code: 'E_COST',
            message: /^the cost of a call to the limiter "api" must be a whole number/,
          })
        }
      }
    }
    assert.deepEqual([sp.snapshot().limiters.api.allowed, sp.snapshot().limiters.api.keys], [0, 0])
  }
})

test('a list with holes is a list with wrong keys', (t) => {
  const { limiter } = opened(t, BUCKET)
  const some = ['a', 'b', 'c']
  delete some[1]
  assert.throws(() => limiter.consumeMany(some), { code: 'E_KEY', message: /got undefined/ })
  assert.equal(limiter.peek('a').remaining, 3)
})

test('what are no lists of the same length are told', (t) => {
  const { limiter } = opened(t, BUCKET)
  for (const wrong of [undefined, null, 'ab', 7, {}, new Set(['a'])]) {
    assert.throws(() => limiter.consumeMany(wrong), {
      name: 'TypeError',
      code: 'E_KEY',
      message: /^`keys` of consumeMany\(\) must be an array; got /,
    })
  }
  for (const wrong of [[], [1], [1, 1, 1], 'ab', 7, {}, null, new Float64Array(2)]) {
    assert.throws(() => limiter.consumeMany(['a', 'b'], wrong), {
      name: 'TypeError',
      code: 'E_COST',
      message: /^`costs` of consumeMany\(\) must be an array with a cost for each key; got /,
    })
  }
  assert.equal(limiter.peek('a').remaining, 3)
})

test('64 keys are asked at one moment, whatever the clock does meanwhile', (t) => {
  let readings = 0
  const sp = spillway({ env: false, clock: () => MIDNIGHT + 60_000 * readings++ })
  t.after(() => sp.close())
  const limiter = sp.limiter('api', BUCKET)
  const before = readings
  const decisions = limiter.consumeMany(keys(64, 1))
  assert.equal(readings - before, 1)
  assert.equal(decisions.filter(({ ok }) => ok).length, 3)
})

test('keys and costs are read, never changed', (t) => {
  const { limiter } = opened(t, BUCKET)
  const [some, costs] = [Object.freeze(keys(200)), Object.freeze(Array(200).fill(1))]
  assert.equal(limiter.consumeMany(some, costs).length, 200)
})

test('on the system’s clock it spends one budget with consume', (t) => {
  const sp = spillway({ isolated: true, env: false })
  t.after(() => sp.close())
  for (const algorithm of ['token-bucket', 'fixed-window', 'sliding-window']) {
    const limiter = sp.limiter(algorithm, { limit: 100, window: '3650d', algorithm })
    assert.equal(limiter.consumeMany(keys(90, 1)).filter(({ ok }) => ok).length, 90)
    limiter.consume('key-0', 7)
    const decisions = limiter.consumeMany(keys(90, 1))
    assert.equal(decisions.filter(({ ok }) => ok).length, 3, algorithm)
    limiter.refund('key-0', decisions[0])
    assert.equal(limiter.peek('key-0').remaining, 1)
  }
})

test('a listener may ask again while it is told, and no decision is mixed up by it', (t) => {
  const { limiter } = opened(t, BUCKET)
  const told = []
  limiter.on('limited', ({ key, decision }) => {
    told.push([key, decision])
    limiter.consumeMany(['x', 'y', 'z'], [0, 0, 0])
    limiter.peek('w')
  })
  const decisions = limiter.consumeMany(keys(300, 60))
  const denied = decisions.map((decision, index) => [`key-${index % 60}`, decision]).filter(([, { ok }]) => !ok)
  assert.equal(denied.length, 120)
  assert.deepEqual(
    told.map(([key]) => key),
    denied.map(([key]) => key),
  )
  for (const [index, [, decision]] of told.entries()) assert.equal(decision, denied[index][1])
  for (const { ok, remaining } of decisions.slice(0, 180)) assert.ok(ok && remaining >= 0)
})
