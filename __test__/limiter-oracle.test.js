// The whole JavaScript face of limiters against the oracle of limiter-oracle.js, over random histories. Owns the comparison.
// Never says what is right: the oracle does.
'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')
const { spillway } = require('../index.js')
const { NaiveClock, NaiveLimiter, consumeAll } = require('./limiter-oracle.js')
const { randomOf, MIDNIGHT, SECOND, HOUR, DAY } = require('./limiters.js')

const ROUNDS = 250
const STEPS = 400
const KEYS = ['a', 'b', 'c', '\ud800', 'd'.repeat(300)]

/** One limit, of any algorithm. Windows are long enough for jumps of years not to wrap their numbers. */
function limitOf(random, name) {
  const algorithm = ['token-bucket', 'fixed-window', 'sliding-window'][random(3)]
  const windows = algorithm === 'sliding-window' ? [10_000, 60_000, HOUR] : [1000, 1500.5, 10_000, HOUR, DAY, 31 * DAY]
  const options = { limit: 1 + random(12), window: windows[random(windows.length)], algorithm, name }
  if (algorithm === 'token-bucket' && random(2) === 0) options.burst = 1 + random(15)
  if (random(8) === 0) options.shadow = true
  return options
}

function optionsOf(random) {
  const count = [1, 1, 1, 2, 3][random(5)]
  const limits = Array.from({ length: count }, (_, index) => limitOf(random, `n${index}`))
  return count === 1 ? (({ name: _name, ...one }) => one)(limits[0]) : limits
}

/** Another rate, of the limiter's window or of one of two others. */
function planOf(random, { algorithm }) {
  const plan = {}
  if (random(2) === 0) plan.limit = 1 + random(15)
  if (random(3) === 0) plan.window = [20_000, 2 * HOUR][random(2)]
  if (algorithm === 'token-bucket' && random(3) === 0) plan.burst = 1 + random(15)
  return plan
}

/** Milliseconds the clock moves before the next call. */
function move(random, jumps) {
  const draw = random(100)
  if (draw < 40) return 0
  if (draw < 70) return random(200)
  if (draw < 85) return random(12_000) / 2
  if (draw < 92) return random(HOUR)
  if (draw < 95) return random(2 * DAY)
  if (!jumps) return 1
  if (draw < 97) return -random(SECOND)
  if (draw < 98) return -random(3 * HOUR)
  if (draw < 99) return -random(40 * DAY)
  return random(40 * DAY)
}

for (const jumps of [false, true]) {
  test(`every call answers as the naive count of it, over 100,000 operations on a clock that ${jumps ? 'jumps' : 'goes'}`, (t) => {
    const seen = {}
    for (let round = 0; round < ROUNDS; round++) run(t, round, jumps, seen)
    for (const [what, count] of Object.entries({ allowed: 20_000, limited: 10_000, impossible: 2000, blocked: 2000 })) {
      assert.ok(seen[what] > count, JSON.stringify(seen))
    }
    assert.ok(seen.shadowed > 1000 && seen.refunds > 2000, JSON.stringify(seen))
  })
}

function run(t, round, jumps, seen) {
  const random = randomOf(round * 7919 + (jumps ? 2 : 1))
  const time = { now: MIDNIGHT + random(400 * DAY) }
  const sp = spillway({ env: false, clock: () => time.now })
  const clock = new NaiveClock()
  const pairs = ['one', 'two', 'three'].map((name) => {
    const real = sp.limiter(name, optionsOf(random))
    return { real, naive: new NaiveLimiter(name, real.limits), held: [] }
  })
  const history = []
  const now = () => clock.read(time.now)
  now()
  // A refund is void when its charge was made at the time of a reset of any key, or before: which keys share that is not ours to know.
  const voided = { mono: -1n, wall: -1n }
  const same = (real, naive, what) => {
    history.push(`${time.now} ${what}`)
    seen[naive.reason] = (seen[naive.reason] ?? 0) + 1
    if (naive.shadowed) seen.shadowed = (seen.shadowed ?? 0) + 1
    const told = () =>
      `round ${round}, ${pairs.map(({ real: { name, limits } }) => `${name}: ${JSON.stringify(limits)}`).join('\n')}\n${history.slice(-25).join('\n')}`
    assert.deepEqual({ ...real }, naive, told())
  }
  const hold = (pair, key, real, naive, charge) => {
    if (naive.ok) pair.held.push({ key, decision: real, shadowed: naive.shadowed === true, ...charge })
  }
  for (let step = 0; step < STEPS; step++) {
    time.now = Math.max(time.now + move(random, jumps), 0)
    const pair = pairs[random(3)]
    const { real, naive, held } = pair
    const key = KEYS[random(KEYS.length)]
    const cost = random(15) === 0 ? random(20) : random(4)
    const single = naive.limits.length === 1
    const given = single && random(5) === 0 ? planOf(random, naive.limits[0]) : undefined
    const plan = given && { limit: given.limit, windowMs: given.window, burst: given.burst }
    const what = `${real.name} ${KEYS.indexOf(key)} cost ${cost} plan ${JSON.stringify(given)}`
    const draw = random(100)
    if (draw < 45) {
      const at = now()
      const [one, other] = [real.consume(key, cost, given), consumeAll([{ limiter: naive, key, cost, plan }], at)]
      same(one, other, `consume ${what}`)
      hold(pair, key, one, other, { cost, plan, now: at })
    } else if (draw < 55) {
      same(real.peek(key, cost, given), naive.peek(key, cost, plan, now()), `peek ${what}`)
    } else if (draw < 68) {
      if (held.length === 0) continue
      const picked = held[random(held.length)]
      // Of two charges of one decision to one key the first is given back first.
      const charge =
        held.find(({ decision, key, done }) => decision === picked.decision && key === picked.key && !done) ?? picked
      const wrong = random(6) === 0
      if (charge.now.mono <= voided.mono || charge.now.wall <= voided.wall) continue
      real.refund(wrong ? `${charge.key}!` : charge.key, charge.decision)
      history.push(
        `${time.now} refund ${wrong} ${real.name} ${KEYS.indexOf(charge.key)} ${charge.cost} of ${charge.now.wall}`,
      )
      if (wrong || charge.done) continue
      charge.done = true
      seen.refunds = (seen.refunds ?? 0) + 1
      naive.refund(charge.key, charge, now())
    } else if (draw < 73 && naive.limits.every(({ algorithm }) => algorithm === 'token-bucket')) {
      const maxWait = random(2) === 0 ? random(5000) : random(DAY)
      const at = now()
      const [one, other] = [
        real.reserve(key, cost, { maxWait }),
        consumeAll([{ limiter: naive, key, cost }], at, maxWait),
      ]
      same(one, other, `reserve ${maxWait} ${what}`)
      hold(pair, key, one, other, { cost, now: at })
    } else if (draw < 76) {
      const ms = 1 + random(20_000)
      real.block(key, ms)
      naive.block(key, ms, now())
      history.push(`${time.now} block ${what} ${ms}`)
    } else if (draw < 79) {
      assert.equal(real.unblock(key), naive.unblock(key, now()), history.slice(-20).join('\n'))
    } else if (draw < 80) {
      const at = now()
      real.reset(key)
      naive.reset(key)
      history.push(`${time.now} reset ${what}`)
      for (const face of ['mono', 'wall']) if (at[face] > voided[face]) voided[face] = at[face]
    } else if (draw < 87) {
      const keys = Array.from({ length: 1 + random(5) }, () => KEYS[random(KEYS.length)])
      const costs = keys.map(() => random(4))
      const at = now()
      const decisions = real.consumeMany(keys, costs)
      for (const [index, each] of keys.entries()) {
        const other = consumeAll([{ limiter: naive, key: each, cost: costs[index] }], at)
        same(decisions[index], other, `consumeMany ${index} ${real.name} ${KEYS.indexOf(each)} ${costs[index]}`)
        hold(pair, each, decisions[index], other, { cost: costs[index], now: at })
      }
    } else {
      const charges = Array.from({ length: 1 + random(4) }, () => ({
        pair: pairs[random(3)],
        key: KEYS[random(KEYS.length)],
        cost: random(4),
      }))
      const at = now()
      const one = sp.consumeAll(
        charges.map((charge) => ({ limiter: charge.pair.real, key: charge.key, cost: charge.cost })),
      )
      const other = consumeAll(
        charges.map((charge) => ({ ...charge, limiter: charge.pair.naive })),
        at,
      )
      same(
        one,
        other,
        `consumeAll ${charges.map((each) => `${each.pair.real.name} ${KEYS.indexOf(each.key)} ${each.cost}`)}`,
      )
      for (const charge of charges) hold(charge.pair, charge.key, one, other, { cost: charge.cost, now: at })
    }
  }
  const { limiters } = sp.snapshot()
  for (const { naive } of pairs) {
    const { allowed, limited, blocked, shadowed } = limiters[naive.name]
    assert.deepEqual({ allowed, limited, blocked, shadowed }, naive.counts, `round ${round}, ${naive.name}`)
  }
  t.after(() => sp.close())
}
