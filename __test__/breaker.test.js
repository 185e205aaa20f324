// When a breaker opens, refuses, probes and closes, and how a call that ended counts. Owns the face of all four states.
// Never waits: time is an argument.
'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')
const { spillway, Refusal, isRefusal } = require('../index.js')

/** A breaker on a clock that stands still until it is told. Its open time does not vary. */
function opened(t, options = {}) {
  const clock = { now: 1_700_000_000_000 }
  const sp = spillway({ clock: () => clock.now })
  t.after(() => sp.close())
  const breaker = sp.breaker('upstream', { open: { for: 1000, max: 5000, jitter: 0 }, ...options })
  const report = () => sp.snapshot().breakers.upstream
  return { sp, clock, breaker, report }
}

/** One call after the other, by how they end: 'o' ok, 'f' fail, 'i' ignore. */
function calls(breaker, ends) {
  const outcomes = { o: 'ok', f: 'fail', i: 'ignore' }
  for (const end of ends) breaker.exit(breaker.enter(), outcomes[end])
}

/** A breaker that has just opened. */
function tripped(t, options) {
  const all = opened(t, { consecutive: 1, ...options })
  calls(all.breaker, 'f')
  assert.equal(all.breaker.state, 'open')
  return all
}

/** What the breaker counted since: of ok, failed, ignored, refused and stale those that are not zero. */
function counted({ ok, failed, ignored, refused, stale }) {
  return Object.fromEntries(Object.entries({ ok, failed, ignored, refused, stale }).filter(([, count]) => count > 0))
}

// ---------------------------------------------------------------- closed

test('a breaker is closed at first and lets every call through', (t) => {
  const { breaker, report } = opened(t)
  assert.equal(breaker.state, 'closed')
  calls(breaker, 'o'.repeat(1000))
  assert.equal(breaker.state, 'closed')
  assert.deepEqual(counted(report()), { ok: 1000 })
})

test('it opens with the call that makes the failures reach their share', (t) => {
  const { breaker, report } = opened(t, { failureRate: 0.3, minCalls: 10 })
  calls(breaker, 'oooooooff')
  assert.equal(breaker.state, 'closed')
  calls(breaker, 'f')
  assert.equal(breaker.state, 'open')
  assert.deepEqual(report().transitions, { opened: 1, halfOpened: 0, closed: 0, isolated: 0 })
})

test('a share that no binary fraction hits is reached exactly', (t) => {
  for (const [rate, ends] of [
    [0.1, 'ooooooooof'],
    [0.7, 'ooofffffff'],
    [1, 'ffffffffff'],
    [1 / 3, 'oooooooofffffff'.slice(0, 10) + 'ff'],
  ]) {
    const { breaker } = opened(t, { failureRate: rate, minCalls: ends.length })
    calls(breaker, ends.slice(0, -1))
    assert.equal(breaker.state, 'closed', `${rate}`)
    calls(breaker, 'f')
    assert.equal(breaker.state, 'open', `${rate}`)
  }
})

test('fewer calls than minCalls never open it, however they end', (t) => {
  const { breaker } = opened(t, { minCalls: 20 })
  calls(breaker, 'f'.repeat(19))
  assert.equal(breaker.state, 'closed')
  calls(breaker, 'f')
  assert.equal(breaker.state, 'open')
})

test('rates are looked at only after a failure: a success never opens', (t) => {
  const { breaker } = opened(t, { minCalls: 10 })
  calls(breaker, 'fffffffffo')
  assert.equal(breaker.state, 'closed')
  calls(breaker, 'f')
  assert.equal(breaker.state, 'open')
})

test('ignored calls are not in the rates', (t) => {
  const { breaker, report } = opened(t, { minCalls: 4 })
  calls(breaker, `fff${'i'.repeat(50)}`)
  assert.equal(breaker.state, 'closed')
  assert.deepEqual(report().window, { calls: 3, failures: 3, slow: 0 })
  assert.deepEqual(counted(report()), { failed: 3, ignored: 50 })
  calls(breaker, 'f')
  assert.equal(breaker.state, 'open')
})

test('so many failures in a row open it, before minCalls; a success begins the row anew, an ignored call does not', (t) => {
  const { breaker } = opened(t, { consecutive: 3, minCalls: 1000 })
  calls(breaker, 'ffoffoff')
  assert.equal(breaker.state, 'closed')
  calls(breaker, 'iif')
  assert.equal(breaker.state, 'open')
})

test('calls leave the window after its span, to a tenth of it', (t) => {
  const { breaker, clock, report } = opened(t, { window: '10s', minCalls: 10 })
  calls(breaker, 'fffff')
  clock.now += 9000
  assert.equal(report().window.calls, 5)
  calls(breaker, 'oo')
  clock.now += 1000
  assert.deepEqual(report().window, { calls: 2, failures: 0, slow: 0 })
  calls(breaker, 'ffffooo')
  assert.equal(breaker.state, 'closed', '4 of 9')
  calls(breaker, 'f')
  assert.equal(breaker.state, 'open', '5 of 10')
})

test('slow calls open it by a share of their own, though they end well', (t) => {
  const { breaker, report } = opened(t, { slow: { over: 200, rate: 0.5 }, minCalls: 4 })
  const exit = (ms) => breaker.exit(breaker.enter(), 'ok', ms)
  exit(201)
  exit(200)
  exit(0)
  assert.equal(breaker.state, 'closed')
  assert.deepEqual(report().window, { calls: 3, failures: 0, slow: 1 })
  exit(10_000)
  assert.equal(breaker.state, 'open')
  assert.deepEqual(counted(report()), { ok: 4 })
})

test('run takes the time itself, on the spillway’s clock', async (t) => {
  const { breaker, clock, report } = opened(t, { slow: { over: 200, rate: 1 }, minCalls: 1000 })
  const taking = (ms) => () => {
    clock.now += ms
  }
  await breaker.run(taking(200))
  assert.equal(report().window.slow, 0)
  await breaker.run(taking(201))
  assert.equal(report().window.slow, 1)
  await breaker.attempt(taking(5000))
  assert.equal(report().window.slow, 2)
})

// ---------------------------------------------------------------- run and attempt

test('run passes on what the function returns: the same value, awaited', async (t) => {
  const { breaker } = opened(t)
  const value = { of: 'mine' }
  assert.equal(await breaker.run(() => value), value)
  assert.equal(await breaker.run(async () => value), value)
  const thenable = Object.defineProperty({}, 'then', { value: (resolve) => resolve(value) })
  assert.equal(await breaker.run(() => thenable), value)
  assert.equal(await breaker.run(() => {}), undefined)
  assert.equal(await breaker.run(() => null), null)
})

test('run passes on what the function throws: the same error, thrown or rejected, and be it no error at all', async (t) => {
  const { breaker, report } = opened(t)
  for (const thrown of [new Error('mine'), 'a string', null, undefined, 0, { code: 'E_OPEN' }]) {
    const throwing = () => {
      throw thrown
    }
    for (const fn of [throwing, () => Promise.reject(thrown)]) {
      for (const call of [() => breaker.run(fn), () => breaker.attempt(fn)]) {
        breaker.reset()
        const caught = await call().then(
          () => assert.fail('it resolved'),
          (error) => ({ error }),
        )
        assert.ok(Object.is(caught.error, thrown))
      }
    }
  }
  assert.deepEqual(counted(report()), { failed: 24 })
})

test('the function begins in the turn of the call', (t) => {
  const { breaker } = opened(t)
  let began = 0
  const begin = () => {
    began++
  }
  breaker.run(begin)
  breaker.attempt(begin)
  assert.equal(began, 2)
})

test('attempt wraps the value', async (t) => {
  const { breaker } = opened(t)
  assert.deepEqual(await breaker.attempt(() => 7), { ok: true, value: 7 })
})

test('an open breaker refuses run with E_OPEN, a status, the wait and its name, and calls nothing', async (t) => {
  const { breaker, clock, report } = tripped(t)
  clock.now += 300
  const refusal = await breaker.run(() => assert.fail('it was called')).catch((error) => error)
  assert.ok(refusal instanceof Refusal && isRefusal(refusal) && refusal instanceof Error)
  const { code, primitive, status, retryAfterMs, message, name } = refusal
  assert.deepEqual(
    { code, primitive, status, retryAfterMs, message, name },
    {
      code: 'E_OPEN',
      primitive: 'upstream',
      status: 503,
      retryAfterMs: 700,
      message: 'the breaker "upstream" is open',
      name: 'Refusal',
    },
  )
  assert.deepEqual(counted(report()), { failed: 1, refused: 1 })
})

test('a refusal has no frames, and leaves other errors theirs', async (t) => {
  const { breaker } = tripped(t)
  const refusal = await breaker.run(() => {}).catch((error) => error)
  assert.equal(refusal.stack, 'Refusal: the breaker "upstream" is open')
  assert.ok(new Error('after').stack.includes('breaker.test.js'))
})

test('an open breaker refuses attempt with plain data: no Error, no stack', async (t) => {
  const { breaker } = tripped(t)
  const answer = await breaker.attempt(() => assert.fail('it was called'))
  assert.deepEqual(answer, {
    ok: false,
    refusal: { code: 'E_OPEN', primitive: 'upstream', status: 503, retryAfterMs: 1000 },
  })
  assert.equal(Object.getPrototypeOf(answer.refusal), Object.prototype)
  assert.equal(answer.refusal instanceof Error, false)
})

test('an open breaker refuses enter with null', (t) => {
  const { breaker } = tripped(t)
  assert.equal(breaker.enter(), null)
})

test('what is no function is told at once', async (t) => {
  const { breaker, report } = opened(t)
  for (const fn of [undefined, null, 'fn', {}, Promise.resolve()]) {
    for (const call of [() => breaker.run(fn), () => breaker.attempt(fn)]) {
      await assert.rejects(call, { name: 'TypeError', code: 'E_FUNCTION', message: /^the breaker "upstream" needs a/ })
    }
  }
  assert.deepEqual(counted(report()), {})
})

test('a breaker disposed of during a call passes the value through and refuses the next', async (t) => {
  const { breaker } = opened(t)
  let answer
  const running = breaker.run(() => new Promise((resolve) => (answer = resolve)))
  breaker.dispose()
  answer('late')
  assert.equal(await running, 'late')
  await assert.rejects(
    breaker.run(() => {}),
    { code: 'E_DISPOSED' },
  )
  for (const call of [() => breaker.enter(), () => breaker.state, () => breaker.isolate(), () => breaker.reset()]) {
    assert.throws(call, { code: 'E_DISPOSED', message: /^the breaker "upstream" has been disposed of/ })
  }
})

// ---------------------------------------------------------------- signals

test('the caller’s signal is handed on as it is', async (t) => {
  const { breaker } = opened(t)
  const { signal } = new AbortController()
  assert.equal(await breaker.run((call) => call.signal === signal, { signal }), true)
  assert.deepEqual(await breaker.attempt((call) => call.signal === signal, { signal }), { ok: true, value: true })
})

test('without one, a signal is made when it is first read, once a call, and never for who does not read it', async (t) => {
  const { breaker } = opened(t)
  let made = 0
  const { AbortController } = globalThis
  t.after(() => Object.assign(globalThis, { AbortController }))
  globalThis.AbortController = class extends AbortController {
    constructor() {
      super()
      made++
    }
  }
  for (let i = 0; i < 100; i++) await breaker.run(() => {})
  assert.equal(made, 0)
  const read = (call) => [call.signal, call.signal]
  const [first, again] = await breaker.run(read)
  assert.ok(first instanceof AbortSignal && !first.aborted)
  assert.equal(again, first)
  assert.equal(made, 1)
})

test('a signal that is aborted already runs nothing, counts nothing and throws its reason', async (t) => {
  const { breaker, clock, report } = tripped(t, { probes: 1 })
  clock.now += 1000
  const reason = new Error('the client has gone')
  const options = { signal: AbortSignal.abort(reason) }
  for (const call of [(fn) => breaker.run(fn, options), (fn) => breaker.attempt(fn, options)]) {
    const caught = await call(() => assert.fail('it was called')).catch((error) => error)
    assert.equal(caught, reason)
  }
  assert.equal(breaker.state, 'open', 'not even a probe was used')
  assert.deepEqual(counted(report()), { failed: 1 })
})

test('what is no signal is told', async (t) => {
  const { breaker } = opened(t)
  for (const signal of ['signal', 7, {}, new AbortController()]) {
    await assert.rejects(
      breaker.run(() => {}, { signal }),
      {
        name: 'TypeError',
        code: 'E_OPTION',
        option: 'signal',
        message: /^`signal` must be an AbortSignal; got /,
      },
    )
  }
  assert.equal(await breaker.run(() => 1, { signal: undefined }), 1)
  assert.equal(await breaker.run(() => 1, {}), 1)
})

// ---------------------------------------------------------------- open and half-open

test('it stays open to the last millisecond and says how long', async (t) => {
  const { breaker, clock } = tripped(t)
  for (const [elapsed, wait] of [
    [0, 1000],
    [1, 999],
    [500, 500],
    [999, 1],
  ]) {
    clock.now = 1_700_000_000_000 + elapsed
    assert.equal(breaker.enter(), null)
    assert.equal((await breaker.attempt(() => {})).refusal.retryAfterMs, wait)
  }
})

test('the first to ask after the open time goes in as a probe; until then it is open, without a timer', (t) => {
  const { breaker, clock, report } = tripped(t)
  clock.now += 999
  assert.equal(breaker.enter(), null)
  clock.now += 3_600_000
  assert.equal(breaker.state, 'open')
  assert.notEqual(breaker.enter(), null)
  assert.equal(breaker.state, 'half-open')
  assert.equal(report().transitions.halfOpened, 1)
})

test('half-open lets exactly `probes` in, and tells the others when to ask again', async (t) => {
  const { breaker, clock } = tripped(t, { probes: 3, probeTimeout: '15s' })
  clock.now += 1000
  const permits = [breaker.enter(), breaker.enter(), breaker.enter()]
  assert.ok(permits.every((permit) => permit !== null))
  for (let i = 0; i < 100; i++) assert.equal(breaker.enter(), null)
  const { refusal } = await breaker.attempt(() => {})
  assert.equal(refusal.retryAfterMs, 15_000)
})

test('it closes when all probes have ended well, and not before', (t) => {
  const { breaker, clock, report } = tripped(t, { probes: 3 })
  clock.now += 1000
  const permits = [breaker.enter(), breaker.enter(), breaker.enter()]
  breaker.exit(permits[0], 'ok')
  breaker.exit(permits[1], 'ok')
  assert.equal(breaker.state, 'half-open')
  breaker.exit(permits[2], 'ok')
  assert.equal(breaker.state, 'closed')
  assert.deepEqual(report().transitions, { opened: 1, halfOpened: 1, closed: 1, isolated: 0 })
  assert.deepEqual(report().window, { calls: 0, failures: 0, slow: 0 }, 'with a clean slate')
})

test('one failed probe opens it again', (t) => {
  const { breaker, clock, report } = tripped(t, { probes: 3 })
  clock.now += 1000
  const permits = [breaker.enter(), breaker.enter(), breaker.enter()]
  breaker.exit(permits[0], 'ok')
  breaker.exit(permits[1], 'fail')
  assert.equal(breaker.state, 'open')
  breaker.exit(permits[2], 'ok')
  assert.equal(breaker.state, 'open')
  assert.equal(report().stale, 1)
})

test('an ignored probe gives its permit back and decides nothing', (t) => {
  const { breaker, clock } = tripped(t, { probes: 1 })
  clock.now += 1000
  for (let i = 0; i < 50; i++) {
    const probe = breaker.enter()
    assert.notEqual(probe, null)
    assert.equal(breaker.enter(), null)
    breaker.exit(probe, 'ignore')
    assert.equal(breaker.state, 'half-open')
  }
  breaker.exit(breaker.enter(), 'ok')
  assert.equal(breaker.state, 'closed')
})

test('probes may come one by one: with none out, half-open waits as long as it takes', (t) => {
  const { breaker, clock } = tripped(t, { probes: 3, probeTimeout: '15s' })
  clock.now += 1000
  calls(breaker, 'o')
  clock.now += 3_600_000
  calls(breaker, 'o')
  assert.equal(breaker.state, 'half-open')
  clock.now += 3_600_000
  calls(breaker, 'o')
  assert.equal(breaker.state, 'closed')
})

test('open time doubles up to its maximum while probes fail, and closing starts it over', (t) => {
  const { breaker, clock } = tripped(t, { probes: 1 })
  for (const lasts of [1000, 2000, 4000, 5000, 5000, 5000]) {
    clock.now += lasts - 1
    assert.equal(breaker.enter(), null, `${lasts} ms less one`)
    clock.now += 1
    calls(breaker, 'f')
  }
  clock.now += 5000
  calls(breaker, 'o')
  assert.equal(breaker.state, 'closed')
  calls(breaker, 'f')
  clock.now += 999
  assert.equal(breaker.enter(), null)
  clock.now += 1
  assert.notEqual(breaker.enter(), null)
})

test('a plain open time doubles to a minute, or to itself if it is longer', (t) => {
  const { sp } = opened(t)
  sp.breaker('short', { open: '5s' })
  sp.breaker('long', { open: '2m' })
  sp.breaker('object', { open: { for: '2m' } })
  sp.breaker('default')
  const { short, long, object, default: standard } = sp.snapshot().breakers
  assert.deepEqual(short.config.open, { forMs: 5000, maxMs: 60_000, jitter: 0.2 })
  assert.deepEqual(long.config.open, { forMs: 120_000, maxMs: 120_000, jitter: 0.2 })
  assert.deepEqual(object.config.open, { forMs: 120_000, maxMs: 120_000, jitter: 0.2 })
  assert.deepEqual(standard.config, {
    windowMs: 60_000,
    windowCalls: null,
    failureRate: 0.5,
    minCalls: 10,
    consecutive: null,
    slow: null,
    open: { forMs: 5000, maxMs: 60_000, jitter: 0.2 },
    probes: 3,
    probeTimeoutMs: 15_000,
    maxKeys: null,
  })
})

test('jitter spreads the open time either way, within its share', async (t) => {
  const { sp } = opened(t)
  const waits = []
  for (let i = 0; i < 300; i++) {
    const breaker = sp.breaker(`spread-${i}`, { consecutive: 1, open: { for: 1000, jitter: 0.2 } })
    calls(breaker, 'f')
    waits.push((await breaker.attempt(() => {})).refusal.retryAfterMs)
  }
  assert.ok(waits.every((wait) => wait >= 800 && wait <= 1200))
  assert.ok(Math.min(...waits) < 850 && Math.max(...waits) > 1150, 'hardly spread')
})

test('a hung probe opens it again after probeTimeout, for the doubled time, and its late result changes nothing', (t) => {
  const { breaker, clock, report } = tripped(t, { probes: 1, probeTimeout: '15s' })
  clock.now += 1000
  const hung = breaker.enter()
  clock.now += 14_999
  assert.equal(breaker.enter(), null)
  assert.equal(breaker.state, 'half-open')
  clock.now += 1
  assert.equal(breaker.enter(), null)
  assert.equal(breaker.state, 'open')
  breaker.exit(hung, 'ok')
  assert.equal(breaker.state, 'open')
  clock.now += 1999
  assert.equal(breaker.enter(), null)
  clock.now += 1
  assert.notEqual(breaker.enter(), null)
  assert.deepEqual(counted(report()), { failed: 1, refused: 3, stale: 1 })
})

test('the probe timeout runs from the last probe that was let in', (t) => {
  const { breaker, clock } = tripped(t, { probes: 2, probeTimeout: '15s' })
  clock.now += 1000
  breaker.enter()
  clock.now += 10_000
  breaker.enter()
  clock.now += 14_999
  assert.equal(breaker.enter(), null)
  assert.equal(breaker.state, 'half-open')
  clock.now += 1
  breaker.enter()
  assert.equal(breaker.state, 'open')
})

test('a hundred recoveries admit exactly their probes', async (t) => {
  const { breaker, clock } = tripped(t, { probes: 5 })
  for (let round = 0; round < 100; round++) {
    clock.now += 5000
    let ran = 0
    const answers = await Promise.all(Array.from({ length: 50 }, () => breaker.attempt(async () => ran++)))
    assert.equal(ran, 5)
    assert.equal(answers.filter(({ ok }) => ok).length, 5)
    assert.equal(breaker.state, 'closed')
    calls(breaker, 'f')
  }
})

test('the two-thousandth breaker of a process opens, probes and closes like the first', async (t) => {
  const { sp, clock } = opened(t)
  const options = { consecutive: 1, probes: 1, open: { for: 1000, jitter: 0 } }
  const many = Array.from({ length: 2000 }, (_, index) => sp.breaker(`one-of-many-${index}`, options))
  for (const breaker of [many[0], many[1999]]) {
    const early = breaker.enter()
    assert.equal(await breaker.run(() => 'let through'), 'let through')
    calls(breaker, 'f')
    assert.equal(breaker.enter(), null)
    clock.now += 1000
    assert.equal(await breaker.run(() => 'probe'), 'probe')
    assert.equal(breaker.state, 'closed')
    breaker.exit(early, 'fail')
    assert.equal(breaker.state, 'closed', 'a stale failure')
    breaker.isolate()
    assert.equal(breaker.enter(), null)
    breaker.dispose()
    assert.throws(() => breaker.enter(), { code: 'E_DISPOSED' })
  }
})

test('what another handle did to a breaker is seen at once', async (t) => {
  const prefix = `seen-${process.pid}`
  const [one, two] = [spillway({ prefix }), spillway({ prefix })]
  t.after(() => Promise.all([one.close(), two.close()]))
  const [here, there] = [one.breaker('upstream', { consecutive: 1 }), two.breaker('upstream', { consecutive: 1 })]
  assert.notEqual(here, there)
  for (let round = 0; round < 10; round++) {
    assert.notEqual(there.enter(), null)
    calls(here, 'f')
    assert.equal(there.enter(), null)
    there.reset()
    assert.notEqual(here.enter(), null)
    here.isolate()
    assert.equal(there.enter(), null)
    here.reset()
  }
  await one.close()
  assert.throws(() => here.enter(), { code: 'E_DISPOSED' })
  assert.notEqual(there.enter(), null)
})

// ---------------------------------------------------------------- late results

test('a call that began before it opened counts for nothing when it ends after', (t) => {
  const { breaker, clock, report } = opened(t, { consecutive: 2 })
  const early = [breaker.enter(), breaker.enter(), breaker.enter()]
  calls(breaker, 'ff')
  breaker.exit(early[0], 'ok')
  assert.equal(breaker.state, 'open')
  clock.now += 1000
  const probe = breaker.enter()
  breaker.exit(early[1], 'ok')
  breaker.exit(early[2], 'fail')
  assert.equal(breaker.state, 'half-open')
  assert.deepEqual(counted(report()), { failed: 2, stale: 3 })
  breaker.exit(probe, 'fail')
  assert.equal(breaker.state, 'open')
})

test('a call that began before a reset is not in the window after it', (t) => {
  const { breaker, report } = opened(t, { consecutive: 1 })
  const early = breaker.enter()
  breaker.reset()
  breaker.exit(early, 'fail')
  assert.equal(breaker.state, 'closed')
  assert.deepEqual(report().window, { calls: 0, failures: 0, slow: 0 })
  assert.equal(report().stale, 1)
})

test('a permit given back twice counts once', (t) => {
  const { breaker, report } = opened(t, { consecutive: 2 })
  const permit = breaker.enter()
  for (let i = 0; i < 5; i++) breaker.exit(permit, 'fail')
  assert.equal(breaker.state, 'closed')
  assert.deepEqual(counted(report()), { failed: 1 })
})

test('one probe given back twice does not close for two', (t) => {
  const { breaker, clock } = tripped(t, { probes: 2 })
  clock.now += 1000
  const [first, second] = [breaker.enter(), breaker.enter()]
  breaker.exit(first, 'ok')
  breaker.exit(first, 'ok')
  breaker.exit(first, 'fail')
  assert.equal(breaker.state, 'half-open')
  breaker.exit(second, 'ok')
  assert.equal(breaker.state, 'closed')
})

test('exit takes only permits of its own breaker', (t) => {
  const { sp, breaker, report } = opened(t)
  const foreign = sp.breaker('other').enter()
  for (const permit of [foreign, null, undefined, {}, { generation: 0 }, 0, 'permit', { ...breaker.enter() }]) {
    assert.throws(() => breaker.exit(permit, 'ok'), {
      name: 'TypeError',
      code: 'E_PERMIT',
      message: /^exit\(\) of the breaker "upstream" needs a permit its enter\(\) gave; got /,
    })
  }
  assert.deepEqual(counted(report()), {})
})

test('exit with a wrong outcome or time says so, and the permit is still out', (t) => {
  const { breaker, report } = opened(t)
  const permit = breaker.enter()
  for (const outcome of ['OK', 'failed', true, undefined, null, 0, 1, {}]) {
    assert.throws(() => breaker.exit(permit, outcome), {
      name: 'TypeError',
      code: 'E_OUTCOME',
      message: /is 'ok', 'fail' or 'ignore'; got /,
    })
  }
  for (const ms of [-1, NaN, '5', null]) {
    assert.throws(() => breaker.exit(permit, 'ok', ms), { code: 'E_OPTION', option: 'ms' })
  }
  breaker.exit(permit, 'ok')
  assert.deepEqual(counted(report()), { ok: 1 })
})

// ---------------------------------------------------------------- by hand

test('an isolated breaker refuses everything, for ever and without a time, until it is reset', async (t) => {
  const { breaker, clock, report } = opened(t)
  const running = breaker.enter()
  breaker.isolate()
  breaker.isolate()
  assert.equal(breaker.state, 'isolated')
  clock.now += 10 * 365 * 86_400_000
  assert.equal(breaker.enter(), null)
  assert.deepEqual((await breaker.attempt(() => {})).refusal, { code: 'E_OPEN', primitive: 'upstream', status: 503 })
  const refusal = await breaker.run(() => {}).catch((error) => error)
  assert.equal(refusal.code, 'E_OPEN')
  assert.equal('retryAfterMs' in refusal, false)
  breaker.exit(running, 'ok')
  assert.equal(breaker.state, 'isolated')
  breaker.reset()
  assert.equal(breaker.state, 'closed')
  assert.deepEqual(report().transitions, { opened: 0, halfOpened: 0, closed: 1, isolated: 1 })
})

test('a reset forgets the window, the row of failures and the doubled open time', (t) => {
  const { breaker, clock, report } = opened(t, { consecutive: 3, minCalls: 1000, probes: 1 })
  calls(breaker, 'ff')
  breaker.reset()
  assert.deepEqual(report().window, { calls: 0, failures: 0, slow: 0 })
  calls(breaker, 'ff')
  assert.equal(breaker.state, 'closed')
  calls(breaker, 'f')
  clock.now += 1000
  calls(breaker, 'f')
  clock.now += 2000
  calls(breaker, 'f')
  breaker.reset()
  assert.equal(breaker.state, 'closed')
  calls(breaker, 'fff')
  clock.now += 1000
  assert.notEqual(breaker.enter(), null, 'open for one second again, not eight')
})

// ---------------------------------------------------------------- how a call counts by default

const abortError = () => Object.assign(new Error('aborted'), { name: 'AbortError' })
const refused = (code) => new Refusal({ code, primitive: 'inner' })
const thrower = (error) => () => {
  throw error
}

for (const [what, error, counts] of [
  ['an error', new Error('down'), 'failed'],
  ['something thrown that is no error', 'down', 'failed'],
  ['null thrown', null, 'failed'],
  ['a TimeoutError', new DOMException('late', 'TimeoutError'), 'failed'],
  ['an inner E_TIMEOUT', refused('E_TIMEOUT'), 'failed'],
  ['an inner E_LIMITED', refused('E_LIMITED'), 'ignored'],
  ['an inner E_OPEN', refused('E_OPEN'), 'ignored'],
  ['an inner E_FULL', refused('E_FULL'), 'ignored'],
  ['an inner E_SHED', refused('E_SHED'), 'ignored'],
  ['an inner E_STORE_UNAVAILABLE', refused('E_STORE_UNAVAILABLE'), 'ignored'],
  ['an AbortError from a signal the breaker was not told of', abortError(), 'ignored'],
  ['a DOMException AbortError', new DOMException('aborted', 'AbortError'), 'ignored'],
]) {
  test(`${what} counts as ${counts}`, async (t) => {
    const { breaker, report } = opened(t)
    await breaker.run(thrower(error)).catch(() => {})
    assert.deepEqual(counted(report()), { [counts]: 1 })
  })
}

for (const [what, reason, thrown, counts] of [
  ['by the caller, thrown as the reason,', new Error('gone'), (signal) => signal.reason, 'ignored'],
  ['by the caller, thrown as an AbortError,', new Error('gone'), abortError, 'ignored'],
  ['by the caller without a reason', undefined, (signal) => signal.reason, 'ignored'],
  ['with a TimeoutError, thrown as the reason,', new DOMException('', 'TimeoutError'), (s) => s.reason, 'failed'],
  ['with a TimeoutError, thrown as an AbortError,', new DOMException('', 'TimeoutError'), abortError, 'failed'],
  ['with an E_TIMEOUT of ours, thrown as the reason,', refused('E_TIMEOUT'), (signal) => signal.reason, 'failed'],
  ['with an E_TIMEOUT of ours, thrown as an AbortError,', refused('E_TIMEOUT'), abortError, 'failed'],
  ['with another refusal, thrown as an AbortError,', refused('E_SHED'), abortError, 'ignored'],
  ['by the caller, while something else broke,', new Error('gone'), () => new Error('reset by peer'), 'failed'],
]) {
  test(`an abort ${what} counts as ${counts}`, async (t) => {
    const { breaker, report } = opened(t)
    const controller = new AbortController()
    const running = breaker.run(
      ({ signal }) =>
        new Promise((_, reject) => signal.addEventListener('abort', () => reject(thrown(signal)), { once: true })),
      { signal: controller.signal },
    )
    controller.abort(reason)
    await assert.rejects(running)
    assert.deepEqual(counted(report()), { [counts]: 1 })
  })
}

test('a value counts as ok, whatever it is', async (t) => {
  const { breaker, report } = opened(t)
  for (const value of [new Error('returned'), null, undefined, refused('E_FULL'), false]) await breaker.run(() => value)
  assert.deepEqual(counted(report()), { ok: 5 })
})

// ---------------------------------------------------------------- classify

test('classify is told how the call ended and decides how it counts', async (t) => {
  const told = []
  const classify = (settled) => {
    told.push(settled)
    return settled.ok ? settled.value : settled.error
  }
  const { breaker, report } = opened(t, { classify })
  assert.equal(await breaker.run(() => 'fail'), 'fail')
  assert.equal(await breaker.run(() => 'ok'), 'ok')
  assert.deepEqual(await breaker.attempt(() => 'ignore'), { ok: true, value: 'ignore' })
  await assert.rejects(breaker.run(thrower('ignore')), (error) => error === 'ignore')
  await assert.rejects(breaker.attempt(thrower('ok')), (error) => error === 'ok')
  assert.deepEqual(counted(report()), { ok: 2, failed: 1, ignored: 2 })
  assert.deepEqual(told, [
    { ok: true, value: 'fail' },
    { ok: true, value: 'ok' },
    { ok: true, value: 'ignore' },
    { ok: false, error: 'ignore' },
    { ok: false, error: 'ok' },
  ])
})

test('classify has the last word on refusals and aborts too', async (t) => {
  const { breaker, report } = opened(t, { classify: () => 'fail' })
  await breaker.run(thrower(refused('E_FULL'))).catch(() => {})
  await breaker.run(thrower(abortError())).catch(() => {})
  assert.deepEqual(counted(report()), { failed: 2 })
})

for (const [what, classify, code] of [
  ['throws', thrower(new RangeError('a defect')), undefined],
  ['answers nonsense', () => 'maybe', 'E_OUTCOME'],
  ['answers nothing', () => {}, 'E_OUTCOME'],
  ['answers a promise', async () => 'ok', 'E_OUTCOME'],
]) {
  test(`a classify that ${what} is told to the caller, and the permit is back`, async (t) => {
    const { breaker, clock, report, sp } = opened(t, { classify, consecutive: 1, probes: 1 })
    const plain = { open: { for: 1000, max: 5000, jitter: 0 }, consecutive: 1, probes: 1 }
    calls(breaker, 'f')
    clock.now += 1000
    for (const fn of [() => 'fine', thrower(new Error('down'))]) {
      for (const call of [() => breaker.run(fn), () => breaker.attempt(fn)]) {
        await assert.rejects(call, code ? { code, message: /; got / } : { name: 'RangeError', message: 'a defect' })
        assert.equal(breaker.state, 'half-open')
      }
    }
    assert.deepEqual(counted(report()), { failed: 1, ignored: 4 })
    assert.equal(sp.breaker('upstream', plain), breaker)
    await breaker.run(() => 'the only probe is free')
    assert.equal(breaker.state, 'closed')
  })
}

test('the classify of the last opening in this thread counts', async (t) => {
  const { sp, report } = opened(t)
  const options = { open: { for: 1000, max: 5000, jitter: 0 } }
  const breaker = sp.breaker('upstream', { ...options, classify: () => 'ignore' })
  await breaker.run(() => {})
  sp.breaker('upstream', { ...options, classify: () => 'fail' })
  await breaker.run(() => {})
  assert.deepEqual(counted(report()), { failed: 1, ignored: 1 })
})

// ---------------------------------------------------------------- bugs of peers

test('a stale success does not close a half-open breaker, as it does in the most used one', (t) => {
  const { breaker, clock } = opened(t, { consecutive: 1, probes: 1 })
  const slow = breaker.enter()
  calls(breaker, 'f')
  clock.now += 1000
  const probe = breaker.enter()
  breaker.exit(slow, 'ok')
  assert.equal(breaker.state, 'half-open')
  assert.equal(breaker.enter(), null)
  breaker.exit(probe, 'ok')
  assert.equal(breaker.state, 'closed')
})

test('a stale failure does not open it again during a probe, as in the best-typed library', (t) => {
  const { breaker, clock, report } = opened(t, { consecutive: 1, probes: 1 })
  const slow = breaker.enter()
  calls(breaker, 'f')
  clock.now += 1000
  const probe = breaker.enter()
  breaker.exit(slow, 'fail')
  assert.equal(breaker.state, 'half-open')
  breaker.exit(probe, 'ok')
  assert.equal(breaker.state, 'closed')
  assert.equal(report().transitions.opened, 1)
})

test('a hung probe does not leave it half-open for ever, as in the most used one', async (t) => {
  const { breaker, clock } = tripped(t, { probes: 1, probeTimeout: '15s' })
  clock.now += 1000
  breaker.run(() => new Promise(() => {}))
  assert.equal(breaker.state, 'half-open')
  clock.now += 15_000
  assert.equal(breaker.enter(), null)
  clock.now += 5000
  assert.equal(await breaker.run(() => 'recovered'), 'recovered')
  assert.equal(breaker.state, 'closed')
})

test('refusals of its own capacity do not open it, as in the most used one', async (t) => {
  const { sp, breaker, report } = opened(t, { consecutive: 1 })
  const bulkhead = sp.bulkhead('upstream', { limit: 1 })
  const held = bulkhead.tryAcquire()
  for (let i = 0; i < 100; i++) {
    await assert.rejects(
      breaker.run(() => bulkhead.run(() => {})),
      { code: 'E_FULL' },
    )
  }
  assert.equal(breaker.state, 'closed')
  assert.deepEqual(counted(report()), { ignored: 100 })
  held.release()
})

test('cache hits do not dilute the failure rate, as in the most used one', async (t) => {
  const { sp, breaker, report } = opened(t, { minCalls: 10, failureRate: 0.5 })
  const cache = sp.cache('upstream')
  const ask = (key, fn) => cache.getOrSet(key, () => breaker.run(fn))
  await ask('hot', () => 1)
  for (let i = 0; i < 1000; i++) await ask('hot', () => assert.fail('it is cached'))
  for (let i = 0; i < 9; i++) await ask(`cold-${i}`, thrower(new Error('down'))).catch(() => {})
  assert.equal(breaker.state, 'open')
  assert.deepEqual(counted(report()), { ok: 1, failed: 9 })
})

test('a failure costs the same after 20,000 calls, where the most used one sorts them all', (t) => {
  const { breaker, report } = opened(t, { failureRate: 1, minCalls: 1_000_000, slow: { over: 1, rate: 1 } })
  for (let i = 0; i < 20_000; i++) breaker.exit(breaker.enter(), 'ok', i % 7)
  const began = performance.now()
  for (let i = 0; i < 1000; i++) breaker.exit(breaker.enter(), 'fail', i % 7)
  const took = performance.now() - began
  assert.equal(report().window.calls, 21_000)
  assert.ok(took < 1000, `a thousand failures took ${took} ms; sorting would take 15,000`)
})

test('two calls at the same time have two signals, where the most used one has one controller for all', async (t) => {
  const { breaker } = opened(t)
  const [one, two] = await Promise.all([breaker.run(({ signal }) => signal), breaker.run(({ signal }) => signal)])
  assert.notEqual(one, two)
})

test('failures of an hour ago count for nothing, where the best-typed library’s sampling opens on them', (t) => {
  const { breaker, clock, report } = opened(t, { window: '10s', minCalls: 10 })
  calls(breaker, 'fffffffff')
  clock.now += 3_600_000
  assert.deepEqual(report().window, { calls: 0, failures: 0, slow: 0 })
  calls(breaker, 'f')
  assert.equal(breaker.state, 'closed')
})

test('a function that calls the same breaker is not held up by it, as by a lock in a Redis breaker', async (t) => {
  const { breaker, report } = opened(t)
  assert.equal(await breaker.run(() => breaker.run(() => breaker.run(() => 'inmost'))), 'inmost')
  assert.deepEqual(counted(report()), { ok: 3 })
})
