// Policies as wholes: the way through them, what a call takes, what is told and counted, and how they end. Owns lib/policy.js,
// lib/policies.js and lib/guards.js; what each strategy does by itself is tested beside it.
// Never waits for real, except where Node's own asynchronous contexts need a timer of Node's.
'use strict'

const assert = require('node:assert/strict')
const { AsyncLocalStorage } = require('node:async_hooks')
const diagnostics = require('node:diagnostics_channel')
const { getEventListeners } = require('node:events')
const { test } = require('node:test')
const face = require('../index.js')
const { mark } = require('../lib/verdict.js')
const { end, faked, fate, heard, inTurn, opened, pending, printed, scripted, takes, turn } = require('./staged.js')

const { Refusal, fallback, hedge, isRefusal, presets, retry, timeout } = face
const down = new Error('down')

/** A strategy that writes down when it is entered and left. */
function noting(log, name) {
  const note = (what) => log.push(`${what} ${name}`)
  return {
    kind: 'chaos',
    [Symbol.for('spillway.strategy')]: () => (scope, next) => {
      note('into')
      return next(scope).finally(() => note('out of'))
    },
  }
}

// ---------------------------------------------------------------- the way through

test('the first strategy is the outermost', async (t) => {
  const { policy } = opened(t)
  const log = []
  await policy(noting(log, 'a'), noting(log, 'b'), noting(log, 'c')).run(() => log.push('fn'))
  assert.deepEqual(log, ['into a', 'into b', 'into c', 'fn', 'out of c', 'out of b', 'out of a'])
})

test('an order is what it is, for each of our own as well', async (t) => {
  const { sp, policy, pass } = faked(t)
  const limited = (...strategies) => {
    const { sp: own } = opened(t)
    return { limiter: own.limiter('quota', { limit: 100, window: '1d' }), strategies }
  }
  for (const [attempts, arrange] of [
    [1, (limiter) => [limiter, retry({ base: 1, budget: false })]],
    [4, (limiter) => [retry({ base: 1, budget: false }), limiter]],
  ]) {
    const { limiter } = limited()
    const answer = policy(...arrange(limiter)).run(inTurn(down), { key: 'a' })
    await pass(50)
    assert.deepEqual(await fate(answer), { error: down })
    assert.equal(100 - limiter.peek('a').remaining, attempts)
  }
  assert.equal(sp.snapshot().policies.calls.retries, 6)
})

test('without strategies a policy passes everything on', async (t) => {
  const { policy, counted } = opened(t)
  const guarded = policy()
  const controller = new AbortController()
  const seen = await guarded.run((call) => call, { signal: controller.signal })
  assert.equal(seen.signal, controller.signal)
  assert.deepEqual([seen.remainingMs, seen.attempt], [Infinity, 0])
  assert.deepEqual(await fate(guarded.run(inTurn(down))), { error: down })
  assert.deepEqual(counted(), { ok: 1, failed: 1 })
})

test('the function begins in the turn of the call', (t) => {
  const { sp, policy } = opened(t)
  const guarded = policy(
    fallback(() => 1),
    timeout(100),
    retry(),
    hedge(),
    sp.limiter('quota', { limit: 5, window: '1d' }),
    sp.breaker('upstream'),
    sp.bulkhead('slots', { limit: 1 }),
    sp.shed('front'),
  )
  let began = false
  guarded.run(() => (began = true), { key: 'a' })
  assert.equal(began, true)
})

test('a promise of Node’s is waited for, a thenable too, and what is none is the answer', async (t) => {
  const { policy } = opened(t)
  const guarded = policy()
  class Other extends Promise {}
  const twice = {
    then(resolve, reject) {
      resolve('first')
      resolve('second')
      reject(down)
    },
  }
  for (const [answer, value] of [
    [Promise.resolve('mine'), 'mine'],
    [Other.resolve('other'), 'other'],
    [{ then: (resolve) => resolve('thenable') }, 'thenable'],
    [twice, 'first'],
    [undefined, undefined],
    [down, down],
  ]) {
    const promise = guarded.run(() => answer)
    assert.equal(promise.constructor, Promise)
    assert.deepEqual(await fate(promise), { value })
  }
  assert.deepEqual(
    await fate(guarded.run(() => ({ then: () => Promise.reject(new Error('nobody’s')).catch(() => {}) }))),
    'pending',
  )
})

test('whatever is thrown comes through as it is', async (t) => {
  const { sp, policy, pass, counted } = faked(t)
  const guarded = policy(
    timeout(100),
    hedge({ after: 10 }),
    sp.breaker('upstream', { minCalls: 1000 }),
    sp.bulkhead('b', { limit: 9 }),
  )
  for (const error of [
    undefined,
    null,
    0,
    'text',
    Symbol('mine'),
    down,
    Object.freeze(new Error('frozen')),
    new Proxy({}, {}),
  ]) {
    const thrown = guarded.run(() => {
      throw error
    })
    assert.deepEqual(await fate(thrown), { error })
    assert.equal((await fate(guarded.run(() => Promise.reject(error)))).error, error)
    assert.equal((await fate(guarded.attempt(() => Promise.reject(error)))).error, error)
  }
  await pass(200)
  assert.deepEqual(counted(), { failed: 24 })
  assert.equal(sp.snapshot().bulkheads.b.inUse, 0)
})

test('a value that has a then of its own by the time it arrives is not looked at again', async (t) => {
  const { policy } = opened(t)
  const value = await policy(timeout(100), retry(), hedge({ after: 50 })).run(() => Promise.resolve({ ok: true }))
  assert.deepEqual(value, { ok: true })
})

// ---------------------------------------------------------------- run and attempt

test('attempt answers every refusal of a strategy as plain data, and what is no refusal as it is', async (t) => {
  const { sp, policy, pass } = faked(t)
  const limiter = sp.limiter('quota', { limit: 1, window: '1h' })
  limiter.consume('a')
  const breaker = sp.breaker('upstream')
  breaker.isolate()
  const bulkhead = sp.bulkhead('slots', { limit: 1 })
  const held = bulkhead.tryAcquire()
  for (const [strategies, code, primitive, status] of [
    [[limiter], 'E_LIMITED', 'quota', 429],
    [[breaker], 'E_OPEN', 'upstream', 503],
    [[bulkhead], 'E_FULL', 'slots', 503],
    [[breaker, bulkhead], 'E_OPEN', 'upstream', 503],

    [[retry({ max: 0 }), timeout(5), breaker], 'E_OPEN', 'upstream', 503],
    [[hedge({ after: 5 }), limiter], 'E_LIMITED', 'quota', 429],
  ]) {
    const guarded = policy(...strategies)
    const ran = () => assert.fail('it ran')
    const answer = await guarded.attempt(ran, { key: 'a' })
    const { ok, refusal } = answer
    assert.deepEqual([ok, refusal.code, refusal.primitive, refusal.status], [false, code, primitive, status])
    assert.equal(refusal instanceof Error, false)
    assert.equal(Object.getPrototypeOf(refusal), Object.prototype)
    const { error } = await fate(guarded.run(ran, { key: 'a' }))
    assert.ok(error instanceof Refusal && isRefusal(error))
    assert.deepEqual([error.code, error.primitive, error.retryAfterMs], [code, primitive, refusal.retryAfterMs])
  }
  held.release()
  await pass(20)
  const free = policy()
  assert.deepEqual(await free.attempt(() => 7), { ok: true, value: 7 })
  assert.deepEqual(await fate(free.attempt(inTurn(down))), { error: down })
})

test('a refusal that the function itself throws is thrown by attempt, too: it is the function’s', async (t) => {
  const { policy } = opened(t)
  const theirs = new Refusal({ code: 'E_OPEN', primitive: 'far' })
  assert.deepEqual(await fate(policy(timeout(50), retry()).attempt(inTurn(theirs))), { error: theirs })
})

test('a denial has the wait and the words of its limiter', async (t) => {
  const { sp, policy } = faked(t)
  const limiter = sp.limiter('quota', { limit: 2, window: '2s' })
  const guarded = policy(limiter)
  assert.equal((await end(guarded.run(() => 1, { key: 'a', cost: 2 }))) === 1, true)
  const { error } = await fate(guarded.run(() => 1, { key: 'a', cost: 2 }))
  assert.equal(error.retryAfterMs, 2000)
  assert.deepEqual(error.toProblem()['violated-policies'], ['quota'])
  const impossible = (await fate(guarded.run(() => 1, { key: 'a', cost: 3 }))).error
  assert.equal(impossible.message, Refusal.of(limiter.consume('a', 3)).message)
})

// ---------------------------------------------------------------- what a call takes

test('a key is required where a limiter is, and elsewhere it may be given', async (t) => {
  const { sp, policy } = opened(t)
  const limiter = sp.limiter('quota', { limit: 5, window: '1d' })
  const guarded = policy(timeout(100), limiter)
  for (const options of [undefined, {}, { key: undefined }, { key: '' }, { key: 7 }, { key: null }, { key: ['a'] }]) {
    await assert.rejects(
      guarded.run(() => assert.fail('it ran'), options),
      { code: 'E_KEY', option: 'key', message: /since it holds the limiter "quota"; got / },
    )
  }
  assert.equal(await guarded.run(() => 1, { key: 'a' }), 1)
  const free = policy(timeout(100))
  assert.equal(await free.run(() => 1), 1)
  assert.equal(await free.run(() => 1, { key: 'a' }), 1)
  await assert.rejects(
    free.run(() => 1, { key: '' }),
    { code: 'E_KEY' },
  )
})

test('a breaker and a bulkhead per key take the key of the call, and so each has its own', async (t) => {
  const { sp, policy } = opened(t)
  const breaker = sp.breaker('upstream', { perKey: true, consecutive: 1 })
  const bulkhead = sp.bulkhead('slots', { perKey: true, limit: 1 })
  for (const strategies of [[breaker], [bulkhead], [breaker, bulkhead]]) {
    await assert.rejects(
      policy(...strategies).run(() => assert.fail('it ran')),
      { code: 'E_KEY' },
    )
  }
  const guarded = policy(breaker, bulkhead)
  const { fn, calls } = scripted()
  const held = guarded.run(fn, { key: 'a' })
  assert.equal(await end(guarded.run(fn, { key: 'a' })), 'E_FULL')
  const other = guarded.run(fn, { key: 'b' })
  calls[0].reject(down)
  calls[1].resolve('b')
  assert.deepEqual(await fate(held), { error: down })
  assert.deepEqual(await fate(other), { value: 'b' })
  assert.equal(await end(guarded.run(fn, { key: 'a' })), 'E_OPEN')
  assert.equal(await end(guarded.run(() => 'b', { key: 'b' })), 'b')
})

test('the cost is charged once for each time a limiter is passed', async (t) => {
  const { sp, policy } = opened(t)
  const limiter = sp.limiter('quota', { limit: 10, window: '1d' })
  const guarded = policy(limiter)
  await guarded.run(() => 1, { key: 'a', cost: 4 })
  await guarded.run(() => 1, { key: 'a' })
  await guarded.run(() => 1, { key: 'a', cost: 0 })
  assert.equal(limiter.peek('a').remaining, 5)
})

test('the priority counts at a shed', async (t) => {
  const { sp, policy, pass } = faked(t)
  const guarded = policy(sp.shed('front', { interval: 100, measure: () => 500 }))
  const refused = { low: 0, normal: 0, high: 0, critical: 0 }
  for (let call = 0; call < 400; call++) {
    const priority = Object.keys(refused)[call % 4]
    const answer = await guarded.attempt(() => 1, { priority })
    if (!answer.ok) {
      refused[priority]++
      assert.deepEqual(answer.refusal, { code: 'E_SHED', primitive: 'front', status: 503, retryAfterMs: 100 })
    }
    await pass(5, 5)
  }
  assert.ok(
    refused.low > refused.normal && refused.normal >= refused.high && refused.critical === 0,
    JSON.stringify(refused),
  )
  assert.ok(refused.low > 50, JSON.stringify(refused))
})

test('and in the queue of a bulkhead, where a higher one is first', async (t) => {
  const { sp, policy } = opened(t)
  const guarded = policy(sp.bulkhead('slots', { limit: 1, queue: 10 }))
  const { promise, resolve } = pending()
  const log = []
  guarded.run(() => promise)
  const answers = ['low', 'normal', 'critical', undefined, 'high'].map((priority) =>
    guarded.run(() => log.push(priority), priority && { priority }),
  )
  resolve()
  await Promise.all(answers)
  assert.deepEqual(log, ['critical', 'high', 'normal', undefined, 'low'])
})

test('a signal that is aborted already ends the call with its reason before anything is asked', async (t) => {
  const { sp, policy, counted } = opened(t)
  const limiter = sp.limiter('quota', { limit: 5, window: '1d' })
  const guarded = policy(
    fallback(() => assert.fail('it was asked')),
    limiter,
    retry(),
  )
  for (const reason of [new Error('gone'), 'gone', undefined]) {
    const signal = AbortSignal.abort(reason)
    const ran = () => assert.fail('it ran')
    assert.deepEqual(await fate(guarded.run(ran, { key: 'a', signal })), { error: signal.reason })
    assert.deepEqual(await fate(guarded.attempt(ran, { key: 'a', signal })), { error: signal.reason })
  }
  assert.equal(limiter.peek('a').remaining, 5)
  assert.deepEqual(counted(), {})
})

test('an abort in the queue of a bulkhead ends the call with its reason, and the place is free', async (t) => {
  const { sp, policy } = opened(t)
  const bulkhead = sp.bulkhead('slots', { limit: 1, queue: 1 })
  const held = bulkhead.tryAcquire()
  for (const strategies of [[bulkhead], [sp.breaker('upstream'), bulkhead], [timeout('1m'), retry(), bulkhead]]) {
    const controller = new AbortController()
    const reason = new Error('gone')
    const answer = policy(...strategies).run(() => assert.fail('it ran'), { signal: controller.signal })
    assert.equal(await fate(answer), 'pending')
    controller.abort(reason)
    assert.deepEqual(await fate(answer), { error: reason })
    assert.deepEqual(getEventListeners(controller.signal, 'abort'), [])
    assert.equal(sp.snapshot().bulkheads.slots.waiting, 0)
  }
  held.release()
  assert.equal(sp.snapshot().breakers.upstream.failed, 0)
})

test('what a call is wrongly given rejects with the name of the option, and nothing is called', async (t) => {
  const { policy, counted } = opened(t)
  const guarded = policy(
    fallback(() => assert.fail('it was asked')),
    retry(),
  )
  const ran = () => assert.fail('it ran')
  for (const [options, code, option] of [
    [{ sginal: 1 }, 'E_OPTION', 'sginal'],
    [{ signal: {} }, 'E_OPTION', 'signal'],
    [{ signal: new AbortController() }, 'E_OPTION', 'signal'],
    [{ priority: 'urgent' }, 'E_OPTION', 'priority'],
    [{ priority: 1 }, 'E_OPTION', 'priority'],
    [{ cost: -1 }, 'E_COST', undefined],
    [{ cost: '1' }, 'E_COST', undefined],
    [{ timeout: '1 s' }, 'E_DURATION', 'timeout'],
    [null, 'E_OPTION', undefined],
    ['a', 'E_OPTION', undefined],
    [[], 'E_OPTION', undefined],
  ]) {
    for (const how of ['run', 'attempt']) {
      const { error } = await fate(guarded[how](ran, options))
      assert.equal(error.code, code, JSON.stringify(options))
      if (option !== undefined) assert.equal(error.option, option)
    }
  }
  for (const fn of [undefined, null, 'fn', {}, Promise.resolve()]) {
    assert.equal(await end(guarded.run(fn)), 'E_FUNCTION')
    assert.equal(await end(guarded.attempt(fn)), 'E_FUNCTION')
  }
  assert.deepEqual(counted(), {})
})

test('an option must be the object’s own', async (t) => {
  const { sp, policy } = opened(t)
  const guarded = policy(sp.limiter('quota', { limit: 5, window: '1d' }))
  assert.equal(await end(guarded.run(() => 1, Object.create({ key: 'a' }))), 'E_KEY')
})

// ---------------------------------------------------------------- bind

test('a bound function takes the same arguments and this, and answers with a promise', async (t) => {
  const { policy } = opened(t)
  class Account {
    total = 10
    constructor(guarded) {
      this.add = guarded.bind(this.add)
    }
    add(...more) {
      return more.reduce((sum, each) => sum + each, this.total)
    }
  }
  const account = new Account(policy(timeout(5000)))
  assert.equal(await account.add(1, 2, 3), 16)
  assert.equal(account.add.name, 'add')
  const { add } = account
  await assert.rejects(add(), TypeError)
  const bound = policy().bind(async (...given) => given)
  assert.deepEqual(await bound(), [])
  assert.deepEqual(await bound(undefined, null), [undefined, null])
})

test('a bound function keeps any name, also an odd one', (t) => {
  const { policy } = opened(t)
  for (const name of ['fetchUser', '', '__proto__', 'constructor', 'two words']) {
    const fn = Object.defineProperty(() => 1, 'name', { value: name })
    assert.equal(policy().bind(fn).name, name)
  }
})

test('each call of a bound function is a call through the policy, with the key and cost of its arguments', async (t) => {
  const { sp, policy, counted } = opened(t)
  const limiter = sp.limiter('quota', { limit: 10, window: '1d' })
  const fn = (tenant, amount) => `${tenant}:${amount}`
  const bound = policy(limiter).bind(fn, { key: (tenant) => tenant, cost: (_tenant, amount) => amount })
  assert.equal(await bound('a', 3), 'a:3')
  assert.equal(await bound('a', 4), 'a:4')
  assert.equal(await bound('b', 1), 'b:1')
  assert.equal(await end(bound('a', 5)), 'E_LIMITED')
  assert.deepEqual([limiter.peek('a').remaining, limiter.peek('b').remaining], [3, 9])
  assert.deepEqual(counted(), { ok: 3, refused: 1 })
  assert.equal(await end(policy(limiter).bind(fn)('a', 1)), 'E_KEY')
})

test('a key or cost that throws, or is none, rejects: a bound function never throws', async (t) => {
  const { sp, policy, counted } = opened(t)
  const guarded = policy(
    fallback(() => assert.fail('it was asked')),
    sp.limiter('quota', { limit: 10, window: '1d' }),
  )
  const mine = new Error('mine')
  const throws = () => {
    throw mine
  }
  const ran = () => assert.fail('it ran')
  assert.deepEqual(await fate(guarded.bind(ran, { key: throws })()), { error: mine })
  assert.deepEqual(await fate(guarded.bind(ran, { key: () => 'a', cost: throws })()), { error: mine })
  assert.equal(await end(guarded.bind(ran, { key: () => undefined })()), 'E_KEY')
  assert.equal(await end(guarded.bind(ran, { key: async () => 'a' })()), 'E_KEY')
  assert.equal(await end(guarded.bind(ran, { key: () => 'a', cost: () => NaN })()), 'E_COST')
  assert.deepEqual(counted(), {})
})

test('what bind is wrongly given is told at once', (t) => {
  const { policy } = opened(t)
  const guarded = policy()
  assert.throws(() => guarded.bind('fn'), { code: 'E_FUNCTION' })
  assert.throws(() => guarded.bind(() => 1, { key: 'tenant' }), { code: 'E_OPTION', option: 'key' })
  assert.throws(() => guarded.bind(() => 1, { cost: 5 }), { code: 'E_OPTION', option: 'cost' })
  assert.throws(() => guarded.bind(() => 1, { priority: () => 'low' }), { code: 'E_OPTION', option: 'priority' })
})

// ---------------------------------------------------------------- what is no policy

test('what is no strategy is E_OPTION with its place', (t) => {
  const { sp } = opened(t)
  const other = sp.policy('other')
  const bad = [undefined, null, 5, 'retry', {}, [], retry, presets.otp, other, { kind: 'timeout', milliseconds: 5 }]
  for (const strategy of [...bad, sp.cache('c'), () => {}]) {
    for (const [index, strategies] of [[strategy], [retry(), strategy], [timeout(5), hedge(), strategy]].entries()) {
      assert.throws(() => sp.policy('broken', ...strategies), {
        name: 'TypeError',
        code: 'E_OPTION',
        option: `strategies[${index}]`,
        message: new RegExp(
          `^\`strategies\\[${index}\\]\` of the policy "broken" must be a strategy: timeout\\(\\), .*; got .+\\[E_OPTION\\]$`,
        ),
      })
    }
  }
  assert.equal(sp.snapshot().policies.broken, undefined)
  assert.equal(sp.snapshot().budgets.broken, undefined)
})

test('a name is a string of 1 to 128 characters', (t) => {
  const { sp } = opened(t)
  for (const name of [undefined, null, '', 5, {}, 'x'.repeat(129), retry()]) {
    assert.throws(() => sp.policy(name, retry()), { code: 'E_NAME' })
  }
  assert.equal(sp.policy('x'.repeat(128)).name.length, 128)
  assert.equal(sp.policy('__proto__', timeout(5)).name, '__proto__')
  assert.deepEqual(Object.entries(sp.snapshot().policies)[1][1].strategies, ['timeout 5 ms'])
})

// ---------------------------------------------------------------- events

test('each event goes to listeners of its policy alone, and to the channels of all', async (t) => {
  const { sp, policy, pass } = faked(t)
  const [one, two] = [
    policy(
      timeout(50),
      fallback(() => 'instead'),
      retry({ max: 1, base: 5, budget: { ratio: 0, floor: 1 } }),
      hedge({ after: 10, budget: { ratio: 0, floor: 1 } }),
    ),
    heard(sp.policy('two', timeout(5))),
  ]
  const names = ['retry', 'hedge', 'timeout', 'fallback', 'exhausted']
  const [heardByOne, heardByChannel] = [[], []]
  for (const name of names) {
    one.on(name, (message) => heardByOne.push([name, message.policy.name]))
    const channel = diagnostics.channel(`spillway:policy:${name}`)
    const note = (message, of) => heardByChannel.push([of.split(':').at(-1), message.policy.name])
    channel.subscribe(note)
    t.after(() => channel.unsubscribe(note))
  }
  one.run(takes(20, down))
  two.run(() => new Promise(() => {}))
  await pass(100)
  one.run(() => new Promise(() => {}))
  await pass(100)
  assert.deepEqual(heardByOne, [
    ['hedge', 'calls'],
    ['exhausted', 'calls'],
    ['fallback', 'calls'],
    ['exhausted', 'calls'],
    ['timeout', 'calls'],
  ])
  assert.deepEqual(
    heardByChannel.filter(([, name]) => name === 'calls'),
    heardByOne,
  )
  assert.deepEqual(
    heardByChannel.filter(([, name]) => name === 'two'),
    [['timeout', 'two']],
  )
})

test('each call that ended is told, with how long it took and how it ended', async (t) => {
  const { sp, policy, pass } = faked(t)
  const breaker = sp.breaker('upstream')
  const guarded = policy(timeout(50), breaker)
  const told = []
  guarded.on('ended', ({ policy: of, ...message }) => told.push({ ...message, mine: of === guarded }))
  guarded.run(takes(20), { key: 'a' })
  guarded.run(takes(30, down))
  guarded.run(() => new Promise(() => {}))
  const signal = AbortSignal.abort()
  guarded.run(() => assert.fail('it ran'), { signal })
  await pass(100)
  breaker.isolate()
  guarded.attempt(() => assert.fail('it ran'), { key: 'b' })
  await pass(1)
  const [ok, failed, timedOut, open, ...more] = told
  assert.deepEqual(ok, { key: 'a', ms: 20, outcome: 'ok', mine: true })
  assert.deepEqual(failed, { key: undefined, ms: 30, outcome: 'failed', error: down, mine: true })
  assert.deepEqual([timedOut.ms, timedOut.outcome, timedOut.error.code], [50, 'refused', 'E_TIMEOUT'])
  assert.deepEqual([open.key, open.ms, open.outcome, open.error.code], ['b', 0, 'refused', 'E_OPEN'])
  assert.ok(timedOut.error instanceof Refusal && open.error instanceof Refusal)
  assert.deepEqual(more, [])
})

test('an event that is none, and a listener that is no function, are told', (t) => {
  const { policy } = opened(t)
  const guarded = policy()
  assert.throws(() => guarded.on('retries', () => {}), { code: 'E_OPTION', option: 'event' })
  assert.throws(() => guarded.on('retry'), { code: 'E_FUNCTION' })
})

test('a message is made only when somebody hears it', async (t) => {
  const { policy } = opened(t)
  const refusal = Object.defineProperty(new Error('down'), 'retryAfterMs', { value: 1 })
  const guarded = policy(retry({ max: 1 }))
  const off = guarded.on('retry', () => assert.fail('it was taken off'))
  off()
  off()
  assert.deepEqual(
    await fate(guarded.run(inTurn(refusal, 'up')).then((value) => value)).then(
      (now) => now === 'pending' || now.value === 'up',
    ),
    true,
  )
})

// ---------------------------------------------------------------- the snapshot

test('a snapshot says what a policy is made of and what came of its calls', async (t) => {
  const { sp, policy, pass } = faked(t)
  const guarded = policy(
    fallback(() => 'instead', { when: (error) => error === down }),
    timeout('1s'),
    retry({ max: 2, base: 10, cap: 10 }),
    sp.breaker('upstream', { minCalls: 1000 }),
    sp.bulkhead('slots', { limit: 5 }),
    timeout(50),
  )
  assert.deepEqual(sp.snapshot().policies.calls, {
    strategies: ['fallback', 'timeout 1000 ms', 'retry 2', 'breaker upstream', 'bulkhead slots', 'timeout 50 ms'],
    running: 0,
    ok: 0,
    failed: 0,
    refused: 0,
    retries: 0,
    hedges: 0,
    timeouts: 0,
    fallbacks: 0,
    exhausted: 0,
    latency: { count: 0, meanMs: 0, p50Ms: 0, p95Ms: 0, p99Ms: 0, maxMs: 0 },
  })
  guarded.run(takes(20))
  guarded.run(inTurn(down))
  guarded.run(inTurn(new Error('other'), 'up'))
  guarded.run(inTurn(new Error('other')))
  guarded.run(() => new Promise(() => {}))
  assert.equal(sp.snapshot().policies.calls.running, 5)
  await pass(15)
  assert.equal(sp.snapshot().policies.calls.running, 4)
  await pass(300)
  const { strategies: _, latency, ...counts } = sp.snapshot().policies.calls
  assert.deepEqual(counts, {
    running: 0,
    ok: 3,
    failed: 1,
    refused: 1,
    retries: 7,
    hedges: 0,
    timeouts: 3,
    fallbacks: 1,
    exhausted: 0,
  })
  assert.equal(latency.count, 5)
  assert.equal(latency.maxMs, 170)
  assert.equal(latency.meanMs, (20 + 20 + 10 + 20 + 170) / 5)
  assert.deepEqual(JSON.parse(JSON.stringify(sp.snapshot())).policies.calls.latency, latency)
})

test('what a snapshot hands out changes nothing', (t) => {
  const { sp, policy } = opened(t)
  policy(timeout(5))
  const { strategies } = sp.snapshot().policies.calls
  strategies.push('mine')
  assert.deepEqual(sp.snapshot().policies.calls.strategies, ['timeout 5 ms'])
})

// ---------------------------------------------------------------- names and ends

test('a name opened again stands for the new strategies, and goes on counting', async (t) => {
  const { sp, policy } = opened(t)
  const old = policy(timeout(50))
  await old.run(() => 1)
  const fresh = policy(retry())
  await fresh.run(() => 2)
  await old.run(() => 3)
  const { strategies, ok } = sp.snapshot().policies.calls
  assert.deepEqual([strategies, ok], [['retry 3'], 3])
})

test('opening a name for each request piles nothing up', (t) => {
  const { sp } = opened(t)
  for (let request = 0; request < 1000; request++) sp.policy('same', timeout(50), retry(), hedge())
  const { policies, budgets } = sp.snapshot()
  assert.deepEqual([Object.keys(policies), Object.keys(budgets)], [['same'], ['same']])
})

test('dispose ends the handle and the name, and a second time does nothing', async (t) => {
  const { sp, policy } = opened(t)
  const guarded = policy(retry())
  guarded.dispose()
  guarded.dispose()
  for (const call of [() => guarded.run(() => 1), () => guarded.attempt(() => 1), () => guarded.bind(() => 1)()]) {
    await assert.rejects(call(), {
      name: 'Error',
      code: 'E_DISPOSED',
      message: 'the policy "calls" has been disposed of or its spillway closed; open it again [E_DISPOSED]',
    })
  }
  const { policies, budgets } = sp.snapshot()
  assert.deepEqual([policies, budgets], [{}, {}])
  assert.equal(await policy(retry()).run(() => 'again'), 'again')
})

test('dispose of an older handle leaves the name to the newer', async (t) => {
  const { sp, policy } = opened(t)
  const old = policy(retry())
  const fresh = policy(retry())
  old.dispose()
  assert.equal(await fresh.run(() => 1), 1)
  assert.equal(await end(old.run(() => 1)), 'E_DISPOSED')
  assert.deepEqual(Object.keys(sp.snapshot().policies), ['calls'])
  assert.deepEqual(Object.keys(sp.snapshot().budgets), ['calls'])
})

test('a call on its way when its policy ends is brought to its end, without extra attempts', async (t) => {
  const { policy, pass } = faked(t)
  const guarded = policy(timeout(500), retry())
  const { fn, calls } = scripted()
  const answers = [guarded.run(fn), guarded.run(fn)]
  guarded.dispose()
  calls[0].resolve('done')
  calls[1].reject(down)
  assert.deepEqual(await fate(answers[0]), { value: 'done' })
  const { error } = await fate(answers[1])
  assert.deepEqual([error.code, error.cause], ['E_RETRY_BUDGET', down])
  await pass(1000)
})

test('close ends every handle, also of names that were opened again', async (t) => {
  const { sp, policy } = opened(t)
  const handles = [policy(timeout(50)), policy(timeout(60)), sp.policy('other')]
  await sp.close()
  for (const handle of handles) assert.equal(await end(handle.run(() => assert.fail('it ran'))), 'E_DISPOSED')
  assert.throws(() => sp.policy('new'), { code: 'E_DISPOSED' })
})

test('a primitive within that was disposed of says so', async (t) => {
  const { sp, policy } = opened(t)
  const makers = [
    () => sp.breaker('upstream'),
    () => sp.bulkhead('slots', { limit: 1 }),
    () => sp.limiter('quota', { limit: 1, window: '1d' }),
    () => sp.shed('front'),
  ]
  for (const make of makers) {
    const primitive = make()
    const guarded = policy(primitive)
    primitive.dispose()
    assert.equal(await end(guarded.run(() => assert.fail('it ran'), { key: 'a' })), 'E_DISPOSED', primitive.kind)
  }
  const [breaker, bulkhead] = makers.map((make) => make())
  for (const order of [
    [breaker, bulkhead],
    [bulkhead, breaker],
  ]) {
    const guarded = policy(...order)
    assert.equal(await guarded.run(() => 'fine', { key: 'a' }), 'fine')
  }
  breaker.dispose()
  assert.equal(await end(policy(bulkhead, breaker).run(() => assert.fail('it ran'))), 'E_DISPOSED')
  assert.equal(sp.snapshot().bulkheads.slots.inUse, 0)
})

test('the policies of two spillways know nothing of each other', async (t) => {
  const [one, two] = [opened(t), opened(t)]
  await one.policy().run(() => 1)
  two.policy()
  assert.deepEqual([one.counted(), two.counted()], [{ ok: 1 }, {}])
})

test('the function of the package is one of a spillway that is there by itself', async () => {
  const name = `by-itself-${process.pid}`
  assert.equal(await face.policy(name, timeout(50)).run(() => 'fine'), 'fine')
  assert.equal(face.spillway().snapshot().policies[name], undefined)
})

// ---------------------------------------------------------------- a function that reaches back

test('a function may abort its own call, dispose of its policy or close all, and what it answers still counts', async (t) => {
  const { sp, policy } = faked(t)
  const controller = new AbortController()
  const guarded = policy(timeout(100), retry(), hedge({ after: 50 }), sp.breaker('b'), sp.bulkhead('s', { limit: 1 }))
  const aborting = guarded.run(
    () => {
      controller.abort()
      return 'aborted'
    },
    { signal: controller.signal },
  )
  assert.equal(await aborting, 'aborted')
  const disposing = guarded.run(() => {
    guarded.dispose()
    return 'disposed'
  })
  assert.equal(await disposing, 'disposed')
  const closing = policy(timeout(100), sp.breaker('b'), sp.bulkhead('s', { limit: 1 })).run(async () => {
    await sp.close()
    return 'closed'
  })
  assert.equal(await closing, 'closed')
})

test('a call within a call is one of its own, with a permit of its own', async (t) => {
  const { sp, policy } = opened(t)
  const narrow = policy(sp.bulkhead('one', { limit: 1 }))
  const wide = sp.policy('wide', sp.bulkhead('two', { limit: 2 }), sp.breaker('b'))
  assert.equal(await end(narrow.run(() => narrow.run(() => 'within'))), 'E_FULL')
  assert.equal(await wide.run(() => wide.run(() => 'within')), 'within')
  const { one, two } = sp.snapshot().bulkheads
  assert.deepEqual([one.inUse, two.inUse], [0, 0])
})

// ---------------------------------------------------------------- a breaker within

test('`classify` of a breaker is asked for calls through a policy, too', async (t) => {
  const { sp, policy } = opened(t)
  const asked = []
  const classify = (settled) => {
    asked.push(settled)
    return settled.ok && settled.value === 503 ? 'fail' : 'ok'
  }
  const breaker = sp.breaker('upstream', { classify, minCalls: 1000 })
  for (const strategies of [[breaker], [breaker, sp.bulkhead('slots', { limit: 1 })]]) {
    const guarded = policy(...strategies)
    await guarded.run(() => 503)
    await end(guarded.run(inTurn(down)))
  }
  const { ok, failed } = sp.snapshot().breakers.upstream
  assert.deepEqual([ok, failed], [2, 2])
  assert.deepEqual(asked.slice(0, 2), [
    { ok: true, value: 503 },
    { ok: false, error: down },
  ])
})

test('a `classify` that throws is the error of the call, and no permit is kept', async (t) => {
  const { sp, policy } = opened(t)
  const mine = new Error('mine')
  const classify = () => {
    throw mine
  }
  const breaker = sp.breaker('upstream', { classify, minCalls: 1000 })
  const bulkhead = sp.bulkhead('slots', { limit: 1 })
  for (const strategies of [[breaker], [breaker, bulkhead], [bulkhead, breaker], [breaker, timeout(50), bulkhead]]) {
    assert.deepEqual(await fate(policy(...strategies).run(() => 1)), { error: mine })
    assert.deepEqual(await fate(policy(...strategies).run(inTurn(down))), { error: mine })
  }
  assert.equal(sp.snapshot().bulkheads.slots.inUse, 0)
})

test('a breaker around a retry counts a spent budget as what the last attempt ended with', async (t) => {
  const { sp, policy } = opened(t)
  const spent = retry({ budget: { ratio: 0, floor: 0 } })
  const inner = sp.breaker('inner')
  inner.isolate()
  await end(policy(sp.breaker('outer'), spent).run(inTurn(down)))
  await end(policy(sp.breaker('outer'), spent).run(inTurn(new Refusal({ code: 'E_LIMITED', primitive: 'far' }))))
  await end(policy(sp.breaker('outer'), spent, inner).run(() => 1))
  const { ok, failed, ignored } = sp.snapshot().breakers.outer
  assert.deepEqual([ok, failed, ignored], [0, 1, 2])
})

test('a caller who goes is nobody’s failure, unless it is time that ran out', async (t) => {
  const { sp, policy } = opened(t)
  const guarded = policy(retry(), sp.breaker('upstream'))
  const ends = []
  for (const reason of [new Error('gone'), undefined, new DOMException('too late', 'TimeoutError')]) {
    const controller = new AbortController()
    const answer = guarded.run(takes(60_000), { signal: controller.signal })
    controller.abort(reason)
    assert.deepEqual(await fate(answer), { error: controller.signal.reason })
    const { ok, failed, ignored } = sp.snapshot().breakers.upstream
    ends.push([ok, failed, ignored])
  }
  assert.deepEqual(ends, [
    [0, 0, 1],
    [0, 0, 2],
    [0, 1, 2],
  ])
})

// ---------------------------------------------------------------- asynchronous contexts

test('everybody in a call has the asynchronous context of its caller', async (t) => {
  const { sp, policy } = opened(t)
  const store = new AsyncLocalStorage()
  const seen = []
  const note = (what) => seen.push([what, store.getStore()])
  const guarded = policy(
    fallback(() => note('fallback')),
    timeout(5000),
    retry({
      max: 1,
      base: 5,
      cap: 5,
      when: () => {
        note('when')
        return true
      },
    }),
    hedge({ after: 10 }),
    sp.breaker('upstream', {
      minCalls: 1000,
      classify: () => {
        note('classify')
        return 'fail'
      },
    }),
    sp.bulkhead('slots', { limit: 3, queue: 10 }),
  )
  const call = async () => {
    await guarded.run(async ({ attempt }) => {
      note(`attempt ${attempt}`)
      await new Promise((resolve) => setTimeout(resolve, 15))
      note('after its wait')
      throw down
    })
    note('the caller')
  }
  const ids = ['a', 'b', 'c', 'd']
  await Promise.all(ids.map((id) => store.run(id, call)))
  const of = (id) => seen.filter(([, store]) => store === id).map(([what]) => what)
  const whats = ['attempt 0', 'attempt 1', 'after its wait', 'when', 'classify', 'fallback', 'the caller']
  assert.equal(seen.filter(([, store]) => !ids.includes(store)).length, 0)
  for (const id of ids) {
    for (const what of ['attempt 0', 'after its wait', 'when', 'classify', 'fallback', 'the caller']) {
      assert.ok(of(id).includes(what), `${what} of ${id}: ${of(id)}`)
    }
    assert.equal(of(id).filter((what) => what === 'the caller').length, 1)
    assert.equal(of(id).filter((what) => what === 'fallback').length, 1)
  }
  assert.ok(seen.some(([what]) => what === 'attempt 1'))
  assert.ok(seen.every(([what]) => whats.includes(what)))
})

test('nobody is told of a timeout in the context of another’s call', async (t) => {
  const { policy } = opened(t)
  const store = new AsyncLocalStorage()
  const guarded = policy(timeout(10))
  const seen = []
  let calling
  guarded.on('timeout', () => seen.push(['listener', store.getStore()]))
  const call = (id) =>
    guarded.run(({ signal }) => {
      signal.addEventListener('abort', () => seen.push([id, store.getStore()]))
      return new Promise(() => {})
    })
  for (const id of ['a', 'b', 'c']) store.run(id, () => (calling = call(id)))
  await end(calling)
  await turn()
  assert.equal(seen.length, 6)
  for (const [who, context] of seen) {
    assert.ok(context === undefined || context === who, `${who} was told in the context of ${context}`)
  }
})

// ---------------------------------------------------------------- what is left behind

test('ten thousand calls, however they end, leave no listener on the signal of a caller who lives long', async (t) => {
  const { sp, policy, pass } = faked(t)
  const controller = new AbortController()
  const { signal } = controller
  const guarded = policy(
    fallback(() => 'instead'),
    timeout(100),
    retry({ max: 1, base: 5, cap: 5, budget: false }),
    hedge({ after: 20, budget: false }),
    sp.breaker('upstream', { minCalls: 1_000_000 }),
    sp.bulkhead('slots', { limit: 3000, queue: 10_000 }),
    timeout(60),
  )
  const kinds = [
    (call) => call.signal.aborted,
    inTurn(down),
    takes(30, 'slow'),
    takes(30, down),
    (call) => takes(1000)(call),
    () => 'unread',
    (call) => {
      setTimeout(() => call.signal, 200)
      return 'read late'
    },
  ]
  const answers = []
  for (let call = 0; call < 10_000; call++) {
    answers.push(end(guarded.run(kinds[call % kinds.length], { signal })))
    if (call % 500 === 0) await pass(10)
  }
  await pass(600, 10)
  await Promise.all(answers)
  assert.equal(getEventListeners(signal, 'abort').length, 0)
  assert.equal(sp.snapshot().bulkheads.slots.inUse, 0)
  assert.equal(sp.snapshot().policies.calls.running, 0)
})

test('twenty thousand random calls through every strategy at once come to an end each, and give everything back', async (t) => {
  t.mock.method(process, 'emitWarning', () => {})
  const { sp, pass } = faked(t)
  let seed = 20_261_121
  const below = (count) => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((seed / 2 ** 32) * count)
  }
  t.mock.method(Math, 'random', () => below(1e6) / 1e6)
  const bulkhead = sp.bulkhead('slots', { limit: 20, queue: 30, queueTimeout: 80 })
  const breaker = sp.breaker('upstream', {
    minCalls: 20,
    open: { for: 50, max: 50, jitter: 0 },
    probes: 2,
    probeTimeout: 300,
  })
  const parts = [
    () => timeout(5 + below(200)),
    () => retry({ max: below(3), base: 1 + below(10), cap: 20, budget: false }),
    () => hedge({ after: 1 + below(60), max: 1 + below(2), budget: false }),
    () => fallback(() => 'instead', { when: () => below(2) === 0 }),
    () => breaker,
    () => bulkhead,
  ]
  const policies = Array.from({ length: 50 }, (_, index) => {
    const strategies = parts.filter(() => below(3) > 0).map((make) => make())
    for (let at = strategies.length - 1; at > 0; at--) {
      const other = below(at + 1)
      ;[strategies[at], strategies[other]] = [strategies[other], strategies[at]]
    }
    return heard(sp.policy(`p${index}`, ...strategies))
  })
  const unhandled = []
  const note = (error) => unhandled.push(error)
  process.on('unhandledRejection', note)
  t.after(() => process.off('unhandledRejection', note))
  const longLived = new AbortController()
  const answers = []
  let running = 0
  for (let call = 0; call < 20_000; call++) {
    const [ms, fails, heeds, goes] = [below(120), below(3) === 0, below(2) === 0, below(10) === 0]
    const controller = goes ? new AbortController() : longLived
    if (goes) setTimeout(() => controller.abort(new Error('gone')), below(100))
    const fn = (context) => {
      running++
      return new Promise((resolve, reject) => {
        let open = true
        const once = (how, what) => {
          if (open) running--
          open = false
          // Where nothing of ours could abort the call, this is the caller's own signal.
          if (heeds) context.signal.removeEventListener('abort', abort)
          how(what)
        }
        const abort = () => once(reject, context.signal.reason)
        setTimeout(() => (fails ? once(reject, down) : once(resolve, call)), ms)
        if (heeds) context.signal.addEventListener('abort', abort)
      })
    }
    const options = { signal: controller.signal, priority: ['low', 'normal', 'high', 'critical'][below(4)] }
    const guarded = policies[below(50)]
    answers.push(below(2) === 0 ? guarded.run(fn, options) : guarded.attempt(fn, options))
    if (call % 4 === 0) await pass(1)
  }
  await pass(3000, 10)
  await Promise.allSettled(answers)
  assert.equal(running, 0)
  assert.deepEqual(unhandled, [])
  const { bulkheads, policies: told } = sp.snapshot()
  assert.deepEqual([bulkheads.slots.inUse, bulkheads.slots.waiting], [0, 0])
  const sum = (count) => Object.values(told).reduce((total, each) => total + each[count], 0)
  assert.equal(sum('running'), 0)
  assert.equal(sum('ok') + sum('failed') + sum('refused'), 20_000)
  for (const count of ['ok', 'failed', 'refused', 'retries', 'hedges', 'timeouts', 'fallbacks'])
    assert.ok(sum(count) > 500, count)
  assert.equal(getEventListeners(longLived.signal, 'abort').length, 0)
})

test('a hundred thousand calls leave no memory behind', async () => {
  const script = `
    const { spillway, timeout, retry, hedge, fallback } = require('.')
    const sp = spillway({ isolated: true })
    const guarded = sp.policy('calls', fallback(() => 0), timeout('1h'), retry({ base: 1, cap: 1, max: 1 }), hedge({ after: '30m' }),
      sp.breaker('b', { minCalls: 1000000 }), sp.bulkhead('s', { limit: 1000 }), timeout('20m'))
    const { signal } = new AbortController()
    const fn = (call) => { if (call.signal.aborted || call.attempt > 5) throw new Error('never'); return call.remainingMs }
    async function calls(count) {
      for (let batch = 0; batch < count / 100; batch++) {
        await Promise.all(Array.from({ length: 100 }, (_, i) => guarded.run(fn, i % 2 ? { signal } : undefined)))
      }
    }
    const heap = () => { gc(); gc(); return process.memoryUsage().heapUsed }
    ;(async () => {
      await calls(20000)
      const before = heap()
      await calls(100000)
      console.log(heap() - before)
    })()
  `
  const grown = Number(await printed(script, '--expose-gc'))
  assert.ok(grown < 500_000, `${grown} bytes more after 100,000 calls`)
})

test('a call that never ends holds nothing but itself', async () => {
  const script = `
    const { policy, timeout } = require('.')
    const guarded = policy('calls', timeout(5))
    const held = []
    let kept = 0
    const registry = new FinalizationRegistry(() => kept--)
    for (let i = 0; i < 1000; i++) {
      const value = { big: new Array(100) }
      kept++
      registry.register(value)
      held.push(guarded.run(() => { void value; return new Promise(() => {}) }).catch(() => {}))
    }
    Promise.all(held).then(async () => {
      for (let i = 0; i < 10; i++) { gc(); await new Promise((resolve) => setTimeout(resolve, 5)) }
      console.log(kept)
    })
  `
  assert.ok(Number(await printed(script, '--expose-gc')) < 50)
})

test('in a snapshot a policy, its budget and its guards are found by one name, the prefix included', async (t) => {
  const sp = face.spillway({ isolated: true, env: false, prefix: 'shop' })
  t.after(() => sp.close())
  await sp.policy('fmcsa', face.retry(), sp.breaker('fmcsa')).run(() => 1)
  const { policies, budgets, breakers } = sp.snapshot()
  assert.deepEqual([policies, budgets, breakers].map(Object.keys), [['shop:fmcsa'], ['shop:fmcsa'], ['shop:fmcsa']])
})

test('an answer that an adapter knows for a failure is one in the figures', async (t) => {
  const sp = face.spillway({ isolated: true, env: false })
  t.after(() => sp.close())
  const policy = sp.policy('fmcsa')
  const ended = []
  policy.on('ended', ({ outcome, error }) => ended.push([outcome, error]))
  const busy = mark({}, { outcome: 'fail' })
  assert.equal(await policy.run(() => busy), busy)
  await policy.run(() => mark({}, { outcome: 'ignore' }))
  await policy.run(() => Promise.reject()).catch(() => {})
  assert.deepEqual(ended, [
    ['failed', undefined],
    ['ok', undefined],
    ['failed', undefined],
  ])
  const { ok, failed } = sp.snapshot().policies.fmcsa
  assert.deepEqual({ ok, failed }, { ok: 1, failed: 2 })
})
