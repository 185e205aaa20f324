// How often a call through a policy crosses into native code. Owns the count: at most twice for an attempt.
// Never measures how long a crossing takes: that is for the bench.
'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')
const { presets, retry, spillway, timeout } = require('../index.js')
const { native } = require('../lib/native.js')

/** The names of the native functions that are called meanwhile, in order. The letters about a change of state are no part of a call. */
async function crossings(during) {
  const binary = native()
  const names = Object.keys(binary).filter((name) => typeof binary[name] === 'function')
  const real = Object.fromEntries(names.map((name) => [name, binary[name]]))
  const seen = []
  for (const name of names) {
    binary[name] = (...call) => {
      if (name !== 'mail') seen.push(name)
      return real[name](...call)
    }
  }
  try {
    await during()
  } finally {
    Object.assign(binary, real)
  }
  return seen
}

const down = async () => {
  throw new Error('the dependency is down')
}

/** A policy as services have it, warm: the clock of its breaker's window has just been told to native code. */
async function warm(t, order = ['breaker', 'bulkhead']) {
  const sp = spillway({ isolated: true, env: false })
  t.after(() => sp.close())
  const guards = {
    breaker: sp.breaker('upstream', { consecutive: 3, open: { for: '1h', jitter: 0 }, probes: 2 }),
    bulkhead: sp.bulkhead('upstream', { limit: 2, queue: 2 }),
  }
  const [outer, inner] = order.map((name) => guards[name])
  const policy = sp.policy('upstream', timeout('10s'), retry({ max: 0 }), outer, inner, timeout('2s'))
  await policy.run(() => 1)
  return { sp, policy, ...guards }
}

for (const order of [
  ['breaker', 'bulkhead'],
  ['bulkhead', 'breaker'],
]) {
  test(`an attempt that goes well takes one crossing in and one out, ${order.join(' outside ')}`, async (t) => {
    const { policy } = await warm(t, order)
    assert.deepEqual(await crossings(() => policy.run(() => 1)), ['bulkheadEnter', 'bulkheadExit'])
  })

  test(`one that fails, too, ${order.join(' outside ')}`, async (t) => {
    const { policy, breaker } = await warm(t, order)
    const seen = await crossings(() => assert.rejects(policy.run(down), /down/))
    assert.deepEqual(seen, ['bulkheadEnter', 'passOut'])
    await assert.rejects(policy.run(down))
    await assert.rejects(policy.run(down))
    assert.equal(breaker.state, 'open', 'and it was counted')
  })
}

test('a refusal of the breaker takes one, and no permit', async (t) => {
  const { sp, policy, breaker } = await warm(t)
  breaker.isolate()
  const { admitted } = sp.snapshot().bulkheads.upstream
  const seen = await crossings(async () => assert.equal((await policy.attempt(() => 1)).refusal?.code, 'E_OPEN'))
  assert.deepEqual(seen, ['passIn'])
  assert.equal(sp.snapshot().bulkheads.upstream.admitted, admitted)
})

test('a probe takes two, whatever comes of it', async (t) => {
  let now = 1_700_000_000_000
  const sp = spillway({ clock: () => now })
  t.after(() => sp.close())
  const breaker = sp.breaker('upstream', { consecutive: 1, open: { for: 1000, jitter: 0 }, probes: 2 })
  const policy = sp.policy('upstream', breaker, sp.bulkhead('upstream', { limit: 1 }))
  await assert.rejects(policy.run(down))
  assert.equal(breaker.state, 'open')
  now += 1000
  assert.deepEqual(await crossings(() => policy.run(() => 1)), ['passInAt', 'passOutAt'])
  assert.equal(breaker.state, 'half-open')
  assert.deepEqual(await crossings(() => assert.rejects(policy.run(down))), ['passInAt', 'passOutAt'])
  assert.equal(breaker.state, 'open')
  assert.equal(sp.snapshot().bulkheads.upstream.inUse, 0)
})

test('a probe for which there is no permit leaves its place to another', async (t) => {
  let now = 1_700_000_000_000
  const sp = spillway({ clock: () => now })
  t.after(() => sp.close())
  const breaker = sp.breaker('upstream', { consecutive: 1, open: { for: 1000, jitter: 0 }, probes: 1 })
  const bulkhead = sp.bulkhead('upstream', { limit: 1 })
  const policy = sp.policy('upstream', breaker, bulkhead)
  await assert.rejects(policy.run(down))
  now += 1000
  const permit = bulkhead.tryAcquire()
  await assert.rejects(
    policy.run(() => 1),
    { code: 'E_FULL' },
  )
  permit.release()
  assert.equal(await policy.run(() => 1), 1)
  assert.equal(breaker.state, 'closed')
})

test('the standard order around calls over HTTP crosses for its limiter, and for a failure', async (t) => {
  const sp = spillway({ isolated: true, env: false })
  t.after(() => sp.close())
  const plain = sp.policy('plain', presets.http({ retry: { max: 0 } }))
  const limited = sp.policy('limited', presets.http({ limiter: { limit: 100, window: '1s' }, retry: { max: 0 } }))
  await plain.run(() => 1)
  await limited.run(() => 1, { key: 'a' })
  assert.deepEqual(await crossings(() => plain.run(() => 1)), [])
  assert.deepEqual(await crossings(() => assert.rejects(plain.run(down))), ['breakerExit'])
  assert.deepEqual(await crossings(() => limited.run(() => 1, { key: 'a' })), ['limiterConsume'])
  const failed = await crossings(() => assert.rejects(limited.run(down, { key: 'a' })))
  assert.deepEqual(failed, ['limiterConsume', 'breakerExit'])
})

test('a permit that a function which ran on has kept comes back by itself', async (t) => {
  const { sp, breaker, bulkhead } = await warm(t)
  const policy = sp.policy('impatient', breaker, bulkhead, timeout(5))
  let settle
  const seen = await crossings(() =>
    assert.rejects(
      policy.run(() => new Promise((resolve) => (settle = resolve))),
      { code: 'E_TIMEOUT' },
    ),
  )
  assert.deepEqual(seen, ['bulkheadEnter', 'breakerExit'])
  assert.equal(sp.snapshot().bulkheads.upstream.inUse, 1)
  assert.deepEqual(
    await crossings(async () => {
      settle()
      await new Promise(setImmediate)
    }),
    ['bulkheadExit'],
  )
  assert.equal(sp.snapshot().bulkheads.upstream.inUse, 0)
})

test('guards that are disposed of while a call is under way get everything back', async (t) => {
  const { sp, policy, breaker, bulkhead } = await warm(t)
  let fail
  const call = policy.run(() => new Promise((_, reject) => (fail = reject)))
  breaker.dispose()
  fail(new Error('late'))
  await assert.rejects(call, /late/)
  assert.equal(sp.snapshot().bulkheads.upstream.inUse, 0)
  bulkhead.dispose()
  await assert.rejects(
    policy.run(() => 1),
    { code: 'E_DISPOSED' },
  )
})
