// Calls whose end a test decides, under time that it moves by hand. Owns these stand-ins for a function, a clock and the passing of time.
// Never asserts anything, and never waits for real.
'use strict'

const { execFile } = require('node:child_process')
const path = require('node:path')
const { promisify } = require('node:util')
const { spillway } = require('../index.js')

const ROOT = path.join(__dirname, '..')

/** Lets everything happen that needs no time. */
const turn = () => new Promise((resolve) => setImmediate(resolve))

/** The policy, whose rejections may be looked at later: of all its promises only those it answers with count as heard. */
function heard(policy) {
  for (const name of ['run', 'attempt']) {
    const call = policy[name].bind(policy)
    policy[name] = (...given) => {
      const answer = call(...given)
      answer.catch(() => {})
      return answer
    }
  }
  return policy
}

/** A spillway of its own, on the machine's clock. */
function opened(t, options) {
  const sp = spillway({ isolated: true, ...options })
  t.after(() => sp.close())
  const policy = (...strategies) => heard(sp.policy('calls', ...strategies))
  /** What the policy has counted, with its latencies left out. */
  const counted = () => {
    const { strategies: _strategies, latency: _latency, ...counts } = sp.snapshot().policies.calls
    return Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0))
  }
  return { sp, policy, counted }
}

/** The same on faked time, which stands still but for `pass(ms)`: millisecond by millisecond, so that all is due in its own. */
function faked(t) {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1_700_000_000_000 })
  const began = Date.now()
  const pass = async (milliseconds, step = 1) => {
    await turn()
    for (let passed = 0; passed < milliseconds; passed += step) {
      t.mock.timers.tick(Math.min(step, milliseconds - passed))
      await turn()
    }
  }
  /** Milliseconds since the test began. */
  const now = () => Date.now() - began
  return { ...opened(t, { clock: () => Date.now() }), pass, now }
}

/** A promise that a test settles. */
function pending() {
  let resolve, reject
  const promise = new Promise((...settle) => ([resolve, reject] = settle))
  return { promise, resolve, reject }
}

/** A function whose calls a test ends, each by its number: `calls[0].resolve('late')`. Heeds no signal. */
function scripted() {
  const calls = []
  const fn = (context) => {
    const call = { context, ...pending() }
    calls.push(call)
    return call.promise
  }
  return { fn, calls }
}

/** Ends the calls in turn with what is listed: an Error is thrown, anything else is the answer. The last one goes on for ever. */
function inTurn(...ends) {
  let calls = 0
  const fn = () => {
    const end = ends[Math.min(calls++, ends.length - 1)]
    if (end instanceof Error) throw end
    return end
  }
  return Object.assign(fn, { calls: () => calls })
}

/** Settles after so many milliseconds of the time of the moment, unless its signal is aborted first. */
function takes(milliseconds, end) {
  return ({ signal }) =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => (end instanceof Error ? reject(end) : resolve(end)), milliseconds)
      signal.addEventListener('abort', () => {
        clearTimeout(timer)
        reject(signal.reason)
      })
    })
}

/** How a promise has settled so far: 'pending', { value } or { error }. */
async function fate(promise) {
  promise.catch(() => {})
  await turn()
  const open = {}
  return Promise.race([promise, open]).then(
    (value) => (value === open ? 'pending' : { value }),
    (error) => ({ error }),
  )
}

/** A promise turned to what it ended with: the value, or the code or message of the error. */
const end = (promise) => promise.then(undefined, (error) => error?.code ?? error?.message ?? error)

/** What a process of its own prints. One that does not end by itself is an error. */
async function printed(script, ...flags) {
  const run = promisify(execFile)
  const options = { cwd: ROOT, timeout: 30_000, killSignal: 'SIGKILL' }
  const { stdout } = await run(process.execPath, [...flags, '-e', script], options)
  return stdout.trim()
}

module.exports = { end, faked, fate, heard, inTurn, opened, pending, printed, scripted, takes, turn }
