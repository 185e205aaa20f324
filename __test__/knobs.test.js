// Tests the knobs: which variable overrides which option, what it may hold, and what is told of it. Owns the rules of docs/knobs.md.
// Never depends on what process.env happens to hold: the environment is an argument, but in the one test of its being the default.
'use strict'

const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const { test } = require('node:test')
const { spillway } = require('../index.js')
const { blamed, knobsOf, variableOf } = require('../lib/knobs.js')
const { misuse } = require('../lib/misuse.js')

const LIMIT = 'SPILLWAY_LIMITER_CHAT_LIMIT'
const WINDOW = 'SPILLWAY_LIMITER_CHAT_WINDOW'
const BURST = 'SPILLWAY_LIMITER_CHAT_BURST'
const CHAT = Object.freeze({ limit: 30, window: '5m' })

const read = (options, env, name = 'chat') => knobsOf('limiter', name, options, env)
const refused = (call) => {
  try {
    call()
  } catch (error) {
    return error
  }
  return assert.fail('nothing was thrown')
}

test('a variable is named after the limiter, and what is no letter or digit of English is an underscore', () => {
  const names = {
    chat: 'CHAT',
    'link-code': 'LINK_CODE',
    'Link  Code!': 'LINK_CODE_',
    'api/1h': 'API_1H',
    'a..b//c': 'A_B_C',
    größe: 'GR_SSE',
  }
  for (const [name, part] of Object.entries(names)) {
    assert.equal(variableOf('limiter', name, 'limit'), `SPILLWAY_LIMITER_${part}_LIMIT`)
    assert.equal(read(CHAT, { [`SPILLWAY_LIMITER_${part}_LIMIT`]: '7' }, name).options.limit, 7)
  }
  // Without any, all would have the same.
  for (const name of ['-', '日本']) {
    assert.equal(variableOf('limiter', name, 'limit'), undefined)
    assert.equal(read(CHAT, { SPILLWAY_LIMITER___LIMIT: '7', SPILLWAY_LIMITER_LIMIT: '7' }, name).options, CHAT)
  }
  assert.equal(read(CHAT, { spillway_limiter_chat_limit: '7' }).options, CHAT)
})

test('limit, window and burst are overridden, each by its own variable, and the rest stays', () => {
  const given = Object.freeze({ ...CHAT, maxKeys: 10, shadow: true })
  const { options, provenance } = read(given, { [LIMIT]: '60', [WINDOW]: '90000', [BURST]: '15' })
  assert.deepEqual(options, { limit: 60, window: 90_000, burst: 15, maxKeys: 10, shadow: true })
  assert.deepEqual(provenance, {
    limit: `env ${LIMIT}`,
    window: `env ${WINDOW}`,
    burst: `env ${BURST}`,
    algorithm: 'default',
    maxKeys: 'option',
    shadow: 'option',
  })
  assert.deepEqual(given, { limit: 30, window: '5m', maxKeys: 10, shadow: true })
})

test('without a variable the options are the very ones that were given', () => {
  for (const env of [{}, { OTHER: '7' }, undefined, false]) {
    const { options, provenance } = read(CHAT, env)
    assert.equal(options, CHAT)
    assert.deepEqual([provenance.limit, provenance.burst], ['option', 'default'])
  }
})

test('an empty variable, or one of spaces, is not set', () => {
  for (const value of ['', ' ', '\t\n', undefined]) {
    assert.equal(read(CHAT, { [LIMIT]: value, [WINDOW]: value, [BURST]: value }).options, CHAT)
  }
})

test('a variable the code names counts before the generated one, and after it when it is empty', () => {
  const options = {
    ...CHAT,
    env: { limit: 'RATE_LIMIT_WA_LINK_CODE_MAX', window: 'RATE_LIMIT_WA_LINK_CODE_WINDOW_MS' },
  }
  const both = read(options, {
    RATE_LIMIT_WA_LINK_CODE_MAX: '3',
    RATE_LIMIT_WA_LINK_CODE_WINDOW_MS: '600000',
    [LIMIT]: '4',
    [BURST]: '9',
  })
  assert.deepEqual([both.options.limit, both.options.window, both.options.burst], [3, 600_000, 9])
  assert.equal(both.provenance.limit, 'env RATE_LIMIT_WA_LINK_CODE_MAX')
  assert.equal(both.provenance.burst, `env ${BURST}`)
  const empty = read(options, { RATE_LIMIT_WA_LINK_CODE_MAX: ' ', [LIMIT]: '4' })
  assert.deepEqual([empty.options.limit, empty.provenance.limit], [4, `env ${LIMIT}`])
})

test('the generated variable is not read, and so not judged, where the named one is set', () => {
  const options = { ...CHAT, env: { limit: 'MAX' } }
  assert.equal(read(options, { MAX: '3', [LIMIT]: 'many' }).options.limit, 3)
  assert.equal(refused(() => read(options, { MAX: 'many', [LIMIT]: '3' })).code, 'E_ENV')
})

test('env false switches the knobs off, and what the code names is still read for mistakes', () => {
  assert.equal(read(CHAT, false).options, CHAT)
  assert.equal(refused(() => read({ ...CHAT, env: { limit: 7 } }, false)).code, 'E_OPTION')
})

test('a limit whose figures are nobody else’s business says env false', () => {
  const options = { ...CHAT, env: false }
  assert.equal(read(options, { [LIMIT]: '7', [BURST]: 'many' }).options, options)
})

test('a burst that was given stays when the limit is overridden, and one that was not follows it', () => {
  assert.equal(read(CHAT, { [LIMIT]: '5' }).options.burst, undefined)
  const { options, provenance } = read({ ...CHAT, burst: 60 }, { [LIMIT]: '5' })
  assert.deepEqual([options.limit, options.burst, provenance.burst], [5, 60, 'option'])
})

test('a burst set from outside is refused where there is none: for windows', () => {
  for (const algorithm of ['fixed-window', 'sliding-window']) {
    const error = refused(() => read({ ...CHAT, algorithm }, { [BURST]: '5' }))
    assert.equal(error.code, 'E_ENV')
    assert.equal(error.option, 'burst')
    assert.ok(error.message.includes(BURST) && error.message.includes(algorithm), error.message)
    assert.equal(read({ ...CHAT, algorithm }, { [BURST]: ' ', [LIMIT]: '5' }).options.limit, 5)
  }
  assert.equal(read({ ...CHAT, algorithm: 'token-bucket' }, { [BURST]: '5' }).options.burst, 5)
})

test('a whole number is decimal digits, with spaces around them at most', () => {
  for (const [text, value] of [
    ['7', 7],
    [' 7\n', 7],
    ['007', 7],
    ['1', 1],
    ['1000000000', 1_000_000_000],
  ]) {
    assert.equal(read(CHAT, { [LIMIT]: text }).options.limit, value)
    assert.equal(read(CHAT, { [BURST]: text }).options.burst, value)
  }
  for (const text of [
    '1_000',
    '1,000',
    '1e3',
    '0x10',
    '-1',
    '+5',
    '5.5',
    '5.0',
    '5n',
    'many',
    'NaN',
    '1 0',
    '٣',
    '"5"',
  ]) {
    const error = refused(() => read(CHAT, { [LIMIT]: text }))
    assert.equal(error.code, 'E_ENV', text)
    assert.ok(error instanceof TypeError, text)
  }
  for (const text of ['0', '1000000001', '9'.repeat(400)]) {
    const error = refused(() => read(CHAT, { [BURST]: text }))
    assert.equal(error.code, 'E_ENV', text)
    assert.ok(error instanceof RangeError, text)
  }
})

test('a window is milliseconds in digits, or a number with its unit', () => {
  for (const [text, value] of [
    ['600000', 600_000],
    ['10m', 600_000],
    [' 1.5s ', 1500],
    ['1', 1],
    ['3650d', 315_360_000_000],
  ]) {
    assert.equal(read(CHAT, { [WINDOW]: text }).options.window, value)
  }
  for (const text of ['10 m', '10M', '10min', '1.5', '1e3', '-1s', 'm', '0', '0s', '3651d', '315360000001']) {
    const error = refused(() => read(CHAT, { [WINDOW]: text }))
    assert.deepEqual([error.code, error.option], ['E_ENV', 'window'], text)
  }
})

test('the error names the variable, what it holds, what it may hold and what it overrides', () => {
  const page = fs.readFileSync(path.join(__dirname, '..', 'docs', 'errors.md'), 'utf8')
  const error = refused(() => read(CHAT, { [LIMIT]: '1e3' }))
  assert.equal(error.option, 'limit')
  assert.ok(page.includes(`\n${error.name}: ${error.message}\n`), `${error.name}: ${error.message}`)
  const mapped = refused(() => read({ ...CHAT, env: { window: 'CHAT_MS' } }, { CHAT_MS: '5 minutes' }))
  assert.equal(
    mapped.message,
    'CHAT_MS, which overrides `window` of the limiter "chat", must be milliseconds in digits, or a number with ms, s, m, h ' +
      'or d, like 10m; from 1 to 315,360,000,000 ms; got "5 minutes" [E_ENV]',
  )
})

test('a map of variables that cannot be is refused with the path to the mistake', () => {
  for (const [env, option] of [
    ['MAX', 'env'],
    [null, 'env'],
    [[], 'env'],
    [true, 'env'],
    [{ max: 'MAX' }, 'env.max'],
    [{ limit: '' }, 'env.limit'],
    [{ limit: 7 }, 'env.limit'],
    [{ window: 'A=B' }, 'env.window'],
    [{ burst: 'A\0' }, 'env.burst'],
  ]) {
    const error = refused(() => read({ ...CHAT, env }, {}))
    assert.deepEqual([error.code, error.option], ['E_OPTION', option], JSON.stringify(env))
  }
  assert.equal(read({ ...CHAT, env: { limit: undefined } }, { [LIMIT]: '7' }).options.limit, 7)
})

test('a value that is not a string is refused, not turned into one', () => {
  for (const value of [7, null, true, ['7'], { toString: () => '7' }]) {
    assert.equal(refused(() => read(CHAT, { [LIMIT]: value })).code, 'E_ENV')
  }
})

test('what stands on a prototype is neither a variable, nor an option, nor a map', () => {
  const env = Object.create({ [LIMIT]: '7' })
  assert.equal(read(CHAT, env).options, CHAT)
  const options = Object.assign(Object.create({ env: { limit: 'MAX' }, burst: 5 }), CHAT)
  const { provenance } = read(options, { MAX: '7' })
  assert.deepEqual([provenance.limit, provenance.burst], ['option', 'default'])
  for (const name of ['__proto__', 'constructor', 'toString']) {
    assert.equal(read({ ...CHAT, env: { limit: name } }, {}).provenance.limit, 'option')
  }
})

test('what is no options object is left to who reads the options', () => {
  for (const options of [undefined, null, 'chat', 7, true]) {
    assert.equal(read(options, { [LIMIT]: '7' }).options, options)
  }
})

test('an environment without a prototype is one too', () => {
  assert.equal(read(CHAT, Object.assign(Object.create(null), { [LIMIT]: '7' })).options.limit, 7)
})

test('an option that is missing or wrong in the code may come from outside', () => {
  assert.deepEqual(read({}, { [LIMIT]: '7', [WINDOW]: '1s' }).options, { limit: 7, window: 1000 })
  assert.equal(read({ limit: NaN, window: '1s' }, { [LIMIT]: '7' }).options.limit, 7)
})

test('values that do not go together are told to who set one of them', () => {
  const { provenance } = read(CHAT, { [LIMIT]: '1000000', [WINDOW]: '1' })
  const fine = misuse('E_RATE_TOO_FINE', '`limit` 1000000 in a `window` of 1 ms is too fine', { Base: RangeError })
  const told = blamed(fine, provenance)
  assert.equal(
    told.message,
    `\`limit\` 1000000 in a \`window\` of 1 ms is too fine; \`limit\` is from ${LIMIT} and \`window\` is from ${WINDOW} [E_ENV]`,
  )
  assert.deepEqual([told.code, told.cause, told instanceof RangeError], ['E_ENV', fine, true])
  const option = misuse('E_OPTION', '`limit` is too large for a sliding window', { option: 'limit' })
  assert.equal(blamed(option, provenance).code, 'E_ENV')
})

test('an error the environment has no part in stays what it is', () => {
  const { provenance } = read(CHAT, { [LIMIT]: '7' })
  const none = read(CHAT, {}).provenance
  for (const error of [
    misuse('E_OPTION', 'x', { option: 'maxKeys' }),
    misuse('E_DURATION', 'x', { option: 'window' }),
    misuse('E_OPTION', 'x'),
    misuse('E_ENV', 'x', { option: 'limit' }),
    new Error('x'),
    undefined,
  ]) {
    assert.equal(blamed(error, provenance), error)
  }
  const fine = misuse('E_RATE_TOO_FINE', 'x')
  assert.equal(blamed(fine, none), fine)
})

/** Numbers that look random and are the same in every run. */
function seeded(seed) {
  return (below) => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((seed / 2 ** 32) * below)
  }
}

test('whatever a variable holds, it is what it says, or unset, or an error that names it', () => {
  const random = seeded(7)
  const PIECES = [
    '0',
    '1',
    '5',
    '9',
    '60',
    '1000',
    '.',
    '-',
    '+',
    'e',
    '_',
    ',',
    ' ',
    '\t',
    'ms',
    's',
    'm',
    'h',
    'd',
    'x',
    '٣',
    '\0',
    '😀',
  ]
  const accepted = { limit: 0, window: 0 }
  for (let round = 0; round < 20_000; round++) {
    const text = Array.from({ length: random(6) }, () => PIECES[random(PIECES.length)]).join('')
    for (const [option, variable] of [
      ['limit', LIMIT],
      ['window', WINDOW],
    ]) {
      const trimmed = text.trim()
      const units = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
      const [, number, unit] = /^([0-9]+(?:\.[0-9]+)?)([a-z]+)$/.exec(trimmed) ?? []
      const isDigits = trimmed !== '' && [...trimmed].every((sign) => '0123456789'.includes(sign))
      const means = isDigits
        ? Number(trimmed)
        : option === 'window' && number !== undefined && Object.hasOwn(units, unit)
          ? Number(number) * units[unit]
          : NaN
      const inRange = means >= 1 && means <= (option === 'limit' ? 1_000_000_000 : 315_360_000_000)
      try {
        const { options, provenance } = read(CHAT, { [variable]: text })
        if (trimmed === '') {
          assert.equal(options, CHAT)
          continue
        }
        assert.ok(inRange, JSON.stringify(text))
        assert.equal(options[option], means)
        assert.equal(provenance[option], `env ${variable}`)
        accepted[option]++
      } catch (error) {
        if (error.code !== 'E_ENV') throw error
        assert.ok(!inRange && trimmed !== '', `${JSON.stringify(text)} was refused`)
        assert.ok(error.message.startsWith(`${variable}, which overrides \`${option}\``), error.message)
      }
    }
  }
  assert.ok(accepted.limit > 500 && accepted.window > accepted.limit, JSON.stringify(accepted))
})

/** A limiter under an environment, and what the snapshot says of its limits. */
function opened(t, options, env, name = 'chat') {
  const sp = spillway({ isolated: true, env })
  t.after(() => sp.close())
  const limiter = sp.limiter(name, options)
  return { limiter, told: sp.snapshot().limiters[name].limits.map(({ provenance }) => provenance) }
}

test('a limiter that is opened has the figures of the environment, and the snapshot says from where', (t) => {
  const { limiter, told } = opened(t, CHAT, { [LIMIT]: '2', [WINDOW]: '1h', [BURST]: '3' })
  assert.deepEqual([limiter.limit, limiter.windowMs, limiter.burst], [2, 3_600_000, 3])
  assert.deepEqual(
    [1, 2, 3, 4].map(() => limiter.consume('a').ok),
    [true, true, true, false],
  )
  assert.deepEqual([told[0].limit, told[0].window, told[0].burst], [`env ${LIMIT}`, `env ${WINDOW}`, `env ${BURST}`])
})

test('what a variable may hold, the option may be: the ranges have the same ends', (t) => {
  const fixed = { ...CHAT, algorithm: 'fixed-window' }
  for (const [limit, window] of [
    ['1', '1'],
    ['1000000000', '3650d'],
  ]) {
    assert.equal(opened(t, fixed, { [LIMIT]: limit, [WINDOW]: window }).limiter.limit, Number(limit))
  }
  for (const beyond of [{ limit: 1_000_000_001 }, { limit: 0 }, { window: '3651d' }, { window: 0.9 }])
    assert.throws(() => opened(t, { ...fixed, ...beyond }, {}), RangeError)
})

test('a burst nobody gave is the limit of the environment', (t) => {
  assert.equal(opened(t, CHAT, { [LIMIT]: '7' }).limiter.burst, 7)
})

test('each of several limits has variables of its own, and the name of the limiter none', (t) => {
  const options = [
    { limit: 20, window: '1s' },
    { limit: 5000, window: '60m' },
    { name: 'daily', limit: 9000, window: '1d', env: { limit: 'DAILY' } },
  ]
  const env = {
    SPILLWAY_LIMITER_API_1S_LIMIT: '2',
    SPILLWAY_LIMITER_API_1H_LIMIT: '3',
    DAILY: '4',
    SPILLWAY_LIMITER_API_LIMIT: '5',
  }
  const { limiter, told } = opened(t, options, env, 'api')
  assert.deepEqual(
    limiter.limits.map(({ name, limit }) => [name, limit]),
    [
      ['api/1s', 2],
      ['api/1h', 3],
      ['api/daily', 4],
    ],
  )
  assert.deepEqual(
    told.map(({ limit }) => limit),
    ['env SPILLWAY_LIMITER_API_1S_LIMIT', 'env SPILLWAY_LIMITER_API_1H_LIMIT', 'env DAILY'],
  )
})

test('a wrong variable opens nothing', (t) => {
  const sp = spillway({ isolated: true, env: { [LIMIT]: 'many' } })
  t.after(() => sp.close())
  assert.throws(() => sp.limiter('chat', CHAT), { code: 'E_ENV', option: 'limit' })
  assert.deepEqual(sp.snapshot().limiters, {})
  assert.equal(sp.limiter('other', CHAT).limit, 30)
})

test('figures that are fine each and not together name the variable they came from', (t) => {
  const tooFine = { [LIMIT]: '1000000', [WINDOW]: '1' }
  const tooMany = { [LIMIT]: '2000000' }
  for (const [options, env, cause, variables] of [
    [CHAT, tooFine, 'E_RATE_TOO_FINE', [LIMIT, WINDOW]],
    [{ ...CHAT, algorithm: 'sliding-window' }, tooMany, 'E_OPTION', [LIMIT]],
  ]) {
    const error = refused(() => opened(t, options, env))
    assert.deepEqual([error.code, error.option, error.cause.code], ['E_ENV', 'limit', cause])
    assert.ok(error instanceof RangeError)
    for (const variable of variables) assert.ok(error.message.includes(`is from ${variable}`), error.message)
  }
})

test('a mistake in the code is told before one in the environment', (t) => {
  const sp = spillway({ isolated: true, env: { [LIMIT]: 'many' } })
  t.after(() => sp.close())
  assert.throws(() => sp.limiter('chat', { ...CHAT, limits: 3 }), { code: 'E_OPTION', option: 'limits' })
})

test('the environment is the one of the process unless another is given, and none with env false', (t) => {
  const name = `knob-${process.pid}`
  const variable = `SPILLWAY_LIMITER_KNOB_${process.pid}_LIMIT`
  process.env[variable] = '7'
  t.after(() => delete process.env[variable])
  for (const [env, limit] of [
    [undefined, 7],
    [process.env, 7],
    [{}, 30],
    [false, 30],
  ]) {
    assert.equal(opened(t, CHAT, env, name).limiter.limit, limit)
  }
  for (const env of [null, true, 'LIMIT=7', [], 7])
    assert.throws(() => spillway({ isolated: true, env }), { code: 'E_OPTION', option: 'env' })
})
