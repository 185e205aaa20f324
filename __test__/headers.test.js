// Owns the proof that what is told of a quota can be sent and read, whatever is in names and keys, in every format.
// Never trusts the code under test to read what it wrote: the parser here is its own.
'use strict'

const assert = require('node:assert/strict')
const fs = require('node:fs')
const { IncomingMessage, ServerResponse } = require('node:http')
const path = require('node:path')
const { test } = require('node:test')
const { spillway } = require('spillway')
const { fieldsOf } = require('../adapters/http/ratelimit-fields.js')
const { limit } = require('spillway/express')
const { listOf } = require('./structured.js')

const SINK = {
  get: (res, name) => res.getHeader(name),
  set: (res, name, value) => res.setHeader(name, value),
}

/** Limiters that live in a time of the test's own. */
function frozen() {
  const time = { now: 1_000_000 }
  return { time, sp: spillway({ clock: () => time.now }) }
}

/** What a real answer would carry, by name. */
function toldBy(format, limiter, decision, override, res = new ServerResponse(new IncomingMessage(null))) {
  fieldsOf('test', limiter, format)?.tell(SINK, res, decision, override)
  return res.getHeaders()
}

/** The same numbers at every run. */
function seeded(seed) {
  return (n) => {
    seed = (seed * 48271) % 2147483647
    return seed % n
  }
}

const policyOf = (limits) => toldBy('draft-11', limits, { ok: true, remaining: 0, resetMs: 0 })['ratelimit-policy']

test('names are structured-field strings, whatever is in them', () => {
  const named = (name) => policyOf({ name, limit: 1, windowMs: 1_000, burst: 1 })
  assert.equal(named('plain name'), '"plain name";q=1;w=1')
  assert.equal(named('a"b\\c'), '"a\\"b\\\\c";q=1;w=1')
  assert.equal(named('x";q=9999999'), '"x\\";q=9999999";q=1;w=1')
  assert.equal(named('naïve ☕'), '"na%C3%AFve %E2%98%95";q=1;w=1')
  assert.equal(named('a\r\nSet-Cookie: b'), '"a%0D%0ASet-Cookie: b";q=1;w=1')
  assert.equal(named('\ud800'), '"%EF%BF%BD";q=1;w=1', 'a lone surrogate does not throw')
})

test('the policy tells windows in whole seconds, never too short, and a burst that is not the limit', () => {
  const policy = (limit, windowMs, burst = limit) => policyOf({ name: 'p', limit, windowMs, burst })
  assert.equal(policy(10, 1), '"p";q=10;w=1')
  assert.equal(policy(10, 1_500), '"p";q=10;w=2')
  assert.equal(policy(10, 60_000, 50), '"p";q=10;w=60;spillway-burst=50')
})

test('t is the time to the next unit, and never points past Retry-After', () => {
  const random = seeded(7)
  for (let round = 0; round < 500; round += 1) {
    const { time, sp } = frozen()
    const limiter = sp.limiter('r', {
      limit: 1 + random(50),
      window: 1_000 + random(600_000),
      burst: 1 + random(60),
    })
    for (let call = 0; call < 20; call += 1) {
      time.now += random(20_000)
      const decision = limiter.consume('k', 1 + random(3))
      const { ratelimit } = toldBy('draft-11', limiter, decision)
      const [, r, seconds] = /^"r";r=(\d+);t=(\d+)$/.exec(ratelimit).map(Number)
      assert.equal(r, decision.remaining)
      if (!decision.ok && decision.retryAfterMs !== Infinity) {
        assert.equal(seconds, Math.ceil(decision.retryAfterMs / 1000))
      } else if (r < limiter.burst) {
        const next = limiter.peek('k', r + 1).retryAfterMs
        // Both were rounded up to whole milliseconds, so they may fall on two sides of a second.
        assert.ok(
          Math.ceil((next - 1) / 1000) <= seconds && seconds <= Math.ceil((next + 1) / 1000),
          `${next} ${seconds}`,
        )
      } else {
        assert.equal(seconds, 0, 'there is no more to wait for')
      }
    }
  }
})

test('of a window, t is the time to its end', () => {
  const { time, sp } = frozen()
  const daily = sp.limiter('daily', { limit: 2, window: '1h', algorithm: 'fixed-window' })
  time.now = 3_600_000 * 7 + 60_500
  assert.equal(toldBy('draft-11', daily, daily.consume('a')).ratelimit, '"daily";r=1;t=3540')
  daily.consume('a')
  const denied = daily.consume('a')
  assert.equal(denied.ok, false)
  assert.equal(toldBy('draft-11', daily, denied).ratelimit, '"daily";r=0;t=3540')
  const wide = sp.limiter('wide', { limit: 60, window: '1h', algorithm: 'fixed-window' })
  assert.equal(toldBy('draft-11', wide, wide.consume('a', 20)).ratelimit, '"wide";r=40;t=3540')
})

test('of a sliding window, t is the time to the end of the window that is being spent from', () => {
  const { time, sp } = frozen()
  const logins = sp.limiter('logins', { limit: 5, window: '15m', algorithm: 'sliding-window' })
  time.now = 900_000 * 7
  for (let left = 4; left >= 0; left -= 1) {
    assert.equal(toldBy('draft-11', logins, logins.consume('a')).ratelimit, `"logins";r=${left};t=900`)
  }
  const denied = logins.consume('a')
  assert.equal(toldBy('draft-11', logins, denied).ratelimit, '"logins";r=0;t=1080', 'as Retry-After')
  time.now += 900_000 + 300_000
  assert.equal(toldBy('draft-11', logins, logins.peek('a')).ratelimit, '"logins";r=1;t=600', 'all of it is fading')
})

test('a client that has spent nothing is told no time', () => {
  const { sp } = frozen()
  for (const algorithm of ['token-bucket', 'fixed-window', 'sliding-window']) {
    const bulk = sp.limiter(`bulk ${algorithm}`, { limit: 5, window: '1m', algorithm })
    for (const decision of [bulk.consume('a', 0), bulk.consume('a', 6)]) {
      assert.equal(decision.resetMs, 0)
      assert.match(toldBy('draft-11', bulk, decision).ratelimit, /;r=5;t=0$/)
    }
  }
})

test('of several limits every policy is told, and what is left of the tightest', () => {
  const { sp } = frozen()
  const api = sp.limiter('api', [
    { limit: 2, window: '1s' },
    { limit: 3, window: '1h', name: 'hourly' },
  ])
  const first = toldBy('draft-11', api, api.consume('a'))
  assert.equal(first['ratelimit-policy'], '"api/1s";q=2;w=1, "api/hourly";q=3;w=3600')
  assert.equal(first.ratelimit, '"api/1s";r=1;t=1')
  const all = api.consume('b', 3)
  assert.equal(all.reason, 'impossible')
  assert.equal(toldBy('draft-11', api, all).ratelimit, '"api/1s";r=2;t=0')

  const seventh = toldBy('draft-7', api, api.consume('a'))
  assert.equal(seventh['ratelimit-policy'], '2;w=1, 3;w=3600')
  assert.equal(seventh.ratelimit, 'limit=2, remaining=0, reset=1')
})

test('a plan is told as it is, not as the limiter is', () => {
  const { sp } = frozen()
  const api = sp.limiter('api', { limit: 10, window: '1m' })
  const fields = (override) => {
    const { 'ratelimit-policy': policy, ratelimit } = toldBy(
      'draft-11',
      api,
      api.consume(JSON.stringify(override), 1, override),
      override,
    )
    return [policy, ratelimit]
  }
  assert.deepEqual(fields({ limit: 100 }), ['"api";q=100;w=60', '"api";r=99;t=1'])
  assert.deepEqual(fields({ window: '1h' }), ['"api";q=10;w=3600', '"api";r=9;t=360'])
  assert.deepEqual(fields({ burst: 3 }), ['"api";q=10;w=60;spillway-burst=3', '"api";r=2;t=6'])
  assert.deepEqual(fields({ limit: 60, burst: 1 }), ['"api";q=60;w=60;spillway-burst=1', '"api";r=0;t=1'])
  assert.deepEqual(fields({}), ['"api";q=10;w=60', '"api";r=9;t=6'])
  const seventh = toldBy('draft-7', api, api.consume('7', 1, { limit: 100 }), { limit: 100 })
  assert.equal(seventh.ratelimit, 'limit=100, remaining=99, reset=1')
  const legacy = toldBy('legacy', api, api.consume('l', 1, { limit: 100 }), { limit: 100 })
  assert.equal(legacy['x-ratelimit-limit'], '100')
})

test('however many plans a service makes up, each is told as it is', () => {
  const { sp } = frozen()
  const api = sp.limiter('api', { limit: 10, window: '1m' })
  const fields = fieldsOf('test', api, 'draft-11')
  const decision = api.consume('a')
  const tell = (limit) => {
    const res = new ServerResponse(new IncomingMessage(null))
    fields.tell(SINK, res, decision, { limit })
    return res.getHeader('ratelimit-policy')
  }
  for (let limit = 1; limit < 1_000; limit += 1) assert.equal(tell(limit), `"api";q=${limit};w=60`)
})

test('a limit on trial is told to nobody', () => {
  const { sp } = frozen()
  const trial = sp.limiter('trial', { limit: 1, window: '1m', shadow: true })
  for (let call = 0; call < 3; call += 1) {
    for (const format of ['draft-11', 'draft-7', 'legacy']) {
      assert.deepEqual({ ...toldBy(format, trial, trial.consume('a')) }, {})
    }
  }
  const both = sp.limiter('both', [
    { limit: 5, window: '1m' },
    { limit: 1, window: '1h', shadow: true },
  ])
  assert.deepEqual(
    { ...toldBy('draft-11', both, both.consume('a')) },
    { 'ratelimit-policy': '"both/1m";q=5;w=60', ratelimit: '"both/1m";r=4;t=12' },
    'the one on trial is the tighter, and is not heard',
  )
  const strict = sp.limiter('strict', [
    { limit: 1, window: '1m' },
    { limit: 5, window: '1h', shadow: true },
  ])
  assert.deepEqual(
    { ...toldBy('draft-11', strict, strict.consume('a')) },
    { 'ratelimit-policy': '"strict/1m";q=1;w=60', ratelimit: '"strict/1m";r=0;t=60' },
  )
})

test('draft 7: limit, remaining and reset in one field, and policies without names', () => {
  const { sp } = frozen()
  const api = sp.limiter('api', { limit: 100, window: '1m' })
  const told = toldBy('draft-7', api, api.consume('a', 50))
  assert.deepEqual({ ...told }, { 'ratelimit-policy': '100;w=60', ratelimit: 'limit=100, remaining=50, reset=1' })
  const bursty = sp.limiter('bursty', { limit: 10, window: '1m', burst: 50 })
  const rich = toldBy('draft-7', bursty, bursty.consume('a'))
  assert.deepEqual(
    { ...rich },
    { 'ratelimit-policy': '10;w=60;burst=50', ratelimit: 'limit=50, remaining=49, reset=6' },
  )
})

test('legacy: three fields, and the reset is a time of day in seconds since 1970', (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: 1_700_000_000_250 })
  const { sp } = frozen()
  const api = sp.limiter('api', { limit: 2, window: '1m' })
  api.consume('a')
  assert.deepEqual(
    { ...toldBy('legacy', api, api.consume('a')) },
    { 'x-ratelimit-limit': '2', 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '1700000031' },
  )
})

test('told after one another, two limits share the fields as each format can', () => {
  const { sp } = frozen()
  const wide = sp.limiter('wide', { limit: 9, window: '1h' })
  const tight = sp.limiter('tight', { limit: 2, window: '1m' })
  const both = (format, first, second) => {
    const res = new ServerResponse(new IncomingMessage(null))
    toldBy(format, first, first.peek('a'), undefined, res)
    return { ...toldBy(format, second, second.consume('a', 2), undefined, res) }
  }
  assert.deepEqual(both('draft-11', wide, tight), {
    'ratelimit-policy': '"wide";q=9;w=3600, "tight";q=2;w=60',
    ratelimit: '"wide";r=9;t=0, "tight";r=0;t=30',
  })
  tight.reset('a')
  assert.deepEqual(both('draft-7', wide, tight), {
    'ratelimit-policy': '9;w=3600, 2;w=60',
    ratelimit: 'limit=2, remaining=0, reset=30',
  })
  assert.equal(both('draft-7', tight, wide).ratelimit, 'limit=2, remaining=0, reset=30', 'the tighter one stays')
  tight.reset('a')
  assert.equal(both('legacy', wide, tight)['x-ratelimit-limit'], '2')
  assert.equal(both('legacy', tight, wide)['x-ratelimit-limit'], '2', 'the tighter one stays')
  assert.equal(both('draft-11', wide, wide)['ratelimit-policy'], '"wide";q=9;w=3600', 'told twice, it is one limit')
})

test('a denial is told even where something tighter was before', () => {
  const { sp } = frozen()
  const empty = sp.limiter('empty', { limit: 1, window: '1h' })
  const denying = sp.limiter('denying', { limit: 4, window: '1m' })
  denying.consume('a', 2)
  for (const format of ['draft-7', 'legacy']) {
    const res = new ServerResponse(new IncomingMessage(null))
    empty.reset('a')
    toldBy(format, empty, empty.consume('a'), undefined, res)
    const told = { ...toldBy(format, denying, denying.consume('a', 3), undefined, res) }
    assert.match(told.ratelimit ?? `limit=${told['x-ratelimit-limit']}`, /^limit=4/)
  }
})

test('fields that another program wrote break nothing', () => {
  const { sp } = frozen()
  const api = sp.limiter('api', { limit: 2, window: '1m' })
  const res = new ServerResponse(new IncomingMessage(null))
  res.setHeader('RateLimit-Policy', ['5;w=1', '6;w=2'])
  res.setHeader('RateLimit', 7)
  res.setHeader('X-RateLimit-Remaining', 'many')
  for (const format of ['draft-11', 'draft-7', 'legacy']) toldBy(format, api, api.consume('a'), undefined, res)
  assert.equal(res.getHeader('x-ratelimit-remaining'), '0')
})

const PARTS = [
  ...[
    '\r\nSet-Cookie: a=b',
    '\n',
    '\0',
    '"',
    '\\',
    '";q=9',
    ', "x";r=9;t=0',
    '\ud800',
    '\udfff',
    '\u{1f4a7}',
    'é',
    'Ā',
  ],
  ...[' ', '\t', '\x7f', '%', ';', '=', ':', 'chat', '__proto__', '\u2028', '\ufeff', 'x'.repeat(200)],
]

test('whatever is in names and keys, fields can be sent, are strictly read, and never say a key', () => {
  const random = seeded(11)
  const text = () => Array.from({ length: 1 + random(4) }, () => PARTS[random(PARTS.length)]).join('')
  const { time, sp } = frozen()
  const algorithms = ['token-bucket', 'fixed-window', 'sliding-window']
  for (let round = 0; round < 300; round += 1) {
    const shape = (place) => ({
      limit: 1 + random(5),
      window: 1 + random(100_000),
      algorithm: algorithms[random(3)],
      ...(place > 0 && { name: `n${place}${text()}`.slice(0, 64).replace(/\/|:/g, '') }),
    })
    const several = random(2) === 0 ? undefined : [shape(1), shape(2)]
    const given = text().slice(0, 128)
    const limiter = opened(sp, `${round}${given}`, several ?? shape(0))
    const key = `key-of-${round}-${text()}`
    const override = several === undefined && random(3) === 0 ? { limit: 1 + random(9) } : undefined
    for (let call = 0; call < 8; call += 1) {
      time.now += random(5_000)
      const decision = limiter.consume(key, random(4), override)
      for (const format of ['draft-11', 'draft-7', 'legacy']) {
        const told = toldBy(format, limiter, decision, override)
        assert.ok(!JSON.stringify(told).includes(`key-of-${round}`))
        if (format === 'draft-11') readBack(told, limiter, decision)
        if (format === 'draft-7') assert.match(told.ratelimit, /^limit=\d+, remaining=\d+, reset=\d+$/)
        if (format === 'legacy') for (const value of Object.values(told)) assert.match(value, /^\d+$/)
      }
    }
  }

  /** Names that are refused where they come in cannot be told. */
  function opened(sp, name, shape) {
    try {
      return sp.limiter(name, shape)
    } catch (error) {
      assert.match(error.code, /^E_(?:NAME|OPTION|RATE_TOO_FINE)$/)
      return sp.limiter(`plain${name.length}.${Math.random()}`, { limit: 3, window: '1s' })
    }
  }

  function readBack(told, limiter, decision) {
    const policies = listOf(told['ratelimit-policy'])
    assert.equal(policies.length, limiter.limits.length)
    for (const { item, parameters } of policies) {
      assert.equal(typeof item, 'string')
      assert.ok(parameters.q >= 1 && parameters.w >= 1)
    }
    const [{ item, parameters }, ...more] = listOf(told.ratelimit)
    assert.deepEqual(more, [])
    assert.ok(policies.some((policy) => policy.item === item))
    assert.equal(parameters.r, decision.remaining)
    assert.ok(Number.isInteger(parameters.t) && parameters.t >= 0)
    const names = limiter.limits.map(({ name }) => Buffer.from(name.toWellFormed?.() ?? name).toString())
    assert.ok(names.includes(decoded(item)), `${item} stands for none of ${names}`)
  }

  /** Only what was encoded is: a percent sign of the name stays as it is, and is then not decoded by anybody. */
  function decoded(item) {
    return item.replace(/(?:%[0-9A-F]{2})+/g, (bytes) => {
      const text = Buffer.from(bytes.replaceAll('%', ''), 'hex').toString()
      return /^[\x20-\x7e]+$/.test(text) ? bytes : text
    })
  }
})

const PAGE = fs.readFileSync(path.join(__dirname, '..', 'docs', 'http.md'), 'utf8')

test('the fields the page shows are those that are sent', (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: 1_700_000_000_000 })
  const rows = [...PAGE.matchAll(/^\| `(draft-11|draft-7|legacy|none)` +\|(.*)\|(.*)\|$/gm)]
  assert.equal(rows.length, 4)
  for (const [, headers, ...cells] of rows) {
    const search = frozen().sp.limiter('search', { limit: 30, window: '5m' })
    const guard = limit(search, { key: () => 'a', headers })
    /** What is said of quotas, in the spelling that is sent. */
    const sent = () => {
      const res = new ServerResponse(new IncomingMessage(null))
      guard({}, res, () => {})
      const names = res.getRawHeaderNames().filter((name) => /ratelimit|retry-after/i.test(name))
      return names.map((name) => `${name}: ${res.getHeader(name)}`)
    }
    const shown = cells.map((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, line]) => line))
    assert.deepEqual(sent(), shown[0], headers)
    search.consume('a', 29)
    assert.deepEqual(sent(), shown[1], headers)
  }
})

test('the body the page shows is the one that is sent', () => {
  const search = frozen().sp.limiter('search', { limit: 30, window: '5m' })
  search.consume('a', 30)
  let body
  const res = new ServerResponse(new IncomingMessage(null))
  res.end = (text) => (body = text)
  limit(search, { key: () => 'a' })({}, res, () => assert.fail('it is a denial'))
  assert.deepEqual(JSON.parse(/^```json\n([^]*?)^```$/m.exec(PAGE)[1]), JSON.parse(body))
})
