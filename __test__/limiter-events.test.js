// Whom a limiter tells of its denials, and of which. Owns on() of a limiter and its diagnostics channels.
// Never tests how listeners are kept: that is events.test.js.
'use strict'

const assert = require('node:assert/strict')
const { execFile } = require('node:child_process')
const diagnostics = require('node:diagnostics_channel')
const path = require('node:path')
const { test } = require('node:test')
const { promisify } = require('node:util')
const { spillway } = require('../index.js')
const { opened } = require('./limiters.js')

const ONCE = { limit: 1, window: '1m' }

/** Everything that the limiter says, as [event, key, reason]. */
function listened(limiter) {
  const said = []
  for (const event of ['limited', 'blocked', 'shadowed']) {
    limiter.on(event, (message) => {
      assert.deepEqual(Object.keys(message), ['limiter', 'key', 'decision'])
      assert.equal(message.limiter, limiter)
      said.push([event, message.key, message.decision.reason])
    })
  }
  return said
}

test('a denial is told with the very decision, an admission is not', (t) => {
  const { limiter } = opened(t, ONCE)
  const told = []
  limiter.on('limited', (message) => told.push(message))
  limiter.consume('a')
  assert.equal(told.length, 0)
  const denied = limiter.consume('a')
  assert.equal(told.length, 1)
  assert.deepEqual([told[0].limiter, told[0].key], [limiter, 'a'])
  assert.equal(told[0].decision, denied)
})

test('limited, impossible, blocked and shadowed each go to whom they concern', (t) => {
  const { limiter } = opened(t, ONCE)
  const said = listened(limiter)
  limiter.consume('a')
  limiter.consume('a')
  limiter.consume('b', 2)
  limiter.block('c', '1m')
  limiter.consume('c')
  assert.deepEqual(said, [
    ['limited', 'a', 'limited'],
    ['limited', 'b', 'impossible'],
    ['blocked', 'c', 'blocked'],
  ])
  const shadow = opened(t, { ...ONCE, shadow: true })
  const muttered = listened(shadow.limiter)
  shadow.limiter.consume('a')
  shadow.limiter.consume('a')
  shadow.limiter.block('b', '1m')
  shadow.limiter.consume('b')
  assert.deepEqual(muttered, [
    ['shadowed', 'a', 'limited'],
    ['shadowed', 'b', 'blocked'],
  ])
})

test('every way to ask tells: reserve, consumeMany, plans, several limits and consumeAll; a peek does not', (t) => {
  const { limiter, sp } = opened(t, ONCE)
  const said = listened(limiter)
  limiter.consume('a')
  limiter.peek('a')
  limiter.reserve('a', 1, { maxWait: 5 })
  limiter.consumeMany(['b', 'a', 'b'])
  limiter.consume('a', 1, { limit: 1 })
  const other = sp.limiter('other', [ONCE, { ...ONCE, limit: 5, window: '1h' }])
  const others = listened(other)
  sp.consumeAll([
    { limiter: other, key: 'c' },
    { limiter, key: 'a' },
  ])
  other.consume('c')
  other.consume('c')
  assert.deepEqual(
    said.map(([event, key]) => `${event} ${key}`),
    ['limited a', 'limited a', 'limited b', 'limited a', 'limited a'],
  )
  assert.deepEqual(others, [['limited', 'c', 'limited']])
})

test('who is taken off hears no more, and may be taken off twice', (t) => {
  const { limiter } = opened(t, ONCE)
  let count = 0
  const off = limiter.on('limited', () => count++)
  limiter.consume('a', 2)
  off()
  off()
  limiter.consume('a', 2)
  assert.equal(count, 1)
})

test('the channels hear of every limiter of the thread', (t) => {
  const heard = []
  for (const event of ['limited', 'blocked', 'shadowed']) {
    const name = `spillway:limiter:${event}`
    const listener = (message, channel) => heard.push([channel, message.limiter.name, message.key])
    diagnostics.subscribe(name, listener)
    t.after(() => diagnostics.unsubscribe(name, listener))
  }
  const sp = spillway({ isolated: true, env: false })
  t.after(() => sp.close())
  const [one, two] = ['one', 'two'].map((name) => sp.limiter(name, ONCE))
  one.consume('a', 2)
  two.block('b', '1m')
  two.consume('b')
  const shadow = sp.limiter('three', { ...ONCE, shadow: true })
  shadow.consume('c', 2)
  assert.deepEqual(heard, [
    ['spillway:limiter:limited', 'one', 'a'],
    ['spillway:limiter:blocked', 'two', 'b'],
    ['spillway:limiter:shadowed', 'three', 'c'],
  ])
})

test('a listener that throws changes no answer, and the error is uncaught', async () => {
  const script = `
    const limiter = require('.').limiter('api', { limit: 1, window: '1m' })
    process.on('uncaughtException', (error) => console.log('uncaught ' + error.message))
    limiter.on('limited', () => { throw new Error('mine') })
    console.log(limiter.consume('a', 2).reason)
  `
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', script], { cwd: path.join(__dirname, '..') })
  assert.equal(stdout, 'impossible\nuncaught mine\n')
})

test('a listener may ask, block and refund, and the answer it was called for stays what it was', (t) => {
  const { limiter } = opened(t, ONCE)
  limiter.on('limited', ({ key }) => {
    limiter.block(key, '1h')
    limiter.consume('other')
    limiter.peek('third', 1)
  })
  limiter.consume('a')
  const { reason, retryAfterMs, remaining, resetMs } = limiter.consume('a')
  assert.deepEqual([reason, retryAfterMs, remaining, resetMs], ['limited', 60_000, 0, 60_000])
  assert.equal(limiter.consume('a').reason, 'blocked')
})

test('there are three events, and a listener is a function', (t) => {
  const { limiter } = opened(t, ONCE)
  for (const event of ['allowed', 'Limited', '', undefined, null, 7, '__proto__']) {
    assert.throws(() => limiter.on(event, () => {}), { name: 'TypeError', code: 'E_OPTION', option: 'event' })
  }
  for (const listener of [undefined, null, 'log', {}]) {
    assert.throws(() => limiter.on('limited', listener), { name: 'TypeError', code: 'E_FUNCTION' })
  }
})

test('another handle of the same limiter tells its own denials', (t) => {
  const options = { prefix: `events-${process.pid}`, env: false }
  const [one, two] = [spillway(options), spillway(options)]
  t.after(() => Promise.all([one.close(), two.close()]))
  const [here, there] = [one, two].map((sp) => sp.limiter('api', { limit: 1, window: '365d' }))
  const [near, far] = [here, there].map(listened)
  here.consume('a')
  there.consume('a')
  assert.deepEqual([near.length, far.length], [0, 1])
})
