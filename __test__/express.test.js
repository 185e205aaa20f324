// Owns the proof that spillway/express tells limits and answers refusals over real HTTP, on the real Express.
// Never waits: time is the clock each test holds.
'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')
const express = require('express')
const { Refusal, spillway } = require('spillway')
const { limit, refusals } = require('spillway/express')
const { RateLimitFields } = require('../adapters/ratelimit-fields.js')
const { served } = require('./served.js')

const byTenant = (req) => req.get('x-tenant')

/** An app whose GET / answers 'done' behind `middleware`, and answers what reaches the last error middleware. */
function appWith(...middleware) {
  const app = express()
  const seen = { handled: 0 }
  app.get('/', ...middleware, (_req, res) => {
    seen.handled += 1
    res.send('done')
  })
  app.use((error, _req, res, next) => {
    if (res.headersSent) next(error)
    else res.status(500).json({ code: error.code, message: error.message })
  })
  return { app, seen }
}

/** Limiters that live in a time of the test's own. */
function frozen() {
  const time = { now: 1_000_000 }
  return { time, sp: spillway({ clock: () => time.now }) }
}

const get = (origin, tenant) => fetch(origin, { headers: tenant === undefined ? {} : { 'x-tenant': tenant } })
const told = (response) => [response.headers.get('ratelimit-policy'), response.headers.get('ratelimit')]

test('every answer tells the policy and what is left of it', async (t) => {
  const { time, sp } = frozen()
  const { app } = appWith(limit(sp.limiter('chat', { limit: 30, window: '5m' }), { key: byTenant }))
  const origin = await served(t, app)

  assert.deepEqual(told(await get(origin, 'a')), ['"chat";q=30;w=300', '"chat";r=29;t=10'])
  assert.deepEqual(told(await get(origin, 'a')), ['"chat";q=30;w=300', '"chat";r=28;t=10'])
  time.now += 4_000
  assert.deepEqual(told(await get(origin, 'a')), ['"chat";q=30;w=300', '"chat";r=27;t=6'])
  assert.deepEqual(told(await get(origin, 'b')), ['"chat";q=30;w=300', '"chat";r=29;t=10'])
})

test('over the limit it answers 429 with problem details, and the handler is not called', async (t) => {
  const { time, sp } = frozen()
  const { app, seen } = appWith(limit(sp.limiter('chat', { limit: 2, window: '1m' }), { key: byTenant }))
  const origin = await served(t, app)
  await get(origin, 'a')
  await get(origin, 'a')
  time.now += 500

  const denied = await get(origin, 'a')
  assert.equal(denied.status, 429)
  assert.equal(denied.headers.get('retry-after'), '30', 'whole seconds, rounded up from 29.5')
  assert.equal(denied.headers.get('content-type'), 'application/problem+json')
  assert.deepEqual(told(denied), ['"chat";q=2;w=60', '"chat";r=0;t=30'])
  const problem = await denied.json()
  assert.equal(problem.status, 429)
  assert.equal(problem.code, 'E_LIMITED')
  assert.equal(problem.retryAfter, 30)
  assert.equal(seen.handled, 2)

  time.now += 29_500
  const admitted = await get(origin, 'a')
  assert.equal(admitted.status, 200)
  assert.equal(admitted.headers.get('retry-after'), null)
  assert.equal(await admitted.text(), 'done')
})

test('the answer to a denial does not say the key', async (t) => {
  const { sp } = frozen()
  const { app } = appWith(limit(sp.limiter('chat', { limit: 1, window: '1m' }), { key: byTenant }))
  const origin = await served(t, app)
  await get(origin, 'tenant-secret')
  const denied = await get(origin, 'tenant-secret')
  assert.equal(denied.status, 429)
  assert.doesNotMatch((await denied.text()) + JSON.stringify([...denied.headers]), /tenant-secret/)
})

test('what can never be admitted is told no time to come back', async (t) => {
  const { sp } = frozen()
  const { app } = appWith(limit(sp.limiter('bulk', { limit: 5, window: '1m' }), { key: byTenant, cost: 6 }))
  const denied = await get(await served(t, app), 'a')
  assert.equal(denied.status, 429)
  assert.equal(denied.headers.get('retry-after'), null)
  assert.equal(denied.headers.get('ratelimit'), '"bulk";r=5;t=12')
  assert.equal('retryAfter' in (await denied.json()), false)
})

test('the cost may be a number or a function of the request', async (t) => {
  const { sp } = frozen()
  const fixed = appWith(limit(sp.limiter('fixed', { limit: 10, window: '10s' }), { key: byTenant, cost: 3 }))
  const asked = limit(sp.limiter('asked', { limit: 10, window: '10s' }), {
    key: byTenant,
    cost: (req) => Number(req.query.n),
  })
  assert.equal((await get(await served(t, fixed.app), 'a')).headers.get('ratelimit'), '"fixed";r=7;t=1')
  const origin = await served(t, appWith(asked).app)
  assert.equal((await get(`${origin}/?n=4`, 'a')).headers.get('ratelimit'), '"asked";r=6;t=1')
  const bad = await get(`${origin}/?n=-1`, 'a')
  assert.equal(bad.status, 500)
  assert.equal((await bad.json()).code, 'E_COST')
})

test('a request without a usable key is an E_KEY that says what to write, and nobody is charged', async (t) => {
  const { sp } = frozen()
  const chat = sp.limiter('chat', { limit: 1, window: '1m' })
  for (const key of [() => undefined, () => '', () => 42, () => null, async () => 'late']) {
    const { app, seen } = appWith(limit(chat, { key }))
    const answer = await get(await served(t, app))
    const { code, message } = await answer.json()
    assert.equal(code, 'E_KEY')
    assert.match(
      message,
      /key\(request\) must answer a non-empty string; got (?:undefined|""|42|null|an object \(Promise\))\./,
    )
    assert.equal(seen.handled, 0)
  }
  assert.equal(chat.consume('late').ok, true)
})

test('wrong options throw where they are written', () => {
  const { sp } = frozen()
  const chat = sp.limiter('chat', { limit: 1, window: '1m' })
  const wrong = [
    [undefined, { key: byTenant }, /the limiter must be what .+; got undefined/],
    [{ limit: 1 }, { key: byTenant }, /the limiter must be what .+; got an object/],
    [chat, undefined, /key is required.+; got undefined/],
    [chat, {}, /key is required.+; got undefined/],
    [chat, { key: 'x-tenant' }, /key is required.+; got "x-tenant"/],
    [chat, { key: byTenant, cost: '3' }, /cost must be a whole number.+; got "3"/],
    [chat, { key: byTenant, headers: 'draft-7' }, /headers must be true or false; got "draft-7"/],
    [chat, { key: byTenant, keyGenerator: byTenant }, /has no option "keyGenerator"; it has key, cost and headers/],
  ]
  for (const [limiter, options, message] of wrong) {
    assert.throws(() => limit(limiter, options), { name: 'TypeError', code: 'E_OPTION', message })
  }
})

test('headers: false leaves the fields out and keeps Retry-After', async (t) => {
  const { sp } = frozen()
  const quiet = limit(sp.limiter('chat', { limit: 1, window: '1m' }), { key: byTenant, headers: false })
  const origin = await served(t, appWith(quiet).app)
  assert.deepEqual(told(await get(origin, 'a')), [null, null])
  const denied = await get(origin, 'a')
  assert.equal(denied.status, 429)
  assert.deepEqual(told(denied), [null, null])
  assert.equal(denied.headers.get('retry-after'), '60')
})

test('two limits on one route are both told, in order', async (t) => {
  const { sp } = frozen()
  const { app } = appWith(
    limit(sp.limiter('burst', { limit: 2, window: '1s' }), { key: byTenant }),
    limit(sp.limiter('daily', { limit: 1, window: '1d' }), { key: byTenant }),
  )
  const origin = await served(t, app)
  const both = '"burst";q=2;w=1, "daily";q=1;w=86400'
  assert.deepEqual(told(await get(origin, 'a')), [both, '"burst";r=1;t=1, "daily";r=0;t=86400'])
  const denied = await get(origin, 'a')
  assert.equal(denied.status, 429)
  assert.deepEqual(told(denied), [both, '"burst";r=0;t=1, "daily";r=0;t=86400'])
  assert.equal((await denied.json()).retryAfter, 86400)
})

test('a limiter that answers with a promise works the same, and its failure is an error like any other', async (t) => {
  const { sp } = frozen()
  const local = sp.limiter('far', { limit: 1, window: '1m' })
  const { name, limit: quota, windowMs, burst } = local
  let broken = false
  const far = {
    ...{ name, limit: quota, windowMs, burst },
    async consume(key, cost) {
      if (broken) throw Object.assign(new Error('no store'), { code: 'E_STORE' })
      return local.consume(key, cost)
    },
  }
  const { app, seen } = appWith(limit(far, { key: byTenant }))
  const origin = await served(t, app)
  const first = await get(origin, 'a')
  assert.equal(first.status, 200)
  assert.deepEqual(told(first), ['"far";q=1;w=60', '"far";r=0;t=60'])
  assert.equal((await get(origin, 'a')).status, 429)
  assert.equal(seen.handled, 1)
  broken = true
  const failed = await get(origin, 'a')
  assert.equal(failed.status, 500)
  assert.equal((await failed.json()).code, 'E_STORE')
  assert.equal(seen.handled, 1)
})

test('a store that is gone is a 503, not a 429', async (t) => {
  const gone = {
    name: 'far',
    limit: 1,
    windowMs: 60_000,
    burst: 1,
    consume: () => ({
      ok: false,
      reason: 'store-unavailable',
      limit: 1,
      remaining: 0,
      cost: 1,
      retryAfterMs: 1_000,
      resetMs: 0,
      decidedBy: 'fail-mode',
      limiter: 'far',
    }),
  }
  const answer = await get(await served(t, appWith(limit(gone, { key: byTenant })).app), 'a')
  assert.equal(answer.status, 503)
  assert.equal((await answer.json()).code, 'E_STORE_UNAVAILABLE')
})

test('the middleware need nothing of Express: they work on bare node:http', async (t) => {
  const { sp } = frozen()
  const guard = limit(sp.limiter('bare', { limit: 1, window: '1m' }), { key: (req) => req.headers['x-tenant'] })
  const origin = await served(t, (req, res) => guard(req, res, () => res.end('done')))
  const first = await get(origin, 'a')
  assert.equal(await first.text(), 'done')
  assert.equal(first.headers.get('ratelimit'), '"bare";r=0;t=60')
  assert.equal((await get(origin, 'a')).status, 429)
})

test('the middleware have names, for stack traces', () => {
  const { sp } = frozen()
  assert.equal(limit(sp.limiter('a', { limit: 1, window: '1s' }), { key: byTenant }).name, 'spillwayLimit')
  assert.equal(refusals().name, 'spillwayRefusals')
  assert.equal(refusals().length, 4, 'Express knows error middleware by its four parameters')
})

test('a refusal of every code becomes its status, Retry-After and problem details', async (t) => {
  const statuses = {
    E_LIMITED: 429,
    E_OPEN: 503,
    E_FULL: 503,
    E_TIMEOUT: 504,
    E_RETRY_BUDGET: 503,
    E_SHED: 503,
    E_SATURATED: 503,
    E_STORE_UNAVAILABLE: 503,
  }
  const app = express()
  app.get('/thrown/:code', (req) => {
    throw new Refusal({ code: req.params.code, primitive: 'search', retryAfterMs: 1_001 })
  })
  app.get('/rejected/:code', async (req) => {
    throw new Refusal({ code: req.params.code, primitive: 'search' })
  })
  app.use(refusals())
  const origin = await served(t, app)
  for (const [code, status] of Object.entries(statuses)) {
    const thrown = await fetch(`${origin}/thrown/${code}`)
    assert.equal(thrown.status, status, code)
    assert.equal(thrown.headers.get('content-type'), 'application/problem+json')
    assert.equal(thrown.headers.get('retry-after'), '2')
    const problem = await thrown.json()
    assert.deepEqual([problem.code, problem.status, problem.retryAfter], [code, status, 2])

    const rejected = await fetch(`${origin}/rejected/${code}`)
    assert.equal(rejected.status, status, code)
    assert.equal(rejected.headers.get('retry-after'), null, 'none where the time is not known')
    await rejected.body.cancel()
  }
})

test('a refusal of another copy of the package is answered too', async (t) => {
  const path = require.resolve('../lib/refusals.js')
  const kept = require.cache[path]
  delete require.cache[path]
  const other = require(path)
  require.cache[path] = kept
  assert.notEqual(other.Refusal, Refusal)
  const app = express()
  app.get('/', () => {
    throw new other.Refusal({ code: 'E_FULL', primitive: 'pool' })
  })
  app.use(refusals())
  const answer = await get(await served(t, app))
  assert.equal(answer.status, 503)
  assert.equal((await answer.json()).code, 'E_FULL')
})

test('an error that is not a refusal goes on unchanged', async (t) => {
  const app = express()
  const thrown = Object.assign(new Error('mine'), { code: 'E_OPEN', status: 503 })
  app.get('/', () => {
    throw thrown
  })
  let reached
  app.use(refusals(), (error, _req, res, _next) => {
    reached = error
    res.status(500).end()
  })
  assert.equal((await get(await served(t, app))).status, 500)
  assert.equal(reached, thrown)
})

test('a refusal after the answer has begun cuts the connection rather than adding to it', async (t) => {
  const app = express()
  app.get('/', (_req, res) => {
    res.write('half')
    throw new Refusal({ code: 'E_OPEN', primitive: 'search' })
  })
  let reached
  app.use(refusals(), (error, _req, _res, next) => {
    reached = error
    next(error)
  })
  app.set('env', 'test') // or Express prints the error
  const answer = await get(await served(t, app))
  assert.equal(answer.status, 200)
  await assert.rejects(answer.text())
  assert.equal(reached.code, 'E_OPEN')
})

test('what the handler had said about the body it did not send is not said of the refusal', async (t) => {
  const app = express()
  app.get('/', (_req, res) => {
    res.set({
      'Cache-Control': 'public, max-age=3600',
      'Content-Disposition': 'attachment; filename="report.csv"',
      'Content-Encoding': 'gzip',
      'Content-Length': '100000',
      'X-Request-Id': '7',
      ETag: '"v1"',
    })
    throw new Refusal({ code: 'E_OPEN', primitive: 'search' })
  })
  app.use(refusals())
  const answer = await get(await served(t, app))
  assert.equal(answer.status, 503)
  assert.equal(answer.headers.get('cache-control'), 'no-store')
  for (const name of ['content-disposition', 'content-encoding', 'etag']) assert.equal(answer.headers.get(name), null)
  assert.equal(answer.headers.get('x-request-id'), '7')
  const body = await answer.text()
  assert.equal(answer.headers.get('content-length'), String(Buffer.byteLength(body)))
})

test('names are structured-field strings, whatever is in them', () => {
  const named = (name) => new RateLimitFields({ name, limit: 1, windowMs: 1_000, burst: 1 }).policy
  assert.equal(named('plain name'), '"plain name";q=1;w=1')
  assert.equal(named('a"b\\c'), '"a\\"b\\\\c";q=1;w=1')
  assert.equal(named('x";q=9999999'), '"x\\";q=9999999";q=1;w=1')
  assert.equal(named('naïve ☕'), '"na%C3%AFve %E2%98%95";q=1;w=1')
  assert.equal(named('a\r\nSet-Cookie: b'), '"a%0D%0ASet-Cookie: b";q=1;w=1')
  assert.equal(named('\ud800'), '"%EF%BF%BD";q=1;w=1', 'a lone surrogate does not throw')
})

test('the policy tells windows in whole seconds, never too short, and a burst that is not the limit', () => {
  const policy = (limit, windowMs, burst = limit) => new RateLimitFields({ name: 'p', limit, windowMs, burst }).policy
  assert.equal(policy(10, 1), '"p";q=10;w=1')
  assert.equal(policy(10, 1_500), '"p";q=10;w=2')
  assert.equal(policy(10, 60_000, 50), '"p";q=10;w=60;spillway-burst=50')
})

test('t is the time to the next unit, and never points past Retry-After', () => {
  let seed = 7
  const random = (n) => {
    seed = (seed * 48271) % 2147483647
    return seed % n
  }
  for (let round = 0; round < 500; round += 1) {
    const { time, sp } = frozen()
    const limiter = sp.limiter('r', {
      limit: 1 + random(50),
      window: 1_000 + random(600_000),
      burst: 1 + random(60),
    })
    const fields = new RateLimitFields(limiter)
    for (let call = 0; call < 20; call += 1) {
      time.now += random(20_000)
      const decision = limiter.consume('k', 1 + random(3))
      const [, r, seconds] = /^"r";r=(\d+);t=(\d+)$/.exec(fields.limit(decision)).map(Number)
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
        assert.equal(
          seconds,
          Math.ceil(limiter.windowMs / limiter.limit / 1000),
          'a rested key can spend r, then waits',
        )
      }
    }
  }
})
