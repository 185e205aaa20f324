// Storms: that a seed decides what befalls each call, and that a storm does that and nothing else. Owns adapters/testing/.
// Never waits: time is that of the fake timers of node:test, or a manual clock.
'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')
const { retry, spillway, timeout } = require('spillway')
const { chaos, manualClock } = require('spillway/testing')
const { share, splitMix } = require('../adapters/testing/split-mix.js')

const fatesOf = (storm, count) => Array.from({ length: count }, (_, call) => storm.fate(call).fate)
const settled = (promise) => promise.then(() => 'ok').catch((error) => error?.code ?? error)
/** Lets everything happen that needs no time. */
const turn = () => new Promise(setImmediate)
const faked = (t) => {
  t.mock.timers.enable({ apis: ['Date', 'setTimeout'] })
  return async (ms) => {
    t.mock.timers.tick(ms)
    await turn()
  }
}

// ---------------------------------------------------------------- the seed

test('the generator is SplitMix64: the first numbers from 1234567 are those its authors published', () => {
  assert.deepEqual(
    [0, 1, 2, 3, 4].map((index) => splitMix(1_234_567, index)),
    [
      6_457_827_717_110_365_317n,
      3_203_168_211_198_807_973n,
      9_817_491_932_198_370_423n,
      4_593_380_528_125_082_431n,
      16_408_922_859_458_223_821n,
    ],
  )
  assert.equal(splitMix(0, 0), 0xe220a8397b1dcdafn)
})

test('shares are even: each tenth has a tenth, and each follows each', () => {
  const tenths = new Array(10).fill(0)
  const pairs = new Array(4).fill(0)
  for (let index = 0; index < 20_000; index++) {
    tenths[Math.floor(share(7, index) * 10)]++
    pairs[2 * Math.round(share(7, index)) + Math.round(share(7, index + 1))]++
  }
  for (const count of tenths) assert.ok(Math.abs(count - 2000) < 200, String(tenths))
  for (const count of pairs) assert.ok(Math.abs(count - 5000) < 350, String(pairs))
})

test('the same seed gives the same fates, another one others, and none is seed 1', () => {
  const options = { failure: 0.3, hang: 0.1, throwSync: 0.1, latency: { min: 0, max: 1000 } }
  const seen = (seed) => Array.from({ length: 50 }, (_, call) => chaos({ ...options, seed }).fate(call))
  assert.deepEqual(seen(7), seen(7))
  assert.notDeepEqual(seen(7), seen(8))
  assert.deepEqual(seen(undefined), seen(1))
  assert.equal(chaos().seed, 1)
})

test('the fate of a call depends on its number, not on how calls interleave', async (t) => {
  const tick = faked(t)
  const inOrder = chaos({ seed: 7, failure: 0.5, latency: { min: 0, max: 100 } })
  const one = inOrder.wrap(() => 'ok')
  for (let call = 0; call < 20; call++) {
    const end = settled(one())
    await tick(100)
    await end
  }
  const atOnce = chaos({ seed: 7, failure: 0.5, latency: { min: 0, max: 100 } })
  const two = atOnce.wrap(() => 'ok')
  const ends = Array.from({ length: 20 }, () => settled(two()))
  await tick(100)
  await Promise.all(ends)
  const told = ({ log }) => log.map(({ call, fate, latencyMs }) => [call, fate, latencyMs])
  assert.deepEqual(told(inOrder), told(atOnce))
  assert.equal(new Set(inOrder.log.map(({ latencyMs }) => latencyMs)).size > 10, true)
})

test('who looks ahead changes nothing', () => {
  const storm = chaos({ failure: 0.5 })
  const ahead = fatesOf(storm, 10)
  assert.deepEqual(fatesOf(storm, 10), ahead)
  assert.deepEqual([storm.calls, storm.log], [0, []])
})

test('shares are kept: of ten thousand calls as many fail, throw and hang as were asked for', () => {
  const fates = fatesOf(chaos({ seed: 3, failure: 0.3, throwSync: 0.05, hang: 0.01 }), 10_000)
  const share = (fate) => fates.filter((each) => each === fate).length / fates.length
  assert.ok(Math.abs(share('failure') - 0.3) < 0.02, String(share('failure')))
  assert.ok(Math.abs(share('throwSync') - 0.05) < 0.01)
  assert.ok(Math.abs(share('hang') - 0.01) < 0.005)
  for (const [options, fate] of [
    [{ failure: 1 }, 'failure'],
    [{ throwSync: 1 }, 'throwSync'],
    [{ hang: 1 }, 'hang'],
    [{}, 'ok'],
  ]) {
    assert.deepEqual(new Set(fatesOf(chaos(options), 1000)), new Set([fate]))
  }
})

test('whether a call fails says nothing about how long it takes, nor about the next', () => {
  const storm = chaos({ seed: 11, failure: 0.5, latency: { min: 0, max: 1000 } })
  const seen = Array.from({ length: 10_001 }, (_, call) => storm.fate(call))
  for (const later of [0, 1, 2]) {
    const after = seen.slice(later)
    const times = after.filter((_, call) => seen[call].fate === 'failure').map(({ latencyMs }) => latencyMs)
    const mean = times.reduce((sum, ms) => sum + ms, 0) / times.length
    assert.ok(Math.abs(mean - 500) < 20, `${mean} ms, ${later} later`)
    const earlier = after.filter((_, call) => seen[call].latencyMs < 500)
    const share = earlier.filter(({ fate }) => fate === 'failure').length / earlier.length
    assert.ok(Math.abs(share - 0.5) < 0.03, `${share}, ${later} later`)
  }
})

test('with a larger share of failures, those that failed before still fail', () => {
  const [less, more] = [0.2, 0.4].map((failure) => fatesOf(chaos({ failure }), 1000))
  less.forEach((fate, call) => fate === 'failure' && assert.equal(more[call], 'failure'))
})

// ---------------------------------------------------------------- what calls meet

test('a call that is handed on has the arguments, the this and the answer of the function itself', async () => {
  const storm = chaos()
  const account = {
    id: 7,
    name: storm.wrap(async function (first, last) {
      return `${this.id} ${first} ${last}`
    }),
  }
  assert.equal(await account.name('Ada', 'Lovelace'), '7 Ada Lovelace')
  const failing = storm.wrap(() => {
    throw new Error('its own')
  })
  await assert.rejects(failing(), { message: 'its own' })
})

test('a failing call does not reach the function, and says the number and the seed', async () => {
  const send = chaos({ seed: 7, failure: 1 }).wrap(assert.fail)
  await assert.rejects(send(), { code: 'E_CHAOS', message: 'call 0 fails, as chaos({ seed: 7 }) has it [E_CHAOS]' })
  await assert.rejects(send(), { message: /^call 1 fails/ })
})

test('failures may be errors of one’s own, whatever they are, or answers', async () => {
  const refused = chaos({ failure: 1, error: (call) => `ECONNREFUSED ${call}` }).wrap(assert.fail)
  assert.deepEqual([await settled(refused()), await settled(refused())], ['ECONNREFUSED 0', 'ECONNREFUSED 1'])
  const nothing = chaos({ failure: 1, error: () => undefined }).wrap(assert.fail)
  assert.deepEqual(await nothing().then(assert.fail, (error) => [error]), [undefined])
  const busy = chaos({ failure: 1, answer: (call) => ({ status: 503, call }) }).wrap(assert.fail)
  assert.deepEqual(await busy(), { status: 503, call: 0 })
})

test('a call may throw where a promise is expected', () => {
  const storm = chaos({ throwSync: 1 })
  assert.throws(() => storm.wrap(assert.fail)(), { code: 'E_CHAOS', message: /^call 0 throws/ })
  const own = chaos({ throwSync: 1, error: () => new RangeError('own') })
  assert.throws(() => own.wrap(assert.fail)(), RangeError)
})

test('a late call is handed on when its time has come, and not before; a late failure fails then', async (t) => {
  const tick = faked(t)
  const heard = []
  const late = chaos({ latency: '250ms' }).wrap((text) => heard.push(text))
  const failing = chaos({ latency: 250, failure: 1 }).wrap(assert.fail)
  const ends = [late('handed on'), settled(failing()).then((code) => heard.push(code))]
  await tick(249)
  assert.deepEqual(heard, [])
  await tick(1)
  assert.deepEqual(heard.sort(), ['E_CHAOS', 'handed on'])
  await Promise.all(ends)
})

test('a signal ends what waits or hangs, at once, with its reason, wherever the function would find it', async (t) => {
  const tick = faked(t)
  for (const options of [{ hang: 1 }, { latency: '1h' }]) {
    for (const argumentsWith of [
      (signal) => [signal],
      (signal) => [{ signal }],
      (signal) => ['https://api.example.test', { method: 'POST', signal }],
      (signal) => [new Request('https://api.example.test', { signal })],
    ]) {
      const storm = chaos(options)
      const controller = new AbortController()
      const end = settled(storm.wrap(assert.fail)(...argumentsWith(controller.signal)))
      await turn()
      controller.abort('gone')
      // What a Request has is a signal that follows.
      assert.match(String(await end), /gone/)
      assert.deepEqual([storm.log[0].aborted, storm.hanging], [true, 0])
      const late = settled(storm.wrap(assert.fail)(...argumentsWith(controller.signal)))
      assert.match(String(await late), /gone/)
    }
  }
  await tick(3_600_000)
})

test('a call that hangs without a signal hangs, and is counted', async (t) => {
  const tick = faked(t)
  const storm = chaos({ hang: 1 })
  let ended = false
  storm
    .wrap(assert.fail)()
    .finally(() => (ended = true))
  await tick(86_400_000)
  assert.deepEqual([ended, storm.hanging, storm.calls], [false, 1, 1])
})

test('a signal that is never aborted is left without listeners', async (t) => {
  const tick = faked(t)
  const { signal } = new AbortController()
  let listening = 0
  const add = signal.addEventListener
  const remove = signal.removeEventListener
  signal.addEventListener = function (...args) {
    listening++
    return add.apply(this, args)
  }
  signal.removeEventListener = function (...args) {
    listening--
    return remove.apply(this, args)
  }
  const end = chaos({ latency: 5 }).wrap(() => 'done')(signal)
  await turn()
  assert.equal(listening, 1)
  await tick(5)
  assert.equal(await end, 'done')
  assert.equal(listening, 0)
})

test('a call without anything to wait for does not read its signal', async () => {
  let read = 0
  const context = {
    get signal() {
      read++
      return undefined
    },
  }
  assert.equal(await chaos().wrap(() => 'done')(context), 'done')
  assert.equal(read, 0)
})

// ---------------------------------------------------------------- how long calls take

test('latency from p50 and p99 has that median and that tail', () => {
  const storm = chaos({ seed: 5, latency: { p50: '20ms', p99: '800ms' } })
  const times = Array.from({ length: 20_000 }, (_, call) => storm.fate(call).latencyMs).sort((a, b) => a - b)
  const percentile = (share) => times[Math.floor(times.length * share)]
  assert.ok(Math.abs(percentile(0.5) - 20) <= 1, String(percentile(0.5)))
  assert.ok(Math.abs(percentile(0.99) - 800) < 80, String(percentile(0.99)))
  // A tenth of what is above the median lies beyond what a normal distribution would have: ln is what is even.
  assert.ok(Math.abs(percentile(0.84) - 20 * Math.exp(Math.log(40) / 2.3263)) < 8, String(percentile(0.84)))
  assert.ok(times.every((ms) => Number.isInteger(ms) && ms >= 0 && ms <= 86_400_000))
})

test('latency between two bounds is even between them, and of one figure always that', () => {
  const storm = chaos({ seed: 5, latency: { min: 100, max: '300ms' } })
  const times = Array.from({ length: 10_000 }, (_, call) => storm.fate(call).latencyMs)
  assert.deepEqual([Math.min(...times), Math.max(...times)], [100, 300])
  assert.ok(Math.abs(times.reduce((sum, ms) => sum + ms, 0) / times.length - 200) < 3)
  assert.deepEqual(
    new Set(Array.from({ length: 100 }, (_, call) => chaos({ latency: '1.5s' }).fate(call).latencyMs)),
    new Set([1500]),
  )
  assert.equal(chaos({ latency: { p50: 20, p99: 20 } }).fate(3).latencyMs, 20)
})

// ---------------------------------------------------------------- a schedule

test('weather changes by the clock, phase after phase, and begins again', () => {
  const clock = manualClock(1_700_000_000_000)
  const storm = chaos({ clock, schedule: [{ for: '10s', failure: 1 }, { for: '30s' }] })
  const seen = [0, 9_999, 1, 29_999, 1, 9_999, 1].map((ms) => {
    clock.advance(ms)
    return [storm.fate(0).fate, clock.now - 1_700_000_000_000]
  })
  assert.deepEqual(seen, [
    ['failure', 0],
    ['failure', 9_999],
    ['ok', 10_000],
    ['ok', 39_999],
    ['failure', 40_000],
    ['failure', 49_999],
    ['ok', 50_000],
  ])
})

test('weather changes by calls, whatever the time; a last phase without an end has none', async () => {
  const storm = chaos({ schedule: [{ for: { calls: 2 }, failure: 1 }, { for: { calls: 1 }, throwSync: 1 }, {}] })
  assert.deepEqual(fatesOf(storm, 5), ['failure', 'failure', 'throwSync', 'ok', 'ok'])
  assert.equal(storm.fate(1_000_000).fate, 'ok')
  const again = chaos({ schedule: [{ for: { calls: 1 }, failure: 1 }, { for: { calls: 2 } }] })
  assert.deepEqual(fatesOf(again, 6), ['failure', 'ok', 'ok', 'failure', 'ok', 'ok'])
  const call = again.wrap(() => 'ok')
  await settled(call())
  await call()
  assert.deepEqual(
    again.log.map(({ phase, fate }) => [phase, fate]),
    [
      [0, 'failure'],
      [1, 'ok'],
    ],
  )
})

test('without a clock, phases go by the time of the timers', async (t) => {
  const tick = faked(t)
  const storm = chaos({ schedule: [{ for: '10s', failure: 1 }, {}] })
  const call = storm.wrap(() => 'ok')
  assert.equal(await settled(call()), 'E_CHAOS')
  await tick(10_000)
  assert.equal(await settled(call()), 'ok')
  assert.deepEqual(
    storm.log.map(({ atMs, phase }) => [atMs, phase]),
    [
      [0, 0],
      [10_000, 1],
    ],
  )
})

test('a phase that gives a share gives all three, and one that gives none has those around it', () => {
  const storm = chaos({
    hang: 1,
    latency: 7,
    schedule: [
      { for: { calls: 1 }, failure: 1 },
      { for: { calls: 1 } },
      { for: { calls: 1 }, failure: 0 },
      { for: { calls: 1 }, failure: 1, latency: 9 },
    ],
  })
  assert.deepEqual(
    [0, 1, 2, 3].map((call) => [storm.fate(call).fate, storm.fate(call).latencyMs]),
    [
      ['failure', 7],
      ['hang', 0],
      ['ok', 7],
      ['failure', 9],
    ],
  )
})

// ---------------------------------------------------------------- the log

test('the log says call by call what was done, and the storm in a word what it was', async () => {
  const storm = chaos({ seed: 42, schedule: [{ for: { calls: 1 }, failure: 1 }, {}] })
  const call = storm.wrap(() => 'ok')
  await settled(call())
  await call()
  const [first] = storm.log
  assert.deepEqual({ ...first, atMs: 0 }, { call: 0, fate: 'failure', latencyMs: 0, phase: 0, atMs: 0, aborted: false })
  assert.equal(String(storm), 'chaos({ seed: 42 }) after 2 calls: 1 failure, 1 ok')
  assert.equal(String(chaos()), 'chaos({ seed: 1 }) after 0 calls')
  assert.equal(chaos().log.length, 0)
  first.fate = 'hang'
  assert.equal(storm.log[0].fate, 'failure')
})

test('the log remembers the last thousand calls', async () => {
  const storm = chaos({ seed: 42 })
  const call = storm.wrap(() => 'ok')
  for (let made = 0; made < 3500; made++) {
    await call()
    if (made === 1499) assert.deepEqual([storm.log.length, storm.log[0].call], [1000, 500])
  }
  assert.deepEqual([storm.log.length, storm.log[0].call, storm.log.at(-1).call, storm.calls], [1000, 2500, 3499, 3500])
  assert.equal(String(storm), 'chaos({ seed: 42 }) after 3500 calls, of the last 1000: 1000 ok')
})

// ---------------------------------------------------------------- in a policy

test('in a policy each attempt is a call of the storm, and what is within it is not reached by those that fail', async (t) => {
  const tick = faked(t)
  const sp = spillway({ clock: () => Date.now() })
  t.after(() => sp.close())
  const storm = chaos({ schedule: [{ for: { calls: 1 }, failure: 1 }, { for: { calls: 1 }, throwSync: 1 }, {}] })
  const policy = sp.policy('send', retry({ max: 2, base: 10, cap: 10 }), storm)
  let reached = 0
  const end = policy.run(() => `sent, reached ${++reached}`)
  await tick(0)
  await tick(10)
  await tick(10)
  assert.equal(await end, 'sent, reached 1')
  assert.deepEqual(
    storm.log.map(({ fate }) => fate),
    ['failure', 'throwSync', 'ok'],
  )
})

test('in a policy a call that hangs is ended by the timeout, and nothing hangs on', async (t) => {
  const tick = faked(t)
  const sp = spillway({ clock: () => Date.now() })
  t.after(() => sp.close())
  const storm = chaos({ hang: 1 })
  const policy = sp.policy('calendar', timeout('5s'), storm)
  const refused = assert.rejects(policy.run(assert.fail), { code: 'E_TIMEOUT' })
  await tick(4_999)
  assert.equal(storm.hanging, 1)
  await tick(1)
  await refused
  assert.deepEqual([storm.hanging, storm.log[0].aborted], [0, true])
})

test('a breaker counts what a storm behind it does, as it counts a dependency that is down', async (t) => {
  const clock = manualClock()
  const sp = spillway({ clock })
  t.after(() => sp.close())
  const fmcsa = sp.breaker('fmcsa', { minCalls: 5, open: { for: '30s', jitter: 0 } })
  const storm = chaos({ clock, schedule: [{ for: '60s', failure: 1 }, {}] })
  const policy = sp.policy('fmcsa', fmcsa, storm)
  for (let call = 0; call < 5; call++) await settled(policy.run(assert.fail))
  assert.equal(fmcsa.state, 'open')
  assert.equal(await settled(policy.run(assert.fail)), 'E_OPEN')
  assert.equal(storm.calls, 5)
  clock.advance('60s')
  for (let probe = 0; probe < 3; probe++) assert.equal(await policy.run(() => 'carrier'), 'carrier')
  assert.equal(fmcsa.state, 'closed')
})

// ---------------------------------------------------------------- bad input

test('options that cannot be are refused with the path to the mistake', () => {
  for (const [options, code, option] of [
    [{ seeds: 7 }, 'E_OPTION', 'seeds'],
    [{ seed: 1.5 }, 'E_OPTION', 'seed'],
    [{ seed: -1 }, 'E_OPTION', 'seed'],
    [{ seed: '7' }, 'E_OPTION', 'seed'],
    [{ failure: 1.1 }, 'E_OPTION', 'failure'],
    [{ failure: 30 }, 'E_OPTION', 'failure'],
    [{ hang: NaN }, 'E_OPTION', 'hang'],
    [{ failure: 0.6, hang: 0.6 }, 'E_OPTION', 'hang'],
    [{ failure: 0.6, throwSync: 0.6 }, 'E_OPTION', 'throwSync'],
    [{ latency: '20 ms' }, 'E_DURATION', 'latency'],
    [{ latency: -1 }, 'E_DURATION', 'latency'],
    [{ latency: null }, 'E_OPTION', 'latency'],
    [{ latency: { p50: '20ms' } }, 'E_DURATION', 'latency.p99'],
    [{ latency: { p50: '20ms', p99: '19ms' } }, 'E_DURATION', 'latency.p99'],
    [{ latency: { p50: 0, p99: '19ms' } }, 'E_DURATION', 'latency.p50'],
    [{ latency: { p50: '20ms', p99: '1s', max: '2s' } }, 'E_OPTION', 'latency'],
    [{ latency: { min: 5, max: 4 } }, 'E_DURATION', 'latency.max'],
    [{ latency: { max: 4 } }, 'E_DURATION', 'latency.min'],
    [{ latency: { p90: 4 } }, 'E_OPTION', 'latency.p90'],
    [{ error: new Error('down') }, 'E_OPTION', 'error'],
    [{ error: () => 1, answer: () => 1 }, 'E_OPTION', 'answer'],
    [{ clock: 0 }, 'E_OPTION', 'clock'],
    [{ clock: () => NaN }, 'E_OPTION', 'clock'],
    [{ schedule: {} }, 'E_OPTION', 'schedule'],
    [{ schedule: [] }, 'E_OPTION', 'schedule'],
    [{ schedule: [null] }, 'E_OPTION', undefined],
    [{ schedule: [{}, { for: '1s' }] }, 'E_DURATION', 'schedule[0].for'],
    [{ schedule: [{ for: '0s' }] }, 'E_DURATION', 'schedule[0].for'],
    [{ schedule: [{ for: { calls: 0 } }] }, 'E_OPTION', 'schedule[0].for.calls'],
    [{ schedule: [{ for: '1s' }, { for: { calls: 2 } }] }, 'E_OPTION', 'schedule[1].for'],
    [{ schedule: [{ for: { calls: 2 } }, { for: 5 }] }, 'E_OPTION', 'schedule[1].for'],
    [{ schedule: [{ failure: 2 }] }, 'E_OPTION', 'schedule[0].failure'],
    [{ schedule: [{ seed: 2 }] }, 'E_OPTION', 'schedule[0].seed'],
    ['7', 'E_OPTION', undefined],
    [null, 'E_OPTION', undefined],
  ]) {
    assert.throws(
      () => chaos(options),
      (error) => {
        assert.deepEqual([error.code, error.option], [code, option], JSON.stringify(options))
        return true
      },
    )
  }
})

test('shares that add up to one by a hair more are one', () => {
  assert.deepEqual(new Set(fatesOf(chaos({ failure: 0.33, throwSync: 0.56, hang: 0.11 }), 1000)).has('ok'), false)
})

test('what is no function is not wrapped, and what is no number of a call has no fate', () => {
  for (const fn of [undefined, null, 7, Promise.resolve()])
    assert.throws(() => chaos().wrap(fn), { code: 'E_FUNCTION' })
  for (const call of [-1, 1.5, '0', undefined, NaN])
    assert.throws(() => chaos().fate(call), { code: 'E_OPTION', option: 'call' })
})
