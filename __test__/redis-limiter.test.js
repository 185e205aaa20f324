// The limiter over Redis through every method a user has. Owns its promises, its decisions, and what its callers are told of misuse.
// Never tests arithmetic: that the scripts count as memory does, engine/tests hold.
'use strict'

const assert = require('node:assert/strict')
const diagnostics = require('node:diagnostics_channel')
const { before, after, test } = require('node:test')
const { presets, spillway, Refusal } = require('../index.js')
const { startServer, redis, until } = require('./redis/servers.js')

let server
before(async () => {
  server = await startServer({})
})
after(() => server.close())

let prefixes = 0
/** A spillway over the one server, under a prefix of its own, connected. */
async function opened(t, { url = server.url, ...options } = {}) {
  const prefix = `t${process.pid}-${++prefixes}`
  const sp = spillway({ redis: { url, deadline: '5s' }, prefix, isolated: true, ...options })
  t.after(() => sp.close())
  await sp.ready()
  await until('it is connected', () => sp.snapshot().store.up)
  return sp
}

const LIMIT = { limit: 3, window: '1h', failMode: 'closed' }
const numbers = ({ ok, reason, limit, remaining, cost, decidedBy, limiter }) => {
  return { ok, reason, limit, remaining, cost, decidedBy, limiter }
}

for (const algorithm of ['token-bucket', 'fixed-window', 'sliding-window']) {
  test(`a ${algorithm} admits its limit and denies the next, and says by whom`, async (t) => {
    const sp = await opened(t)
    const limiter = sp.limiter('chat', { ...LIMIT, algorithm })
    for (const remaining of [2, 1, 0]) {
      assert.deepEqual(numbers(await limiter.consume('a')), {
        ok: true,
        reason: 'allowed',
        limit: 3,
        remaining,
        cost: 1,
        decidedBy: 'redis',
        limiter: 'chat',
      })
    }
    const denied = await limiter.consume('a')
    assert.deepEqual([denied.ok, denied.reason, denied.remaining], [false, 'limited', 0])
    assert.ok(denied.retryAfterMs > 0 && denied.retryAfterMs <= 2 * 3_600_000, `${denied.retryAfterMs}`)
    assert.ok(denied.resetMs >= denied.retryAfterMs)
    assert.equal((await limiter.consume('b')).remaining, 2, 'another key has its own')
    assert.equal((await limiter.consume('b', 0)).ok, true, 'nothing is free')
  })
}

test('every method answers a promise, and misuse rejects it', async (t) => {
  const sp = await opened(t)
  const limiter = sp.limiter('chat', LIMIT)
  const calls = [
    [() => limiter.consume(''), 'E_KEY'],
    [() => limiter.consume(undefined), 'E_KEY'],
    [() => limiter.consume('a', -1), 'E_COST'],
    [() => limiter.consume('a', 1.5), 'E_COST'],
    [() => limiter.consume('a', '1'), 'E_COST'],
    [() => limiter.consume('a', 1, { limit: 0 }), 'E_OPTION'],
    [() => limiter.consume('a', 1, { limmit: 1 }), 'E_OPTION'],
    [() => limiter.peek(7), 'E_KEY'],
    [() => limiter.reserve('a', 1, {}), 'E_DURATION'],
    [() => limiter.reserve('', 1, { maxWait: 1 }), 'E_KEY'],
    [() => limiter.block('a', 'for ever'), 'E_DURATION'],
    [() => limiter.block('', '1s'), 'E_KEY'],
    [() => limiter.unblock(''), 'E_KEY'],
    [() => limiter.reset(''), 'E_KEY'],
    [() => limiter.consumeMany('a'), 'E_KEY'],
    [() => limiter.consumeMany(['a', '']), 'E_KEY'],
    [() => limiter.consumeMany(['a'], [1, 2]), 'E_COST'],
    [() => limiter.consumeMany(['a'], [-1]), 'E_COST'],
    [() => sp.consumeAll([]), 'E_OPTION'],
    [() => sp.consumeAll([{ limiter, key: '' }]), 'E_KEY'],
    [() => sp.consumeAll([{ limiter, key: 'a', cost: 0.5 }]), 'E_COST'],
    [() => sp.consumeAll([{ limiter: spillway({ isolated: true }).limiter('x', LIMIT), key: 'a' }]), 'E_OPTION'],
  ]
  for (const [call, code] of calls) {
    const answer = call()
    assert.ok(answer instanceof Promise, String(call))
    await assert.rejects(answer, { code }, String(call))
  }
  assert.equal((await limiter.peek('a')).remaining, 3, 'nothing was spent')
})

test('how it is opened is checked at once', async (t) => {
  const sp = await opened(t)
  for (const [options, option] of [
    [{ limit: 3, window: '1h' }, 'failMode'],
    [{ ...LIMIT, failMode: 'maybe' }, 'failMode'],
    [{ ...LIMIT, mode: 'loose' }, 'mode'],
    [{ ...LIMIT, share: 5 }, 'share'],
    [{ ...LIMIT, mode: 'lease', share: 0 }, 'share'],
    [{ ...LIMIT, rememberDenials: 'yes' }, 'rememberDenials'],
    [
      [
        { limit: 3, window: '1h' },
        { limit: 9, window: '1d' },
      ],
      'failMode',
    ],
    [[LIMIT, { ...LIMIT, window: '1d', failMode: 'open' }], 'failMode'],
  ]) {
    assert.throws(() => sp.limiter('wrong', options), { code: 'E_OPTION', option }, JSON.stringify(options))
  }
  assert.throws(() => sp.limiter('fine', { limit: 1_000_000, window: '1s', failMode: 'open' }), {
    code: 'E_RATE_TOO_FINE',
  })
  assert.throws(() => spillway({ isolated: true }).limiter('a', { ...LIMIT, failMode: 'maybe' }), { code: 'E_OPTION' })
  assert.equal(sp.limiter('a', LIMIT), sp.limiter('a', { ...LIMIT, burst: 3 }), 'a name opened twice is one handle')
  assert.throws(() => sp.limiter('a', { ...LIMIT, failMode: 'open' }), { code: 'E_MISMATCH' })
})

test('the same options fit memory, where what is for Redis means nothing', () => {
  const sp = spillway({ isolated: true })
  const limiter = sp.limiter('chat', {
    ...presets.otp,
    failMode: 'open',
    mode: 'lease',
    share: 2,
    rememberDenials: true,
  })
  assert.equal(limiter.consume('a').decidedBy, 'local')
})

test('peek spends nothing, refund gives back once, reset forgets', async (t) => {
  const limiter = (await opened(t)).limiter('chat', LIMIT)
  const first = await limiter.consume('a', 2)
  assert.equal((await limiter.peek('a')).remaining, 1)
  assert.equal((await limiter.peek('a', 2)).ok, false)
  await limiter.refund('b', first)
  assert.equal((await limiter.peek('a')).remaining, 1, 'another key is not that charge')
  assert.equal(await limiter.refund('a', first), undefined)
  assert.equal((await limiter.peek('a')).remaining, 3)
  await limiter.consume('a', 2)
  await limiter.refund('a', first)
  assert.equal((await limiter.peek('a')).remaining, 1, 'not twice')
  await limiter.refund('a', { ok: true })
  assert.equal(await limiter.reset('a'), undefined)
  assert.equal((await limiter.peek('a')).remaining, 3)
})

test('reserve charges now what is free later, and only a token bucket can', async (t) => {
  const sp = await opened(t)
  const limiter = sp.limiter('paced', { limit: 10, window: '1s', burst: 1, failMode: 'closed' })
  const [first, second] = [
    await limiter.reserve('a', 1, { maxWait: '10s' }),
    await limiter.reserve('a', 1, { maxWait: '10s' }),
  ]
  assert.deepEqual([first.ok, first.waitMs], [true, 0])
  assert.ok(second.ok && second.waitMs > 0 && second.waitMs <= 100, `${second.waitMs}`)
  assert.equal((await limiter.reserve('a', 5, { maxWait: 1 })).ok, false)
  const daily = sp.limiter('daily', { ...LIMIT, algorithm: 'fixed-window' })
  await assert.rejects(daily.reserve('a', 1, { maxWait: '1s' }), { code: 'E_UNSUPPORTED' })
})

test('a block denies everything until it is lifted, in every process', async (t) => {
  const { url, prefix } = { url: server.url, prefix: `blocks-${process.pid}` }
  const [one, two] = [await opened(t, { url, prefix }), await opened(t, { url, prefix })]
  const [here, there] = [one.limiter('chat', LIMIT), two.limiter('chat', LIMIT)]
  assert.equal(await here.block('a', '1h'), undefined)
  const denied = await there.consume('a')
  assert.deepEqual([denied.ok, denied.reason], [false, 'blocked'])
  assert.ok(denied.retryAfterMs > 3_500_000 && denied.retryAfterMs <= 3_600_000)
  assert.equal(await there.unblock('a'), true)
  assert.equal(await there.unblock('a'), false)
  assert.equal((await here.consume('a')).remaining, 2)
})

test('an override is a plan of its own, and refunds at its own rate', async (t) => {
  const limiter = (await opened(t)).limiter('chat', LIMIT)
  const gold = await limiter.consume('a', 8, { limit: 10 })
  assert.deepEqual([gold.ok, gold.limit, gold.remaining], [true, 10, 2])
  await limiter.refund('a', gold)
  assert.equal((await limiter.peek('a', 1, { limit: 10 })).remaining, 10)
  assert.equal((await limiter.consume('a', 20, { limit: 10 })).reason, 'impossible')
})

test('several limits pass together or not at all, and the tightest speaks', async (t) => {
  const sp = await opened(t)
  const limiter = sp.limiter('api', [
    { name: 'burst', limit: 2, window: '1h', failMode: 'closed' },
    { name: 'sustained', limit: 5, window: '1d', algorithm: 'fixed-window' },
  ])
  assert.deepEqual(
    limiter.limits.map(({ name }) => name),
    ['api/burst', 'api/sustained'],
  )
  assert.equal((await limiter.consume('a')).limiter, 'api/burst')
  await limiter.consume('a')
  const denied = await limiter.consume('a')
  assert.deepEqual([denied.ok, denied.limiter], [false, 'api/burst'])
  await assert.rejects(limiter.consume('a', 1, { limit: 9 }), { code: 'E_OPTION', option: 'override' })
})

test('many keys are asked for at once, each as if by itself', async (t) => {
  const limiter = (await opened(t)).limiter('chat', LIMIT)
  const keys = Array.from({ length: 150 }, (_, index) => `k${index % 50}`)
  const decisions = await limiter.consumeMany(keys)
  assert.equal(decisions.length, 150)
  assert.ok(decisions.every(({ ok }) => ok))
  assert.deepEqual(
    [0, 50, 100].map((index) => decisions[index].remaining),
    [2, 1, 0],
  )
  assert.equal((await limiter.consume('k7')).ok, false)
  await limiter.refund('k7', decisions[7])
  assert.equal((await limiter.peek('k7')).remaining, 1)
  const [one, two] = await limiter.consumeMany(['x', 'y'], [3, 4])
  assert.deepEqual([one.ok, one.remaining, two.ok, two.reason], [true, 0, false, 'impossible'])
  assert.deepEqual(await limiter.consumeMany([]), [])
  const crowd = await limiter.consumeMany(Array.from({ length: 12_000 }, (_, index) => `crowd-${index}`))
  assert.ok(
    crowd.every(({ reason, remaining }) => reason === 'allowed' && remaining === 2),
    'more than may be in flight',
  )
})

test('charges of several limiters are made all or none, and each gives back its own', async (t) => {
  const sp = await opened(t)
  const [user, org] = [sp.limiter('user', LIMIT), sp.limiter('org', { ...LIMIT, limit: 2 })]
  const charges = [
    { limiter: user, key: 'u1' },
    { limiter: org, key: 'o1', cost: 2 },
  ]
  const first = await sp.consumeAll(charges)
  assert.deepEqual([first.ok, first.limiter, first.remaining], [true, 'org', 0])
  const denied = await sp.consumeAll(charges)
  assert.deepEqual([denied.ok, denied.limiter], [false, 'org'])
  assert.equal((await user.peek('u1')).remaining, 2, 'a denial has spent nothing')
  await org.refund('o1', first)
  assert.equal((await org.peek('o1')).remaining, 2)
  assert.equal((await user.peek('u1')).remaining, 2)
  await user.refund('u1', first)
  assert.equal((await user.peek('u1')).remaining, 3)
})

test('keys are told apart whatever is in them, and none of them is shown to Redis as code', async (t) => {
  const limiter = (await opened(t)).limiter('na{m}e: %x', { ...LIMIT, limit: 100_000, window: '365d' })
  const keys = [
    'a',
    'a ',
    ' a',
    '{a}',
    '{a}b',
    '{',
    '}',
    '{}',
    'a\0b',
    'a\r\nb',
    '*',
    '\u00e9',
    'e\u0301',
    '🦊',
    '\ud800',
    '\udfff',
  ]
  keys.push(
    'x'.repeat(1_000_000),
    `${'x'.repeat(1_000_000)}y`,
    '__proto__',
    "');redis.call('FLUSHALL')--",
    'a:b',
    'a%3Ab',
  )
  for (const [index, key] of keys.entries()) {
    assert.equal(
      (await limiter.consume(key, index + 1)).remaining,
      100_000 - index - 1,
      JSON.stringify(key.slice(0, 20)),
    )
  }
  for (const [index, key] of keys.entries()) {
    assert.equal((await limiter.peek(key)).remaining, 100_000 - index - 1, JSON.stringify(key.slice(0, 20)))
  }
})

test('another application’s data under a key is neither read as a limit nor overwritten', async (t) => {
  const prefix = `foreign-${process.pid}`
  const sp = await opened(t, { prefix })
  const limiter = sp.limiter('chat', { ...LIMIT, failMode: 'open' })
  await limiter.consume('a')
  const [key] = (await server.call('KEYS', `spillway:${prefix}:limiter:chat:*`)).filter((name) => !name.endsWith('n'))
  for (const seize of [
    ['SADD', key, 'theirs'],
    ['SET', key, 'a text that is no cell'],
    ['HSET', key, 'field', 'value'],
  ]) {
    await server.call('DEL', key)
    await server.call(...seize)
    const held = await server.call('DUMP', key)
    const decision = await limiter.consume('a')
    assert.deepEqual([decision.ok, decision.reason], [true, 'store-unavailable'], seize[0])
    assert.deepEqual(await server.call('DUMP', key), held, 'as it was')
  }
  await server.call('DEL', key)
  assert.equal((await limiter.consume('a')).reason, 'allowed')
})

test('who listens is told of denials, and the channels too', async (t) => {
  const sp = await opened(t)
  const limiter = sp.limiter('chat', { ...LIMIT, limit: 1 })
  const shadow = sp.limiter('trial', { ...LIMIT, limit: 1, shadow: true })
  const heard = []
  const onChannel = ({ key }) => heard.push(`channel ${key}`)
  diagnostics.subscribe('spillway:limiter:limited', onChannel)
  t.after(() => diagnostics.unsubscribe('spillway:limiter:limited', onChannel))
  for (const event of ['limited', 'blocked', 'shadowed', 'unavailable']) {
    for (const each of [limiter, shadow]) {
      each.on(event, ({ limiter: { name }, key, decision }) => heard.push(`${event} ${name} ${key} ${decision.ok}`))
    }
  }
  await limiter.consumeMany(['a', 'a'])
  await limiter.block('b', '1m')
  await limiter.consume('b')
  await shadow.consume('c')
  const shadowed = await shadow.consume('c')
  assert.deepEqual([shadowed.ok, shadowed.shadowed, shadowed.reason], [true, true, 'limited'])
  assert.deepEqual(heard.sort(), ['blocked chat b false', 'channel a', 'limited chat a false', 'shadowed trial c true'])
  assert.throws(() => limiter.on('nonsense', () => {}), { code: 'E_OPTION' })
})

test('a lease is spent here, and never beyond what was taken', async (t) => {
  const limiter = (await opened(t)).limiter('hot', { limit: 1_000, window: '365d', failMode: 'closed', mode: 'lease' })
  let [admitted, leased] = [0, 0]
  for (let call = 0; call < 1_500; call++) {
    const { ok, decidedBy } = await limiter.consume('a')
    admitted += Number(ok)
    leased += Number(ok && decidedBy === 'lease')
  }
  assert.ok(admitted <= 1_000 && admitted > 900, `${admitted}`)
  assert.ok(leased > 500, `${leased} of ${admitted} by the lease`)
})

test('a denial is remembered where that is asked for, until its time', async (t) => {
  const server = await redis(t)
  const sp = await opened(t, { url: server.url })
  const limiter = sp.limiter('chat', { limit: 1, window: '1h', failMode: 'open', rememberDenials: true })
  await limiter.consume('a')
  await limiter.consume('a')
  const before = Number((await server.info('stats')).total_commands_processed)
  for (let call = 0; call < 100; call++) assert.equal((await limiter.consume('a')).ok, false)
  const after = Number((await server.info('stats')).total_commands_processed)
  assert.ok(after - before < 50, `${after - before} commands`)
  await limiter.reset('a')
  assert.equal((await limiter.consume('a')).ok, true, 'what was reset here is not remembered')
})

for (const [failMode, ok] of [
  ['open', true],
  ['closed', false],
]) {
  test(`without Redis a limiter that fails ${failMode} says so, within its deadline and then at once`, async (t) => {
    const server = await redis(t)
    const sp = spillway({ redis: { url: server.url }, isolated: true })
    t.after(() => sp.close())
    await sp.ready()
    const limiter = sp.limiter('chat', { ...LIMIT, failMode })
    const heard = []
    limiter.on('unavailable', ({ decision }) => heard.push(decision.ok))
    await until('Redis decides', async () => (await limiter.consume('warm')).decidedBy === 'redis')
    const charged = await limiter.consume('a')
    await server.kill9()
    heard.length = 0
    let calls = 0
    const began = performance.now()
    for (; calls < 200; calls++) {
      const decision = await limiter.consume('a')
      assert.deepEqual([decision.ok, decision.reason, decision.decidedBy], [ok, 'store-unavailable', 'fail-mode'])
      if (!ok) assert.ok(decision.retryAfterMs > 0)
    }
    assert.ok(performance.now() - began < 5_000, 'an outage costs nothing per call')
    assert.deepEqual(heard, Array(calls).fill(ok))
    assert.equal((await limiter.peek('a')).reason, 'store-unavailable')
    assert.equal(
      (await limiter.consumeMany(['a', 'b'])).every((decision) => decision.ok === ok),
      true,
    )
    assert.equal((await sp.consumeAll([{ limiter, key: 'a' }])).ok, ok)
    assert.equal(await limiter.refund('a', charged), undefined, 'never a rejection')
    const unavailable = (error) =>
      error instanceof Refusal && error.code === 'E_STORE_UNAVAILABLE' && error.status === 503
    for (const call of [() => limiter.block('a', '1m'), () => limiter.unblock('a'), () => limiter.reset('a')]) {
      await assert.rejects(call, unavailable)
    }
    await server.start()
    await until('Redis decides again', async () => (await limiter.consume('later')).decidedBy === 'redis', 5_000)
  })
}

test('without Redis a local limiter counts for this process', async (t) => {
  const server = await redis(t)
  const sp = spillway({ redis: { url: server.url, connectTimeout: 200 }, isolated: true })
  t.after(() => sp.close())
  await server.kill9()
  await sp.ready().catch(() => {})
  const limiter = sp.limiter('chat', { limit: 3, window: '1h', failMode: 'local' })
  const decisions = []
  for (let call = 0; call < 5; call++) decisions.push(await limiter.consume('a'))
  assert.deepEqual(
    decisions.map(({ ok }) => ok),
    [true, true, true, false, false],
  )
  for (const { reason, decidedBy } of decisions) {
    assert.deepEqual([reason, decidedBy], ['store-unavailable', 'fail-mode'])
  }
})

test('what a handle ended by is told as in memory', async (t) => {
  const sp = await opened(t)
  const limiter = sp.limiter('chat', LIMIT)
  limiter.dispose()
  limiter.dispose()
  await assert.rejects(limiter.consume('a'), { code: 'E_DISPOSED' })
  await assert.rejects(limiter.block('a', '1s'), { code: 'E_DISPOSED' })
  assert.equal((await sp.limiter('chat', LIMIT).consume('a')).ok, true)
  const kept = sp.limiter('other', LIMIT)
  await sp.close()
  await assert.rejects(kept.consume('a'), { code: 'E_DISPOSED' })
  await assert.rejects(sp.consumeAll([{ limiter: kept, key: 'a' }]), { code: 'E_DISPOSED' })
})

test('a snapshot counts what was decided', async (t) => {
  const sp = await opened(t, { prefix: 'counted' })
  const limiter = sp.limiter('chat', LIMIT)
  await limiter.consumeMany(['a', 'a', 'a', 'a'])
  const { limiters } = sp.snapshot()
  const { allowed, limited } = limiters['counted:chat']
  assert.deepEqual([allowed, limited], [3, 1])
})
