// The timeout of a policy: who is answered when, and what goes on behind the answer. Owns lib/timeout.js.
// Never waits for real, except to block a real event loop.
'use strict'

const assert = require('node:assert/strict')
const { randomBytes } = require('node:crypto')
const net = require('node:net')
const { once } = require('node:events')
const { test } = require('node:test')
const { Worker } = require('node:worker_threads')
const { Refusal, fallback, timeout } = require('../index.js')
const { mark } = require('../lib/verdict.js')
const { end, faked, fate, heard, opened, printed, scripted, takes, turn } = require('./staged.js')

const never = () => new Promise(() => {})

test('what ends in time comes through as it is, and nothing is due any more', async (t) => {
  const { policy, pass, counted } = faked(t)
  const guarded = policy(timeout(100))
  const mine = new RangeError('mine')
  const slow = guarded.run(takes(99, 'slow'))
  await pass(99)
  assert.deepEqual(await fate(slow), { value: 'slow' })
  assert.equal(await guarded.run(() => 'at once'), 'at once')
  assert.equal(await guarded.run(() => undefined), undefined)
  assert.deepEqual(await fate(guarded.run(() => Promise.reject(mine))), { error: mine })
  assert.deepEqual(await fate(guarded.run(() => assert.fail(mine))), { error: mine })
  await pass(200)
  assert.deepEqual(counted(), { ok: 3, failed: 2 })
})

test('when the time is up the caller is refused with E_TIMEOUT, and not a millisecond before', async (t) => {
  const { policy, pass } = faked(t)
  const answer = policy(timeout('100ms')).run(never)
  await pass(99)
  assert.equal(await fate(answer), 'pending')
  await pass(1)
  const { error } = await fate(answer)
  assert.ok(error instanceof Refusal)
  const { code, status, primitive, message, retryAfterMs } = error
  assert.deepEqual(
    { code, status, primitive, message, retryAfterMs },
    {
      code: 'E_TIMEOUT',
      status: 504,
      primitive: 'calls',
      message: 'a call through "calls" took longer than 100 ms',
      retryAfterMs: undefined,
    },
  )
})

test('attempt answers a timeout as plain data', async (t) => {
  const { policy, pass } = faked(t)
  const answer = policy(timeout(100)).attempt(never)
  await pass(100)
  assert.deepEqual(await answer, { ok: false, refusal: { code: 'E_TIMEOUT', primitive: 'calls', status: 504 } })
})

test('the signal is aborted with the very refusal the caller gets', async (t) => {
  const { policy, pass } = faked(t)
  const { fn, calls } = scripted()
  const answer = policy(timeout(100)).run(fn)
  const { signal } = calls[0].context
  await pass(99)
  assert.equal(signal.aborted, false)
  await pass(1)
  assert.equal(signal.aborted, true)
  assert.equal(signal.reason, (await fate(answer)).error)
})

test('a signal that is first read when the time is up is aborted already, with the same refusal', async (t) => {
  const { policy, pass } = faked(t)
  const { fn, calls } = scripted()
  const answer = policy(timeout(100)).run(fn)
  await pass(150)
  const { signal } = calls[0].context
  assert.equal(signal.aborted, true)
  assert.equal(signal.reason, (await fate(answer)).error)
  assert.equal(calls[0].context.signal, signal)
})

test('the caller is answered before the function hears of it', async (t) => {
  const { policy, pass } = faked(t)
  const order = []
  const answer = policy(timeout(100)).run(({ signal }) => {
    signal.addEventListener('abort', () => order.push('aborted'))
    return never()
  })
  answer.catch(() => order.push('answered'))
  await pass(100)
  assert.deepEqual(order.sort(), ['aborted', 'answered'])
})

test('a value or a rejection that comes too late is nobody’s: no unhandled rejection, and nothing counted twice', async (t) => {
  const { policy, pass, counted } = faked(t)
  const unhandled = []
  const note = (error) => unhandled.push(error)
  process.on('unhandledRejection', note)
  t.after(() => process.off('unhandledRejection', note))
  const guarded = policy(timeout(100))
  const { fn, calls } = scripted()
  const answers = [guarded.run(fn), guarded.run(fn), guarded.attempt(fn)]
  await pass(100)
  for (const answer of answers.slice(0, 2)) assert.equal((await fate(answer)).error.code, 'E_TIMEOUT')
  calls[0].resolve('late')
  calls[1].reject(new Error('late'))
  calls[2].reject(undefined)
  await turn()
  await turn()
  assert.deepEqual(unhandled, [])
  assert.deepEqual(counted(), { refused: 3, timeouts: 3 })
})

test('a value that comes too late is let go of, once', async (t) => {
  const { policy, pass } = faked(t)
  const { fn, calls } = scripted()
  let released = 0
  const value = mark({}, { discard: () => released++ })
  const answer = policy(timeout(100), timeout(50)).run(fn)
  await pass(100)
  calls[0].resolve(value)
  assert.equal((await fate(answer)).error.code, 'E_TIMEOUT')
  assert.equal(released, 1)
  assert.equal(await policy(timeout(100)).run(() => value), value)
  assert.equal(released, 1)
})

test('a thenable that never settles, settles twice or throws is timed out, or answered by its first end', async (t) => {
  const { policy, pass } = faked(t)
  const guarded = policy(timeout(100))
  const hung = guarded.run(() => ({ then() {} }))
  const twice = guarded.run(() => ({
    then(resolve, reject) {
      resolve('first')
      resolve('second')
      reject(new Error('third'))
    },
  }))
  const throwing = guarded.run(() => Object.defineProperty({}, 'then', { get: () => assert.fail('mine') }))
  assert.deepEqual(await fate(twice), { value: 'first' })
  assert.equal((await fate(throwing)).error.message, 'mine')
  await pass(100)
  assert.equal((await fate(hung)).error.code, 'E_TIMEOUT')
})

test('a promise of another class is waited for as any other', async (t) => {
  const { policy, pass, counted } = faked(t)
  const guarded = policy(timeout(100))
  class Odd extends Promise {
    then() {
      throw new Error('odd')
    }
  }
  class Plain extends Promise {}
  assert.equal((await fate(guarded.run(() => new Odd(() => {})))).error.message, 'odd')
  const answer = guarded.run(() => Plain.resolve('plain'))
  assert.equal(answer.constructor, Promise)
  assert.equal(await answer, 'plain')
  await pass(200)
  assert.deepEqual(counted(), { ok: 1, failed: 1 })
})

// ---------------------------------------------------------------- the caller's own signal

test('an abort by the caller reaches the function with the caller’s reason, and the function ends the call', async (t) => {
  const { policy, pass, counted } = faked(t)
  const { fn, calls } = scripted()
  const controller = new AbortController()
  const answer = policy(timeout(100)).run(fn, { signal: controller.signal })
  const { signal } = calls[0].context
  const reason = new Error('gone')
  controller.abort(reason)
  assert.equal(signal.reason, reason)
  assert.equal(await fate(answer), 'pending')
  calls[0].reject(reason)
  assert.deepEqual(await fate(answer), { error: reason })
  await pass(200)
  assert.deepEqual(counted(), { failed: 1 })
})

test('what aborted first stays the reason', async (t) => {
  const { policy, pass } = faked(t)
  const { fn, calls } = scripted()
  const controller = new AbortController()
  const answer = policy(timeout(100)).run(fn, { signal: controller.signal })
  const { signal } = calls[0].context
  const reason = new Error('gone')
  controller.abort(reason)
  await pass(100)
  assert.equal(signal.reason, reason)
  assert.equal((await fate(answer)).error.code, 'E_TIMEOUT')

  const other = new AbortController()
  const second = policy(timeout(100)).run(fn, { signal: other.signal })
  const late = calls[1].context.signal
  await pass(100)
  other.abort(reason)
  assert.equal(late.reason, (await fate(second)).error)
})

// ---------------------------------------------------------------- what stands around and within

test('a bulkhead around a timeout holds its permit until the function itself settles', async (t) => {
  const { sp, policy, pass } = faked(t)
  const bulkhead = sp.bulkhead('slots', { limit: 1 })
  const guarded = policy(bulkhead, timeout(100))
  const { fn, calls } = scripted()
  const answer = guarded.run(fn)
  await pass(100)
  assert.equal((await fate(answer)).error.code, 'E_TIMEOUT')
  assert.equal(sp.snapshot().bulkheads.slots.inUse, 1)
  assert.equal(await end(guarded.run(fn)), 'E_FULL')
  assert.equal(calls.length, 1)
  calls[0].reject(new Error('at last'))
  await turn()
  assert.equal(sp.snapshot().bulkheads.slots.inUse, 0)
})

test('a bulkhead within a timeout does so too', async (t) => {
  const { sp, policy, pass } = faked(t)
  const guarded = policy(timeout(100), sp.bulkhead('slots', { limit: 1 }))
  const { fn, calls } = scripted()
  const answer = guarded.run(fn)
  await pass(100)
  assert.equal((await fate(answer)).error.code, 'E_TIMEOUT')
  assert.equal(sp.snapshot().bulkheads.slots.inUse, 1)
  calls[0].resolve('at last')
  await turn()
  assert.equal(sp.snapshot().bulkheads.slots.inUse, 0)
})

test('between two timeouts a permit comes back once, when the function settles, whichever of them was up', async (t) => {
  const { sp, policy, pass } = faked(t)
  const guarded = policy(timeout(100), sp.bulkhead('slots', { limit: 1 }), timeout(50))
  const { fn, calls } = scripted()
  const inUse = () => sp.snapshot().bulkheads.slots.inUse
  const inner = guarded.run(fn)
  await pass(50)
  assert.equal((await fate(inner)).error.message, 'a call through "calls" took longer than 50 ms')
  await pass(100)
  assert.equal(inUse(), 1)
  calls[0].resolve()
  await turn()
  assert.equal(inUse(), 0)
  const next = guarded.run(() => 'next')
  assert.equal(await next, 'next')
  assert.equal(inUse(), 0)
})

test('next to a breaker, too, whichever of them stands outside', async (t) => {
  const { sp, policy, pass } = faked(t)
  const bulkhead = sp.bulkhead('slots', { limit: 1 })
  const breaker = sp.breaker('upstream', { minCalls: 1000 })
  const inUse = () => sp.snapshot().bulkheads.slots.inUse
  for (const order of [
    [breaker, bulkhead],
    [bulkhead, breaker],
  ]) {
    const guarded = policy(...order, timeout(50))
    for (const late of ['resolve', 'reject']) {
      const { fn, calls } = scripted()
      const answer = guarded.run(fn)
      await pass(50)
      assert.equal((await fate(answer)).error.code, 'E_TIMEOUT')
      assert.equal(inUse(), 1)
      assert.equal(await end(guarded.run(fn)), 'E_FULL')
      calls[0][late](new Error('late'))
      await turn()
      assert.equal(inUse(), 0)
    }
  }
  const { ok, failed } = sp.snapshot().breakers.upstream
  assert.deepEqual([ok, failed], [0, 4])
})

test('a call that is timed out in the queue of a bulkhead never runs', async (t) => {
  const { sp, policy, pass } = faked(t)
  const bulkhead = sp.bulkhead('slots', { limit: 1, queue: 5 })
  const held = bulkhead.tryAcquire()
  const answer = policy(timeout(100), bulkhead).run(() => assert.fail('it ran'))
  await pass(100)
  assert.equal((await fate(answer)).error.code, 'E_TIMEOUT')
  assert.equal(sp.snapshot().bulkheads.slots.waiting, 0)
  held.release()
  await pass(10)
  assert.equal(sp.snapshot().bulkheads.slots.inUse, 0)
})

test('a breaker around a timeout counts it as a failure', async (t) => {
  const { sp, policy, pass } = faked(t)
  const breaker = sp.breaker('upstream')
  const answer = policy(breaker, timeout(100)).run(never)
  await pass(100)
  assert.equal((await fate(answer)).error.code, 'E_TIMEOUT')
  const { ok, failed, ignored } = sp.snapshot().breakers.upstream
  assert.deepEqual([ok, failed, ignored], [0, 1, 0])
})

test('a breaker within a timeout counts it as a failure when the function gives up, however it says so', async (t) => {
  const { sp, policy, pass } = faked(t)
  const breaker = sp.breaker('upstream')
  const guarded = policy(timeout(100), breaker)
  const givesUp = (how) =>
    guarded.run(
      ({ signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(how(signal.reason)))),
    )
  const answers = [
    givesUp((reason) => reason),
    givesUp(() => new DOMException('aborted', 'AbortError')),
    givesUp(() => new TypeError('socket closed')),
  ]
  await pass(100)
  for (const answer of answers) assert.equal((await fate(answer)).error.code, 'E_TIMEOUT')
  const { ok, failed, ignored } = sp.snapshot().breakers.upstream
  assert.deepEqual([ok, failed, ignored], [0, 3, 0])
})

test('of two timeouts the shorter answers, wherever it stands', async (t) => {
  const { policy, pass, counted } = faked(t)
  const warned = once(process, 'warning')
  const order = [
    [policy(timeout(100), timeout(40)), 40],
    [policy(timeout(40), timeout(100)), 40],
  ]
  for (const [guarded, ms] of order) {
    const answer = guarded.run(takes(1000))
    await pass(ms - 1)
    assert.equal(await fate(answer), 'pending')
    await pass(1)
    assert.equal((await fate(answer)).error.message, `a call through "calls" took longer than ${ms} ms`)
    await pass(200)
  }
  assert.deepEqual(counted(), { refused: 2, timeouts: 2 })
  assert.equal((await warned)[0].code, 'SPILLWAY_POLICY_ORDER')
})

test('a call that ends within two timeouts leaves neither behind', async (t) => {
  const { policy, pass, counted } = faked(t)
  assert.equal(await policy(timeout(100), timeout(40)).run(() => 'fine'), 'fine')
  await pass(200)
  assert.deepEqual(counted(), { ok: 1 })
})

// ---------------------------------------------------------------- what is left

test('remainingMs is what is left of the nearest deadline, and Infinity without one', async (t) => {
  const { policy, pass } = faked(t)
  const { fn, calls } = scripted()
  policy(timeout(1000), timeout(100)).run(fn)
  policy(timeout(1000)).run(fn, { timeout: 50 })
  policy(timeout(1000)).run(fn, { timeout: '1h' })
  policy().run(fn)
  const left = () => calls.map(({ context }) => context.remainingMs)
  assert.deepEqual(left(), [100, 50, 1000, Infinity])
  await pass(49)
  assert.deepEqual(left(), [51, 1, 951, Infinity])
  await pass(60)
  assert.deepEqual(left(), [0, 0, 891, Infinity])
})

test('the timeout of one call is around all else: the fallback is not asked', async (t) => {
  const { policy, pass } = faked(t)
  const guarded = policy(
    fallback(() => 'instead'),
    timeout(100),
  )
  const short = guarded.run(never, { timeout: '30ms' })
  const long = guarded.run(never, { timeout: 1000 })
  const none = guarded.run(never, { timeout: Infinity })
  await pass(29)
  assert.equal(await fate(short), 'pending')
  await pass(1)
  assert.equal((await fate(short)).error.code, 'E_TIMEOUT')
  await pass(70)
  assert.deepEqual(await fate(long), { value: 'instead' })
  assert.deepEqual(await fate(none), { value: 'instead' })
})

test('where nothing is left, nothing is called', async (t) => {
  const { policy } = faked(t)
  const guarded = policy(timeout(100))
  const call = () => assert.fail('it was called')
  assert.equal(await end(guarded.run(call, { timeout: 0 })), 'E_TIMEOUT')
  assert.deepEqual(await guarded.attempt(call, { timeout: 0 }), {
    ok: false,
    refusal: { code: 'E_TIMEOUT', primitive: 'calls', status: 504 },
  })
})

test('the remainingMs of a call can be handed to the one within it', async (t) => {
  const { sp, policy, pass } = faked(t)
  const inner = heard(sp.policy('inner', timeout(10_000)))
  const outer = policy(timeout(100))
  let within
  const answer = outer.run(({ remainingMs }) => {
    within = inner.run(never, { timeout: remainingMs })
    return within
  })
  await pass(100)
  assert.equal((await fate(answer)).error.primitive, 'calls')
  assert.equal((await fate(within)).error.primitive, 'inner')
})

// ---------------------------------------------------------------- the event

test('a timeout is told to listeners, with how long and which attempt', async (t) => {
  const { policy, pass } = faked(t)
  const guarded = policy(timeout(100))
  const heard = []
  guarded.on('timeout', (message) => heard.push(message))
  guarded.run(never)
  await pass(99)
  assert.deepEqual(heard, [])
  await pass(1)
  assert.deepEqual(heard, [{ policy: guarded, attempt: 0, afterMs: 100 }])
})

// ---------------------------------------------------------------- a blocked event loop

/** Keeps the event loop from everything. */
function block(milliseconds) {
  const until = performance.now() + milliseconds
  while (performance.now() < until);
}

test('what arrived from the thread pool while the loop was blocked is not timed out', async (t) => {
  const { policy, counted } = opened(t)
  const answer = policy(timeout(30)).run(
    () =>
      new Promise((resolve) => {
        randomBytes(8, (_error, bytes) => resolve(bytes.length))
      }),
  )
  block(100)
  assert.equal(await end(answer), 8)
  await turn()
  assert.deepEqual(counted(), { ok: 1 })
})

const ECHO = `
  const { parentPort } = require('node:worker_threads')
  const server = require('node:net').createServer((socket) => socket.pipe(socket))
  server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port))
  parentPort.on('message', (message) => parentPort.postMessage(message))
`

test('nor is what another thread, or a socket, had answered by then', async (t) => {
  const { policy, counted } = opened(t)
  const worker = new Worker(ECHO, { eval: true })
  t.after(() => worker.terminate())
  const [port] = await once(worker, 'message')
  const socket = net.connect(port, '127.0.0.1').setNoDelay()
  t.after(() => socket.destroy())
  await once(socket, 'connect')
  const guarded = policy(timeout(30))
  const overTcp = guarded.run(async () => {
    socket.write('hello')
    return String((await once(socket, 'data'))[0])
  })
  block(120)
  assert.equal(await end(overTcp), 'hello')
  const overPort = guarded.run(async () => {
    worker.postMessage('hello')
    return (await once(worker, 'message'))[0]
  })
  block(120)
  assert.equal(await end(overPort), 'hello')
  await turn()
  assert.deepEqual(counted(), { ok: 2 })
})

test('what had not arrived by then is timed out all the same', async (t) => {
  const { policy } = opened(t)
  const answer = policy(timeout(30)).run(never)
  block(100)
  assert.equal(await end(answer), 'E_TIMEOUT')
})

// ---------------------------------------------------------------- what it costs

test('two thousand calls within two timeouts set no timer each', async (t) => {
  const { policy } = opened(t)
  const guarded = policy(timeout(60_000), timeout(30_000))
  const { setTimeout } = globalThis
  let timers = 0
  globalThis.setTimeout = (...call) => {
    timers++
    return setTimeout(...call)
  }
  try {
    for (let call = 0; call < 1000; call++) await guarded.run(() => call)
    await Promise.all(Array.from({ length: 1000 }, (_, call) => guarded.run(() => call)))
  } finally {
    globalThis.setTimeout = setTimeout
  }
  assert.ok(timers <= 3, `${timers} timers`)
})

test('a signal that is not read is not made', async (t) => {
  const { policy, pass } = faked(t)
  const { AbortController } = globalThis
  let made = 0
  globalThis.AbortController = class extends AbortController {
    constructor() {
      super()
      made++
    }
  }
  t.after(() => (globalThis.AbortController = AbortController))
  const guarded = policy(timeout(100), timeout(50))
  await guarded.run(() => 'fine')
  const late = guarded.run(never)
  await pass(100)
  assert.equal((await fate(late)).error.code, 'E_TIMEOUT')
  assert.equal(made, 0)
  await guarded.run(({ signal }) => signal.aborted)
  assert.equal(made, 1)
})

test('a process whose calls have ended ends by itself, long before their deadlines', async () => {
  const script = `
    const { policy, timeout, retry, hedge } = require('.')
    const guarded = policy('calls', timeout('1h'), retry(), hedge({ after: '30m' }), timeout('45m'))
    guarded.run(() => 'done').then(console.log)
  `
  assert.equal(await printed(script), 'done')
})

test('a listener of the signal that throws is an uncaught exception, and the caller is answered', async () => {
  const script = `
    const { policy, timeout } = require('.')
    process.on('uncaughtException', (error) => console.log('uncaught', error.message))
    const guarded = policy('calls', timeout(20))
    guarded.run(({ signal }) => {
      signal.addEventListener('abort', () => { throw new Error('mine') })
      return new Promise(() => {})
    }).catch(({ code }) => console.log(code))
  `
  const lines = (await printed(script)).split('\n').sort()
  assert.deepEqual(lines, ['E_TIMEOUT', 'uncaught mine'])
})

// ---------------------------------------------------------------- the option

test('a duration is 1 ms to 1 day, and anything else is E_DURATION', () => {
  for (const bad of [0, 0.5, -1, NaN, Infinity, 86_400_001, '1 day', '5', '', undefined, null, {}, [], true, 5n]) {
    assert.throws(() => timeout(bad), { code: 'E_DURATION', option: 'duration' }, String(bad))
  }
  assert.equal(timeout('1d').milliseconds, 86_400_000)
  assert.equal(timeout(1).milliseconds, 1)
})

test('the timeout of one call is 0 to 1 day or Infinity, and anything else rejects with E_DURATION', async (t) => {
  const { policy } = opened(t)
  const guarded = policy()
  for (const bad of [-1, NaN, -Infinity, 86_400_001, '5', null, {}]) {
    await assert.rejects(
      guarded.run(() => assert.fail('it ran'), { timeout: bad }),
      { code: 'E_DURATION', option: 'timeout' },
    )
  }
  assert.equal(await guarded.run(() => 'fine', { timeout: undefined }), 'fine')
  assert.equal(await guarded.run(() => 'fine', { timeout: '1d' }), 'fine')
})

test('one timeout serves many policies, and cannot be changed', async (t) => {
  const { sp, pass } = faked(t)
  const shared = timeout(100)
  assert.throws(() => (shared.milliseconds = 5), TypeError)
  const answers = ['one', 'two'].map((name) => heard(sp.policy(name, shared)).run(never))
  await pass(100)
  for (const [index, answer] of answers.entries()) {
    assert.equal((await fate(answer)).error.primitive, ['one', 'two'][index])
  }
})
