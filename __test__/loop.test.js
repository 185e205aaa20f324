// What the event loop is said to have been like: how late, how busy, over which moments. Owns lib/loop.js.
// Never waits: time, sleep and timers are arguments. The last tests look at a real loop, which they block themselves.
'use strict'

const assert = require('node:assert/strict')
const { execFile, spawn } = require('node:child_process')
const { once } = require('node:events')
const { readFileSync } = require('node:fs')
const path = require('node:path')
const { test } = require('node:test')
const { promisify } = require('node:util')
const { Loop } = require('../lib/loop.js')

const ROOT = path.join(__dirname, '..')

/** A loop of the test's own: it idles, works and stands still as it is told, and its timers fire between two turns. */
class Turns {
  now = 1_000_000
  active = 0
  idle = 0
  set = 0
  #timer = null

  /** @param {{ blind?: boolean }} [options] blind: one that does not count its sleep */
  constructor({ blind = false } = {}) {
    const usage = blind ? undefined : () => ({ active: this.active, idle: this.idle })
    const after = (beat, milliseconds) => {
      assert.equal(this.#timer, null, 'one timer at most')
      this.set++
      this.#timer = { beat, at: this.now + milliseconds }
    }
    this.loop = new Loop({ now: () => this.now, usage, after })
  }

  /** Nothing to do for so long, but for the timer. */
  idles(milliseconds) {
    const end = this.now + milliseconds
    while (this.#timer !== null && this.#timer.at <= end) {
      this.#sleeps(this.#timer.at - this.now)
      this.fires()
    }
    this.#sleeps(end - this.now)
  }

  /** One turn that takes so long. In the middle of it no timer fires. */
  works(milliseconds) {
    this.now += milliseconds
    this.active += milliseconds
  }

  /** Between two turns. */
  fires() {
    if (this.#timer === null || this.#timer.at > this.now) return
    const { beat } = this.#timer
    this.#timer = null
    beat()
  }

  turn(milliseconds) {
    this.works(milliseconds)
    this.fires()
  }

  /** The process is stopped while it sleeps. */
  frozen(milliseconds) {
    this.#sleeps(milliseconds)
    this.fires()
  }

  #sleeps(milliseconds) {
    this.now += milliseconds
    this.idle += milliseconds
  }
}

const near = (actual, expected, by) =>
  assert.ok(Math.abs(actual - expected) <= by, `${actual} is not ${expected} ± ${by}`)

// ---------------------------------------------------------------- late

test('a loop that has nothing to do is not late, and the time between two beats is not counted as lateness', () => {
  const turns = new Turns()
  turns.idles(5000)
  const { delayMs, waitMs, utilization, intervalMs } = turns.loop.report(1000)
  assert.equal(intervalMs, 1000)
  assert.deepEqual(delayMs, { mean: 0, p50: 0, p99: 0, max: 0 })
  assert.equal(waitMs, 0)
  assert.equal(utilization, 0)
})

test('the first to ask after a block sees it, though no timer has had its turn', () => {
  const turns = new Turns()
  turns.idles(5000)
  turns.works(2000)
  const { delayMs, waitMs, utilization, intervalMs } = turns.loop.report(500)
  assert.equal(delayMs.max, 1980)
  assert.equal(intervalMs, 2000, 'all of the block, though less was asked for')
  near(waitMs, 1000, 20)
  assert.equal(utilization, 1)
})

test('who asks again and again during a block sees it grow: it is one, not many', () => {
  const turns = new Turns()
  turns.idles(5000)
  let before = 0
  for (let asked = 0; asked < 10; asked++) {
    turns.works(500)
    const { waitMs } = turns.loop.over(500)
    assert.ok(waitMs > before, `${waitMs} after ${before}`)
    before = waitMs
  }
  near(before, 2500, 20)
})

test('turns longer than what is asked for are seen, every time', () => {
  const turns = new Turns()
  turns.idles(1000)
  for (let turn = 0; turn < 20; turn++) {
    turns.turn(700)
    if (turn < 2) continue
    const { waitMs, utilization, intervalMs } = turns.loop.over(500)
    assert.equal(intervalMs, 700)
    near(waitMs, 350, 20)
    assert.equal(utilization, 1)
  }
})

test('what one waits on average: a rare pause is little of it, turns of the same length one after another are all', () => {
  const rare = new Turns()
  const always = new Turns()
  for (let second = 0; second < 10; second++) {
    rare.turn(150)
    rare.idles(850)
    for (let turn = 0; turn < 7; turn++) always.turn(150)
  }
  const pause = rare.loop.report(1000)
  near(pause.delayMs.max, 140, 10)
  assert.equal(pause.delayMs.p99, pause.delayMs.max, 'one of less than a hundred')
  near(pause.waitMs, 150 ** 2 / 2 / 1000, 3)
  near(pause.utilization, 0.15, 0.02)
  near(always.loop.report(1000).waitMs, 75, 20)
})

test('many short turns are no lateness, however busy the loop is', () => {
  const turns = new Turns()
  for (let turn = 0; turn < 1000; turn++) turns.turn(2)
  const { delayMs, waitMs, utilization } = turns.loop.report(1000)
  assert.ok(delayMs.max <= 2)
  assert.ok(waitMs < 0.2)
  assert.equal(utilization, 1)
})

test('half of the beats late is half of the ranks', () => {
  const turns = new Turns()
  turns.idles(2000)
  for (let beat = 0; beat < 10; beat++) {
    turns.turn(100)
    turns.idles(20)
  }
  const { delayMs } = turns.loop.report(1200)
  assert.equal(delayMs.p50, 0)
  assert.equal(delayMs.p99, 80)
  assert.equal(delayMs.max, 80)
  near(delayMs.mean, 40, 4)
})

test('what is over is forgotten: a block counts in the moments asked for and not in those after', () => {
  const turns = new Turns()
  turns.idles(1000)
  turns.turn(400)
  turns.idles(300)
  assert.ok(turns.loop.over(500).waitMs > 50)
  turns.idles(300)
  assert.equal(turns.loop.over(500).waitMs, 0)
  assert.ok(turns.loop.over(1000).waitMs > 50)
})

test('the longest span there is can be asked for, whoever else asks', () => {
  const turns = new Turns()
  turns.idles(30_000)
  for (let asked = 0; asked < 5000; asked++) {
    turns.idles(2)
    turns.loop.over(500)
  }
  near(turns.loop.over(10_000).intervalMs, 10_000, 20)
  near(turns.loop.over(60_000).intervalMs, 1023 * 20, 20)
})

test('before anything was measured there is nothing to tell', () => {
  assert.deepEqual(new Turns().loop.report(1000), {
    delayMs: { mean: 0, p50: 0, p99: 0, max: 0 },
    waitMs: 0,
    utilization: 0,
    intervalMs: 0,
  })
})

// ---------------------------------------------------------------- asleep

test('a process that was stopped, or frozen with its container, was not late', () => {
  for (const frozen of [60_000, 3_600_000]) {
    const turns = new Turns()
    turns.idles(1000)
    turns.frozen(frozen)
    const { delayMs, waitMs, utilization } = turns.loop.report(500)
    assert.equal(delayMs.max, 0)
    assert.equal(waitMs, 0)
    assert.ok(utilization < 0.01)
  }
})

test('where sleep is not counted, lateness is all that is known', () => {
  const turns = new Turns({ blind: true })
  turns.idles(1000)
  turns.turn(500)
  const { delayMs, utilization } = turns.loop.report(1000)
  assert.ok(delayMs.max >= 480)
  assert.equal(utilization, 0)
})

test('there is one timer, and none any more once nobody has asked for a minute and a half', () => {
  const turns = new Turns()
  turns.idles(89_000)
  turns.loop.over(500)
  let before = turns.set
  turns.idles(89_000)
  near(turns.set - before, 89_000 / 20, 1)
  turns.idles(2000)
  before = turns.set
  turns.idles(3_600_000)
  assert.equal(turns.set, before)
})

test('who asks after that sets it going, and what was in between is nobody’s lateness', () => {
  for (const blind of [false, true]) {
    const turns = new Turns({ blind })
    turns.idles(200_000)
    turns.works(60_000)
    assert.deepEqual(turns.loop.over(500), { waitMs: 0, utilization: 0, intervalMs: 0 })
    turns.idles(1000)
    assert.equal(turns.loop.over(500).waitMs, 0)
    turns.works(2000)
    assert.ok(turns.loop.over(500).waitMs > 500)
  }
})

// ---------------------------------------------------------------- a real loop

/** What a script prints in a process of its own, which has to end by itself. */
async function printed(script) {
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', script], { cwd: ROOT, timeout: 60_000 })
  return JSON.parse(stdout)
}

/** What was waited in all that was looked at: what is late besides makes it more, never less. */
const waited = ({ waitMs, intervalMs }) => waitMs * intervalMs
/** The same for one block of so many milliseconds. A beat was due within 20 ms of its beginning. */
const waitedFor = (block) => (block - 25) ** 2 / 2

const BLOCK = 'const block = (ms) => { const end = performance.now() + ms; while (performance.now() < end); };'

test('a real block is seen at once, and the process ends all the same', async () => {
  const { before, after } = await printed(`
    const { loop } = require('./lib/loop.js')
    ${BLOCK}
    loop()
    const look = () => {
      const before = loop()
      // Whatever else the machine does is over first.
      if (before.delayMs.max > 200) return setTimeout(look, 100)
      block(400)
      console.log(JSON.stringify({ before, after: loop() }))
    }
    setTimeout(look, 100)
  `)
  assert.ok(before.delayMs.max <= 200, `${before.delayMs.max} before`)
  assert.ok(after.delayMs.max > 350, `${after.delayMs.max} after`)
  assert.ok(after.utilization * after.intervalMs > 390, `${after.utilization} of ${after.intervalMs}`)
})

test('each thread has a loop of its own: a worker that is late makes nobody else so', async () => {
  const { worker, main } = await printed(`
    const { Worker } = require('node:worker_threads')
    const { loop } = require('./lib/loop.js')
    loop()
    const worker = new Worker(\`
      const { parentPort } = require('node:worker_threads')
      const { loop } = require('./lib/loop.js')
      ${BLOCK}
      loop()
      parentPort.on('message', () => {
        block(500)
        parentPort.postMessage(loop())
      })
    \`, { eval: true })
    worker.postMessage('block')
    let rounds = 0
    worker.on('message', (report) => {
      const main = loop()
      // The machine may make main late as well, but not each time.
      if (main.delayMs.max >= 250 && ++rounds < 20) return worker.postMessage('block')
      console.log(JSON.stringify({ worker: report, main }))
      worker.terminate()
    })
  `)
  assert.ok(worker.delayMs.max > 450, `${worker.delayMs.max} in the worker`)
  assert.ok(main.delayMs.max < 250, `${main.delayMs.max}`)
  assert.ok(main.utilization < worker.utilization)
})

test('a histogram that is read and reset shows nothing of turns longer than that, and this does', async () => {
  const { counts, seen } = await printed(`
    const { monitorEventLoopDelay } = require('node:perf_hooks')
    const { over } = require('./lib/loop.js')
    ${BLOCK}
    const histogram = monitorEventLoopDelay({ resolution: 20 })
    histogram.enable()
    over(100)
    const counts = []
    const seen = []
    const timer = setInterval(() => {
      counts.push(histogram.count)
      seen.push(over(100))
      histogram.reset()
      const blind = counts.length > 4 && counts.slice(-4).every((count) => count === 0)
      if (blind || counts.length === 50) {
        clearInterval(timer)
        console.log(JSON.stringify({ counts, seen }))
      } else setImmediate(block, 150)
    }, 100)
  `)
  assert.deepEqual(counts.slice(-4), [0, 0, 0, 0])
  // Before the first look nothing was blocked.
  for (const each of seen.slice(1)) assert.ok(waited(each) > waitedFor(150), `${each.waitMs} of ${each.intervalMs} ms`)
})

test('timers and clocks that a test has faked do not stop it', async () => {
  const seen = await printed(`
    const { setTimeout, performance } = globalThis
    globalThis.setTimeout = () => { throw new Error('faked') }
    globalThis.performance = { now: () => 0 }
    const { over } = require('./lib/loop.js')
    over(100)
    setTimeout(() => {
      const end = performance.now() + 300
      while (performance.now() < end);
      console.log(JSON.stringify(over(100)))
    }, 10)
  `)
  assert.ok(waited(seen) > waitedFor(300), `${seen.waitMs} of ${seen.intervalMs} ms`)
})

test('it loads where there are no such modules', async () => {
  const { waitMs } = await printed(`
    const Module = require('node:module')
    const { _load } = Module
    Module._load = (request, ...rest) => {
      if (request.startsWith('node:')) throw new Error('no such built-in module')
      return _load(request, ...rest)
    }
    console.log(JSON.stringify(require('./lib/loop.js').over(100)))
  `)
  assert.equal(waitMs, 0)
})

test(
  'a real process that is stopped while it sleeps was not late',
  { skip: process.platform !== 'linux' },
  async (t) => {
    const child = spawn(
      process.execPath,
      [
        '-e',
        `const { loop } = require('./lib/loop.js')
       loop()
       process.stdin.on('data', () => console.log(JSON.stringify(loop())))
       console.log('"ready"')`,
      ],
      { cwd: ROOT },
    )
    t.after(() => child.kill('SIGKILL'))
    const line = async () => JSON.parse((await once(child.stdout, 'data'))[0])
    assert.equal(await line(), 'ready')
    child.stdin.write('?')
    await line()
    const asleep = () => / S /.test(readFileSync(`/proc/${child.pid}/stat`, 'utf8'))
    const stopped = async (milliseconds) => {
      for (const end = performance.now() + 20_000; !asleep();) assert.ok(performance.now() < end, 'it never sleeps')
      child.kill('SIGSTOP')
      await new Promise((resolve) => setTimeout(resolve, milliseconds))
      child.kill('SIGCONT')
      child.stdin.write('?')
      return line()
    }
    // How late a busy machine makes it does not grow with the stop: from a longer one it stands apart.
    let span = 100
    let seen = await stopped(span)
    while (seen.delayMs.max >= span / 2 && span < 3200) seen = await stopped((span *= 2))
    assert.ok(seen.intervalMs > 0.9 * span, `${seen.intervalMs}`)
    assert.ok(seen.delayMs.max < span / 2, `${seen.delayMs.max} ms late after ${span} ms`)
  },
)
