// Tests the presets: their figures, and that they are plain, frozen and known again after a spread. Owns the list of figures.
// Never tests how a limiter counts: that is limiter.test.js.
'use strict'

const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const { test } = require('node:test')
const { spillway } = require('../index.js')
const { knobsOf, provenanceOf } = require('../lib/knobs.js')
const { milliseconds } = require('../lib/durations.js')
const { presets } = require('../lib/presets.js')

const PRESET = Symbol.for('spillway.preset')
const PAGE = fs.readFileSync(path.join(__dirname, '..', 'docs', 'presets.md'), 'utf8')

/** Name → limit, window, algorithm and, where it is not the limit, burst. Written out again: a changed figure is a decision. */
const FIGURES = {
  auth: [5, '15m', 'sliding-window'],
  otp: [5, '10m', 'sliding-window'],
  syncStart: [3, '10m', 'sliding-window'],
  query: [30, '1m', 'token-bucket'],
  heavyQuery: [10, '1m', 'token-bucket', 3],
  recognition: [10, '1d', 'fixed-window'],
  export: [5, '1d', 'fixed-window'],
  upload: [10, '1h', 'token-bucket'],
  download: [20, '1h', 'sliding-window'],
  chat: [30, '5m', 'token-bucket'],
  webhook: [100, '1m', 'token-bucket'],
}

test('every preset has the figures it is documented with', () => {
  assert.deepEqual(
    Object.fromEntries(
      Object.entries(presets).map(([name, { limit, window, algorithm, burst }]) => [
        name,
        burst === undefined ? [limit, window, algorithm] : [limit, window, algorithm, burst],
      ]),
    ),
    FIGURES,
  )
})

test('the table of docs/presets.md is the presets, in their order', () => {
  const rows = [...PAGE.matchAll(/^\| `presets\.(\w+)` \| ([\d,]+) per (\S+?)(?:, burst (\d+))? \| (\S+) \|/gm)].map(
    ([, name, limit, window, burst, algorithm]) => [
      name,
      burst === undefined ? [Number(limit), window, algorithm] : [Number(limit), window, algorithm, Number(burst)],
    ],
  )
  assert.deepEqual(rows, Object.entries(FIGURES))
})

test('a preset is made of nothing but options, each of its type', () => {
  for (const [name, preset] of Object.entries(presets)) {
    assert.equal(Object.getPrototypeOf(preset), Object.prototype, name)
    for (const option of Object.keys(preset))
      assert.ok(['limit', 'window', 'burst', 'algorithm'].includes(option), `${name}.${option}`)
    assert.ok(Number.isInteger(preset.limit) && preset.limit >= 1, name)
    assert.ok(milliseconds(preset.window) >= 1000, name)
    if (preset.algorithm !== 'token-bucket') assert.equal(preset.burst, undefined, `${name}: a window has no burst`)
  }
})

test('presets cannot be changed for everybody, and a spread can be for oneself', () => {
  assert.throws(() => (presets.otp.limit = 500), TypeError)
  assert.throws(() => (presets.otp.burst = 500), TypeError)
  assert.throws(() => (presets.mine = {}), TypeError)
  assert.throws(() => delete presets.otp, TypeError)
  assert.throws(() => (presets.otp[PRESET] = 'auth'), TypeError)
  const mine = { ...presets.otp, limit: 3 }
  mine.window = '1h'
  assert.deepEqual([mine.limit, mine.window, presets.otp.limit, presets.otp.window], [3, '1h', 5, '10m'])
})

test('a spread of a preset is known again, and only in what was left as it was', () => {
  assert.deepEqual(provenanceOf(presets.otp), {
    limit: 'preset otp',
    window: 'preset otp',
    burst: 'default',
    algorithm: 'preset otp',
    maxKeys: 'default',
    shadow: 'default',
  })
  const mine = { ...presets.heavyQuery, limit: 3, maxKeys: 10 }
  assert.deepEqual(provenanceOf(mine), {
    limit: 'option',
    window: 'preset heavyQuery',
    burst: 'preset heavyQuery',
    algorithm: 'preset heavyQuery',
    maxKeys: 'option',
    shadow: 'default',
  })
  assert.equal(provenanceOf({ ...mine, burst: undefined }).burst, 'default')
  assert.equal(provenanceOf(Object.assign({}, presets.chat)).limit, 'preset chat')
  // The later of two presets says its name; what came from the earlier one and differs is nobody's but the caller's.
  assert.equal(provenanceOf({ ...presets.heavyQuery, ...presets.chat }).burst, 'option')
})

test('a tag that is no preset of ours makes nothing a preset', () => {
  for (const tag of ['nobody', 'constructor', '__proto__', 7, null, {}]) {
    assert.equal(provenanceOf({ limit: 5, window: '10m', [PRESET]: tag }).limit, 'option')
  }
  assert.equal(provenanceOf(Object.create(presets.otp)).limit, 'default')
  const heir = Object.assign(Object.create({ [PRESET]: 'otp' }), { limit: 5 })
  assert.equal(provenanceOf(heir).limit, 'option')
})

test('a preset under a knob says which of both a value is from', () => {
  const { options, provenance } = knobsOf('limiter', 'link-code', presets.otp, {
    SPILLWAY_LIMITER_LINK_CODE_LIMIT: '9',
  })
  assert.deepEqual([options.limit, options.window], [9, '10m'])
  assert.equal(provenance.limit, 'env SPILLWAY_LIMITER_LINK_CODE_LIMIT')
  assert.equal(provenance.window, 'preset otp')
})

test('the tag is no option: it is in no list of names and in no JSON', () => {
  assert.equal(presets.otp[PRESET], 'otp')
  assert.deepEqual(Object.keys({ ...presets.otp }), ['limit', 'window', 'algorithm'])
  assert.equal(JSON.stringify(presets.otp), '{"limit":5,"window":"10m","algorithm":"sliding-window"}')
})

test('every preset opens as it is, admits what it says at once, and then no more', (t) => {
  const sp = spillway({ clock: () => Date.UTC(2031, 4, 7), env: false })
  t.after(() => sp.close())
  for (const [name, preset] of Object.entries(presets)) {
    const limiter = sp.limiter(name, preset)
    const atOnce = preset.burst ?? preset.limit
    for (let turn = 0; turn < atOnce; turn++) assert.ok(limiter.consume('a').ok, name)
    assert.equal(limiter.consume('a').ok, false, name)
    assert.deepEqual(
      [limiter.limit, limiter.windowMs, limiter.burst],
      [preset.limit, milliseconds(preset.window), atOnce],
    )
  }
})

test('a daily preset turns at 00:00 UTC, and a sliding one has no turn', (t) => {
  const time = { now: Date.UTC(2031, 4, 7, 23, 59) }
  const sp = spillway({ clock: () => time.now, env: false })
  t.after(() => sp.close())
  const daily = sp.limiter('export', presets.export)
  const codes = sp.limiter('otp', presets.otp)
  for (let turn = 0; turn < 5; turn++) assert.ok(daily.consume('a').ok && codes.consume('a').ok)
  assert.equal(daily.consume('a').retryAfterMs, 60_000)
  time.now += 60_000
  assert.equal(daily.consume('a').ok, true)
  assert.equal(codes.consume('a').ok, false)
})

test('a sender that keeps to the webhook preset in every minute is never refused, however its calls fall', (t) => {
  const time = { now: 0 }
  const sp = spillway({ clock: () => time.now, env: false })
  t.after(() => sp.close())
  const webhook = sp.limiter('webhook', presets.webhook)
  // All at the end of one minute, then all at the beginning of the next but one, then evenly.
  const calls = [
    ...Array(100).fill(59_999),
    ...Array(100).fill(120_000),
    ...Array.from({ length: 600 }, (_, i) => 180_000 + i * 600),
  ]
  for (const at of calls) {
    time.now = at
    assert.ok(webhook.consume('stripe').ok, `at ${at}`)
  }
})
