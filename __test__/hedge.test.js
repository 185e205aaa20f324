// The hedge of a policy: when a second attempt begins, which of them answers, and what becomes of the other. Owns lib/hedge.js.
// Never waits for real, except to block a real event loop.
'use strict'

const assert = require('node:assert/strict')
const { randomBytes } = require('node:crypto')
const { test } = require('node:test')
const { fallback, hedge, retry, timeout } = require('../index.js')
const { mark } = require('../lib/verdict.js')
const { end, faked, fate, inTurn, opened, scripted, takes, turn } = require('./staged.js')

const down = new Error('down')
const fixed = (more) => hedge({ after: 100, ...more })

test('an attempt that ends before its time is the only one', async (t) => {
  const { policy, pass, counted } = faked(t)
  const guarded = policy(fixed())
  const { fn, calls } = scripted()
  const answer = guarded.run(fn)
  await pass(99)
  assert.equal(calls.length, 1)
  calls[0].resolve('first')
  assert.deepEqual(await fate(answer), { value: 'first' })
  assert.equal(await guarded.run(() => 'at once'), 'at once')
  await pass(500)
  assert.equal(calls.length, 1)
  assert.deepEqual(counted(), { ok: 2 })
})

test('when the first takes too long a second begins, and the first good answer counts', async (t) => {
  const { policy, pass, counted } = faked(t)
  const guarded = policy(fixed())
  for (const winner of [0, 1]) {
    const { fn, calls } = scripted()
    const answer = guarded.run(fn)
    await pass(99)
    assert.equal(calls.length, 1)
    await pass(1)
    assert.equal(calls.length, 2)
    calls[winner].resolve(`attempt ${winner}`)
    assert.deepEqual(await fate(answer), { value: `attempt ${winner}` })
    await pass(500)
    assert.equal(calls.length, 2)
  }
  assert.deepEqual(counted(), { ok: 2, hedges: 2 })
})

test('each attempt is told its number', async (t) => {
  const { policy, pass } = faked(t)
  const { fn, calls } = scripted()
  policy(fixed({ max: 2 })).run(fn)
  await pass(300)
  assert.deepEqual(
    calls.map(({ context }) => context.attempt),
    [0, 1, 2],
  )
})

test('max is how many may follow, each so much later than the one before', async (t) => {
  const { policy, pass, now } = faked(t)
  const began = []
  const guarded = policy(fixed({ max: 3, budget: false }))
  guarded.run(() => {
    began.push(now())
    return new Promise(() => {})
  })
  await pass(1000)
  assert.deepEqual(began, [0, 100, 200, 300])
})

test('a failure before the hedge is due is the answer: whether to try again is a retry’s question', async (t) => {
  const { policy, pass, counted } = faked(t)
  const { fn, calls } = scripted()
  const answer = policy(fixed()).run(fn)
  await pass(50)
  calls[0].reject(down)
  assert.deepEqual(await fate(answer), { error: down })
  assert.deepEqual(await fate(policy(fixed()).run(inTurn(down))), { error: down })
  await pass(500)
  assert.equal(calls.length, 1)
  assert.deepEqual(counted(), { failed: 2 })
})

test('if one fails while the other runs, the other still answers', async (t) => {
  const { policy, pass } = faked(t)
  const guarded = policy(fixed())
  for (const [loser, winner] of [
    [0, 1],
    [1, 0],
  ]) {
    const { fn, calls } = scripted()
    const answer = guarded.run(fn)
    await pass(100)
    calls[loser].reject(down)
    assert.equal(await fate(answer), 'pending')
    assert.equal(calls[winner].context.signal.aborted, false)
    calls[winner].resolve('good')
    assert.deepEqual(await fate(answer), { value: 'good' })
  }
})

test('if all fail, the first failure is the answer, and no hedge is due any more', async (t) => {
  const { policy, pass, counted } = faked(t)
  const { fn, calls } = scripted()
  const answer = policy(fixed({ max: 3 })).run(fn)
  await pass(100)
  calls[0].reject(down)
  calls[1].reject(new Error('down as well'))
  assert.deepEqual(await fate(answer), { error: down })
  await pass(500)
  assert.equal(calls.length, 2)
  assert.deepEqual(counted(), { failed: 1, hedges: 1 })
})

test('a third may answer where two have failed', async (t) => {
  const { policy, pass } = faked(t)
  const { fn, calls } = scripted()
  const answer = policy(fixed({ max: 2 })).run(fn)
  await pass(200)
  calls[1].reject(down)
  calls[0].reject(down)
  assert.equal(await fate(answer), 'pending')
  calls[2].resolve('third')
  assert.deepEqual(await fate(answer), { value: 'third' })
})

// ---------------------------------------------------------------- the losers

test('the loser’s signal is aborted with an AbortError, the winner’s is not', async (t) => {
  const { policy, pass } = faked(t)
  const { fn, calls } = scripted()
  const answer = policy(fixed()).run(fn)
  await pass(100)
  const signals = calls.map(({ context }) => context.signal)
  assert.notEqual(signals[0], signals[1])
  calls[1].resolve('second')
  assert.deepEqual(await fate(answer), { value: 'second' })
  assert.deepEqual(
    signals.map(({ aborted }) => aborted),
    [true, false],
  )
  assert.equal(signals[0].reason.name, 'AbortError')
})

test('what a loser ends with is nobody’s, and its value is let go of', async (t) => {
  const { policy, pass, counted } = faked(t)
  const unhandled = []
  const note = (error) => unhandled.push(error)
  process.on('unhandledRejection', note)
  t.after(() => process.off('unhandledRejection', note))
  const guarded = policy(fixed())
  const released = []
  const value = (name) => mark({ name }, { discard: () => released.push(name) })
  for (const late of ['rejects', 'resolves']) {
    const { fn, calls } = scripted()
    const answer = guarded.run(fn)
    await pass(100)
    calls[1].resolve(value('winner'))
    assert.equal((await fate(answer)).value.name, 'winner')
    if (late === 'rejects') calls[0].reject(down)
    else calls[0].resolve(value('loser'))
    await turn()
  }
  assert.deepEqual(unhandled, [])
  assert.deepEqual(released, ['loser'])
  assert.deepEqual(counted(), { ok: 2, hedges: 2 })
})

test('a bulkhead around a hedge has its permit back when the losers have settled, too', async (t) => {
  const { sp, policy, pass } = faked(t)
  const { fn, calls } = scripted()
  const answer = policy(sp.bulkhead('slots', { limit: 1 }), fixed({ max: 2 })).run(fn)
  await pass(200)
  calls[1].resolve('second')
  assert.deepEqual(await fate(answer), { value: 'second' })
  assert.equal(sp.snapshot().bulkheads.slots.inUse, 1)
  calls[0].reject(down)
  await turn()
  assert.equal(sp.snapshot().bulkheads.slots.inUse, 1)
  calls[2].resolve('late')
  await turn()
  assert.equal(sp.snapshot().bulkheads.slots.inUse, 0)
})

test('within it each attempt has a permit of its own, until it settles', async (t) => {
  const { sp, policy, pass } = faked(t)
  const { fn, calls } = scripted()
  const guarded = policy(fixed(), sp.bulkhead('slots', { limit: 2 }))
  const inUse = () => sp.snapshot().bulkheads.slots.inUse
  const answer = guarded.run(fn)
  await pass(99)
  assert.equal(inUse(), 1)
  await pass(1)
  assert.equal(inUse(), 2)
  calls[1].resolve('second')
  assert.deepEqual(await fate(answer), { value: 'second' })
  assert.equal(inUse(), 1)
  calls[0].reject(down)
  await turn()
  assert.equal(inUse(), 0)
})

test('a second attempt that is refused a permit does not end the first', async (t) => {
  const { sp, policy, pass } = faked(t)
  const { fn, calls } = scripted()
  const answer = policy(fixed(), sp.bulkhead('slots', { limit: 1 })).run(fn)
  await pass(100)
  assert.equal(calls.length, 1)
  assert.equal(await fate(answer), 'pending')
  calls[0].resolve('first')
  assert.deepEqual(await fate(answer), { value: 'first' })
})

test('a loser that still waits for its permit leaves the queue, and never runs', async (t) => {
  const { sp, policy, pass } = faked(t)
  const { fn, calls } = scripted()
  const answer = policy(fixed(), sp.bulkhead('slots', { limit: 1, queue: 5 })).run(fn)
  await pass(100)
  assert.deepEqual([calls.length, sp.snapshot().bulkheads.slots.waiting], [1, 1])
  calls[0].resolve('first')
  assert.deepEqual(await fate(answer), { value: 'first' })
  await turn()
  const { inUse, waiting } = sp.snapshot().bulkheads.slots
  assert.deepEqual([inUse, waiting, calls.length], [0, 0, 1])
})

test('a breaker within does not count a loser that gave up, and counts one that failed', async (t) => {
  const { sp, policy, pass } = faked(t)
  const breaker = sp.breaker('upstream')
  const guarded = policy(fixed(), breaker)
  const counts = () => {
    const { ok, failed, ignored } = sp.snapshot().breakers.upstream
    return { ok, failed, ignored }
  }
  const heeding = guarded.run((call) => (call.attempt === 1 ? 'quick' : takes(5000)(call)))
  await pass(100)
  assert.deepEqual(await fate(heeding), { value: 'quick' })
  assert.deepEqual(counts(), { ok: 1, failed: 0, ignored: 1 })
  const { fn, calls } = scripted()
  const answer = guarded.run(fn)
  await pass(100)
  calls[0].reject(down)
  calls[1].resolve('good')
  assert.deepEqual(await fate(answer), { value: 'good' })
  assert.deepEqual(counts(), { ok: 2, failed: 1, ignored: 1 })
})

// ---------------------------------------------------------------- values that are no good answers

test('a value that is marked as a failure waits for a better one, and is let go of if one comes', async (t) => {
  const { policy, pass } = faked(t)
  const guarded = policy(fixed())
  for (const verdict of [{ outcome: 'fail' }, { retry: true }]) {
    const { fn, calls } = scripted()
    const released = []
    const answer = guarded.run(fn)
    await pass(100)
    calls[0].resolve(mark({ status: 503 }, { ...verdict, discard: () => released.push('bad') }))
    assert.equal(await fate(answer), 'pending')
    calls[1].resolve(mark({ status: 200 }, { outcome: 'ok', discard: () => released.push('good') }))
    assert.deepEqual(await fate(answer), { value: { status: 200 } })
    assert.deepEqual(released, ['bad'])
  }
})

test('a bad value is a better answer than an error, and of two bad values the first', async (t) => {
  const { policy, pass } = faked(t)
  const guarded = policy(fixed())
  const bad = (name, released) => mark({ name }, { outcome: 'fail', discard: () => released.push(name) })
  for (const order of [
    [0, 1],
    [1, 0],
  ]) {
    const { fn, calls } = scripted()
    const released = []
    const answer = guarded.run(fn)
    await pass(100)
    for (const index of order) {
      if (index === 0) calls[0].resolve(bad('value', released))
      else calls[1].reject(down)
      await turn()
    }
    assert.equal((await fate(answer)).value.name, 'value')
    assert.deepEqual(released, [])
  }
  const { fn, calls } = scripted()
  const released = []
  const answer = guarded.run(fn)
  await pass(100)
  calls[1].resolve(bad('second', released))
  await turn()
  calls[0].resolve(bad('first', released))
  assert.equal((await fate(answer)).value.name, 'second')
  assert.deepEqual(released, ['first'])
})

test('a function that may be called once is called once', async (t) => {
  const { policy, pass } = faked(t)
  const { fn, calls } = scripted()
  const answer = policy(fixed()).run(mark(fn, { retry: false }))
  await pass(500)
  assert.equal(calls.length, 1)
  calls[0].resolve('once')
  assert.deepEqual(await fate(answer), { value: 'once' })
})

// ---------------------------------------------------------------- aborts and deadlines

test('an abort by the caller reaches all attempts, and there is no other', async (t) => {
  const { policy, pass } = faked(t)
  const { fn, calls } = scripted()
  const controller = new AbortController()
  const answer = policy(fixed({ max: 5 })).run(fn, { signal: controller.signal })
  await pass(100)
  const signals = calls.map(({ context }) => context.signal)
  const reason = new Error('gone')
  controller.abort(reason)
  for (const signal of signals) assert.equal(signal.reason, reason)
  await pass(500)
  assert.equal(calls.length, 2)
  assert.equal(await fate(answer), 'pending')
  for (const call of calls) call.reject(reason)
  assert.deepEqual(await fate(answer), { error: reason })
})

test('an abort in the very moment in which the hedge is due comes first, whichever timer was set first', async (t) => {
  const { policy, pass } = faked(t)
  const guarded = policy(fixed())
  for (const abortedFirst of [true, false]) {
    const { fn, calls } = scripted()
    const controller = new AbortController()
    const abort = () => setTimeout(() => controller.abort(new Error('gone')), 100)
    if (abortedFirst) abort()
    guarded.run(fn, { signal: controller.signal })
    if (!abortedFirst) abort()
    await pass(99)
    t.mock.timers.tick(1)
    await turn()
    assert.equal(calls.length, 1)
  }
})

test('a deadline aborts all attempts, and there is no other', async (t) => {
  const { policy, pass, counted } = faked(t)
  const { fn, calls } = scripted()
  const answer = policy(timeout(150), fixed({ max: 5 })).run(fn)
  await pass(150)
  assert.equal((await fate(answer)).error.code, 'E_TIMEOUT')
  assert.deepEqual(
    calls.map(({ context }) => context.signal.aborted),
    [true, true],
  )
  await pass(500)
  assert.equal(calls.length, 2)
  for (const call of calls) call.reject(down)
  await turn()
  assert.deepEqual(counted(), { refused: 1, timeouts: 1, hedges: 1 })
})

test('a loser that waits to be tried again is not', async (t) => {
  const { policy, pass } = faked(t)
  t.mock.method(Math, 'random', () => 0)
  const guarded = policy(fixed(), retry({ base: 1000, max: 5 }))
  const { fn, calls } = scripted()
  const answer = guarded.run(fn)
  calls[0].reject(down)
  await pass(100)
  assert.equal(calls.length, 2)
  calls[1].resolve('good')
  assert.deepEqual(await fate(answer), { value: 'good' })
  await pass(5000)
  assert.equal(calls.length, 2)
})

/** Keeps the event loop from everything. */
function block(milliseconds) {
  const until = performance.now() + milliseconds
  while (performance.now() < until);
}

test('what arrived while the loop was blocked needs no second attempt', async (t) => {
  const { policy, counted } = opened(t)
  const answer = policy(hedge({ after: 20 })).run(
    () =>
      new Promise((resolve) => {
        randomBytes(8, (_error, bytes) => resolve(bytes.length))
      }),
  )
  block(100)
  assert.equal(await end(answer), 8)
  assert.deepEqual(counted(), { ok: 1 })
})

test('a deadline that passed in the same block leaves no time for one either', async (t) => {
  const { policy, counted } = opened(t)
  let calls = 0
  const answer = policy(timeout(60), hedge({ after: 20 })).run(() => {
    calls++
    return new Promise(() => {})
  })
  block(120)
  assert.equal(await end(answer), 'E_TIMEOUT')
  await turn()
  assert.equal(calls, 1)
  assert.deepEqual(counted(), { refused: 1, timeouts: 1 })
})

// ---------------------------------------------------------------- the budget

test('when the budget is spent the first attempt goes on alone', async (t) => {
  const { policy, pass, counted } = faked(t)
  const guarded = policy(fixed({ max: 3, budget: { ratio: 0, floor: 1 } }))
  const exhausted = []
  guarded.on('exhausted', (message) => exhausted.push(message))
  const { fn, calls } = scripted()
  const answer = guarded.run(fn)
  await pass(900)
  assert.equal(calls.length, 2)
  assert.deepEqual(exhausted, [{ policy: guarded, attempt: 2 }])
  calls[0].resolve('first')
  assert.deepEqual(await fate(answer), { value: 'first' })
  assert.deepEqual(counted(), { ok: 1, hedges: 1, exhausted: 1 })
})

test('`budget: false` is no bound', async (t) => {
  const { sp, policy, pass } = faked(t)
  const guarded = policy(fixed({ budget: false }))
  const { fn, calls } = scripted()
  for (let call = 0; call < 50; call++) guarded.run(fn)
  await pass(100)
  assert.equal(calls.length, 100)
  assert.deepEqual(sp.snapshot().budgets, {})
})

test('by default a fifth of the calls, and ten a second, may have a second attempt', async (t) => {
  const { policy, pass } = faked(t)
  const guarded = policy(fixed())
  const { fn, calls } = scripted()
  for (let call = 0; call < 100; call++) guarded.run(fn)
  await pass(100)
  // A hundred calls have paid for twenty, of which ten can be saved up.
  assert.equal(calls.length, 120)
})

test('a hedge is told, with which attempt it is and after how long', async (t) => {
  const { policy, pass } = faked(t)
  const guarded = policy(fixed({ max: 2 }))
  const told = []
  guarded.on('hedge', (message) => told.push(message))
  guarded.run(() => new Promise(() => {}))
  await pass(500)
  assert.deepEqual(told, [
    { policy: guarded, attempt: 1, afterMs: 100 },
    { policy: guarded, attempt: 2, afterMs: 100 },
  ])
})

// ---------------------------------------------------------------- the live percentile

test('without `after` twenty calls are measured first, and then the slowest twentieth is hedged', async (t) => {
  const { policy, pass } = faked(t)
  const guarded = policy(hedge())
  const told = []
  guarded.on('hedge', ({ afterMs }) => told.push(afterMs))
  const slow = guarded.run(() => new Promise(() => {}))
  for (let call = 0; call < 20; call++) {
    const answer = guarded.run(takes(call === 0 ? 400 : 40))
    await pass(400, 10)
    await answer
  }
  assert.deepEqual(told, [])
  assert.equal(await fate(slow), 'pending')
  const { fn, calls } = scripted()
  guarded.run(fn)
  await pass(39)
  assert.equal(calls.length, 1)
  await pass(6)
  assert.equal(calls.length, 2)
  assert.ok(told[0] >= 40 && told[0] <= 45, `${told[0]} ms: a percentile is at most an eighth too long`)
})

test('failures say nothing about how long a good answer takes', async (t) => {
  const { policy, pass } = faked(t)
  const guarded = policy(hedge())
  for (let call = 0; call < 100; call++) await end(guarded.run(inTurn(down)))
  const { fn, calls } = scripted()
  guarded.run(fn)
  await pass(5000, 50)
  assert.equal(calls.length, 1)
})

test('the percentile follows when calls become slower, and about a twentieth is hedged throughout', async (t) => {
  const { policy, pass } = faked(t)
  const guarded = policy(hedge({ budget: false }))
  let seed = 7
  const random = () => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
    return (seed + 0.5) / 2 ** 32
  }
  let hedges = 0
  guarded.on('hedge', () => hedges++)
  /** Calls whose times fall off exponentially: of those that take long, half would have been overtaken. */
  const many = async (count, mean) => {
    hedges = 0
    for (let batch = 0; batch < count / 100; batch++) {
      const answers = Array.from({ length: 100 }, () => guarded.run((call) => takes(-Math.log(random()) * mean)(call)))
      await pass(mean * 15, mean / 20)
      await Promise.all(answers)
    }
    return hedges / count
  }
  await many(1000, 100)
  const usual = await many(4000, 100)
  assert.ok(usual > 0.03 && usual < 0.065, `${usual} are hedged`)
  await many(4000, 1000)
  const slower = await many(4000, 1000)
  assert.ok(slower > 0.03 && slower < 0.065, `${slower} are hedged once they are slower`)
})

// ---------------------------------------------------------------- what stands around it

test('a retry around a hedge tries again when both have failed', async (t) => {
  const { policy, pass } = faked(t)
  t.mock.method(Math, 'random', () => 0)
  const { fn, calls } = scripted()
  const answer = policy(retry({ base: 10 }), fixed()).run(fn)
  await pass(100)
  calls[0].reject(down)
  calls[1].reject(down)
  await pass(10)
  assert.equal(calls.length, 3)
  assert.equal(calls[2].context.attempt, 1)
  calls[2].resolve('third')
  assert.deepEqual(await fate(answer), { value: 'third' })
})

test('a fallback around a hedge answers once', async (t) => {
  const { policy, pass, counted } = faked(t)
  const { fn, calls } = scripted()
  const answer = policy(
    fallback(() => 'instead'),
    fixed(),
  ).run(fn)
  await pass(100)
  calls[0].reject(down)
  calls[1].reject(down)
  assert.deepEqual(await fate(answer), { value: 'instead' })
  assert.deepEqual(counted(), { ok: 1, hedges: 1, fallbacks: 1 })
})

test('options out of range are told with their names', () => {
  for (const [options, code, option] of [
    [{ after: 0 }, 'E_DURATION', 'after'],
    [{ after: null }, 'E_DURATION', 'after'],
    [{ after: 'p95' }, 'E_DURATION', 'after'],
    [{ max: 0 }, 'E_OPTION', 'max'],
    [{ max: 11 }, 'E_OPTION', 'max'],
    [{ max: Infinity }, 'E_OPTION', 'max'],
    [{ budget: 2 }, 'E_OPTION', 'budget'],
    [{ when: () => true }, 'E_OPTION', 'when'],
  ]) {
    assert.throws(() => hedge(options), { code, option }, JSON.stringify(options))
  }
  assert.throws(() => hedge(100), { code: 'E_OPTION' })
  assert.equal(hedge().max, 1)
  assert.throws(() => (hedge().max = 5), TypeError)
})
