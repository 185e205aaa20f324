// One call through a policy, and the parts of it that can be aborted by themselves: signals, deadlines, what was left behind.
// Owns lib/scope.js. Never waits, and needs no native side.
'use strict'

const assert = require('node:assert/strict')
const { getEventListeners } = require('node:events')
const { test } = require('node:test')
const { Scope } = require('../lib/scope.js')

const request = { fn: () => {}, key: undefined, cost: 1, priority: undefined }
const outermost = (signal) => new Scope(request, undefined, signal, 0)
const listeners = (signal) => getEventListeners(signal, 'abort').length

/** A line of scopes, each within the one before. */
function line(depth, signal) {
  const scopes = [outermost(signal)]
  while (scopes.length < depth) scopes.push(Scope.within(scopes.at(-1)))
  return scopes
}

// ---------------------------------------------------------------- signals

test('where nothing of ours could abort it, the caller’s own signal is handed on', () => {
  const { signal } = new AbortController()
  assert.equal(outermost(signal).signal, signal)
  assert.equal(listeners(signal), 0)
})

test('without a caller’s signal there is one that nobody aborts, and always the same', () => {
  const scope = outermost()
  assert.equal(scope.signal.aborted, false)
  assert.equal(scope.signal, scope.signal)
})

test('a part has a signal of its own, made when it is read', () => {
  const controller = new AbortController()
  const [outer, inner] = line(2, controller.signal)
  assert.equal(listeners(controller.signal), 0)
  assert.notEqual(inner.signal, outer.signal)
  assert.equal(inner.signal, inner.signal)
  assert.equal(listeners(controller.signal), 1)
})

test('an abort from outside reaches every part, with its reason', () => {
  const controller = new AbortController()
  const scopes = line(5, controller.signal)
  const signals = [4, 2, 3, 1].map((index) => scopes[index].signal)
  const reason = new Error('gone')
  controller.abort(reason)
  for (const signal of signals) assert.equal(signal.reason, reason)
  for (const scope of scopes) assert.equal(Scope.abortedBy(scope).reason, reason)
})

test('an abort of a part reaches what is within, and nothing around or beside it', () => {
  const controller = new AbortController()
  const outer = outermost(controller.signal)
  const [one, two] = [Scope.within(outer), Scope.within(outer)]
  const within = Scope.within(one)
  const signals = [one, within, two].map(({ signal }) => signal)
  Scope.abort(one, 'mine')
  assert.deepEqual(
    signals.map(({ aborted }) => aborted),
    [true, true, false],
  )
  assert.equal(within.signal.reason, 'mine')
  assert.equal(controller.signal.aborted, false)
  assert.equal(Scope.abortedBy(outer), undefined)
  assert.equal(Scope.abortedBy(two), undefined)
})

test('the first abort stays the reason, also undefined', () => {
  const controller = new AbortController()
  const [, middle, inner] = line(3, controller.signal)
  Scope.abort(inner, undefined)
  Scope.abort(inner, 'later')
  Scope.abort(middle, 'later')
  controller.abort('latest')
  assert.deepEqual(Scope.abortedBy(inner), { reason: undefined })
  assert.equal(inner.signal.aborted, true)
  assert.deepEqual(Scope.abortedBy(middle), { reason: 'later' })
})

test('a signal first read after the abort is aborted, from whichever side it came', () => {
  const scopes = line(3)
  Scope.abort(scopes[1], 'mine')
  assert.equal(scopes[2].signal.reason, 'mine')
  const inner = line(3, AbortSignal.abort('the caller’s'))[2]
  assert.equal(inner.signal.reason, 'the caller’s')
})

test('a listener that aborts again, listens or takes off changes nothing for the others', () => {
  const [, scope] = line(2, new AbortController().signal)
  const heard = []
  Scope.onAbort(scope, () => {
    heard.push('first')
    Scope.abort(scope, 'again')
    off()
  })
  const off = Scope.onAbort(scope, () => heard.push('second'))
  Scope.onAbort(scope, () => heard.push('third'))
  Scope.abort(scope, 'once')
  assert.deepEqual(
    heard.filter((name) => name !== 'second'),
    ['first', 'third'],
  )
  assert.deepEqual(Scope.abortedBy(scope), { reason: 'once' })
})

// ---------------------------------------------------------------- what is left on the caller's signal

test('the listener on the caller’s signal goes when nobody listens within any more', () => {
  const { signal } = new AbortController()
  const [, , three, four] = line(4, signal)
  const offs = [Scope.onAbort(three, () => {}), Scope.onAbort(four, () => {}), Scope.onAbort(four, () => {})]
  assert.equal(listeners(signal), 1)
  offs[0]()
  offs[1]()
  assert.equal(listeners(signal), 1)
  offs[2]()
  assert.equal(listeners(signal), 0)
  offs[2]()
  assert.equal(listeners(signal), 0)
})

test('it goes when the part ends, or the whole', () => {
  const { signal } = new AbortController()
  const [outer, part] = line(2, signal)
  assert.equal(part.signal.aborted, false)
  Scope.end(part)
  assert.equal(listeners(signal), 0)
  const other = Scope.within(outer)
  assert.equal(Scope.within(other).signal.aborted, false)
  assert.equal(listeners(signal), 1)
  Scope.end(outer)
  assert.equal(listeners(signal), 0)
})

test('one part that ends takes nothing from another', () => {
  const controller = new AbortController()
  const outer = outermost(controller.signal)
  const [one, two] = [Scope.within(outer), Scope.within(outer)]
  const signals = [one.signal, two.signal]
  Scope.end(one)
  controller.abort('gone')
  assert.deepEqual(
    signals.map(({ aborted }) => aborted),
    [false, true],
  )
})

test('a signal that is first read when all is over leaves nothing on the caller’s', () => {
  const controller = new AbortController()
  const [outer, part, within] = line(3, controller.signal)
  Scope.end(part)
  Scope.end(outer)
  assert.equal(within.signal.aborted, false)
  assert.equal(part.signal.aborted, false)
  assert.equal(listeners(controller.signal), 0)
})

// ---------------------------------------------------------------- deadlines

test('remainingMs is that of the nearest deadline around it, whichever part has it', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1_000_000 })
  const [outer, middle, inner] = line(3)
  assert.equal(inner.remainingMs, Infinity)
  const at = (milliseconds) => ({ at: Date.now() + milliseconds, onDue: () => {}, index: -1 })
  Scope.limit(outer, at(500))
  Scope.limit(middle, at(900))
  assert.deepEqual([outer.remainingMs, middle.remainingMs, inner.remainingMs], [500, 500, 500])
  Scope.limit(inner, at(100))
  assert.deepEqual([outer.remainingMs, middle.remainingMs, inner.remainingMs], [500, 500, 100])
  t.mock.timers.tick(101)
  assert.deepEqual([outer.remainingMs, inner.remainingMs], [399, 0])
})

test('a part has the attempt of what is around it, unless it is told another', () => {
  const outer = new Scope(request, undefined, undefined, 0)
  const second = Scope.within(outer, 1)
  assert.deepEqual([outer.attempt, second.attempt, Scope.within(second).attempt], [0, 1, 1])
  assert.equal(Scope.request(Scope.within(second)), request)
})

// ---------------------------------------------------------------- what runs on

test('what was left behind is waited for by all around it, and by nobody else', () => {
  const [outer, middle, inner] = line(3)
  const beside = Scope.within(outer)
  const quiet = []
  assert.equal(
    Scope.isQuiet(middle, () => assert.fail('it was')),
    true,
  )
  Scope.leaveBehind(inner)
  assert.equal(
    Scope.isQuiet(outer, () => quiet.push('outer')),
    false,
  )
  assert.equal(
    Scope.isQuiet(middle, () => quiet.push('middle')),
    false,
  )
  assert.equal(
    Scope.isQuiet(beside, () => {}),
    true,
  )
  Scope.catchUp(inner)
  assert.deepEqual(quiet, ['middle', 'outer'])
  assert.equal(
    Scope.isQuiet(outer, () => {}),
    true,
  )
})

test('of several the last one tells, and once', () => {
  const [outer, one] = line(2)
  const two = Scope.within(outer)
  let told = 0
  Scope.leaveBehind(one)
  Scope.leaveBehind(two)
  assert.equal(
    Scope.isQuiet(outer, () => told++),
    false,
  )
  Scope.catchUp(two)
  assert.equal(told, 0)
  Scope.catchUp(one)
  assert.equal(told, 1)
  Scope.leaveBehind(one)
  Scope.catchUp(one)
  assert.equal(told, 1)
})

test('a function sees a signal, what is left and the attempt, and can change none of them', () => {
  const scope = outermost()
  const { signal, remainingMs, attempt } = scope
  assert.deepEqual([signal.aborted, remainingMs, attempt], [false, Infinity, 0])
  for (const name of ['signal', 'remainingMs', 'attempt']) assert.throws(() => (scope[name] = 1), TypeError)
  assert.deepEqual(Object.keys(scope), [])
})
