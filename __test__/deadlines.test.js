// The one heap of deadlines: what is due when, under real timers and under fake ones. Owns lib/deadlines.js.
// Never waits for real, except to show that a process ends or that a real timer fires at all.
'use strict'

const assert = require('node:assert/strict')
const { execFile } = require('node:child_process')
const path = require('node:path')
const { test } = require('node:test')
const { promisify } = require('node:util')
const deadlines = require('../lib/deadlines.js')
const { spillway } = require('../index.js')

const ROOT = path.join(__dirname, '..')
const FAKES = { apis: ['setTimeout', 'Date'] }

/** Schedule under a label; what was due so far is in the log. */
function logged() {
  const log = []
  const after = (milliseconds, label) => deadlines.schedule(milliseconds, () => log.push(label))
  return { log, after }
}

/** How many timers are set while `body` runs. */
function timersSet(t, body) {
  const { setTimeout } = globalThis
  let count = 0
  globalThis.setTimeout = (...call) => {
    count++
    return setTimeout(...call)
  }
  try {
    body()
  } finally {
    globalThis.setTimeout = setTimeout
  }
  return count
}

test('deadlines are due in their order, whatever the order they came in', (t) => {
  t.mock.timers.enable(FAKES)
  const { log, after } = logged()
  for (const milliseconds of [300, 100, 500, 200, 400]) after(milliseconds, milliseconds)
  t.mock.timers.tick(99)
  assert.deepEqual(log, [])
  t.mock.timers.tick(1)
  assert.deepEqual(log, [100])
  t.mock.timers.tick(250)
  assert.deepEqual(log, [100, 200, 300])
  t.mock.timers.tick(10_000)
  assert.deepEqual(log, [100, 200, 300, 400, 500])
})

test('an earlier deadline that comes later does not delay the ones before it', (t) => {
  t.mock.timers.enable(FAKES)
  const { log, after } = logged()
  after(1000, 'first come')
  t.mock.timers.tick(600)
  after(300, 'first due')
  t.mock.timers.tick(300)
  assert.deepEqual(log, ['first due'])
  t.mock.timers.tick(99)
  assert.deepEqual(log, ['first due'])
  t.mock.timers.tick(1)
  assert.deepEqual(log, ['first due', 'first come'])
})

test('a cancelled deadline is never due, and a second cancel does nothing', (t) => {
  t.mock.timers.enable(FAKES)
  const { log, after } = logged()
  const [one, two, three] = [after(100, 1), after(200, 2), after(300, 3)]
  deadlines.cancel(one)
  deadlines.cancel(one)
  t.mock.timers.tick(250)
  assert.deepEqual(log, [2])
  deadlines.cancel(two)
  deadlines.cancel(three)
  t.mock.timers.tick(1000)
  assert.deepEqual(log, [2])
})

test('what is due may schedule and cancel', (t) => {
  t.mock.timers.enable(FAKES)
  const { log, after } = logged()
  const victim = after(200, 'cancelled by another')
  const together = after(100, 'cancelled in the same moment')
  deadlines.schedule(99, () => {
    log.push('began')
    deadlines.cancel(victim)
    deadlines.cancel(together)
    after(50, 'came later')
  })
  t.mock.timers.tick(99)
  assert.deepEqual(log, ['began'])
  t.mock.timers.tick(49)
  assert.deepEqual(log, ['began'])
  t.mock.timers.tick(1)
  assert.deepEqual(log, ['began', 'came later'])
})

test('a thousand random deadlines, some cancelled, are due when a naive list says', (t) => {
  t.mock.timers.enable(FAKES)
  let seed = 7
  const random = (below) => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((seed / 2 ** 32) * below)
  }
  const { log, after } = logged()
  const naive = new Map()
  const handles = new Map()
  const due = []
  let now = 0
  for (let step = 0; step < 3000; step++) {
    const which = random(5)
    if (which < 2) {
      const milliseconds = 1 + random(500)
      handles.set(step, after(milliseconds, step))
      naive.set(step, now + milliseconds)
    } else if (which === 2 && naive.size > 0) {
      const label = [...naive.keys()][random(naive.size)]
      deadlines.cancel(handles.get(label))
      naive.delete(label)
    } else {
      const elapsed = random(30)
      now += elapsed
      t.mock.timers.tick(elapsed)
      for (const [label, at] of naive) if (at <= now && naive.delete(label)) due.push(label)
      assert.deepEqual([...log].sort(), [...due].sort(), `at ${now}, step ${step}`)
    }
  }
  assert.ok(due.length > 200, `only ${due.length} were ever due`)
  for (const label of naive.keys()) deadlines.cancel(handles.get(label))
})

test('a thousand calls with one timeout set one timer', (t) => {
  const pending = []
  const count = timersSet(t, () => {
    for (let call = 0; call < 1000; call++) pending.push(deadlines.schedule(60_000, () => assert.fail('it was due')))
  })
  assert.equal(count, 1)
  for (const deadline of pending) deadlines.cancel(deadline)
})

test('a call that ends in time leaves the timer to the next', (t) => {
  const count = timersSet(t, () => {
    for (let call = 0; call < 1000; call++) {
      deadlines.cancel(deadlines.schedule(60_000 + call, () => assert.fail('it was due')))
    }
  })
  assert.equal(count, 1)
})

// ---------------------------------------------------------------- fake timers

test('fake timers that do not fake Date work as long as nothing else moves', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { log, after } = logged()
  after(1000, 'one')
  after(3000, 'two')
  t.mock.timers.tick(1000)
  assert.deepEqual(log, ['one'])
  // Real time has moved a little between the two.
  t.mock.timers.tick(2900)
  assert.deepEqual(log, ['one', 'two'])
})

test('what is pending when a test begins or ends to fake time keeps the time it had left', async (t) => {
  const { log, after } = logged()
  after(60_000, 'from before')
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 4_000_000_000_000 })
  after(100, 'faked')
  t.mock.timers.tick(100)
  assert.deepEqual(log, ['faked'], 'a jump of a century makes nothing due')
  t.mock.timers.tick(59_000)
  assert.deepEqual(log, ['faked'])
  t.mock.timers.tick(900)
  assert.deepEqual(log, ['faked', 'from before'])
  const left = after(5000, 'left')
  after(20, 'to the end')
  t.mock.timers.reset()
  await new Promise((resolve) => deadlines.schedule(30, resolve))
  assert.deepEqual(log, ['faked', 'from before', 'to the end'], 'nor does the jump back')
  deadlines.cancel(left)
})

test('a real timer that fires while time is faked makes due what it was set for and nothing else', async (t) => {
  const { setTimeout } = globalThis
  const { log, after } = logged()
  after(20, 'set for')
  const other = after(performance.now() / 2 + 20, 'nothing else')
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 0 })
  await new Promise((resolve) => setTimeout(resolve, 40))
  assert.deepEqual(log, ['set for'])
  deadlines.cancel(other)
})

test('a test that fakes time anew each round gets its deadlines each round', (t) => {
  for (let round = 0; round < 5; round++) {
    t.mock.timers.enable(FAKES)
    const { log, after } = logged()
    after(1000, round)
    t.mock.timers.tick(1000)
    assert.deepEqual(log, [round])
    t.mock.timers.reset()
  }
})

test('a load and a wait in a queue are refused at their own times, though they share a timer', async (t) => {
  t.mock.timers.enable(FAKES)
  const sp = spillway({ isolated: true })
  t.after(() => sp.close())
  const cache = sp.cache('found', { loadTimeout: 1000 })
  const bulkhead = sp.bulkhead('slots', { limit: 1, queue: 1, queueTimeout: 500 })
  const held = bulkhead.tryAcquire()
  const refused = []
  const note = ({ code }) => refused.push(`${code} at ${Date.now()}`)
  cache.getOrSet('a', () => new Promise(() => {})).catch(note)
  t.mock.timers.tick(600)
  bulkhead.acquire().catch(note)
  for (let i = 0; i < 20; i++) {
    t.mock.timers.tick(50)
    await new Promise((resolve) => setImmediate(resolve))
  }
  assert.deepEqual(refused, ['E_TIMEOUT at 1000', 'E_FULL at 1100'])
  held.release()
})

// ---------------------------------------------------------------- real timers

test('on real timers nothing is due earlier than a timer of Node’s may be, which is a millisecond', async () => {
  const began = performance.now()
  await new Promise((resolve) => deadlines.schedule(20, resolve))
  assert.ok(performance.now() - began > 19)
})

async function printed(script) {
  const run = promisify(execFile)
  const { stdout } = await run(process.execPath, ['-e', script], { cwd: ROOT, timeout: 20_000, killSignal: 'SIGKILL' })
  return stdout.trim()
}

test('a process with nothing due any more ends by itself', async () => {
  const script = `
    const deadlines = require('./lib/deadlines.js')
    deadlines.cancel(deadlines.schedule(86_400_000, () => {}))
    const again = [1, 2, 3].map(() => deadlines.schedule(86_400_000, () => {}))
    again.forEach(deadlines.cancel)
    console.log('done')
  `
  assert.equal(await printed(script), 'done')
})

test('a process with something due stays until it was, also on a timer that had been let go', async () => {
  const script = `
    const deadlines = require('./lib/deadlines.js')
    deadlines.cancel(deadlines.schedule(10, () => {}))
    deadlines.schedule(30, () => console.log('due'))
  `
  assert.equal(await printed(script), 'due')
})
