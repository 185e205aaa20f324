// The retry of a policy: when there is another attempt, how long before it, and when there is none. Owns lib/retry.js and lib/backoff.js.
// Never waits for real; threads alone have a time of their own.
'use strict'

const assert = require('node:assert/strict')
const path = require('node:path')
const { once } = require('node:events')
const { test } = require('node:test')
const { Worker } = require('node:worker_threads')
const { Refusal, hedge, retry, spillway, timeout } = require('../index.js')
const { mark } = require('../lib/verdict.js')
const { end, faked, fate, heard, inTurn, opened, printed, scripted, takes, turn } = require('./staged.js')

/** Faked time in which the dice always fall alike: 0 is the shortest wait, nearly 1 the longest. */
function rigged(t, dice = 0) {
  t.mock.method(Math, 'random', () => dice)
  const { policy, ...rest } = faked(t)
  /** The retries of a policy as they were told. */
  const told = (guarded) => {
    const retries = []
    guarded.on('retry', ({ attempt, waitMs }) => retries.push([attempt, Number(waitMs.toFixed(3))]))
    return retries
  }
  return { policy, told, ...rest }
}

const down = new Error('down')

// ---------------------------------------------------------------- attempts

test('a failed attempt is made again after a wait, and what then succeeds is the answer', async (t) => {
  const { policy, pass, counted } = rigged(t)
  const fn = inTurn(down, down, 'up')
  const answer = policy(retry()).run(fn)
  await pass(99)
  assert.equal(fn.calls(), 1)
  await pass(1)
  assert.equal(fn.calls(), 2)
  await pass(99)
  assert.equal(await fate(answer), 'pending')
  await pass(1)
  assert.deepEqual(await fate(answer), { value: 'up' })
  assert.deepEqual(counted(), { ok: 1, retries: 2 })
})

test('max counts the attempts after the first, and then the last error itself is thrown', async (t) => {
  const { policy, pass, counted } = rigged(t)
  for (const max of [0, 1, 3, 7]) {
    const last = new Error('the last')
    const fn = inTurn(...Array(max).fill(down), last, 'never reached')
    const answer = policy(retry({ max, base: 5, budget: false })).run(fn)
    await pass(100)
    assert.deepEqual(await fate(answer), { error: last })
    assert.equal(fn.calls(), 1 + max)
  }
  assert.deepEqual(counted(), { failed: 4, retries: 11 })
})

test('there are three by default', async (t) => {
  const { policy, pass } = rigged(t)
  const fn = inTurn(down)
  const answer = policy(retry()).run(fn)
  await pass(1000)
  assert.deepEqual(await fate(answer), { error: down })
  assert.equal(fn.calls(), 4)
})

test('the function is told which attempt it is', async (t) => {
  const { policy, pass } = rigged(t)
  const attempts = []
  policy(retry({ base: 5 })).run(({ attempt }) => {
    attempts.push(attempt)
    throw down
  })
  await pass(100)
  assert.deepEqual(attempts, [0, 1, 2, 3])
})

test('an error of any kind is retried, also undefined, and comes through as it is', async (t) => {
  const { policy, pass } = rigged(t)
  const guarded = policy(retry({ max: 1, base: 5, budget: false }))
  for (const error of [undefined, null, 0, 'text', { code: 'E_MINE' }, new TypeError('mine')]) {
    let calls = 0
    const answer = guarded.run(() => {
      calls++
      return Promise.reject(error)
    })
    await pass(5)
    assert.deepEqual(await fate(answer), { error })
    assert.equal(calls, 2)
  }
})

test('a value is never made again by default, whatever it is', async (t) => {
  const { policy } = rigged(t)
  const guarded = policy(retry())
  for (const value of [undefined, null, false, down, { ok: false, status: 503, retryAfterMs: 5 }]) {
    assert.equal(await guarded.run(() => value), value)
  }
})

// ---------------------------------------------------------------- the wait

test('each wait is drawn between the base and three times the one before, up to the cap', async (t) => {
  for (const [dice, waits] of [
    [0, [100, 100, 100, 100, 100]],
    [0.5, [200, 350, 575, 912.5, 1000]],
    [1 - 2 ** -40, [300, 900, 1000, 1000, 1000]],
  ]) {
    const { policy, pass, told } = rigged(t, dice)
    const guarded = policy(retry({ max: 5, cap: '1s', budget: false }))
    const retries = told(guarded)
    const answer = guarded.run(inTurn(down))
    await pass(5000)
    assert.deepEqual(
      retries,
      waits.map((wait, index) => [index + 1, wait]),
    )
    assert.deepEqual(await fate(answer), { error: down })
    t.mock.timers.reset()
    t.mock.restoreAll()
  }
})

test('by default waits are capped at ten seconds, or at the base if that is longer', async (t) => {
  const { policy, pass, told } = rigged(t, 1 - 2 ** -40)
  const guarded = policy(retry({ max: 6, budget: false }))
  const retries = told(guarded)
  guarded.run(inTurn(down))
  await pass(60_000, 10)
  assert.deepEqual(
    retries.map(([, wait]) => wait),
    [300, 900, 2700, 8100, 10_000, 10_000],
  )
  const patient = policy(retry({ base: '20s', budget: false }))
  const long = told(patient)
  patient.run(inTurn(down))
  await pass(80_000, 10)
  assert.deepEqual(
    long.map(([, wait]) => wait),
    [20_000, 20_000, 20_000],
  )
})

test('waits of real dice stay within their bounds and are spread over them', async (t) => {
  const { policy, pass } = faked(t)
  const guarded = policy(retry({ max: 1, base: 10, budget: false }))
  const waits = []
  guarded.on('retry', ({ waitMs }) => waits.push(waitMs))
  for (let call = 0; call < 2000; call++) guarded.run(inTurn(down))
  await pass(30)
  assert.equal(waits.length, 2000)
  for (const wait of waits) assert.ok(wait >= 10 && wait < 30, String(wait))
  for (const from of [10, 15, 20, 25]) {
    const share = waits.filter((wait) => wait >= from && wait < from + 5).length / waits.length
    assert.ok(Math.abs(share - 0.25) < 0.06, `${share} from ${from}`)
  }
})

test('a wait that the error asks for comes before the backoff', async (t) => {
  const { policy, pass, told } = rigged(t)
  const guarded = policy(retry({ max: 1, budget: false }))
  const retries = told(guarded)
  const fn = inTurn(Object.assign(new Error('busy'), { retryAfterMs: 1500 }), 'up')
  const answer = guarded.run(fn)
  await pass(1499)
  assert.equal(fn.calls(), 1)
  await pass(1)
  assert.deepEqual(await fate(answer), { value: 'up' })
  assert.deepEqual(retries, [[1, 1500]])
})

test('a wait of nothing is one, too', async (t) => {
  const { policy, pass, told } = rigged(t)
  const guarded = policy(retry({ max: 1 }))
  const retries = told(guarded)
  const answer = guarded.run(inTurn(Object.assign(new Error('again'), { retryAfterMs: 0 }), 'up'))
  await pass(1)
  assert.deepEqual(await fate(answer), { value: 'up' })
  assert.deepEqual(retries, [[1, 0]])
})

test('what is no time is not asked for: the backoff stands', async (t) => {
  const { policy, pass, told } = rigged(t)
  const guarded = policy(retry({ max: 1, budget: false }))
  const retries = told(guarded)
  const odd = [NaN, -1, -Infinity, '1500', null, undefined, {}, 5n, true]
  for (const retryAfterMs of odd) guarded.run(inTurn(Object.assign(new Error('odd'), { retryAfterMs }), 'up'))
  await pass(100)
  assert.deepEqual(
    retries,
    odd.map(() => [1, 100]),
  )
})

test('a longer wait than maxWait is not waited for: the call ends with the error as it is', async (t) => {
  const { policy, pass, counted } = rigged(t)
  const asking = (retryAfterMs) => Object.assign(new Error('later'), { retryAfterMs })
  for (const [options, error] of [
    [{}, asking(30_001)],
    [{ maxWait: '1s' }, asking(1000.5)],
    [{ maxWait: '1s' }, asking(Infinity)],
  ]) {
    const fn = inTurn(error)
    assert.deepEqual(await fate(policy(retry(options)).run(fn)), { error })
    assert.equal(fn.calls(), 1)
  }
  const fn = inTurn(asking(1000), 'up')
  const answer = policy(retry({ maxWait: '1s' })).run(fn)
  await pass(1000)
  assert.deepEqual(await fate(answer), { value: 'up' })
  assert.deepEqual(counted(), { ok: 1, failed: 3, retries: 1 })
})

test('maxWait is for what others ask: the backoff has its cap', async (t) => {
  const { policy, pass } = rigged(t)
  const answer = policy(retry({ base: 500, maxWait: 10 })).run(inTurn(down, 'up'))
  await pass(500)
  assert.deepEqual(await fate(answer), { value: 'up' })
})

test('a limiter within is asked again when it said it is worth it', async (t) => {
  const { sp, policy, pass, told } = rigged(t)
  const limiter = sp.limiter('quota', { limit: 1, window: '2s' })
  const guarded = policy(retry(), limiter)
  const retries = told(guarded)
  assert.equal(await guarded.run(() => 'first', { key: 'a' }), 'first')
  const second = guarded.run(() => 'second', { key: 'a' })
  await pass(1999)
  assert.equal(await fate(second), 'pending')
  await pass(1)
  assert.deepEqual(await fate(second), { value: 'second' })
  assert.deepEqual(retries, [[1, 2000]])
})

// ---------------------------------------------------------------- which ends are worth another attempt

test('of refusals only E_TIMEOUT, E_LIMITED and E_FULL are retried', async (t) => {
  const { policy, pass } = rigged(t)
  const guarded = policy(retry({ max: 1, base: 5, budget: false }))
  const retried = []
  const codes = ['E_LIMITED', 'E_OPEN', 'E_FULL', 'E_TIMEOUT', 'E_RETRY_BUDGET', 'E_SHED', 'E_SATURATED']
  for (const code of [...codes, 'E_STORE_UNAVAILABLE']) {
    const refusal = new Refusal({ code, primitive: 'other' })
    const fn = inTurn(refusal)
    const answer = guarded.run(fn)
    await pass(5)
    assert.deepEqual(await fate(answer), { error: refusal })
    if (fn.calls() > 1) retried.push(code)
  }
  assert.deepEqual(retried, ['E_LIMITED', 'E_FULL', 'E_TIMEOUT'])
})

test('an open breaker within ends the attempts', async (t) => {
  const { sp, policy, pass } = rigged(t)
  const breaker = sp.breaker('upstream', { consecutive: 2 })
  const fn = inTurn(down)
  const answer = policy(retry({ base: 5 }), breaker).run(fn)
  await pass(100)
  const { error } = await fate(answer)
  assert.ok(error instanceof Refusal)
  assert.equal(error.code, 'E_OPEN')
  assert.equal(fn.calls(), 2)
  const { failed, refused } = sp.snapshot().breakers.upstream
  assert.deepEqual([failed, refused], [2, 1])
})

test('a timeout within is retried, each attempt with its own', async (t) => {
  const { policy, pass, now } = rigged(t)
  const began = []
  const answer = policy(retry({ max: 2, base: 10 }), timeout(50)).run(() => {
    began.push(now())
    return new Promise(() => {})
  })
  await pass(169)
  assert.equal(await fate(answer), 'pending')
  await pass(1)
  assert.equal((await fate(answer)).error.code, 'E_TIMEOUT')
  assert.deepEqual(began, [0, 60, 120])
})

test('`when` decides alone, over errors and values, and is told the attempt', async (t) => {
  const { policy, pass } = rigged(t)
  const asked = []
  const when = (settled, { attempt }) => {
    asked.push([settled, attempt])
    return settled.ok ? settled.value !== 'good' : settled.error === down
  }
  const guarded = policy(retry({ base: 5, when }))
  const answer = guarded.run(inTurn(down, 'bad', 'good'))
  await pass(20)
  assert.deepEqual(await fate(answer), { value: 'good' })
  assert.deepEqual(asked, [
    [{ ok: false, error: down }, 0],
    [{ ok: true, value: 'bad' }, 1],
    [{ ok: true, value: 'good' }, 2],
  ])
  const other = new Error('another')
  assert.deepEqual(await fate(guarded.run(inTurn(other))), { error: other })
})

test('`when` sees refusals as users do', async (t) => {
  const { sp, policy } = rigged(t)
  const breaker = sp.breaker('upstream')
  breaker.isolate()
  const asked = []
  const guarded = policy(retry({ when: ({ error }) => asked.push(error) && false }), breaker)
  const thrown = (await fate(guarded.run(() => assert.fail('it ran')))).error
  assert.ok(asked[0] instanceof Refusal)
  assert.equal(asked[0].code, 'E_OPEN')
  assert.equal(thrown, asked[0])
})

test('`when` is not asked after the last attempt, nor once the caller has gone', async (t) => {
  const { policy, pass } = rigged(t)
  let asked = 0
  const guarded = policy(retry({ max: 1, base: 5, when: () => ++asked > 0 }))
  const value = guarded.run(() => 'bad')
  await pass(5)
  assert.deepEqual(await fate(value), { value: 'bad' })
  assert.equal(asked, 1)
  const { fn, calls } = scripted()
  const controller = new AbortController()
  const answer = guarded.run(fn, { signal: controller.signal })
  controller.abort()
  calls[0].reject(down)
  assert.deepEqual(await fate(answer), { error: down })
  assert.equal(asked, 1)
})

test('a `when` that throws ends the call with its error; nothing is a no, and what is neither is told', async (t) => {
  const { policy, counted } = rigged(t)
  const mine = new Error('mine')
  const throwing = retry({
    when: () => {
      throw mine
    },
  })
  assert.deepEqual(await fate(policy(throwing).run(inTurn(down))), { error: mine })
  assert.deepEqual(await fate(policy(throwing).run(() => 'value')), { error: mine })
  assert.deepEqual(await fate(policy(retry({ when: () => undefined })).run(inTurn(down))), { error: down })
  for (const answer of [1, 'yes', Promise.resolve(true)]) {
    const { error } = await fate(policy(retry({ when: () => answer })).run(inTurn(down)))
    assert.deepEqual([error.code, error.option, error.cause], ['E_OPTION', 'when', down])
  }
  assert.deepEqual(counted(), { failed: 6 })
})

// ---------------------------------------------------------------- what an adapter knows of an answer

test('a value that is marked to be retried is, after the wait it asks for, and is let go of before', async (t) => {
  const { policy, pass, told } = rigged(t)
  const guarded = policy(retry({ max: 1 }))
  const retries = told(guarded)
  const log = []
  const busy = mark({}, { retry: true, retryAfterMs: 700, discard: () => log.push('let go') })
  const fn = inTurn(busy, 'up')
  const answer = guarded.run(fn)
  await turn()
  assert.deepEqual(log, ['let go'])
  assert.equal(fn.calls(), 1)
  await pass(700)
  assert.deepEqual(await fate(answer), { value: 'up' })
  assert.deepEqual(retries, [[1, 700]])
  assert.deepEqual(log, ['let go'])
})

test('the last value that was to be retried is the answer as it is, and is not let go of', async (t) => {
  const { policy, pass } = rigged(t)
  const busy = () => mark({}, { retry: true, discard: () => assert.fail('it was let go of') })
  const tired = busy()
  assert.deepEqual(await fate(policy(retry({ max: 0 })).run(() => tired)), { value: tired })
  const far = mark({}, { retry: true, retryAfterMs: Infinity, discard: () => assert.fail('it was let go of') })
  assert.deepEqual(await fate(policy(retry()).run(() => far)), { value: far })
  const near = busy()
  assert.deepEqual(await fate(policy(timeout(50), retry()).run(() => near)), { value: near })
  await pass(100)
})

test('an error that is marked not to be retried is not, unless `when` says otherwise', async (t) => {
  const { policy, pass } = rigged(t)
  const final = mark(new Error('final'), { retry: false })
  const fn = inTurn(final)
  assert.deepEqual(await fate(policy(retry()).run(fn)), { error: final })
  assert.equal(fn.calls(), 1)
  const again = inTurn(final, 'up')
  const answer = policy(retry({ base: 5, when: () => true, max: 1 })).run(again)
  await pass(5)
  assert.deepEqual(await fate(answer), { value: 'up' })
})

test('a function that may be called once is called once, whatever `when` says', async (t) => {
  const { policy, pass } = rigged(t)
  for (const options of [{}, { when: () => true }]) {
    const fn = mark(inTurn(down), { retry: false })
    const answer = policy(retry({ base: 5, ...options })).run(fn)
    await pass(50)
    assert.deepEqual(await fate(answer), { error: down })
    assert.equal(fn.calls(), 1)
  }
})

// ---------------------------------------------------------------- deadlines and aborts

test('a wait that would reach the deadline is not begun: the caller gets the error now', async (t) => {
  const { policy, pass, counted } = rigged(t)
  const error = Object.assign(new Error('busy'), { retryAfterMs: 50 })
  for (const [deadline, ends] of [
    [50, { error }],
    [51, 'pending'],
  ]) {
    const answer = policy(timeout(deadline), retry({ budget: false })).run(inTurn(error, new Promise(() => {})))
    assert.deepEqual(await fate(answer), ends)
    await pass(100)
  }
  assert.deepEqual(counted(), { failed: 1, refused: 1, retries: 1, timeouts: 1 })
})

test('the deadline of one call counts as well', async (t) => {
  const { policy } = rigged(t)
  const answer = policy(retry()).run(inTurn(down), { timeout: 100 })
  assert.deepEqual(await fate(answer), { error: down })
})

test('an abort in the wait ends it at once with the reason, and nothing is run any more', async (t) => {
  const { policy, pass, counted } = rigged(t)
  const { fn, calls } = scripted()
  const controller = new AbortController()
  const answer = policy(retry()).run(fn, { signal: controller.signal })
  calls[0].reject(down)
  await pass(50)
  assert.equal(await fate(answer), 'pending')
  const reason = new Error('gone')
  controller.abort(reason)
  assert.deepEqual(await fate(answer), { error: reason })
  await pass(1000)
  assert.equal(calls.length, 1)
  assert.deepEqual(counted(), { failed: 1, retries: 1 })
})

test('a listener that aborts the call as it is told of the retry ends it there', async (t) => {
  const { policy, pass } = rigged(t)
  const guarded = policy(retry())
  const controller = new AbortController()
  const reason = new Error('gone')
  guarded.on('retry', () => controller.abort(reason))
  const fn = inTurn(down)
  const answer = guarded.run(fn, { signal: controller.signal })
  assert.deepEqual(await fate(answer), { error: reason })
  await pass(1000)
  assert.equal(fn.calls(), 1)
})

test('the signal of an attempt that has ended is not aborted any more', async (t) => {
  const { policy, pass } = rigged(t)
  const { fn, calls } = scripted()
  const controller = new AbortController()
  policy(retry({ base: 5 })).run(fn, { signal: controller.signal })
  calls[0].reject(down)
  await pass(5)
  const { signal } = calls[1].context
  calls[1].reject(down)
  await pass(5)
  controller.abort()
  assert.deepEqual([signal.aborted, calls[2].context.signal.aborted], [false, true])
})

test('attempts within a timeout end before it with their own error, and none comes after', async (t) => {
  const { policy, pass } = rigged(t, 0.25)
  const fn = inTurn(down)
  const guarded = policy(timeout(200), retry({ budget: false, max: 100, base: 10, cap: 10 }))
  const answer = guarded.run(fn)
  await pass(250)
  const calls = fn.calls()
  assert.deepEqual(await fate(answer), { error: down })
  await pass(1000)
  assert.equal(fn.calls(), calls)
})

test('an abort while the function runs: its error is the answer, and there is no other attempt', async (t) => {
  const { policy, pass } = rigged(t)
  const { fn, calls } = scripted()
  const controller = new AbortController()
  const answer = policy(retry()).run(fn, { signal: controller.signal })
  const { signal } = calls[0].context
  controller.abort()
  assert.equal(signal.aborted, true)
  calls[0].reject(down)
  assert.deepEqual(await fate(answer), { error: down })
  await pass(1000)
  assert.equal(calls.length, 1)
})

test('what succeeds after an abort is the answer all the same', async (t) => {
  const { policy } = rigged(t)
  const { fn, calls } = scripted()
  const controller = new AbortController()
  const answer = policy(retry()).run(fn, { signal: controller.signal })
  controller.abort()
  calls[0].resolve('done')
  assert.deepEqual(await fate(answer), { value: 'done' })
})

test('an abort reaches the attempt that runs, and a later one that was never told of it', async (t) => {
  const { policy, pass } = rigged(t)
  const { fn, calls } = scripted()
  const controller = new AbortController()
  policy(retry({ base: 5 }), timeout(1000)).run(fn, { signal: controller.signal })
  const signals = [calls[0].context.signal]
  calls[0].reject(down)
  await pass(5)
  signals.push(calls[1].context.signal)
  const reason = new Error('gone')
  controller.abort(reason)
  assert.deepEqual(
    signals.map(({ aborted }) => aborted),
    [false, true],
  )
  assert.equal(signals[1].reason, reason)
})

test('a signal that is aborted already runs nothing', async (t) => {
  const { policy } = rigged(t)
  const reason = new Error('gone')
  const answer = policy(retry()).run(() => assert.fail('it ran'), { signal: AbortSignal.abort(reason) })
  assert.deepEqual(await fate(answer), { error: reason })
})

test('a process waits for a wait, and not for one that was aborted', async () => {
  const script = (abort) => `
    const { policy, retry } = require('.')
    let calls = 0
    const controller = new AbortController()
    const began = Date.now()
    policy('calls', retry({ base: ${abort ? "'1h'" : 50}, max: 1 }))
      .run(() => { calls++; throw new Error('down') }, { signal: controller.signal })
      .catch((error) => console.log(calls, error.message))
    if (${abort}) setImmediate(() => controller.abort(new Error('gone')))
  `
  assert.equal(await printed(script(false)), '2 down')
  assert.equal(await printed(script(true)), '1 gone')
})

// ---------------------------------------------------------------- the budget

test('once the budget is spent a call ends with E_RETRY_BUDGET, and the last error is its cause', async (t) => {
  const { policy, pass, counted } = rigged(t)
  const guarded = policy(retry({ base: 5, max: 10, budget: { ratio: 0, floor: 2 } }))
  const exhausted = []
  guarded.on('exhausted', (message) => exhausted.push(message))
  const third = new Error('the third')
  const answer = guarded.run(inTurn(down, down, third))
  await pass(50)
  const { error } = await fate(answer)
  assert.ok(error instanceof Refusal)
  const { code, status, primitive, message, cause } = error
  assert.deepEqual(
    { code, status, primitive, message },
    { code: 'E_RETRY_BUDGET', status: 503, primitive: 'calls', message: 'the retry budget of "calls" is spent' },
  )
  assert.equal(cause, third)
  assert.deepEqual(exhausted, [{ policy: guarded, attempt: 2, error: third }])
  assert.deepEqual(counted(), { refused: 1, retries: 2, exhausted: 1 })
})

test('attempt answers a spent budget as plain data with its cause', async (t) => {
  const { policy } = rigged(t)
  const guarded = policy(retry({ budget: { ratio: 0, floor: 0 } }))
  assert.deepEqual(await guarded.attempt(inTurn(down)), {
    ok: false,
    refusal: { code: 'E_RETRY_BUDGET', primitive: 'calls', status: 503, cause: down },
  })
})

test('the cause of a spent budget is shown as users see it', async (t) => {
  const { policy, pass } = rigged(t)
  const guarded = policy(retry({ budget: { ratio: 0, floor: 0 } }), timeout(10))
  const answers = [guarded.run(() => new Promise(() => {})), guarded.attempt(() => new Promise(() => {}))]
  await pass(10)
  const causes = [(await fate(answers[0])).error.cause, (await answers[1]).refusal.cause]
  for (const cause of causes) {
    assert.ok(cause instanceof Refusal)
    assert.equal(cause.code, 'E_TIMEOUT')
  }
})

test('a value that was to be retried is the answer as it is when the budget is spent', async (t) => {
  const { policy, counted } = rigged(t)
  const guarded = policy(retry({ budget: 0, when: () => true }))
  for (let call = 0; call < 10; call++) guarded.run(() => 'spends the floor')
  const exhausted = []
  guarded.on('exhausted', (message) => exhausted.push(message))
  assert.equal(await guarded.run(() => 'bad'), 'bad')
  assert.deepEqual(exhausted, [{ policy: guarded, attempt: 0, value: 'bad' }])
  assert.equal(counted().exhausted, 1)
})

test('calls pay for extra attempts: two of a half each, and not one', async (t) => {
  const { sp, policy, pass } = rigged(t)
  const guarded = policy(retry({ max: 1, base: 5, budget: { ratio: 0.5, floor: 0 } }))
  const ends = []
  for (let call = 0; call < 6; call++) {
    const answer = guarded.run(inTurn(down))
    await pass(5)
    ends.push((await fate(answer)).error.message)
  }
  const spent = 'the retry budget of "calls" is spent'
  assert.deepEqual(ends, [spent, 'down', spent, 'down', spent, 'down'])
  const { granted, refused, config } = sp.snapshot().budgets.calls
  assert.deepEqual([granted, refused, config], [3, 3, { ratio: 0.5, floor: 0 }])
})

test('a healthy hour pays for ten extra attempts and not for more', async (t) => {
  const { policy, pass } = rigged(t)
  const guarded = policy(retry({ max: 100, base: 1, cap: 1, budget: { ratio: 1, floor: 0 } }))
  for (let call = 0; call < 1000; call++) await guarded.run(() => 'fine')
  const fn = inTurn(down)
  const answer = guarded.run(fn)
  await pass(100)
  assert.equal((await fate(answer)).error.code, 'E_RETRY_BUDGET')
  assert.equal(fn.calls(), 11)
})

test('in an outage of everything there are at most 1.2 + 10/r requests a call at r calls a second', async (t) => {
  const { policy, pass } = rigged(t)
  for (const rate of [2, 20, 200]) {
    const name = policy(retry())
    let requests = 0
    const seconds = 10
    for (let call = 0; call < rate * seconds; call++) {
      name.run(() => {
        requests++
        throw down
      })
      await pass(1000 / rate, 5)
    }
    await pass(2000, 50)
    const ratio = requests / (rate * seconds)
    // Ten that were saved up, and the floor of the second in which the last ones wait.
    const bound = 1.2 + 10 / rate + 20 / (rate * seconds)
    assert.ok(ratio <= bound, `${ratio} requests a call at ${rate} a second, over ${bound}`)
    assert.ok(ratio >= Math.min(4, 1.2 + 10 / rate) * 0.95, `${ratio} requests a call at ${rate} a second: too few`)
  }
})

test('`budget: false` is no bound', async (t) => {
  const { sp, policy, pass } = rigged(t)
  const guarded = policy(retry({ budget: false, max: 100, base: 1, cap: 1 }))
  const fn = inTurn(down)
  guarded.run(fn)
  await pass(200)
  assert.equal(fn.calls(), 101)
  assert.deepEqual(sp.snapshot().budgets, {})
})

test('a number is the ratio; by default it is a fifth, and ten a second', async (t) => {
  const { sp } = rigged(t)
  sp.policy('default', retry())
  sp.policy('ratio', retry({ budget: 0.5 }))
  sp.policy('both', retry({ budget: { ratio: 0.1, floor: 3 } }))
  sp.policy('floor', retry({ budget: { floor: 0 } }))
  sp.policy('ask', timeout(5), retry(), hedge({ budget: 0.7 }))
  sp.policy('none', retry({ budget: false }), hedge({ budget: 1 }))
  const configs = Object.entries(sp.snapshot().budgets).map(([name, { config }]) => [name, config.ratio, config.floor])
  assert.deepEqual(configs.sort(), [
    ['ask', 0.7, 10],
    ['both', 0.1, 3],
    ['default', 0.2, 10],
    ['floor', 0.2, 0],
    ['none', 1, 10],
    ['ratio', 0.5, 10],
  ])
})

test('retry and hedge have one budget', async (t) => {
  const { sp, policy, pass } = rigged(t)
  const guarded = policy(retry({ base: 5, max: 5 }), hedge({ after: 10, budget: { ratio: 0, floor: 3 } }))
  const fn = takes(15, down)
  let calls = 0
  const answer = guarded.run((context) => {
    calls++
    return fn(context)
  })
  await pass(200)
  assert.equal((await fate(answer)).error.code, 'E_RETRY_BUDGET')
  // A hedge, a retry, its hedge, and then no retry.
  assert.equal(calls, 4)
  assert.equal(sp.snapshot().budgets.calls.granted, 3)
})

test('a call pays once, however many strategies may spend', async (t) => {
  const { policy, pass } = rigged(t)
  const budget = { ratio: 0.25, floor: 0 }
  const guarded = policy(retry({ max: 1, base: 5, budget }), hedge({ after: 1000, budget }))
  const ends = []
  for (let call = 0; call < 4; call++) {
    const answer = guarded.run(inTurn(down))
    await pass(5)
    ends.push((await fate(answer)).error.code ?? 'retried')
  }
  assert.deepEqual(ends, ['E_RETRY_BUDGET', 'E_RETRY_BUDGET', 'E_RETRY_BUDGET', 'retried'])
})

test('budgets that differ are E_OPTION with both figures, alike they are one', (t) => {
  const { sp } = opened(t)
  assert.throws(() => sp.policy('two', retry({ budget: 0.1 }), hedge({ budget: 0.2 })), {
    name: 'TypeError',
    code: 'E_OPTION',
    option: 'budget',
    message:
      '`budget` of the policy "two" is one for all its strategies: give it once, or alike; ' +
      'got { ratio: 0.1, floor: 10 } and { ratio: 0.2, floor: 10 } [E_OPTION]',
  })
  assert.throws(() => sp.policy('two', retry({ budget: { floor: 1 } }), hedge({ budget: { floor: 2 } })), {
    code: 'E_OPTION',
  })
  sp.policy('alike', retry({ budget: 0.1 }), hedge({ budget: { ratio: 0.1 } }))
  sp.policy('once', retry({ budget: 0.1 }), hedge())
})

test('a policy that could not be made leaves no budget behind', (t) => {
  const { sp } = opened(t)
  assert.throws(() => sp.policy('broken', retry(), 42), { code: 'E_OPTION' })
  assert.throws(() => sp.policy('broken', retry(), null), { code: 'E_OPTION', option: 'strategies[1]' })
  assert.deepEqual(sp.snapshot().budgets, {})
})

const SPENDER = `
  const { parentPort, workerData } = require('node:worker_threads')
  const { policy, retry } = require(workerData.face)
  const { name, gate, floor } = workerData
  const guarded = policy(name, retry({ max: 1, base: 1, cap: 1, budget: { ratio: 0, floor } }))
  let calls = 0
  const fn = () => { calls++; throw new Error('down') }
  Atomics.add(gate, 0, 1)
  Atomics.wait(gate, 1, 0)
  const all = Array.from({ length: 500 }, () => guarded.run(fn).catch(() => {}))
  Promise.all(all).then(() => parentPort.postMessage(calls))
`

test('threads share one budget to the attempt', async (t) => {
  const sp = spillway()
  t.after(() => sp.close())
  const name = `shared-budget-${process.pid}`
  const floor = 300
  const gate = new Int32Array(new SharedArrayBuffer(8))
  const face = path.join(__dirname, '..', 'index.js')
  const workers = Array.from(
    { length: 3 },
    () => new Worker(SPENDER, { eval: true, workerData: { face, name, gate, floor } }),
  )
  t.after(() => Promise.all(workers.map((worker) => worker.terminate())))
  const said = Promise.all(workers.map((worker) => once(worker, 'message')))
  sp.policy(name, retry({ budget: { ratio: 0, floor } }))
  while (Atomics.load(gate, 0) < workers.length) await turn()
  Atomics.store(gate, 1, 1)
  Atomics.notify(gate, 1)
  const calls = (await said).reduce((sum, [count]) => sum + count, 0)
  const extra = calls - 1500
  const { granted, refused } = sp.snapshot().budgets[name]
  assert.equal(extra, granted)
  assert.equal(granted + refused, 1500)
  // A second may turn while they run, and then each second has its floor.
  assert.ok(granted % floor === 0 && granted >= floor && granted <= 3 * floor, `${granted} were granted`)
})

// ---------------------------------------------------------------- the event

test('a retry is told before its wait, with why', async (t) => {
  const { policy, pass } = rigged(t)
  const guarded = policy(retry({ max: 2, when: ({ ok, value }) => !ok || value === 'bad' }))
  const told = []
  const off = guarded.on('retry', (message) => told.push(message))
  const answer = guarded.run(inTurn(down, 'bad', 'good'))
  await turn()
  assert.deepEqual(told, [{ policy: guarded, attempt: 1, waitMs: 100, error: down }])
  await pass(100)
  assert.deepEqual(told[1], { policy: guarded, attempt: 2, waitMs: 100, value: 'bad' })
  await pass(100)
  assert.deepEqual(await fate(answer), { value: 'good' })
  off()
  guarded.run(inTurn(down))
  await pass(300)
  assert.equal(told.length, 2)
})

test('a listener that throws changes no answer', async () => {
  const script = `
    const { policy, retry } = require('.')
    process.on('uncaughtException', (error) => console.log('uncaught', error.message))
    const guarded = policy('calls', retry({ base: 1 }))
    guarded.on('retry', () => { throw new Error('mine') })
    let calls = 0
    guarded.run(() => { if (calls++ === 0) throw new Error('down'); return 'up' }).then(console.log)
  `
  assert.equal(await printed(script), 'uncaught mine\nup')
})

// ---------------------------------------------------------------- options

test('options out of range are told with their names', () => {
  for (const [options, code, option] of [
    [{ max: -1 }, 'E_OPTION', 'max'],
    [{ max: 101 }, 'E_OPTION', 'max'],
    [{ max: 1.5 }, 'E_OPTION', 'max'],
    [{ max: '3' }, 'E_OPTION', 'max'],
    [{ base: 0 }, 'E_DURATION', 'base'],
    [{ base: 'soon' }, 'E_DURATION', 'base'],
    [{ base: 200, cap: 100 }, 'E_DURATION', 'cap'],
    [{ cap: 99 }, 'E_DURATION', 'cap'],
    [{ maxWait: 0 }, 'E_DURATION', 'maxWait'],
    [{ maxWait: '2d' }, 'E_DURATION', 'maxWait'],
    [{ budget: 1.5 }, 'E_OPTION', 'budget'],
    [{ budget: -0.1 }, 'E_OPTION', 'budget'],
    [{ budget: NaN }, 'E_OPTION', 'budget'],
    [{ budget: true }, 'E_OPTION', 'budget'],
    [{ budget: null }, 'E_OPTION', 'budget'],
    [{ budget: { ratio: 2 } }, 'E_OPTION', 'budget.ratio'],
    [{ budget: { floor: 10_001 } }, 'E_OPTION', 'budget.floor'],
    [{ budget: { floor: 0.5 } }, 'E_OPTION', 'budget.floor'],
    [{ budget: { rate: 1 } }, 'E_OPTION', 'budget.rate'],
    [{ when: true }, 'E_OPTION', 'when'],
    [{ retries: 3 }, 'E_OPTION', 'retries'],
  ]) {
    assert.throws(() => retry(options), { code, option }, JSON.stringify(options))
  }
  for (const none of [null, 3, 'three', [], () => {}]) assert.throws(() => retry(none), { code: 'E_OPTION' })
  assert.equal(retry().max, 3)
  assert.equal(retry(undefined).max, 3)
})

test('a strategy cannot be changed, and keeps nothing of the options it was given', async (t) => {
  const { sp, pass } = rigged(t)
  const options = { max: 1, base: 5 }
  const shared = retry(options)
  options.max = 50
  assert.throws(() => (shared.max = 50), TypeError)
  const fn = inTurn(down)
  heard(sp.policy('one', shared)).run(fn)
  await pass(500)
  assert.equal(fn.calls(), 2)
})

test('calls through one retry know nothing of each other', async (t) => {
  const { policy, pass } = rigged(t, 0.5)
  const guarded = policy(retry({ max: 2, base: 10, budget: false }))
  const waits = []
  guarded.on('retry', ({ waitMs }) => waits.push(waitMs))
  const answers = Array.from({ length: 3 }, () => end(guarded.run(inTurn(down))))
  await pass(100)
  assert.deepEqual(await Promise.all(answers), ['down', 'down', 'down'])
  assert.deepEqual(waits, [20, 20, 20, 35, 35, 35])
})

test('a value that nobody gets because `when` throws is let go', async (t) => {
  const { sp } = faked(t)
  let gone = 0
  const value = mark({}, { retry: true, discard: () => gone++ })
  const wrong = new Error('a defect in when')
  const when = () => {
    throw wrong
  }
  await assert.rejects(
    sp.policy('p', retry({ when })).run(() => value),
    wrong,
  )
  assert.equal(gone, 1)
})

test('what refuses another attempt says why it came to that', async (t) => {
  const { sp, pass } = faked(t)
  const breaker = sp.breaker('upstream', { consecutive: 1 })
  const guarded = sp.policy('p', retry(), breaker)
  const refused = guarded.run(inTurn(down))
  refused.catch(() => {})
  await pass(10_000)
  const { error } = await fate(refused)
  assert.deepEqual([error.code, error.cause], ['E_OPEN', down])
  breaker.reset()
  const attempt = guarded.attempt(inTurn(down))
  await pass(10_000)
  const { refusal } = (await fate(attempt)).value
  assert.deepEqual([refusal.code, refusal.cause], ['E_OPEN', down])
  breaker.isolate()
  assert.equal((await guarded.attempt(() => 1)).refusal.cause, undefined, 'it refused the first')
})
