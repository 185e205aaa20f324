// What a breaker tells: transitions to every handle, refusals to the one that was refused. Owns on() and the channels.
// Never tests how listeners are kept: that is events.test.js.
'use strict'

const assert = require('node:assert/strict')
const diagnostics = require('node:diagnostics_channel')
const { once } = require('node:events')
const { test } = require('node:test')
const { Worker } = require('node:worker_threads')
const { spillway } = require('../index.js')
const { opened, calls } = require('./breakers.js')

/** Transitions, as 'from to'. */
function heard(breaker) {
  const said = []
  breaker.on('transition', (message) => {
    assert.equal(message.breaker, breaker)
    said.push([message.from, message.to, message.key].filter(Boolean).join(' '))
  })
  return said
}

test('every change of state is told, right after the call that caused it', (t) => {
  const { breaker, clock } = opened(t, { consecutive: 1, probes: 1, probeTimeout: 100 })
  const said = heard(breaker)
  const next = () => said.splice(0)
  calls(breaker, 'o')
  assert.deepEqual(next(), [])
  calls(breaker, 'f')
  assert.deepEqual(next(), ['closed open'])
  clock.now += 1000
  const hung = breaker.enter()
  assert.deepEqual(next(), ['open half-open'])
  clock.now += 100
  assert.equal(breaker.enter(), null)
  assert.deepEqual(next(), ['half-open open'])
  breaker.exit(hung, 'ok')
  clock.now += 5000
  calls(breaker, 'o')
  assert.deepEqual(next(), ['open half-open', 'half-open closed'])
  breaker.reset()
  assert.deepEqual(next(), [], 'it was closed')
  breaker.isolate()
  breaker.isolate()
  assert.deepEqual(next(), ['closed isolated'])
  breaker.reset()
  assert.deepEqual(next(), ['isolated closed'])
})

test('with keys, it is told whose state it is', (t) => {
  const { breaker } = opened(t, { perKey: true, maxKeys: 1, consecutive: 1 })
  const said = heard(breaker)
  calls(breaker, 'f', 'a')
  calls(breaker, 'f', 'b')
  assert.deepEqual(said, ['closed open a', 'closed open'], 'b has no place of its own')
})

test('a refusal is told with its key and its wait', async (t) => {
  const { breaker } = opened(t, { consecutive: 1 })
  const keyed = opened(t, { perKey: true, consecutive: 1 }).breaker
  const told = []
  for (const each of [breaker, keyed]) each.on('refused', (message) => told.push(message))
  calls(breaker, 'f')
  breaker.enter()
  await breaker.attempt(() => {})
  await breaker.run(() => {}).catch(() => {})
  breaker.isolate()
  breaker.enter()
  keyed.isolate('a')
  keyed.enter('a')
  const told1000 = { breaker, key: undefined, retryAfterMs: 1000 }
  assert.deepEqual(told, [
    told1000,
    told1000,
    told1000,
    { breaker, key: undefined, retryAfterMs: undefined },
    { breaker: keyed, key: 'a', retryAfterMs: undefined },
  ])
})

test('onTransition belongs to the handle, and the last one given counts', (t) => {
  const { sp, breaker } = opened(t)
  const said = []
  const options = { open: { for: 1000, max: 5000, jitter: 0 } }
  sp.breaker('upstream', { ...options, onTransition: ({ to }) => said.push(`first ${to}`) })
  sp.breaker('upstream', { ...options, onTransition: ({ to }) => said.push(`second ${to}`) })
  breaker.isolate()
  sp.breaker('upstream', options)
  breaker.reset()
  assert.deepEqual(said, ['second isolated'])
  assert.throws(() => sp.breaker('other', { onTransition: 7 }), { code: 'E_OPTION', option: 'onTransition' })
})

test('the channels hear what listeners hear', (t) => {
  const { breaker } = opened(t, { consecutive: 1 })
  const said = []
  for (const event of ['transition', 'refused']) {
    const name = `spillway:breaker:${event}`
    const listener = (message) => message.breaker === breaker && said.push(`${event} ${message.to ?? ''}`)
    diagnostics.subscribe(name, listener)
    t.after(() => diagnostics.unsubscribe(name, listener))
  }
  calls(breaker, 'f')
  breaker.enter()
  assert.deepEqual(said, ['transition open', 'refused '])
})

test('a listener may call the breaker it listens to', async (t) => {
  const { breaker, clock } = opened(t, { consecutive: 1, probes: 2 })
  const entered = []
  breaker.on('transition', ({ to }) => to === 'half-open' && entered.push(breaker.enter()))
  breaker.on('refused', () => breaker.state)
  calls(breaker, 'f')
  const { refusal } = await breaker.attempt(() => {})
  assert.equal(refusal.retryAfterMs, 1000)
  clock.now += 1000
  breaker.exit(breaker.enter(), 'ok')
  assert.equal(entered.length, 1)
  breaker.exit(entered[0], 'ok')
  assert.equal(breaker.state, 'closed')
})

test('another handle of the same thread hears of it too', (t) => {
  const prefix = `heard-${process.pid}`
  const [one, two] = [spillway({ prefix, env: false }), spillway({ prefix, env: false })]
  t.after(() => Promise.all([one.close(), two.close()]))
  const said = [heard(one.breaker('upstream')), heard(two.breaker('upstream'))]
  one.breaker('upstream').isolate()
  assert.deepEqual(said, [['closed isolated'], ['closed isolated']])
})

test('a transition that another thread causes is heard here, and nobody is kept alive to hear it', async (t) => {
  const prefix = `threads-${process.pid}`
  const sp = spillway({ prefix, env: false })
  t.after(() => sp.close())
  const breaker = sp.breaker('upstream')
  const told = new Promise((resolve) => breaker.on('transition', ({ from, to }) => resolve(`${from} ${to}`)))
  const code = `
    const { spillway } = require(${JSON.stringify(require.resolve('../index.js'))})
    const breaker = spillway({ prefix: ${JSON.stringify(prefix)}, env: false }).breaker('upstream')
    breaker.on('transition', () => {})
    breaker.isolate()`
  const worker = new Worker(code, { eval: true })
  const [[status], heard] = await Promise.all([once(worker, 'exit'), told])
  assert.deepEqual([status, heard], [0, 'closed isolated'])
})
