// Listeners and diagnostics channels: who is told, when, and that telling breaks nothing. Owns lib/events.js.
// Never tests which events a primitive has: that is each primitive's own file.
'use strict'

const assert = require('node:assert/strict')
const { execFile } = require('node:child_process')
const diagnostics = require('node:diagnostics_channel')
const path = require('node:path')
const { test } = require('node:test')
const { promisify } = require('node:util')
const { Events } = require('../lib/events.js')

const ROOT = path.join(__dirname, '..')

/** Events of a kind of their own, so that no test hears the channels of another. */
let kinds = 0
function made() {
  const kind = `kind${kinds++}`
  return { kind, events: new Events(kind, ['limited', 'blocked']) }
}

function subscribed(t, name) {
  const heard = []
  const subscriber = (message, channel) => heard.push([channel, message])
  diagnostics.subscribe(name, subscriber)
  t.after(() => diagnostics.unsubscribe(name, subscriber))
  return heard
}

/** What a script prints in a process of its own. */
async function printed(script) {
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', script], { cwd: ROOT })
  return stdout.trim()
}

test('listeners are told in the order they came, each of its own event, with the message itself', () => {
  const { events } = made()
  const heard = []
  events.on('limited', (message) => heard.push(['first', message]))
  events.on('limited', (message) => heard.push(['second', message]))
  events.on('blocked', () => heard.push('another event'))
  const message = { key: 'a' }
  events.emit('limited', message)
  assert.deepEqual(heard, [
    ['first', message],
    ['second', message],
  ])
  assert.equal(heard[0][1], message)
})

test('an event is wanted while somebody listens, and not before or after', () => {
  const { events } = made()
  assert.equal(events.wanted('limited'), false)
  const off = [events.on('limited', () => {}), events.on('limited', () => {})]
  assert.equal(events.wanted('limited'), true)
  assert.equal(events.wanted('blocked'), false)
  off[0]()
  assert.equal(events.wanted('limited'), true)
  off[1]()
  assert.equal(events.wanted('limited'), false)
})

test('a listener that came twice is told twice, and each off takes one of them off, once', () => {
  const { events } = made()
  let told = 0
  const listener = () => told++
  const off = events.on('limited', listener)
  events.on('limited', listener)
  events.emit('limited', {})
  assert.equal(told, 2)
  off()
  off()
  events.emit('limited', {})
  assert.equal(told, 3)
})

test('who is taken off while an event is on its way is not told of it any more', () => {
  const { events } = made()
  const heard = []
  const offSelf = events.on('limited', () => {
    heard.push('self')
    offSelf()
    offOther()
  })
  const offOther = events.on('limited', () => heard.push('other'))
  events.on('limited', () => heard.push('third'))
  events.emit('limited', {})
  events.emit('limited', {})
  assert.deepEqual(heard, ['self', 'third', 'third'])
})

test('who comes while an event is on its way is told of the next one', () => {
  const { events } = made()
  const heard = []
  events.on('limited', () => {
    if (heard.length === 0) events.on('limited', () => heard.push('late'))
    heard.push('first')
  })
  events.emit('limited', {})
  assert.deepEqual(heard, ['first'])
  events.emit('limited', {})
  assert.deepEqual(heard, ['first', 'first', 'late'])
})

test('a listener that throws stops neither the others nor who emits, and its error is an uncaught exception', async () => {
  const script = `
    const { Events } = require('./lib/events.js')
    const events = new Events('limiter', ['limited'])
    const said = []
    process.on('uncaughtException', (error) => said.push('uncaught ' + error.message))
    process.on('exit', () => console.log(said.join()))
    events.on('limited', () => { throw new Error('mine') })
    events.on('limited', () => said.push('next'))
    events.emit('limited', {})
    said.push('went on')
  `
  assert.equal(await printed(script), 'next,went on,uncaught mine')
})

test('what a listener throws waits for no fake timer', async () => {
  const script = `
    const { Events } = require('./lib/events.js')
    process.nextTick = () => {}
    const events = new Events('limiter', ['limited'])
    process.on('uncaughtException', (error) => console.log(error.message))
    events.on('limited', () => { throw new Error('mine') })
    events.emit('limited', {})
  `
  assert.equal(await printed(script), 'mine')
})

test('subscribers of the channel hear of every handle of the kind', (t) => {
  const { kind, events } = made()
  const name = `spillway:${kind}:limited`
  const heard = subscribed(t, name)
  const another = new Events(kind, ['limited'])
  assert.equal(events.wanted('limited'), true)
  assert.equal(events.wanted('blocked'), false)
  events.emit('limited', { of: 1 })
  another.emit('limited', { of: 2 })
  events.emit('blocked', { of: 3 })
  assert.deepEqual(heard, [
    [name, { of: 1 }],
    [name, { of: 2 }],
  ])
})

test('a subscriber may come after the handle, and when it goes the event is not wanted any more', () => {
  const { kind, events } = made()
  const name = `spillway:${kind}:limited`
  const subscriber = () => {}
  assert.equal(events.wanted('limited'), false)
  diagnostics.subscribe(name, subscriber)
  assert.equal(events.wanted('limited'), true)
  diagnostics.unsubscribe(name, subscriber)
  assert.equal(events.wanted('limited'), false)
})

test('a subscriber of an event that has listeners too gets the same message, after them', (t) => {
  const { kind, events } = made()
  const heard = subscribed(t, `spillway:${kind}:limited`)
  const order = []
  events.on('limited', () => order.push(heard.length))
  const message = {}
  events.emit('limited', message)
  assert.deepEqual(order, [0])
  assert.equal(heard[0][1], message)
})

test('an event there is not is E_OPTION with those there are', () => {
  const { kind, events } = made()
  for (const [name, shown] of [
    ['limit', '"limit"'],
    ['__proto__', '"__proto__"'],
    [undefined, 'undefined'],
  ]) {
    assert.throws(() => events.on(name, () => {}), {
      name: 'TypeError',
      code: 'E_OPTION',
      option: 'event',
      message: `\`event\` of on() of a ${kind} must be one of 'limited', 'blocked'; got ${shown} [E_OPTION]`,
    })
  }
  assert.equal(events.wanted('limit'), false)
  events.emit('limit', {})
})

test('a listener that is no function is E_FUNCTION', () => {
  const { kind, events } = made()
  for (const listener of [undefined, null, {}, 'log']) {
    assert.throws(() => events.on('limited', listener), {
      code: 'E_FUNCTION',
      message: new RegExp(`^on\\('limited'\\) of a ${kind} needs a function to call; got `),
    })
  }
  assert.equal(events.wanted('limited'), false)
})

test('where there are no diagnostics channels, there are listeners all the same', async () => {
  const script = `
    const Module = require('node:module')
    const { _load } = Module
    Module._load = (request, ...rest) => {
      if (request === 'node:diagnostics_channel') throw new Error('no such built-in module')
      return _load(request, ...rest)
    }
    const { Events } = require('./lib/events.js')
    const events = new Events('limiter', ['limited'])
    console.log(events.wanted('limited'))
    events.on('limited', (message) => console.log(message.key))
    console.log(events.wanted('limited'))
    events.emit('limited', { key: 'a' })
  `
  assert.equal(await printed(script), 'false\ntrue\na')
})
