// What functions, listeners and classify may do to a breaker. Owns that a permit comes back once, however the call ends.
// Never waits.
/* eslint-disable no-throw-literal, no-sequences -- what users do */
'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const { test } = require('node:test')
const { Worker } = require('node:worker_threads')
const { spillway } = require('../index.js')
const { opened, calls } = require('./breakers.js')

/** A half-open breaker with one probe: what happens to that is seen at once. */
function probed(t, options) {
  const all = opened(t, { consecutive: 1, probes: 1, ...options })
  calls(all.breaker, 'f')
  all.clock.now += 1000
  return all
}

const WAYS = [(breaker, fn) => breaker.run(fn), (breaker, fn) => breaker.attempt(fn)]

for (const [what, fn, state] of [
  ['throws at once', () => { throw new Error('down') }, 'open'], // prettier-ignore
  ['throws undefined', () => { throw undefined }, 'open'], // prettier-ignore
  ['rejects with undefined', () => Promise.reject(), 'open'],
  ['answers no promise', () => 7, 'closed'],
  ['answers a function', () => () => {}, 'closed'],
  ['answers a thenable that fulfils twice', () => ({ then: (ok) => (ok(1), ok(2)) }), 'closed'],
  [
    'answers a thenable that fulfils and rejects',
    () => ({ then: (ok, no) => (ok(1), no(new Error('late'))) }),
    'closed',
  ],
  ['answers a thenable that rejects and fulfils', () => ({ then: (ok, no) => (no(new Error('down')), ok(1)) }), 'open'],
  ['answers a thenable that fulfils and throws', () => ({ then: (ok) => { ok(1); throw new Error('late') } }), 'closed'], // prettier-ignore
  ['answers what throws when asked for its then', () => Object.defineProperty({}, 'then', { get() { throw new Error('no') } }), 'open'], // prettier-ignore
]) {
  test(`a function that ${what} leaves the breaker ${state}, once`, async (t) => {
    for (const way of WAYS) {
      const { breaker, report } = probed(t)
      await way(breaker, fn).catch(() => {})
      assert.equal(breaker.state, state)
      const { ok, failed, stale } = report()
      assert.deepEqual([ok, failed, stale], state === 'closed' ? [1, 1, 0] : [0, 2, 0])
    }
  })
}

test('a promise with a then of its own is awaited as every promise is', async (t) => {
  const { breaker, report } = opened(t)
  const promise = Object.assign(Promise.resolve('mine'), { then: () => assert.fail('it was asked') })
  let answer
  await new Promise((done) => {
    answer = breaker.run(() => promise)
    answer.finally(done)
  })
  assert.equal(await answer, 'mine')
  assert.equal(report().ok, 1)
})

test('a promise of a class of the user’s is awaited too, and what the caller gets is a plain promise', async (t) => {
  class Mine extends Promise {}
  const { breaker } = opened(t)
  const running = breaker.run(() => Mine.resolve(7))
  assert.equal(Object.getPrototypeOf(running), Promise.prototype)
  assert.equal(await running, 7)
})

test('a function that never settles holds nothing but its own call', async (t) => {
  const { breaker, clock } = probed(t, { probeTimeout: 100 })
  breaker.run(() => new Promise(() => {}))
  assert.equal(breaker.enter(), null)
  clock.now += 100
  assert.equal(breaker.enter(), null)
  clock.now += 5000
  assert.equal(await breaker.run(() => 'recovered'), 'recovered')
})

test('a failure that nobody takes is an unhandled rejection, as that of the function would be', async () => {
  const code = `
    const { spillway } = require(${JSON.stringify(require.resolve('../index.js'))})
    const breaker = spillway({ isolated: true, env: false }).breaker('upstream')
    breaker.run(() => Promise.reject(new Error('nobody takes it')))`
  const [error] = await once(new Worker(code, { eval: true }), 'error')
  assert.equal(error.message, 'nobody takes it')
})

test('a listener that throws changes no answer, and is an uncaught exception', async () => {
  const code = `
    const { parentPort } = require('node:worker_threads')
    const { spillway } = require(${JSON.stringify(require.resolve('../index.js'))})
    const breaker = spillway({ isolated: true, env: false }).breaker('upstream', { consecutive: 1 })
    const thrown = []
    process.on('uncaughtException', (error) => thrown.push(error.message))
    breaker.on('transition', () => { throw new Error('a transition') })
    breaker.on('refused', () => { throw new Error('a refusal') })
    breaker.exit(breaker.enter(), 'fail')
    const entered = breaker.enter()
    // From Node 26 on a worker is handed the second error of a turn only after the next one.
    setImmediate(() => setImmediate(() => parentPort.postMessage({ state: breaker.state, entered, thrown })))`
  const [told] = await once(new Worker(code, { eval: true }), 'message')
  assert.deepEqual(told, { state: 'open', entered: null, thrown: ['a transition', 'a refusal'] })
})

test('a thread that ends in the middle of a call leaves the breaker to the others', async (t) => {
  const prefix = `ended-${process.pid}`
  const sp = spillway({ prefix, env: false })
  t.after(() => sp.close())
  const breaker = sp.breaker('upstream')
  const code = `
    const { spillway } = require(${JSON.stringify(require.resolve('../index.js'))})
    const breaker = spillway({ prefix: ${JSON.stringify(prefix)}, env: false }).breaker('upstream')
    ;(async () => {
      for (let i = 0; i < 100; i++) await breaker.run(() => {})
      breaker.run(() => new Promise(() => {}))
      process.exit()
    })()`
  await once(new Worker(code, { eval: true }), 'exit')
  await breaker.run(() => {})
  const { ok, window } = sp.snapshot().breakers[`${prefix}:upstream`]
  assert.deepEqual([ok, window.calls], [101, 101], 'what the thread had counted is not lost')
})
