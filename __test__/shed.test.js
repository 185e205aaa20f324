// Who is refused while the event loop is late: the lowest priorities first, a step at a time, and nobody once it is calm. Owns
// lib/shed.js, lib/level.js and lib/sheds.js. Never waits: time and the loop are arguments, but for one real server.
'use strict'

const assert = require('node:assert/strict')
const { spawn } = require('node:child_process')
const { once } = require('node:events')
const path = require('node:path')
const { test } = require('node:test')
const { isDeepStrictEqual } = require('node:util')
const { runInNewContext } = require('node:vm')
const { Refusal } = require('../index.js')
const { Sheds } = require('../lib/sheds.js')

const ROOT = path.join(__dirname, '..')
const PRIORITIES = ['low', 'normal', 'high', 'critical']
const INTERVAL = 500
/** Of sixteen calls of one priority, how many are refused after so many steps. */
const SIXTEENTHS = [0, 4, 8, 12, 14, 15, 16]
const upTo = (level) => Array.from({ length: level }, (_, at) => at + 1)

/** A guard in a time of the test's own, over a loop that is as late as the test says. */
function guarded(options, { replace = false } = {}) {
  const clock = { now: 1_000_000 }
  const loop = { waitMs: 0, utilization: 0 }
  const sheds = new Sheds(
    () => clock.now,
    (milliseconds) => ({ ...loop, intervalMs: milliseconds }),
    replace,
  )
  const shed = sheds.open('front', options)
  return { clock, loop, sheds, shed }
}

/** How many of `count` calls of a priority are admitted. */
function admitted(shed, priority, count) {
  let passed = 0
  for (let call = 0; call < count; call++) if (shed.admit(priority) === null) passed++
  return passed
}

/** Intervals in which the wait is as given and four calls of each priority come; by their levels. */
function intervals({ clock, loop, shed }, count, waitMs, priorities = PRIORITIES) {
  const levels = []
  for (let interval = 0; interval < count; interval++) {
    loop.waitMs = waitMs
    clock.now += INTERVAL
    for (const priority of priorities) admitted(shed, priority, 4)
    levels.push(shed.report().level)
  }
  return levels
}

// ---------------------------------------------------------------- levels

test('while the loop is in time everybody is admitted, whatever the priority', () => {
  const all = guarded()
  assert.equal(all.shed.state, 'calm')
  assert.deepEqual(intervals(all, 100, 99), new Array(100).fill(0))
  assert.deepEqual(all.shed.report().refused, { low: 0, normal: 0, high: 0, critical: 0 })
  assert.deepEqual(all.shed.report().admitted, { low: 400, normal: 400, high: 400, critical: 400 })
})

test('overloaded, the level goes up by one step an interval, however often it is asked', () => {
  const all = guarded()
  assert.deepEqual(intervals(all, 20, 100), [...upTo(18), 18, 18])
  assert.equal(all.shed.state, 'shedding')
})

test('each level refuses all of the lower priorities, an exact share of the next, and none above', () => {
  const all = guarded()
  for (let level = 1; level <= 18; level++) {
    intervals(all, 1, 100)
    assert.equal(all.shed.report().level, level)
    for (const [rank, priority] of PRIORITIES.entries()) {
      const refused = rank === 3 ? 0 : SIXTEENTHS[Math.min(6, Math.max(0, level - 6 * rank))]
      assert.equal(admitted(all.shed, priority, 1600), 1600 - 100 * refused, `${priority} at ${level}`)
      if (rank < 3) assert.equal(all.shed.report().refusing[priority], refused / 16)
    }
  }
})

test('a share is of every few calls in a row, not of many in the long run', () => {
  const all = guarded()
  intervals(all, 1, 100)
  for (let four = 0; four < 50; four++) assert.equal(admitted(all.shed, 'low', 4), 3)
  intervals(all, 4, 100)
  for (let row = 0; row < 50; row++) assert.equal(admitted(all.shed, 'low', 16), 1)
})

test('critical is never refused, at any level', () => {
  const all = guarded()
  intervals(all, 100, 1_000_000)
  assert.equal(admitted(all.shed, 'critical', 10_000), 10_000)
  assert.equal(admitted(all.shed, 'high', 100), 0)
})

test('a call without a priority is normal', () => {
  const all = guarded()
  intervals(all, 12, 100)
  const before = all.shed.report().refused.normal
  assert.equal(all.shed.admit().code, 'E_SHED')
  assert.equal(all.shed.report().refused.normal, before + 1)
  intervals(all, 100, 0)
  assert.equal(all.shed.admit(), null)
})

test('a step that would concern nobody is passed over', () => {
  const all = guarded()
  assert.deepEqual(intervals(all, 7, 100, ['normal', 'critical']), [7, 8, 9, 10, 11, 12, 13])
  assert.deepEqual(all.shed.report().refusing, { low: 1, normal: 1, high: 0.25 })
})

test('who came long ago is nobody', () => {
  const all = guarded()
  intervals(all, 1, 0, ['low'])
  intervals(all, 1, 0, ['normal'])
  assert.deepEqual(intervals(all, 1, 100, ['normal']), [7])
})

test('where only critical calls come nobody else is passed over', () => {
  assert.deepEqual(intervals(guarded(), 3, 100, ['critical']), [1, 2, 3])
})

// ---------------------------------------------------------------- calm

test('calm is under half of the delay; between the two the level stays', () => {
  const all = guarded({ delay: 40 })
  intervals(all, 3, 40)
  assert.deepEqual(intervals(all, 20, 39.9), new Array(20).fill(3))
  assert.deepEqual(intervals(all, 20, 20), new Array(20).fill(3))
  assert.deepEqual(intervals(all, 2, 19.9), [3, 2])
})

test('two calm intervals are a step down, and one that is not begins the count anew', () => {
  const all = guarded()
  intervals(all, 4, 100)
  assert.deepEqual(intervals(all, 1, 0), [4])
  assert.deepEqual(intervals(all, 1, 60), [4])
  assert.deepEqual(intervals(all, 1, 0), [4])
  assert.deepEqual(intervals(all, 1, 100), [5])
  assert.deepEqual(intervals(all, 1, 0), [5])
  assert.deepEqual(intervals(all, 1, 0), [4])
  assert.deepEqual(intervals(all, 9, 0), [4, 3, 3, 2, 2, 1, 1, 0, 0])
  assert.equal(all.shed.state, 'calm')
})

test('a step down that was one too many is taken back at once, and tried again after twice as long', () => {
  const all = guarded()
  intervals(all, 4, 100)
  const waits = []
  for (let tries = 0; tries < 6; tries++) {
    let waited = 0
    while (intervals(all, 1, 0)[0] === 4) waited++
    waits.push(waited + 1)
    assert.deepEqual(intervals(all, 1, 100), [4])
  }
  assert.deepEqual(waits, [2, 4, 8, 16, 16, 16])
})

test('a step down that has held makes the next one come sooner', () => {
  const all = guarded()
  intervals(all, 5, 100)
  for (let tries = 0; tries < 3; tries++) {
    while (intervals(all, 1, 0)[0] === 5);
    intervals(all, 1, 100)
  }
  const levels = intervals(all, 46, 0)
  const steps = levels.flatMap((level, at) => (level < (levels[at - 1] ?? 5) ? [at + 1] : []))
  assert.deepEqual(steps, [16, 32, 40, 44, 46])
})

test('only down to a level that did not hold is there more to wait for, however far above it the level has gone since', () => {
  const all = guarded()
  intervals(all, 5, 100)
  assert.deepEqual(intervals(all, 2, 0), [5, 4])
  assert.deepEqual(intervals(all, 4, 100), [5, 6, 7, 8])
  assert.deepEqual(intervals(all, 10, 0), [8, 7, 7, 6, 6, 5, 5, 5, 5, 4])
})

test('silence is calm: who comes after it finds the level down', () => {
  const all = guarded()
  intervals(all, 18, 100)
  all.loop.waitMs = 0
  all.clock.now += 60_000
  assert.equal(all.shed.admit('low'), null)
  assert.equal(all.shed.state, 'calm')
})

test('the level goes down for who only looks, too', () => {
  const all = guarded()
  intervals(all, 4, 100)
  all.loop.waitMs = 0
  all.clock.now += 60_000
  assert.equal(all.shed.state, 'calm')
})

test('silence because the loop was blocked is not calm: the first to come after it sees a step up', () => {
  const all = guarded()
  intervals(all, 4, 100)
  all.clock.now += 60_000
  all.loop.waitMs = 30_000
  all.shed.admit('low')
  assert.equal(all.shed.report().level, 5)
})

test('a clock that jumps far is not gone through interval by interval', () => {
  const all = guarded()
  intervals(all, 18, 100)
  all.loop.waitMs = 0
  all.clock.now += 1e15
  // Some hundred steps, or 1e12: a deadline that ends even a loop tells them apart on the slowest machine.
  const look = () => all.shed.state
  assert.equal(runInNewContext('look()', { look }, { timeout: 20_000 }), 'calm')
})

test('a clock that goes back does not keep the level', () => {
  const all = guarded()
  intervals(all, 2, 100)
  all.clock.now -= 3_600_000
  assert.deepEqual(intervals(all, 2, 100), [3, 4])
})

test('within an interval the loop is not asked again', () => {
  let asked = 0
  const clock = { now: 0 }
  const over = () => ({ waitMs: asked++ * 0, utilization: 0, intervalMs: 500 })
  const shed = new Sheds(() => clock.now, over, false).open('front')
  assert.equal(asked, 1, 'the loop is measured from the beginning')
  asked = 0
  for (; clock.now < 5000; clock.now += 1) shed.admit()
  assert.equal(asked, 9)
})

// ---------------------------------------------------------------- no oscillation

/**
 * A service of the capacity of 100 calls an interval that queues what is too much. Every interval as many calls come as `offered`
 * says, by rank.
 */
function served(all, offered, intervals) {
  const calls = []
  for (const [rank, count] of offered.entries()) {
    // Spread evenly, as a mix of many clients is.
    for (let call = 0; call < count; call++) calls.push({ rank, at: (call + 0.5) / count })
  }
  calls.sort((a, b) => a.at - b.at)
  const levels = []
  let queue = 0
  let passed = [0, 0, 0, 0]
  for (let interval = 0; interval < intervals; interval++) {
    all.clock.now += INTERVAL
    passed = [0, 0, 0, 0]
    for (const { rank } of calls) if (all.shed.admit(PRIORITIES[rank]) === null) passed[rank]++
    queue = Math.max(0, queue + passed.reduce((sum, count) => sum + count) - 100)
    all.loop.waitMs = (queue / 100) * INTERVAL
    levels.push(all.shed.report().level)
  }
  return { levels, passed }
}

test('under constant overload the level settles: a step either way, tried once in sixteen intervals', () => {
  for (const offered of [
    [60, 60, 20, 10],
    [0, 150, 0, 0],
    [0, 1000, 0, 0],
    [300, 100, 50, 40],
    [20, 20, 120, 60],
    [500, 500, 500, 90],
  ]) {
    const all = guarded()
    served(all, offered, 200)
    const { levels } = served(all, offered, 1600)
    const [least, most] = [Math.min(...levels), Math.max(...levels)]
    const moves = levels.filter((level, at) => at > 0 && level !== levels[at - 1]).length
    assert.ok(most - least <= 2, `${offered}: from ${least} to ${most}`)
    assert.ok(moves <= (4 * 1600) / 16, `${offered}: ${moves} moves`)
    assert.equal(served(all, offered, 1).passed[3], offered[3])
    assert.equal(served(all, [10, 10, 10, 10], 200).levels.at(-1), 0, `${offered}: not calm again`)
  }
})

test('a service that is asked for all it can do, and not more, refuses nobody', () => {
  const all = guarded()
  served(all, [30, 40, 20, 10], 1000)
  assert.deepEqual(all.shed.report().refused, { low: 0, normal: 0, high: 0, critical: 0 })
})

// ---------------------------------------------------------------- what it goes by

test('utilization alone sheds nobody unless it is asked for', () => {
  const plain = guarded()
  const strict = guarded({ utilization: 0.98 })
  for (const all of [plain, strict]) {
    all.loop.utilization = 1
    intervals(all, 3, 0)
  }
  assert.equal(plain.shed.report().level, 0)
  assert.equal(strict.shed.report().level, 3)
  strict.loop.utilization = 0.95
  assert.deepEqual(intervals(strict, 4, 0), [3, 3, 3, 3], 'neither overloaded nor calm')
  strict.loop.utilization = 0.5
  assert.deepEqual(intervals(strict, 4, 0), [3, 2, 2, 1])
})

test('another measure takes the place of the loop, once an interval', () => {
  let age = 5000
  let asked = 0
  const measure = () => {
    asked++
    return age
  }
  const all = guarded({ delay: '1s', measure })
  assert.deepEqual(intervals(all, 3, 0), [1, 2, 3])
  assert.equal(asked, 3)
  assert.equal(all.shed.report().reading.waitMs, 5000)
  age = 0
  assert.deepEqual(intervals(all, 2, 1_000_000), [3, 2], 'the loop is not what counts')
})

test('a measure that is no number is E_OPTION', () => {
  for (const [answer, shown] of [
    [undefined, 'undefined'],
    [NaN, 'NaN'],
    [-1, '-1'],
    ['5', '"5"'],
  ]) {
    const all = guarded({ measure: () => answer })
    all.clock.now += INTERVAL
    assert.throws(() => all.shed.admit(), {
      code: 'E_OPTION',
      option: 'measure',
      message: `\`measure\` of the shed "front" must answer milliseconds as a number, 0 or more; got ${shown} [E_OPTION]`,
    })
    assert.equal(all.shed.admit(), null, 'only once in an interval')
  }
})

test('the options have ranges, and defaults', () => {
  assert.deepEqual(guarded().shed.report().config, { delayMs: 100, utilization: null, intervalMs: 500 })
  const { config } = guarded({ delay: '1s', utilization: 0.9, interval: '2s' }).shed.report()
  assert.deepEqual(config, { delayMs: 1000, utilization: 0.9, intervalMs: 2000 })
  for (const [options, code, option] of [
    [{ delay: 0 }, 'E_DURATION', 'delay'],
    [{ delay: '61s' }, 'E_DURATION', 'delay'],
    [{ delay: 'soon' }, 'E_DURATION', 'delay'],
    [{ interval: 99 }, 'E_DURATION', 'interval'],
    [{ interval: '11s' }, 'E_DURATION', 'interval'],
    [{ utilization: 0 }, 'E_OPTION', 'utilization'],
    [{ utilization: 1.1 }, 'E_OPTION', 'utilization'],
    [{ measure: 5 }, 'E_OPTION', 'measure'],
    [{ latency: 5 }, 'E_OPTION', 'latency'],
  ]) {
    assert.throws(() => guarded(options), { code, option }, JSON.stringify(options))
  }
})

// ---------------------------------------------------------------- run and attempt

/** A guard that refuses everything but critical calls. */
function shedding() {
  const all = guarded({ interval: '2s' })
  intervals(all, 4 * 18, 100)
  assert.equal(all.shed.report().level, 18)
  return all
}

test('run passes on what the function returns and throws, with the caller’s signal', async () => {
  const { shed } = guarded()
  const { signal } = new AbortController()
  assert.equal(await shed.run((call) => call.signal === signal && 7, { signal }), 7)
  const mine = new Error('mine')
  await assert.rejects(
    shed.run(() => {
      throw mine
    }),
    mine,
  )
  await assert.rejects(
    shed.attempt(() => Promise.reject(mine)),
    mine,
  )
  assert.deepEqual(await shed.attempt(async () => 8), { ok: true, value: 8 })
})

test('a refused run is a Refusal that says when to come again, and the function is not called', async () => {
  const { shed } = shedding()
  await assert.rejects(shed.run(assert.fail, { priority: 'low' }), (error) => {
    assert.ok(error instanceof Refusal)
    assert.deepEqual([error.code, error.status, error.primitive, error.retryAfterMs], ['E_SHED', 503, 'front', 2000])
    return true
  })
  assert.equal(await shed.run(() => 7, { priority: 'critical' }), 7)
})

test('a refused attempt and a refused admit are plain data, one object for all', async () => {
  const { shed } = shedding()
  const refusal = { code: 'E_SHED', primitive: 'front', status: 503, retryAfterMs: 2000 }
  assert.deepEqual(await shed.attempt(assert.fail), { ok: false, refusal })
  assert.deepEqual(shed.admit('high'), refusal)
  assert.equal(shed.admit('high'), shed.admit('low'))
  assert.ok(Object.isFrozen(shed.admit('high')))
})

test('who is aborted already, or calls no function, is not counted', async () => {
  const { shed } = guarded()
  const gone = new Error('gone')
  await assert.rejects(shed.run(assert.fail, { signal: AbortSignal.abort(gone) }), gone)
  await assert.rejects(shed.run(Promise.resolve()), { code: 'E_FUNCTION' })
  await assert.rejects(shed.attempt(), { code: 'E_FUNCTION' })
  await assert.rejects(shed.run(assert.fail, { signal: 7 }), { code: 'E_OPTION', option: 'signal' })
  assert.deepEqual(shed.report().admitted, { low: 0, normal: 0, high: 0, critical: 0 })
})

test('a priority there is not is E_OPTION with those there are', async () => {
  const { shed } = guarded()
  const wrong = {
    name: 'TypeError',
    code: 'E_OPTION',
    option: 'priority',
    message:
      "`priority` of a call to the shed \"front\" must be 'low', 'normal', 'high' or 'critical'; got \"urgent\" [E_OPTION]",
  }
  assert.throws(() => shed.admit('urgent'), wrong)
  await assert.rejects(
    shed.run(() => {}, { priority: 'urgent' }),
    wrong,
  )
  for (const priority of [null, 0, 'toString', '__proto__'])
    assert.throws(() => shed.admit(priority), { code: 'E_OPTION' })
})

// ---------------------------------------------------------------- names

test('a name opened again with the same options is one guard, and the last measure counts', () => {
  const { sheds, shed, clock } = guarded({ delay: 100 })
  assert.equal(sheds.open('front', { delay: '100ms', measure: () => 500 }), shed)
  clock.now += INTERVAL
  shed.admit()
  assert.equal(shed.report().reading.waitMs, 500)
  assert.notEqual(sheds.open('back'), shed)
  assert.deepEqual(Object.keys(sheds.report()), ['front', 'back'])
})

test('a name opened again with other options is E_MISMATCH, or replaced where that is wanted', () => {
  const { sheds, shed } = guarded({ delay: 100 })
  assert.throws(() => sheds.open('front', { delay: 50 }), {
    code: 'E_MISMATCH',
    message: /^the shed "front" is open with other options: `delay` is 100 there and 50 here; open it with the same/,
  })
  assert.throws(() => sheds.open('front', { utilization: 0.9 }), { message: /`utilization` is off there and 0.9 here/ })
  assert.equal(shed.admit(), null)

  const replacing = guarded({ delay: 100 }, { replace: true })
  const next = replacing.sheds.open('front', { delay: 50 })
  assert.notEqual(next, replacing.shed)
  assert.throws(() => replacing.shed.admit(), { code: 'E_DISPOSED' })
  assert.equal(replacing.sheds.open('front', { delay: 50 }), next)
})

test('a name is what other primitives may be called too', () => {
  const { sheds } = guarded()
  for (const name of ['', undefined, 7, 'x'.repeat(129)]) assert.throws(() => sheds.open(name), { code: 'E_NAME' })
})

test('a guard that was disposed of says so, and its name starts afresh', async () => {
  const all = shedding()
  all.shed.dispose()
  all.shed.dispose()
  const ended = {
    code: 'E_DISPOSED',
    message: 'the shed "front" has been disposed of or its spillway closed; open it again [E_DISPOSED]',
  }
  assert.throws(() => all.shed.admit('critical'), ended)
  assert.throws(() => all.shed.state, ended)
  assert.throws(() => all.shed.report(), ended)
  await assert.rejects(all.shed.run(assert.fail), ended)
  const next = all.sheds.open('front', { interval: '2s' })
  assert.equal(next.report().level, 0)
  all.shed.dispose()
  assert.equal(all.sheds.open('front', { interval: '2s' }), next, 'the old handle lets go of its own only')
})

test('closing ends all of them', () => {
  const { sheds, shed } = guarded()
  const back = sheds.open('back')
  sheds.close()
  for (const each of [shed, back]) assert.throws(() => each.admit(), { code: 'E_DISPOSED' })
  assert.deepEqual(sheds.report(), {})
})

// ---------------------------------------------------------------- a real server

/** A server on the real Express whose every answer costs 10 ms of the event loop, in a process of its own. */
const SERVER = `
  const express = require('express')
  const { over } = require('./lib/loop.js')
  const { Refusal } = require('./lib/refusals.js')
  const { Sheds } = require('./lib/sheds.js')
  const shed = new Sheds(() => performance.now(), over, false).open('front', { interval: '100ms' })
  const app = express()
  app.get('/report', (req, res) => res.json(shed.report()))
  app.get('/:priority', (req, res) => {
    const refusal = shed.admit(req.params.priority)
    if (refusal !== null) return res.status(refusal.status).json(new Refusal(refusal).toProblem())
    const end = performance.now() + 10
    while (performance.now() < end);
    res.send('done')
  })
  const server = app.listen(0, '127.0.0.1', () => console.log(server.address().port))
`

test('a real server under load refuses low and serves critical; once it is calm it serves everybody', async (t) => {
  const child = spawn(process.execPath, ['-e', SERVER], { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] })
  const closed = once(child, 'close')
  t.after(async () => {
    child.kill()
    await closed
  })
  const origin = `http://127.0.0.1:${String((await once(child.stdout, 'data'))[0]).trim()}`
  const deadline = performance.now() + 60_000
  const report = async () => (await fetch(`${origin}/report`)).json()

  const seen = { low: new Map(), critical: new Map() }
  const load = new AbortController()
  const client = async (priority) => {
    while (!load.signal.aborted) {
      const response = await fetch(`${origin}/${priority}`)
      seen[priority].set(response.status, await response.text())
    }
  }
  const clients = [...new Array(30).fill('low'), 'critical', 'critical'].map(client)
  while ((await report()).refused.low < 100 || seen.critical.size === 0) {
    assert.ok(performance.now() < deadline, 'it never shed')
  }
  load.abort()
  await Promise.all(clients)
  const problem = JSON.parse(seen.low.get(503))
  assert.deepEqual([problem.status, problem.code, problem.retryAfter], [503, 'E_SHED', 1])
  assert.deepEqual([...seen.critical.keys()], [200])
  assert.equal((await report()).refused.critical, 0)

  // The machine may be late once more by itself: it is calm when a whole round is served and nothing refused.
  for (let calm = false; !calm;) {
    assert.ok(performance.now() < deadline, 'it never became calm')
    const before = await report()
    if (before.level > 0) continue
    const statuses = []
    for (const priority of PRIORITIES) statuses.push((await fetch(`${origin}/${priority}`)).status)
    const { refused } = await report()
    calm = statuses.every((status) => status === 200) && isDeepStrictEqual(refused, before.refused)
  }
})
