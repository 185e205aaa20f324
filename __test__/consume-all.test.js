// What one charge over several limiters answers, and what it leaves behind: all or nothing. Owns consumeAll.
// Never tests how a single limiter counts.
'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')
const face = require('../index.js')
const { admitted, randomOf, MIDNIGHT, HOUR } = require('./limiters.js')

const { spillway } = face

/** A user's and the organisation's limiter, and one of a window. */
function opened(t) {
  const clock = { now: MIDNIGHT }
  const sp = spillway({ env: false, clock: () => clock.now })
  t.after(() => sp.close())
  const user = sp.limiter('user', { limit: 3, window: '1m' })
  const organisation = sp.limiter('organisation', { limit: 10, window: '1h', algorithm: 'fixed-window' })
  const address = sp.limiter('address', { limit: 5, window: '1m', algorithm: 'sliding-window' })
  const ask = (cost) =>
    sp.consumeAll([
      { limiter: user, key: 'ada', cost },
      { limiter: organisation, key: 'acme', cost },
    ])
  return { sp, clock, user, organisation, address, ask }
}

/** What is left of each. */
const left = (...limiters) => limiters.map(([limiter, key]) => limiter.peek(key).remaining)

test('both are charged, and the decision is that of the tightest', (t) => {
  const { user, organisation, ask } = opened(t)
  assert.deepEqual(
    { ...ask(2) },
    {
      ok: true,
      reason: 'allowed',
      limit: 3,
      remaining: 1,
      cost: 2,
      retryAfterMs: 0,
      resetMs: 40_000,
      decidedBy: 'local',
      limiter: 'user',
    },
  )
  assert.deepEqual(left([user, 'ada'], [organisation, 'acme']), [1, 8])
})

test('a denial of any of them charges none, whichever it is', (t) => {
  const { sp, user, organisation, address } = opened(t)
  const charges = [
    { limiter: user, key: 'ada' },
    { limiter: organisation, key: 'acme' },
    { limiter: address, key: '::1' },
  ]
  for (const [limiter, key] of [
    [user, 'ada'],
    [organisation, 'acme'],
    [address, '::1'],
  ]) {
    limiter.consume(key, limiter.limit)
    for (const order of [charges, [...charges].reverse()]) {
      for (let i = 0; i < 20; i++) {
        const { ok, reason, limiter: spoke, remaining } = sp.consumeAll(order)
        assert.deepEqual([ok, reason, spoke, remaining], [false, 'limited', limiter.name, 0])
      }
    }
    limiter.reset(key)
    const spent = left([user, 'ada'], [organisation, 'acme'], [address, '::1'])
    assert.deepEqual(spent, [3, 10, 5], `after ${limiter.name} had denied`)
  }
})

test('of several denials the longest is told', (t) => {
  const { clock, user, organisation, ask } = opened(t)
  user.consume('ada', 3)
  organisation.consume('acme', 10)
  const { limiter, retryAfterMs } = ask()
  assert.deepEqual([limiter, retryAfterMs], ['organisation', HOUR])
  clock.now += HOUR
  assert.equal(ask().ok, true)
})

test('a cost of its own for each, 1 where none is said', (t) => {
  const { sp, user, organisation, address } = opened(t)
  const { cost, limiter } = sp.consumeAll([
    { limiter: user, key: 'ada' },
    { limiter: organisation, key: 'acme', cost: 9 },
    { limiter: address, key: '::1', cost: undefined },
  ])
  assert.deepEqual([cost, limiter], [9, 'organisation'])
  assert.deepEqual(left([user, 'ada'], [organisation, 'acme'], [address, '::1']), [2, 1, 4])
})

test('a cost that is never free is impossible and charges nobody', (t) => {
  const { sp, user, organisation } = opened(t)
  const { ok, reason, limiter, retryAfterMs } = sp.consumeAll([
    { limiter: organisation, key: 'acme', cost: 10 },
    { limiter: user, key: 'ada', cost: 4 },
  ])
  assert.deepEqual([ok, reason, limiter, retryAfterMs], [false, 'impossible', 'user', Infinity])
  assert.deepEqual(left([user, 'ada'], [organisation, 'acme']), [3, 10])
})

test('a block of any of the keys denies all, and nothing is charged', (t) => {
  const { sp, user, organisation, ask } = opened(t)
  organisation.block('acme', '5m')
  const { ok, reason, limiter, retryAfterMs, resetMs } = ask()
  assert.deepEqual([ok, reason, limiter, retryAfterMs, resetMs], [false, 'blocked', 'organisation', 300_000, 300_000])
  assert.deepEqual(left([user, 'ada']), [3])
  const { limiters } = sp.snapshot()
  assert.deepEqual([limiters.organisation.blocked, limiters.user.blocked], [1, 0])
})

test('an admission counts with all of them, a denial with who denied alone', (t) => {
  const { sp, ask } = opened(t)
  for (let i = 0; i < 5; i++) ask()
  const { user, organisation, address } = sp.snapshot().limiters
  assert.deepEqual([user.allowed, user.limited], [3, 2])
  assert.deepEqual([organisation.allowed, organisation.limited], [3, 0])
  assert.deepEqual([address.allowed, address.limited], [0, 0])
})

test('each part is given back by its own limiter, once', (t) => {
  const { user, organisation, address, ask } = opened(t)
  const decision = ask(3)
  address.consume('ada', 3)
  address.refund('ada', decision)
  organisation.refund('ada', decision)
  user.refund('acme', decision)
  assert.deepEqual(left([user, 'ada'], [organisation, 'acme'], [address, 'ada']), [0, 7, 2], 'nobody concerned')
  organisation.refund('acme', decision)
  assert.deepEqual(left([user, 'ada'], [organisation, 'acme']), [0, 10])
  organisation.consume('acme', 5)
  organisation.refund('acme', decision)
  assert.deepEqual(left([organisation, 'acme']), [5], 'only once')
  user.refund('ada', decision)
  assert.deepEqual(left([user, 'ada']), [3])
  user.consume('ada', 2)
  user.refund('ada', decision)
  assert.deepEqual(left([user, 'ada']), [1])
})

test('a part is given back as its algorithm gives back: what has refilled, and what window it was', (t) => {
  const { clock, user, organisation, ask } = opened(t)
  const decision = ask(3)
  clock.now += 30_000
  user.refund('ada', decision)
  assert.equal(user.peek('ada').remaining, 3)
  clock.now = MIDNIGHT + HOUR
  organisation.consume('acme', 4)
  organisation.refund('acme', decision)
  assert.equal(organisation.peek('acme').remaining, 6, 'that hour is over')
})

test('a denial leaves nothing to give back', (t) => {
  const { user, organisation, ask } = opened(t)
  user.consume('ada', 3)
  organisation.consume('acme', 2)
  const denied = ask()
  user.refund('ada', denied)
  organisation.refund('acme', denied)
  assert.deepEqual(left([user, 'ada'], [organisation, 'acme']), [0, 8])
})

test('the same limiter twice, under two keys or one, is charged twice or not at all', (t) => {
  const { sp, user } = opened(t)
  const twice = (one, two, cost) =>
    sp.consumeAll([
      { limiter: user, key: one, cost },
      { limiter: user, key: two, cost },
    ])
  assert.equal(twice('ada', 'bob', 2).ok, true)
  assert.deepEqual(left([user, 'ada'], [user, 'bob']), [1, 1])
  const decision = twice('eve', 'eve')
  assert.deepEqual([decision.ok, decision.remaining], [true, 1])
  assert.equal(twice('eve', 'eve').ok, false)
  assert.deepEqual(left([user, 'eve']), [1], 'the half that was free has been given back')
  user.refund('eve', decision)
  assert.deepEqual(left([user, 'eve']), [2])
  user.refund('eve', decision)
  assert.deepEqual(left([user, 'eve']), [3])
  user.consume('eve', 3)
  user.refund('eve', decision)
  assert.deepEqual(left([user, 'eve']), [0])
})

test('one to eight charges, and no other number of them', (t) => {
  const { sp, organisation } = opened(t)
  const charges = (count) => Array.from({ length: count }, (_, index) => ({ limiter: organisation, key: `k${index}` }))
  for (let count = 1; count <= 8; count++) assert.equal(sp.consumeAll(charges(count)).ok, true, String(count))
  assert.equal(organisation.peek('k0').remaining, 2)
  assert.equal(organisation.peek('k7').remaining, 9)
  for (const wrong of [[], charges(9), charges(1000), undefined, null, {}, 'all', 7, new Set(charges(2))]) {
    assert.throws(() => sp.consumeAll(wrong), {
      name: 'TypeError',
      code: 'E_OPTION',
      option: 'charges',
      message: /^consumeAll\(\) takes an array of 1 to 8 charges; got /,
    })
  }
})

test('a limiter of another spillway is refused, and so is what is no limiter', (t) => {
  const { sp, user } = opened(t)
  const [other, plain] = [spillway({ isolated: true }), spillway({ clock: () => MIDNIGHT })]
  t.after(() => Promise.all([other.close(), plain.close()]))
  const options = { limit: 3, window: '1m' }
  for (const limiter of [
    other.limiter('user', options),
    plain.limiter('user', options),
    sp.breaker('user'),
    { ...user },
    Object.create(user),
    undefined,
    null,
    'user',
    7,
  ]) {
    assert.throws(
      () =>
        sp.consumeAll([
          { limiter: user, key: 'ada' },
          { limiter, key: 'ada' },
        ]),
      {
        name: 'TypeError',
        code: 'E_OPTION',
        option: 'charges[1].limiter',
        message: /^`charges\[1\]\.limiter` must be a limiter on the clock of this spillway; got /,
      },
    )
  }
  for (const charge of [undefined, null, 7, 'ada', []]) {
    assert.throws(() => sp.consumeAll([charge]), { code: 'E_OPTION', option: 'charges[0].limiter' })
  }
  assert.deepEqual(left([user, 'ada']), [3], 'nothing was charged')
})

test('a wrong key or cost of any charge throws, and nothing is charged', (t) => {
  const { sp, user, organisation, address } = opened(t)
  for (const count of [2, 3]) {
    const charges = (wrong) =>
      [
        { limiter: user, key: 'ada' },
        { limiter: organisation, key: 'acme', ...wrong },
        { limiter: address, key: '::1' },
      ].slice(0, count)
    for (const key of ['', undefined, null, 7, {}, Symbol('k'), 7n]) {
      assert.throws(() => sp.consumeAll(charges({ key })), {
        name: 'TypeError',
        code: 'E_KEY',
        message: /^a key of the limiter "organisation" must be a non-empty string; got /,
      })
    }
    for (const cost of [-1, 0.5, NaN, Infinity, 2 ** 32]) {
      assert.throws(() => sp.consumeAll(charges({ cost })), {
        name: 'RangeError',
        code: 'E_COST',
        message: /^the cost of a call to the limiter "organisation" must be a whole number/,
      })
    }
    for (const cost of ['1', {}, 1n, true]) {
      assert.throws(() => sp.consumeAll(charges({ cost })), { name: 'TypeError', code: 'E_COST' })
    }
  }
  assert.deepEqual(left([user, 'ada'], [organisation, 'acme'], [address, '::1']), [3, 10, 5])
})

test('a cost of null is no cost, as in consume', (t) => {
  const { sp, user, organisation } = opened(t)
  for (const charges of [
    [{ limiter: user, key: 'ada', cost: null }],
    [
      { limiter: user, key: 'ada', cost: null },
      { limiter: organisation, key: 'acme' },
    ],
  ]) {
    assert.throws(() => sp.consumeAll(charges), { name: 'TypeError', code: 'E_COST' })
  }
  assert.deepEqual(left([user, 'ada'], [organisation, 'acme']), [3, 10])
})

test('a limiter that has ended says so, and nothing is charged', (t) => {
  const { user, organisation, ask } = opened(t)
  organisation.dispose()
  assert.throws(() => ask(), { name: 'Error', code: 'E_DISPOSED', message: /"organisation"/ })
  assert.deepEqual(left([user, 'ada']), [3])
})

test('a closed spillway charges nobody', async (t) => {
  const { sp, ask } = opened(t)
  await sp.close()
  assert.throws(() => ask(), { code: 'E_DISPOSED', message: /^this spillway is closed/ })
})

test('a limiter of several limits takes part with all of them', (t) => {
  const { sp, user, clock } = opened(t)
  const api = sp.limiter('api', [
    { limit: 4, window: '1s' },
    { limit: 5, window: '1h', algorithm: 'sliding-window' },
  ])
  const ask = (cost) =>
    sp.consumeAll([
      { limiter: user, key: 'ada' },
      { limiter: api, key: 'ada', cost },
    ])
  const decision = ask(4)
  assert.deepEqual([decision.ok, decision.limiter], [true, 'api/1s'])
  clock.now += 1000
  assert.deepEqual([ask(2).limiter, ask(2).ok], ['api/1h', false])
  assert.equal(user.peek('ada').remaining, 2)
  api.refund('ada', decision)
  assert.equal(api.peek('ada', 4).ok, true)
})

test('in shadow one of them denies nothing: the others are charged, and refunded', (t) => {
  const { sp, user } = opened(t)
  const trial = sp.limiter('trial', { limit: 1, window: '1h', shadow: true })
  const ask = () =>
    sp.consumeAll([
      { limiter: trial, key: 'ada' },
      { limiter: user, key: 'ada' },
    ])
  assert.equal('shadowed' in ask(), false)
  const decision = ask()
  assert.deepEqual(
    [decision.ok, decision.reason, decision.shadowed, decision.limiter],
    [true, 'limited', true, 'trial'],
  )
  assert.deepEqual(left([user, 'ada']), [1])
  user.refund('ada', decision)
  trial.refund('ada', decision)
  assert.deepEqual(left([user, 'ada'], [trial, 'ada']), [2, 0])
  assert.equal(ask().ok, true)
  assert.equal(ask().ok, true)
  const denied = ask()
  assert.deepEqual([denied.ok, denied.limiter], [false, 'user'], 'who denies in earnest speaks')
  const { limiters } = sp.snapshot()
  assert.deepEqual([limiters.trial.allowed, limiters.trial.shadowed], [1, 3])
  assert.deepEqual([limiters.user.allowed, limiters.user.limited], [4, 1])
})

test('cost 0 asks and spends nothing', (t) => {
  const { user, organisation, ask } = opened(t)
  user.consume('ada', 3)
  assert.equal(ask(0).ok, true)
  assert.deepEqual(left([user, 'ada'], [organisation, 'acme']), [0, 10])
})

test('the direct export charges the limiters of the direct exports', (t) => {
  const options = { limit: 2, window: '365d' }
  const name = `consume-all-${process.pid}`
  const [one, two] = [face.limiter(`${name}-one`, options), face.limiter(`${name}-two`, options)]
  t.after(() => [one, two].forEach((limiter) => limiter.dispose()))
  const ask = () =>
    face.consumeAll([
      { limiter: one, key: 'a' },
      { limiter: two, key: 'b' },
    ])
  assert.deepEqual([ask().ok, ask().ok, ask().ok], [true, true, false])
  assert.equal(one.peek('a').remaining, 0)
})

test('each part dates its charge on its own clock, on the system’s clocks too', (t) => {
  const sp = spillway({ isolated: true })
  t.after(() => sp.close())
  const limiters = [
    sp.limiter('bucket', { limit: 10, window: '3650d' }),
    sp.limiter('fixed', { limit: 10, window: '3650d', algorithm: 'fixed-window' }),
    sp.limiter('mixed', [
      { limit: 10, window: '3650d' },
      { limit: 10, window: '3649d', algorithm: 'sliding-window' },
    ]),
  ]
  for (const order of [limiters, [...limiters].reverse(), [limiters[2], limiters[0]], [limiters[1], limiters[2]]]) {
    const decision = sp.consumeAll(order.map((limiter) => ({ limiter, key: 'a', cost: 7 })))
    assert.equal(decision.ok, true)
    for (const limiter of order) {
      assert.equal(limiter.peek('a').remaining, 3, limiter.name)
      limiter.refund('a', decision)
      assert.equal(limiter.peek('a').remaining, 10, limiter.name)
    }
  }
})

test('it equals consume of each, where all are admitted, over 5,000 random charges', (t) => {
  const random = randomOf(77)
  const [together, apart] = [opened(t), opened(t)]
  const of = ({ user, organisation, address }) => [user, organisation, address]
  let denied = 0
  for (let step = 0; step < 5000; step++) {
    const forward = random(4) === 0 ? random(40_000) : 0
    together.clock.now += forward
    apart.clock.now += forward
    const picks = Array.from({ length: 1 + random(4) }, () => [random(3), `key-${random(3)}`, random(4)])
    const charges = (limiters) => picks.map(([which, key, cost]) => ({ limiter: limiters[which], key, cost }))
    const decision = together.sp.consumeAll(charges(of(together)))
    const decisions = []
    for (const { limiter, key, cost } of charges(of(apart))) decisions.push([limiter, key, limiter.consume(key, cost)])
    const ok = decisions.every(([, , one]) => one.ok)
    assert.equal(decision.ok, ok, `step ${step}`)
    if (!ok) {
      denied++
      // A refund of what was charged at this moment gives back all of it.
      for (const [limiter, key, one] of decisions.reverse()) limiter.refund(key, one)
    }
    for (const [which, limiter] of of(together).entries()) {
      for (const key of ['key-0', 'key-1', 'key-2']) {
        assert.deepEqual({ ...limiter.peek(key) }, { ...of(apart)[which].peek(key) }, `step ${step}, ${limiter.name}`)
      }
    }
  }
  assert.ok(denied > 1000 && denied < 4000, String(denied))
  assert.ok(admitted(together.user, 'new', 5) === 3)
})
