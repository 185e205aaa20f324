// Tests the knobs of breakers and bulkheads, and the warning of mistyped ones. Owns what docs/knobs.md says of them.
// Never opens anything but to compare ranges: what the environment leaves is plain options. The limiter's are in knobs.test.js.
'use strict'

const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const { test } = require('node:test')
const { spillway } = require('../index.js')
const { TABLES } = require('../lib/knob-table.js')
const { blamed, knobsOf, variableOf } = require('../lib/knobs.js')
const { misuse } = require('../lib/misuse.js')

const FMCSA = 'SPILLWAY_BREAKER_FMCSA_'
const JOBS = 'SPILLWAY_BULKHEAD_TOOL_JOB_'

const breaker = (options, env, name = 'fmcsa') => knobsOf('breaker', name, options, env)
const bulkhead = (options, env) => knobsOf('bulkhead', 'tool-job', options, env)
const refused = (call) => {
  try {
    call()
  } catch (error) {
    return error
  }
  return assert.fail('nothing was thrown')
}

test('an option of two words is one of two in its variable', () => {
  for (const [kind, option, variable] of [
    ['breaker', 'failureRate', 'SPILLWAY_BREAKER_SEND_GRID_FAILURE_RATE'],
    ['breaker', 'minCalls', 'SPILLWAY_BREAKER_SEND_GRID_MIN_CALLS'],
    ['breaker', 'probeTimeout', 'SPILLWAY_BREAKER_SEND_GRID_PROBE_TIMEOUT'],
    ['breaker', 'open', 'SPILLWAY_BREAKER_SEND_GRID_OPEN'],
    ['bulkhead', 'queueTimeout', 'SPILLWAY_BULKHEAD_SEND_GRID_QUEUE_TIMEOUT'],
    ['bulkhead', 'lease', 'SPILLWAY_BULKHEAD_SEND_GRID_LEASE'],
  ]) {
    assert.equal(variableOf(kind, 'send-grid', option), variable)
  }
})

test('every knob of a breaker is overridden by its own variable, and the rest stays', () => {
  const given = Object.freeze({ window: '60s', failureRate: 0.5, slow: { over: '2s', rate: 0.5 }, maxKeys: 10 })
  const env = {
    [`${FMCSA}WINDOW`]: '2m',
    [`${FMCSA}FAILURE_RATE`]: '0.25',
    [`${FMCSA}MIN_CALLS`]: '20',
    [`${FMCSA}CONSECUTIVE`]: '5',
    [`${FMCSA}OPEN`]: '30s',
    [`${FMCSA}PROBES`]: '1',
    [`${FMCSA}PROBE_TIMEOUT`]: '5000',
  }
  const { options, provenance } = breaker(given, env)
  assert.deepEqual(options, {
    window: 120_000,
    failureRate: 0.25,
    minCalls: 20,
    consecutive: 5,
    open: 30_000,
    probes: 1,
    probeTimeout: 5000,
    slow: { over: '2s', rate: 0.5 },
    maxKeys: 10,
  })
  assert.deepEqual(provenance, {
    window: `env ${FMCSA}WINDOW`,
    failureRate: `env ${FMCSA}FAILURE_RATE`,
    minCalls: `env ${FMCSA}MIN_CALLS`,
    consecutive: `env ${FMCSA}CONSECUTIVE`,
    slow: 'option',
    open: `env ${FMCSA}OPEN`,
    probes: `env ${FMCSA}PROBES`,
    probeTimeout: `env ${FMCSA}PROBE_TIMEOUT`,
    perKey: 'default',
    maxKeys: 'option',
  })
  assert.deepEqual(given, { window: '60s', failureRate: 0.5, slow: { over: '2s', rate: 0.5 }, maxKeys: 10 })
})

test('every knob of a bulkhead is overridden by its own variable', () => {
  const { options, provenance } = bulkhead(
    { limit: 3, perKey: true },
    { [`${JOBS}LIMIT`]: '2', [`${JOBS}QUEUE`]: '0', [`${JOBS}QUEUE_TIMEOUT`]: '10s', [`${JOBS}LEASE`]: '15m' },
  )
  assert.deepEqual(options, { limit: 2, queue: 0, queueTimeout: 10_000, lease: 900_000, perKey: true })
  assert.deepEqual(provenance, {
    limit: `env ${JOBS}LIMIT`,
    queue: `env ${JOBS}QUEUE`,
    queueTimeout: `env ${JOBS}QUEUE_TIMEOUT`,
    perKey: 'option',
    lease: `env ${JOBS}LEASE`,
  })
})

test('variables a service already has are named in the code, option by option', () => {
  const given = { limit: 4, env: { limit: 'BULKHEAD_TOOL_JOB_MAX', lease: 'BULKHEAD_TOOL_JOB_LEASE_MS' } }
  const env = { BULKHEAD_TOOL_JOB_MAX: '8', BULKHEAD_TOOL_JOB_LEASE_MS: '900000', [`${JOBS}LIMIT`]: '2' }
  const { options, provenance } = bulkhead(given, env)
  assert.deepEqual([options.limit, options.lease], [8, 900_000])
  assert.equal(provenance.lease, 'env BULKHEAD_TOOL_JOB_LEASE_MS')
  assert.equal(bulkhead({ limit: 4, env: false }, env).options.limit, 4)
  // A knob of another kind is none of this one.
  for (const option of ['window', 'failureRate', 'burst']) {
    assert.equal(refused(() => bulkhead({ limit: 4, env: { [option]: 'X' } }, {})).option, `env.${option}`)
  }
})

test('a breaker that is opened without options has knobs, and a limiter or bulkhead needs options', () => {
  const { options, provenance } = breaker(undefined, { [`${FMCSA}OPEN`]: '30s' })
  assert.deepEqual(options, { open: 30_000 })
  assert.deepEqual([provenance.open, provenance.window], [`env ${FMCSA}OPEN`, 'default'])
  assert.equal(breaker(undefined, {}).options, undefined)
  assert.equal(bulkhead(undefined, { [`${JOBS}LIMIT`]: '2' }).options, undefined)
})

test('a share is decimal digits above 0 and up to 1, with a point in between at most', () => {
  const read = (text) => breaker({}, { [`${FMCSA}FAILURE_RATE`]: text }).options.failureRate
  for (const [text, value] of [
    ['0.5', 0.5],
    ['1', 1],
    ['1.0', 1],
    [' 0.05\n', 0.05],
    ['0.000001', 0.000001],
  ]) {
    assert.equal(read(text), value)
  }
  for (const [text, Base] of [
    ['0', RangeError],
    ['0.0', RangeError],
    ['1.01', RangeError],
    ['50', RangeError],
    ['50%', TypeError],
    ['.5', TypeError],
    ['1.', TypeError],
    ['0,5', TypeError],
    ['5e-1', TypeError],
    ['+0.5', TypeError],
    ['-0.5', TypeError],
    ['1/2', TypeError],
    ['٠.٥', TypeError],
    ['NaN', TypeError],
    ['Infinity', TypeError],
  ]) {
    const error = refused(() => read(text))
    assert.ok(error instanceof Base, `${text}: ${error}`)
    assert.deepEqual([error.code, error.option], ['E_ENV', 'failureRate'])
  }
})

test('the error for a share says which variable, what it would override, and what may be written', () => {
  const error = refused(() => breaker({}, { [`${FMCSA}FAILURE_RATE`]: '50%' }))
  assert.equal(
    error.message,
    'SPILLWAY_BREAKER_FMCSA_FAILURE_RATE, which overrides `failureRate` of the breaker "fmcsa", must be a number above 0 ' +
      'and up to 1, in decimal digits, like 0.5; got "50%" [E_ENV]',
  )
  const page = fs.readFileSync(path.join(__dirname, '..', 'docs', 'errors.md'), 'utf8')
  assert.ok(page.includes(`\n${error.name}: ${error.message}\n`), `${error.name}: ${error.message}`)
})

test('a window of calls is not turned into one of time, nor digits into calls', () => {
  for (const text of ['100', '30s']) {
    const error = refused(() => breaker({ window: { calls: 50 } }, { [`${FMCSA}WINDOW`]: text }))
    assert.deepEqual([error.code, error.option], ['E_ENV', 'window'])
    assert.ok(error.message.includes('this one is a number of calls; unset it'), error.message)
  }
  const { options } = breaker({ window: { calls: 50 } }, { [`${FMCSA}WINDOW`]: ' ', [`${FMCSA}MIN_CALLS`]: '5' })
  assert.deepEqual(options, { window: { calls: 50 }, minCalls: 5 })
  assert.equal(breaker({ window: '5m' }, { [`${FMCSA}WINDOW`]: '100' }).options.window, 100)
})

test('the open time from outside is the first one: how far it grows, and its jitter, stay the code’s', () => {
  const env = { [`${FMCSA}OPEN`]: '30s' }
  const open = Object.freeze({ for: '5s', max: '5m', jitter: 0 })
  assert.deepEqual(breaker({ open }, env).options.open, { for: 30_000, max: '5m', jitter: 0 })
  assert.equal(open.for, '5s')
  for (const plain of ['5s', 5000, undefined, null, [], true]) {
    assert.equal(breaker({ open: plain }, env).options.open, 30_000)
  }
})

test('an error about a part of an option is told to who set it from outside', () => {
  const { provenance } = breaker({ open: { for: '5s', max: '10s' } }, { [`${FMCSA}OPEN`]: '30s' })
  const cause = misuse('E_DURATION', '`open.max` of a breaker must be from 30,000 ms', {
    Base: RangeError,
    option: 'open.max',
  })
  const told = blamed(cause, provenance)
  assert.equal(
    told.message,
    '`open.max` of a breaker must be from 30,000 ms; `open` is from SPILLWAY_BREAKER_FMCSA_OPEN [E_ENV]',
  )
  assert.deepEqual([told.code, told.option, told.cause, told instanceof RangeError], ['E_ENV', 'open', cause, true])
  for (const option of ['slow.over', 'opening', 'toString', 'env.open']) {
    const other = misuse('E_OPTION', 'x', { option })
    assert.equal(blamed(other, provenance), other, option)
  }
})

test('what a variable may hold, the option may be: the ranges have the same ends', (t) => {
  const sp = spillway({ isolated: true, env: false })
  t.after(() => sp.close())
  let count = 0
  const accepts = (kind, option, value) => {
    const base = kind === 'bulkhead' ? { limit: 1 } : option === 'open' ? {} : { minCalls: 1 }
    const given = option === 'open' ? { for: value, max: '1d' } : value
    try {
      sp[kind](`${option}-${count++}`, { ...base, [option]: given })
      return true
    } catch (error) {
      assert.ok(error instanceof RangeError, `${kind} ${option} ${value}: ${error}`)
      return false
    }
  }
  for (const kind of ['breaker', 'bulkhead']) {
    for (const [option, { min, max }] of Object.entries(TABLES[kind].knobs)) {
      const isShare = option === 'failureRate'
      const [below, above] = isShare ? [0, 1.0000001] : [min - 1, max + 1]
      assert.deepEqual(
        [below, min, max, above].map((value) => accepts(kind, option, value)),
        [false, true, true, false],
        `${kind} ${option}`,
      )
    }
  }
})

test('a breaker never waits for more calls than its window holds', (t) => {
  const open = (options, env = {}) => {
    const sp = spillway({ isolated: true, env })
    t.after(() => sp.close())
    return [sp.breaker('fmcsa', options), sp.snapshot().breakers.fmcsa.config.minCalls]
  }
  const [few, minCalls] = open({ window: { calls: 5 } })
  assert.equal(minCalls, 5)
  for (let call = 0; call < 5; call++) few.exit(few.enter(), 'fail')
  assert.equal(few.state, 'open')
  assert.equal(open({ window: { calls: 50 } })[1], 10)
  assert.equal(open({ window: { calls: 50 }, minCalls: 50 })[1], 50)

  const wrong = refused(() => open({ window: { calls: 5 }, minCalls: 6 }))
  assert.ok(wrong instanceof RangeError)
  assert.equal(
    wrong.message,
    '`minCalls` of a breaker must be up to the 5 calls of its window, or no rate ever counts; got 6 [E_OPTION]',
  )
  const blamedOn = refused(() => open({ window: { calls: 5 } }, { [`${FMCSA}MIN_CALLS`]: '6' }))
  assert.deepEqual([blamedOn.code, blamedOn.option, blamedOn.cause.code], ['E_ENV', 'minCalls', 'E_OPTION'])
})

/** The warnings of the process while something is done, as code and message. */
async function warningsOf(act) {
  const heard = []
  const hear = ({ code, message }) => heard.push([code, message])
  process.on('warning', hear)
  try {
    act()
    await new Promise(setImmediate)
  } finally {
    process.off('warning', hear)
  }
  return heard
}

test('a mistyped variable is told once, with those there are', async () => {
  const env = { SPILLWAY_LIMITER_CHAT_LIMT: '60', SPILLWAY_LIMITER_CHAT_WINDOW: '1m' }
  const heard = await warningsOf(() => {
    for (let opening = 0; opening < 3; opening++) knobsOf('limiter', 'chat', { limit: 30, window: '5m' }, env)
  })
  assert.deepEqual(heard, [
    [
      'SPILLWAY_ENV_UNKNOWN',
      'SPILLWAY_LIMITER_CHAT_LIMT sets nothing: of the limiter "chat" there are SPILLWAY_LIMITER_CHAT_LIMIT, ' +
        'SPILLWAY_LIMITER_CHAT_WINDOW, SPILLWAY_LIMITER_CHAT_BURST',
    ],
  ])
})

test('what may be somebody else’s variable is not called mistyped', async () => {
  const env = {
    // Of the limiter chat-export, of the bulkhead chat, of a name the code gives, of nobody in particular.
    SPILLWAY_LIMITER_CHAT_EXPORT_LIMIT: '5',
    SPILLWAY_BULKHEAD_CHAT_LEASE: '5m',
    SPILLWAY_LIMITER_CHAT_MAX: '60',
    SPILLWAY_LIMITER_CHATTER_LIMT: '5',
    SPILLWAY_LICENCE: 'x',
    CHAT_LIMT: '5',
  }
  const options = { limit: 30, window: '5m', env: { limit: 'SPILLWAY_LIMITER_CHAT_MAX' } }
  assert.deepEqual(await warningsOf(() => knobsOf('limiter', 'chat', options, env)), [])
  assert.deepEqual(await warningsOf(() => knobsOf('limiter', 'chat', { ...options, env: false }, env)), [])
  assert.deepEqual(await warningsOf(() => knobsOf('limiter', 'chat', options, false)), [])
  const heard = await warningsOf(() => knobsOf('limiter', 'chat', { limit: 30, window: '5m' }, env))
  assert.deepEqual(
    heard.map(([, message]) => message.split(' ')[0]),
    ['SPILLWAY_LIMITER_CHAT_MAX'],
  )
})
