// The fallback of a policy: what it answers for, and for whom it does not. Owns lib/fallback.js. Never waits for real.
'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')
const { Refusal, fallback, retry, timeout } = require('../index.js')
const { end, faked, fate, inTurn, opened, pending, scripted, turn } = require('./staged.js')

const down = new Error('down')
const instead = (options) => fallback(() => 'instead', options)

test('what succeeds is never replaced, whatever it is', async (t) => {
  const { policy, counted } = opened(t)
  const guarded = policy(fallback(() => assert.fail('it was asked')))
  for (const value of [undefined, null, false, 0, '', down, Refusal])
    assert.equal(await guarded.run(() => value), value)
  assert.deepEqual(counted(), { ok: 7 })
})

test('any error is replaced by default, and the answer is told it', async (t) => {
  const { policy, counted } = opened(t)
  const told = []
  const guarded = policy(
    fallback((error) => {
      told.push(error)
      return 'instead'
    }),
  )
  const errors = [
    down,
    new TypeError('mine'),
    undefined,
    null,
    'text',
    new Refusal({ code: 'E_OPEN', primitive: 'far' }),
  ]
  for (const error of errors) assert.equal(await guarded.run(() => Promise.reject(error)), 'instead')
  assert.equal(await guarded.run(inTurn(down)), 'instead')
  assert.deepEqual(told, [...errors, down])
  assert.deepEqual(counted(), { ok: 7, fallbacks: 7 })
})

test('a refusal of a strategy within is told as users see it, and is the same one as elsewhere', async (t) => {
  const { sp, policy } = opened(t)
  const breaker = sp.breaker('upstream')
  breaker.isolate()
  const told = []
  const guarded = policy(
    fallback((error) => told.push(error)),
    fallback(() => assert.fail('it was asked'), { when: (error) => told.push(error) && false }),
    breaker,
  )
  await guarded.run(() => assert.fail('it ran'))
  assert.ok(told[0] instanceof Refusal)
  assert.equal(told[0].code, 'E_OPEN')
  assert.equal(told[1], told[0])
})

test('attempt answers with what the fallback answers', async (t) => {
  const { sp, policy } = opened(t)
  const breaker = sp.breaker('upstream')
  breaker.isolate()
  assert.deepEqual(await policy(instead(), breaker).attempt(() => 1), { ok: true, value: 'instead' })
})

test('`when` picks the errors; nothing is a no, and what is neither is told', async (t) => {
  const { policy, counted } = opened(t)
  const some = policy(instead({ when: (error) => error === down }))
  assert.equal(await some.run(inTurn(down)), 'instead')
  const other = new Error('other')
  assert.deepEqual(await fate(some.run(inTurn(other))), { error: other })
  assert.deepEqual(await fate(policy(instead({ when: () => undefined })).run(inTurn(down))), { error: down })
  for (const answer of [1, 'yes', {}, Promise.resolve(true)]) {
    const { error } = await fate(policy(instead({ when: () => answer })).run(inTurn(down)))
    assert.deepEqual([error.code, error.option, error.cause], ['E_OPTION', 'when', down])
  }
  assert.deepEqual(counted(), { ok: 1, failed: 6, fallbacks: 1 })
})

test('a `when` or an answer that throws or rejects is the error of the call', async (t) => {
  const { policy, counted } = opened(t)
  const mine = new Error('mine')
  const throws = () => {
    throw mine
  }
  for (const strategy of [
    instead({ when: throws }),
    fallback(throws),
    fallback(() => Promise.reject(mine)),
    fallback(() => ({ then: throws })),
  ]) {
    assert.deepEqual(await fate(policy(strategy).run(inTurn(down))), { error: mine })
  }
  assert.deepEqual(counted(), { failed: 4, fallbacks: 3 })
})

test('an answer may take its time', async (t) => {
  const { policy } = opened(t)
  const { promise, resolve } = pending()
  const answer = policy(fallback(() => promise)).run(inTurn(down))
  assert.equal(await fate(answer), 'pending')
  resolve('at last')
  assert.deepEqual(await fate(answer), { value: 'at last' })
})

test('one fallback answers for another that failed', async (t) => {
  const { policy, counted } = opened(t)
  const guarded = policy(
    fallback(({ message }) => `instead of ${message}`),
    fallback(() => Promise.reject(new Error('the first')), { when: (error) => error === down }),
  )
  assert.equal(await guarded.run(inTurn(down)), 'instead of the first')
  assert.deepEqual(counted(), { ok: 1, fallbacks: 2 })
})

// ---------------------------------------------------------------- callers who have gone

test('for a caller who has gone it is not asked', async (t) => {
  const { policy, pass } = faked(t)
  const never = fallback(() => assert.fail('it was asked'), { when: () => assert.fail('`when` was asked') })
  const reason = new Error('gone')

  const { fn, calls } = scripted()
  const running = new AbortController()
  const answer = policy(never).run(fn, { signal: running.signal })
  running.abort(reason)
  calls[0].reject(reason)
  assert.deepEqual(await fate(answer), { error: reason })

  const waiting = new AbortController()
  const wait = policy(never, retry()).run(inTurn(down), { signal: waiting.signal })
  await turn()
  waiting.abort(reason)
  assert.deepEqual(await fate(wait), { error: reason })
  await pass(1000)

  const before = policy(never).run(() => assert.fail('it ran'), { signal: AbortSignal.abort(reason) })
  assert.deepEqual(await fate(before), { error: reason })
})

test('it answers for a timeout within, and not behind one that has answered', async (t) => {
  const { policy, pass, counted } = faked(t)
  const { fn, calls } = scripted()
  const within = policy(instead(), timeout(50)).run(fn)
  await pass(50)
  assert.deepEqual(await fate(within), { value: 'instead' })
  const behind = policy(
    timeout(50),
    fallback(() => assert.fail('it was asked')),
  ).run(fn)
  await pass(50)
  assert.equal((await fate(behind)).error.code, 'E_TIMEOUT')
  for (const call of calls) call.reject(down)
  await turn()
  assert.deepEqual(counted(), { ok: 1, refused: 1, timeouts: 2, fallbacks: 1 })
})

// ---------------------------------------------------------------- mistakes

test('it does not hide a mistake in the call', async (t) => {
  const { sp, policy } = opened(t)
  const never = fallback(() => assert.fail('it was asked'))
  const guarded = policy(never, retry(), sp.limiter('quota', { limit: 5, window: '1s' }))
  const call = () => assert.fail('it ran')
  assert.equal(await end(guarded.run(call)), 'E_KEY')
  assert.equal(await end(guarded.run(call, { key: '' })), 'E_KEY')
  assert.equal(await end(guarded.run(call, { key: 7 })), 'E_KEY')
  assert.equal(await end(guarded.run(call, { key: 'a', tenant: 'b' })), 'E_OPTION')
  assert.equal(await end(guarded.run(call, { key: 'a', timeout: 'soon' })), 'E_DURATION')
  assert.equal(await end(guarded.run('call', { key: 'a' })), 'E_FUNCTION')
})

test('nor a cost that is none', async (t) => {
  const { sp, policy, counted } = opened(t)
  const never = fallback(() => assert.fail('it was asked'))
  const guarded = policy(never, retry({ base: 1 }), sp.limiter('quota', { limit: 5, window: '1s' }))
  for (const cost of [-1, 0.5, NaN, '1', 2 ** 32, {}]) {
    assert.equal(await end(guarded.run(() => assert.fail('it ran'), { key: 'a', cost })), 'E_COST', String(cost))
  }
  assert.equal(counted().retries, undefined)
})

test('options are told with their names', () => {
  assert.throws(() => fallback('instead'), { code: 'E_FUNCTION' })
  assert.throws(() => fallback(), { code: 'E_FUNCTION' })
  assert.throws(() => fallback(() => 1, { when: 'always' }), { code: 'E_OPTION', option: 'when' })
  assert.throws(() => fallback(() => 1, { if: () => true }), { code: 'E_OPTION', option: 'if' })
  assert.throws(
    () =>
      fallback(
        () => 1,
        () => true,
      ),
    { code: 'E_OPTION' },
  )
})
