// Owns the proof that spillway/express tells limits and answers refusals over real HTTP, on the real Express.
// Never waits: time is the clock each test holds.
'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const http2 = require('node:http2')
const { test } = require('node:test')
const express = require('express')
const { Refusal, spillway } = require('spillway')
const { limit, refusals, shed } = require('spillway/express')
const { together } = require('spillway/together')
const { hangingUp, hungUp } = require('./hang-up.js')
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
  assert.equal(denied.headers.get('ratelimit'), '"bulk";r=5;t=0')
  const problem = await denied.json()
  assert.equal('retryAfter' in problem, false)
  assert.deepEqual(
    [problem.type, problem.detail],
    ['about:blank', 'the cost is more than the limit of "bulk" ever allows'],
  )
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
  for (const key of [() => undefined, () => '', () => 42, () => null, () => ['a'], async () => undefined]) {
    const { app, seen } = appWith(limit(chat, { key }))
    const answer = await get(await served(t, app))
    const { code, message } = await answer.json()
    assert.equal(code, 'E_KEY')
    assert.match(message, /key\(request\) must answer a non-empty string; got (?:undefined|""|42|null|an array)\./)
    assert.equal(seen.handled, 0)
  }
  assert.equal(sp.snapshot().limiters.chat.keys, 0)
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
    [chat, { key: byTenant, override: 'pro' }, /override must be a function.+; got "pro"/],
    [chat, { key: byTenant, headers: 'draft-6' }, /headers must be 'draft-11', .+, true or false; got "draft-6"/],
    [chat, { key: byTenant, headers: '__proto__' }, /headers must be .+; got "__proto__"/],
    [chat, { key: byTenant, refund: true }, /refund must be 'successful', 'failed' or a function.+; got true/],
    [chat, { key: byTenant, onLimited: 429 }, /onLimited must be a function.+; got 429/],
    [chat, { key: byTenant, allow: '::1' }, /allow must be an array.+; got "::1"/],
    [chat, { key: byTenant, deny: [/::1/] }, /deny must be an array.+; got an object \(RegExp\)/],
    [chat, { key: byTenant, deny: ['10.0.0.0/33'] }, /deny.+; got "10.0.0.0\/33"/],
    [chat, { key: byTenant, address: '::1' }, /address must be a function.+; got "::1"/],
    [chat, { key: byTenant, keyGenerator: byTenant }, /has no option "keyGenerator"; it has key, cost, .+ and address/],
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
  const chat = sp.limiter('chat', { limit: 1, window: '1m' })
  const local = limit(chat, { key: () => 'all', deny: ['127.0.0.0/8'] })
  assert.equal((await fetch(await served(t, (req, res) => local(req, res, () => res.end())))).status, 403)
})

test('what fails at once goes to next, also on bare node:http, where nobody else would catch it', async (t) => {
  const { sp } = frozen()
  const chat = sp.limiter('chat', { limit: 5, window: '1m' })
  const closed = spillway()
  const gone = closed.limiter('gone', { limit: 1, window: '1m' })
  closed.close()
  const mine = () => {
    throw Object.assign(new Error('mine'), { code: 'MINE' })
  }
  const key = () => 'a'
  const spent = sp.limiter('spent', { limit: 1, window: '1m' })
  spent.consume('a')
  for (const [guard, code] of [
    [limit(chat, { key: (req) => req.headers['x-tenant'] }), 'E_KEY'],
    [limit(chat, { key: mine }), 'MINE'],
    [limit(chat, { key, cost: () => -1 }), 'E_COST'],
    [limit(chat, { key, allow: [mine] }), 'MINE'],
    [limit(chat, { key, deny: [async () => true] }), 'E_OPTION'],
    [limit(gone, { key }), 'E_DISPOSED'],
    [limit(spent, { key, onLimited: mine }), 'MINE'],
    [shed({ admit: () => null }, { priority: mine }), 'MINE'],
  ]) {
    const seen = []
    const origin = await served(t, (req, res) => {
      try {
        guard(req, res, (error) => seen.push(error?.code))
      } catch (error) {
        seen.push(`thrown: ${error.code}`)
      }
      res.end()
    })
    await get(origin)
    assert.deepEqual(seen, [code])
  }
  const handler = new Error('of the handler')
  const passing = limit(chat, { key })
  let calls = 0
  const next = () => {
    calls += 1
    throw handler
  }
  await get(
    await served(t, (req, res) => {
      assert.throws(() => passing(req, res, next), handler)
      res.end()
    }),
  )
  assert.equal(calls, 1, 'what next throws is not handed to it again')
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

/** A limiter that counts what is given back, and an app that tells when an answer has ended. */
function counted(options = { limit: 10, window: '1h' }) {
  const { sp } = frozen()
  const local = sp.limiter('counted', options)
  const refunds = []
  const limiter = {
    ...{ name: local.name, limit: local.limit, windowMs: local.windowMs, burst: local.burst, limits: local.limits },
    consume: (...args) => local.consume(...args),
    refund(key, decision) {
      refunds.push(key)
      return local.refund(key, decision)
    },
  }
  const app = express()
  app.set('env', 'test') // or Express prints the errors
  const ends = []
  const waiting = []
  // First of all listeners, and yet told after all of them: a promise is heard when the event is over.
  app.use((_req, res, next) => {
    res.once('close', () => (waiting.length > 0 ? waiting.shift()() : ends.push(true)))
    next()
  })
  const ended = () => (ends.length > 0 ? ends.shift() : new Promise((resolve) => waiting.push(resolve)))
  return { app, limiter, refunds, ended, left: (key) => local.peek(key).remaining }
}

test('the key, the cost and the plan may be promises, asked one after the other', async (t) => {
  const { sp } = frozen()
  const asked = []
  const late = limit(sp.limiter('late', { limit: 10, window: '10s' }), {
    key: async (req) => asked.push('key') && req.get('x-tenant'),
    cost: async () => asked.push('cost') && 3,
    override: async () => asked.push('plan') && { limit: 20 },
  })
  const origin = await served(t, appWith(late).app)
  assert.deepEqual(told(await get(origin, 'a')), ['"late";q=20;w=10', '"late";r=17;t=1'])
  assert.deepEqual(asked, ['key', 'cost', 'plan'])
  for (const option of ['key', 'cost', 'override']) {
    const failing = {
      key: byTenant,
      [option]: () => Promise.reject(Object.assign(new Error(option), { code: option })),
    }
    const { app, seen } = appWith(limit(sp.limiter('failing', { limit: 10, window: '10s' }), failing))
    assert.equal((await (await get(await served(t, app), 'a')).json()).code, option)
    assert.equal(seen.handled, 0)
  }
})

test('a plan takes the place of the limit, in what is admitted and in what is told', async (t) => {
  const { sp } = frozen()
  const plans = { pro: { limit: 3, window: '1h' }, free: undefined, none: null }
  const guard = limit(sp.limiter('api', { limit: 1, window: '1m' }), {
    key: byTenant,
    override: (req) => plans[req.get('x-tenant')],
  })
  const origin = await served(t, appWith(guard).app)
  for (const tenant of ['free', 'none']) {
    assert.deepEqual(told(await get(origin, tenant)), ['"api";q=1;w=60', '"api";r=0;t=60'])
    assert.equal((await get(origin, tenant)).status, 429)
  }
  const remaining = []
  for (let call = 0; call < 3; call += 1) remaining.push((await get(origin, 'pro')).headers.get('ratelimit'))
  assert.deepEqual(remaining, ['"api";r=2;t=1200', '"api";r=1;t=1200', '"api";r=0;t=1200'])
  const denied = await get(origin, 'pro')
  assert.deepEqual(told(denied), ['"api";q=3;w=3600', '"api";r=0;t=1200'])
  assert.deepEqual([denied.status, denied.headers.get('retry-after')], [429, '1200'])
})

test('legacy and draft-7 fields are those express-rate-limit sends', async (t) => {
  const { rateLimit } = require('express-rate-limit')
  const { sp } = frozen()
  const fieldsOf = async (guard) => {
    const { headers } = await get(await served(t, appWith(guard).app), 'a')
    return [...headers].filter(([name]) => name.includes('ratelimit'))
  }
  const peer = (options) => rateLimit({ limit: 5, windowMs: 60_000, keyGenerator: byTenant, ...options })
  const ours = (headers, name) =>
    limit(sp.limiter(name, { limit: 5, window: '1m', algorithm: 'fixed-window' }), { key: byTenant, headers })
  const legacy = await fieldsOf(peer({ legacyHeaders: true, standardHeaders: false }))
  const told = await fieldsOf(ours('legacy', 'legacy'))
  assert.deepEqual(
    told.map(([name]) => name),
    legacy.map(([name]) => name),
  )
  assert.deepEqual(told.slice(0, 2), legacy.slice(0, 2))
  const [mine, theirs] = [told, legacy].map((fields) => Number(fields[2][1]) - Date.now() / 1000)
  for (const seconds of [mine, theirs]) assert.ok(seconds > 0 && seconds < 62, 'a time of day, in seconds')

  const seventh = await fieldsOf(peer({ legacyHeaders: false, standardHeaders: 'draft-7' }))
  const shape = (fields) => fields.map(([name, value]) => [name, value.replace(/reset=\d+/, 'reset=')])
  assert.deepEqual(shape(await fieldsOf(ours('draft-7', 'seventh'))), shape(seventh))
})

test('refund successful: of attempts to log in only the failed ones count', async (t) => {
  const { app, limiter, refunds, ended, left } = counted({ limit: 3, window: '1h' })
  app.get('/', limit(limiter, { key: byTenant, refund: 'successful' }), (req, res) => {
    res.status(req.query.password === 'right' ? 200 : 401).send('done')
  })
  const origin = await served(t, app)
  const log = async (password) => {
    const { status } = await get(`${origin}/?password=${password}`, 'ada')
    await ended()
    return status
  }
  for (let login = 0; login < 5; login += 1) assert.equal(await log('right'), 200)
  assert.equal(left('ada'), 3)
  for (let attempt = 0; attempt < 3; attempt += 1) assert.equal(await log('wrong'), 401)
  assert.equal(await log('right'), 429, 'whoever guessed is not let in by guessing right')
  assert.equal(left('ada'), 0)
  assert.equal(refunds.length, 5)
})

test('refund failed: what ended in an error is given back, what succeeded is not', async (t) => {
  const { app, limiter, refunds, ended, left } = counted()
  const guard = limit(limiter, { key: byTenant, cost: 2, refund: 'failed' })
  app.get('/status/:status', guard, (req, res) => void res.status(Number(req.params.status)).end())
  app.get('/thrown', guard, () => {
    throw new Error('mine')
  })
  app.get('/rejected', guard, async () => {
    throw new Refusal({ code: 'E_OPEN', primitive: 'search' })
  })
  app.use(refusals())
  const origin = await served(t, app)
  for (const [path, back] of [
    ['status/200', 0],
    ['status/304', 0],
    ['status/400', 1],
    ['status/503', 1],
    ['thrown', 1],
    ['rejected', 1],
  ]) {
    const before = { left: left('a'), refunds: refunds.length }
    await (await get(`${origin}/${path}`, 'a')).arrayBuffer()
    await ended()
    assert.equal(refunds.length - before.refunds, back, path)
    assert.equal(left('a') - before.left, back === 1 ? 0 : -2, path)
  }
})

test('refund failed: a client that hangs up in the middle is counted once', async (t) => {
  const { app, limiter, refunds, ended, left } = counted()
  app.get('/', limit(limiter, { key: byTenant, refund: 'failed' }), (_req, res) => void res.write('half'))
  const origin = await served(t, app)
  await hungUp(origin, { headers: { 'x-tenant': 'a' } })
  await ended()
  assert.deepEqual(refunds, ['a'])
  assert.equal(left('a'), 10)
})

test('refund failed: a stream that is cut off is given back, one that ends is not', async (t) => {
  const { app, limiter, refunds, ended } = counted()
  const { Readable, pipeline } = require('node:stream')
  app.get('/:how', limit(limiter, { key: byTenant, refund: 'failed' }), (req, res) => {
    const how = req.params.how
    const source = Readable.from(
      (function* () {
        yield 'one'
        if (how === 'broken') throw new Error('the source broke')
        yield 'two'
      })(),
    )
    pipeline(source, res, () => {})
  })
  const origin = await served(t, app)
  assert.equal(await (await get(`${origin}/whole`, 'a')).text(), 'onetwo')
  await ended()
  assert.deepEqual(refunds, [])
  await assert.rejects(get(`${origin}/broken`, 'b').then((answer) => answer.text()))
  await ended()
  assert.deepEqual(refunds, ['b'])
})

test('refund failed: on HTTP/2 a stream that is reset has failed, one that ends has not', async (t) => {
  const { limiter, refunds } = counted()
  const guard = limit(limiter, { key: (req) => req.url, refund: 'failed' })
  const closed = []
  const server = http2.createServer((req, res) => {
    closed.push(once(res, 'close'))
    guard(req, res, () => (req.url === '/whole' ? res.end('whole') : res.write('half')))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = http2.connect(`http://127.0.0.1:${server.address().port}`)
  t.after(() => {
    client.destroy()
    server.close()
  })
  const ask = (path) => {
    const stream = client.request({ ':path': path }).end()
    return once(stream, 'data').then(() => stream)
  }
  await ask('/whole')
  ;(await ask('/half')).close(http2.constants.NGHTTP2_CANCEL)
  await Promise.all(closed)
  assert.deepEqual(refunds, ['/half'])
})

test('a client that is gone before its key was found is charged by how that ended, too', async (t) => {
  const { app, limiter, refunds, ended } = counted()
  let reached
  const arrived = new Promise((resolve) => (reached = resolve))
  let known
  const late = new Promise((resolve) => (known = resolve))
  let handled
  const done = new Promise((resolve) => (handled = resolve))
  const key = (req) => reached() ?? late.then(() => byTenant(req))
  app.get('/', limit(limiter, { key, refund: 'failed' }), (_req, res) => {
    res.send('to nobody')
    handled()
  })
  const origin = await served(t, app)
  const hangUp = hangingUp(origin, { headers: { 'x-tenant': 'a' } })
  await arrived
  hangUp()
  await ended()
  known()
  await done
  assert.deepEqual(refunds, ['a'])
})

test('a function decides over the refund from status and abortion; one that throws warns and refunds nothing', async (t) => {
  const { app, limiter, refunds, ended } = counted()
  const ends = []
  const refund = (end) => {
    ends.push(end)
    if (end.status === 418) throw new Error('no teapots')
    return end.status === 202
  }
  app.get('/cut', limit(limiter, { key: byTenant, refund }), (_req, res) => void res.status(206).write('half'))
  app.get('/:status', limit(limiter, { key: byTenant, refund }), (req, res) => {
    res.status(Number(req.params.status)).end()
  })
  const origin = await served(t, app)
  for (const status of [200, 202]) {
    await get(`${origin}/${status}`, 'a')
    await ended()
  }
  await hungUp(`${origin}/cut`, { headers: { 'x-tenant': 'a' } })
  await ended()
  const warned = once(process, 'warning')
  await get(`${origin}/418`, 'a')
  await ended()
  assert.equal((await warned)[0].message, 'no teapots')
  assert.deepEqual(ends, [
    { status: 200, aborted: false },
    { status: 202, aborted: false },
    { status: 206, aborted: true },
    { status: 418, aborted: false },
  ])
  assert.deepEqual(refunds, ['a'])
})

test('a refund that a store could not make is a warning', async (t) => {
  const { app, limiter, ended } = counted()
  const far = { ...limiter, refund: () => Promise.reject(new Error('no store')) }
  app.get('/', limit(far, { key: byTenant, refund: 'successful' }), (_req, res) => void res.send('done'))
  const warned = once(process, 'warning')
  await get(await served(t, app), 'a')
  await ended()
  assert.equal((await warned)[0].message, 'no store')
})

test('a limiter that was closed meanwhile disturbs nobody', async (t) => {
  const { sp } = frozen()
  const { app, ended } = counted()
  app.get(
    '/',
    limit(sp.limiter('chat', { limit: 1, window: '1m' }), { key: byTenant, refund: 'successful' }),
    (_req, res) => {
      void sp.close()
      res.send('done')
    },
  )
  const warnings = []
  const listener = (warning) => warnings.push(warning)
  process.on('warning', listener)
  t.after(() => process.off('warning', listener))
  assert.equal((await get(await served(t, app), 'a')).status, 200)
  await ended()
  await new Promise(setImmediate)
  assert.deepEqual(warnings, [])
})

test('a denied request has nothing to give back, however it ends', async (t) => {
  const { app, limiter, refunds, ended } = counted({ limit: 1, window: '1h' })
  app.get('/', limit(limiter, { key: byTenant, refund: 'failed' }), (_req, res) => void res.send('done'))
  const origin = await served(t, app)
  assert.equal((await get(origin, 'a')).status, 200)
  assert.equal((await get(origin, 'a')).status, 429)
  await ended()
  await ended()
  assert.deepEqual(refunds, [])
})

test('two limits on one route are each given back, also where the second denies', async (t) => {
  const { app, limiter, refunds, ended } = counted()
  const { sp } = frozen()
  const tight = sp.limiter('tight', { limit: 1, window: '1h' })
  app.get(
    '/',
    limit(limiter, { key: byTenant, refund: 'failed' }),
    limit(tight, { key: byTenant, refund: 'failed' }),
    (_req, res) => void res.send('done'),
  )
  const origin = await served(t, app)
  await get(origin, 'a')
  await ended()
  assert.deepEqual(refunds, [])
  assert.equal((await get(origin, 'a')).status, 429)
  await ended()
  assert.deepEqual(refunds, ['a'], 'the denial of the second is a failure to the first')
})

test('HEAD is charged and told as GET is, and a denial of it has no body', async (t) => {
  const { sp } = frozen()
  const { app } = appWith(limit(sp.limiter('chat', { limit: 1, window: '1m' }), { key: byTenant, refund: 'failed' }))
  const origin = await served(t, app)
  const ask = () => fetch(origin, { method: 'HEAD', headers: { 'x-tenant': 'a' } })
  const first = await ask()
  assert.deepEqual([first.status, ...told(first)], [200, '"chat";q=1;w=60', '"chat";r=0;t=60'])
  const denied = await ask()
  assert.deepEqual([denied.status, denied.headers.get('retry-after'), await denied.text()], [429, '60', ''])
})

test('who is on the allow list is neither limited nor charged nor told', async (t) => {
  const { sp } = frozen()
  const chat = sp.limiter('chat', { limit: 1, window: '1m' })
  const key = () => 'all'
  const preflight = appWith(limit(chat, { key, allow: [(req) => req.method === 'OPTIONS', (req) => req.query.free] }))
  const origin = await served(t, preflight.app)
  for (let call = 0; call < 3; call += 1) {
    assert.equal((await fetch(origin, { method: 'OPTIONS' })).status, 200)
    const free = await fetch(`${origin}/?free=1`)
    assert.deepEqual([free.status, ...told(free)], [200, null, null])
  }
  assert.equal(chat.peek('all').remaining, 1)
  const local = await served(t, appWith(limit(chat, { key, allow: ['10.0.0.0/8', '127.0.0.0/8'] })).app)
  for (let call = 0; call < 3; call += 1) assert.equal((await fetch(local)).status, 200)
  const other = await served(t, appWith(limit(chat, { key, allow: ['10.0.0.0/8', '::1'] })).app)
  assert.deepEqual([(await fetch(other)).status, (await fetch(other)).status], [200, 429])
})

test('who is on the deny list is answered 403 and never charged, even if allowed as well', async (t) => {
  const { sp } = frozen()
  const chat = sp.limiter('chat', { limit: 1, window: '1m' })
  const { app, seen } = appWith(limit(chat, { key: () => 'all', allow: ['127.0.0.1'], deny: ['127.0.0.1'] }))
  const denied = await fetch(await served(t, app))
  assert.equal(denied.status, 403)
  assert.equal(denied.headers.get('content-type'), 'application/problem+json')
  assert.equal(denied.headers.get('cache-control'), 'no-store')
  assert.deepEqual([...told(denied), denied.headers.get('retry-after')], [null, null, null])
  const problem = await denied.json()
  assert.deepEqual([problem.type, problem.title, problem.status], ['about:blank', 'Forbidden', 403])
  assert.equal(seen.handled, 0)
  assert.equal(chat.peek('all').remaining, 1)
})

test('behind a proxy the address is the one Express trusts, unless address says which', async (t) => {
  const { sp } = frozen()
  const chat = sp.limiter('chat', { limit: 1_000, window: '1m' })
  const deny = ['203.0.113.0/24', '2001:db8::/32']
  const trusting = appWith(limit(chat, { key: () => 'all', deny })).app.set('trust proxy', 'loopback')
  const distrusting = appWith(limit(chat, { key: () => 'all', deny })).app
  const address = (req) => req.get('x-real-ip')
  const told = appWith(limit(chat, { key: () => 'all', deny, address })).app
  const ask = async (app, headers) => (await fetch(await served(t, app), { headers })).status
  assert.equal(await ask(trusting, { 'x-forwarded-for': '203.0.113.7' }), 403)
  assert.equal(await ask(trusting, { 'x-forwarded-for': '2001:db8::7' }), 403)
  assert.equal(await ask(trusting, { 'x-forwarded-for': '198.51.100.7' }), 200)
  assert.equal(await ask(trusting, { 'x-forwarded-for': 'junk"\u00e9' }), 200)
  assert.equal(await ask(distrusting, { 'x-forwarded-for': '203.0.113.7' }), 200)
  assert.equal(await ask(told, { 'x-real-ip': '::ffff:203.0.113.7' }), 403)
  assert.equal(await ask(told, {}), 200)
})

test('a function on a list that answers with a promise is an error, not a yes', async (t) => {
  const { sp } = frozen()
  const chat = sp.limiter('chat', { limit: 1, window: '1m' })
  for (const list of ['allow', 'deny']) {
    const { app, seen } = appWith(limit(chat, { key: byTenant, [list]: [async () => false] }))
    const { code, message } = await (await get(await served(t, app), 'a')).json()
    assert.equal(code, 'E_OPTION')
    assert.match(message, new RegExp(`a function in ${list} must answer at once; got an object \\(Promise\\)`))
    assert.equal(seen.handled, 0)
  }
})

test('onLimited answers in place of the 429, with the fields and Retry-After set', async (t) => {
  const { sp } = frozen()
  const heard = []
  const onLimited = (req, res, _next, decision) => {
    heard.push([req.get('x-tenant'), decision.reason, decision.retryAfterMs])
    res.status(420).send('calm down')
  }
  const { app, seen } = appWith(limit(sp.limiter('chat', { limit: 1, window: '1m' }), { key: byTenant, onLimited }))
  const origin = await served(t, app)
  assert.equal((await get(origin, 'a')).status, 200)
  const denied = await get(origin, 'a')
  assert.deepEqual([denied.status, await denied.text()], [420, 'calm down'])
  assert.deepEqual([...told(denied), denied.headers.get('retry-after')], ['"chat";q=1;w=60', '"chat";r=0;t=60', '60'])
  assert.deepEqual(heard, [['a', 'limited', 60_000]])
  assert.equal(seen.handled, 1)
})

test('onLimited may let a request by, and what it throws goes to the error middleware', async (t) => {
  const { sp } = frozen()
  const error = Object.assign(new Error('mine'), { code: 'MINE' })
  const guarded = async (onLimited) => {
    const limiter = sp.limiter(`l${onLimited}`, { limit: 1, window: '1m' })
    limiter.consume('a')
    return get(await served(t, appWith(limit(limiter, { key: byTenant, onLimited })).app), 'a')
  }
  assert.equal((await guarded((_req, _res, next) => next())).status, 200)
  const failing = [
    () => {
      throw error
    },
    async () => {
      throw error
    },
  ]
  for (const onLimited of failing) assert.equal((await (await guarded(onLimited)).json()).code, 'MINE')
})

test('a limiter on trial lets everybody by and is told to nobody', async (t) => {
  const { sp } = frozen()
  const trial = sp.limiter('trial', { limit: 1, window: '1m', shadow: true })
  const { app } = appWith(limit(trial, { key: byTenant, onLimited: () => assert.fail('nobody is limited') }))
  const origin = await served(t, app)
  for (let call = 0; call < 3; call += 1) {
    const answer = await get(origin, 'a')
    assert.deepEqual([answer.status, ...told(answer), answer.headers.get('retry-after')], [200, null, null, null])
  }
})

test('a blocked key is a 429 that says when the block ends', async (t) => {
  const { sp } = frozen()
  const chat = sp.limiter('chat', { limit: 5, window: '1m' })
  chat.block('a', '10m')
  const denied = await get(await served(t, appWith(limit(chat, { key: byTenant })).app), 'a')
  assert.deepEqual([denied.status, denied.headers.get('retry-after')], [429, '600'])
  assert.match(denied.headers.get('ratelimit'), /^"chat";r=\d+;t=600$/)
  const problem = await denied.json()
  assert.deepEqual(
    [problem.type, problem.code, problem.detail, problem.retryAfter, 'violated-policies' in problem],
    ['about:blank', 'E_LIMITED', 'this key of "chat" is blocked', 600, false],
  )
})

test('one limiter of several limits is told as several policies', async (t) => {
  const { sp } = frozen()
  const api = sp.limiter('api', [
    { limit: 2, window: '1s' },
    { limit: 3, window: '1h', algorithm: 'fixed-window' },
  ])
  const origin = await served(t, appWith(limit(api, { key: byTenant })).app)
  const first = await get(origin, 'a')
  assert.deepEqual(told(first), ['"api/1s";q=2;w=1, "api/1h";q=3;w=3600', '"api/1s";r=1;t=1'])
  await get(origin, 'a')
  const denied = await get(origin, 'a')
  assert.equal(denied.status, 429)
  assert.deepEqual((await denied.json())['violated-policies'], ['api/1s'])
})

test('shed answers 503 by priority, with Retry-After and problem details', async (t) => {
  const asked = []
  const guard = {
    admit(priority) {
      asked.push(priority)
      return priority === 'low' ? { code: 'E_SHED', primitive: 'overload', status: 503, retryAfterMs: 1_500 } : null
    },
  }
  const { app, seen } = appWith(shed(guard, { priority: (req) => req.get('x-priority') }))
  const origin = await served(t, app)
  assert.equal((await fetch(origin, { headers: { 'x-priority': 'high' } })).status, 200)
  for (let call = 0; call < 2; call += 1) {
    const refused = await fetch(origin, { headers: { 'x-priority': 'low' } })
    assert.deepEqual([refused.status, refused.headers.get('retry-after')], [503, '2'])
    assert.equal(refused.headers.get('content-type'), 'application/problem+json')
    const problem = await refused.json()
    assert.deepEqual([problem.code, problem.status, problem.retryAfter], ['E_SHED', 503, 2])
  }
  assert.equal((await fetch(await served(t, appWith(shed(guard)).app))).status, 200)
  assert.deepEqual(asked, ['high', 'low', 'low', undefined])
  assert.equal(seen.handled, 1)
  assert.equal(shed(guard).name, 'spillwayShed')
  const waits = [{ retryAfterMs: 1_000 }, { retryAfterMs: 2_000 }]
  const moody = { admit: () => ({ code: 'E_SHED', primitive: 'overload', status: 503, ...waits.shift() }) }
  const changing = await served(t, appWith(shed(moody)).app)
  for (const wait of ['1', '2']) assert.equal((await fetch(changing)).headers.get('retry-after'), wait)
})

test('wrong options of shed throw where they are written', () => {
  const guard = { admit: () => null }
  for (const [given, options, message] of [
    [undefined, undefined, /the guard must be what .+; got undefined/],
    [{ run() {} }, undefined, /the guard must be what .+; got an object/],
    [guard, { priority: 'low' }, /priority must be a function.+; got "low"/],
    [guard, { prio: () => 'low' }, /has no option "prio"; it has priority/],
  ]) {
    assert.throws(() => shed(given, options), { name: 'TypeError', code: 'E_OPTION', message })
  }
})

test('an answer that has begun is cut off where the client is on the deny list', async (t) => {
  const { sp } = frozen()
  const guard = limit(sp.limiter('chat', { limit: 1, window: '1m' }), { key: byTenant, deny: [() => true] })
  const origin = await served(t, (req, res) => {
    res.write('half')
    guard(req, res, () => assert.fail('handled'))
  })
  await assert.rejects(fetch(origin).then((answer) => answer.text()))
})

test('shed leaves an answer alone that has begun', async (t) => {
  const app = express()
  app.set('env', 'test') // or Express prints the error
  const begun = (_req, res, next) => {
    res.write('somebody else was faster')
    next()
  }
  const guard = { admit: () => ({ code: 'E_SHED', primitive: 'overload', status: 503 }) }
  let reached
  app.get('/', begun, shed(guard), () => assert.fail('handled'))
  app.use((error, _req, _res, next) => {
    reached = error
    next(error)
  })
  await assert.rejects((await get(await served(t, app))).text())
  assert.equal(reached.code, 'E_SHED')
})

test('an answer that has begun before the key was known is left alone', async (t) => {
  const { sp } = frozen()
  const chat = sp.limiter('chat', { limit: 1, window: '1m' })
  chat.consume('a')
  let known
  const late = new Promise((resolve) => (known = resolve))
  const app = express()
  app.set('env', 'test') // or Express prints the error
  app.use((_req, res, next) => {
    res.write('somebody else was faster')
    next()
  })
  const onLimited = () => assert.fail('there is nothing left to answer')
  app.get('/', limit(chat, { key: () => late.then(() => 'a'), onLimited }))
  let reached
  app.use((error, _req, _res, next) => {
    reached = error
    next(error)
  })
  const answer = await get(await served(t, app))
  known()
  await assert.rejects(answer.text())
  assert.equal(reached.code, 'E_LIMITED')
})

/** A user's limit of three and the organisation's of five, charged together. */
function userAndTeam(more = {}) {
  const { sp } = frozen()
  const users = sp.limiter('users', { limit: 3, window: '1h' })
  const teams = sp.limiter('teams', { limit: 5, window: '1h' })
  const left = (user) => [users.peek(user).remaining, teams.peek('team').remaining]
  const parts = [
    { limiter: users, key: byTenant },
    { limiter: teams, key: () => 'team', ...more },
  ]
  return { sp, users, parts, left }
}

test('limiters that are charged together: all or none, both policies told, the tightest one speaks', async (t) => {
  const { sp, parts, left } = userAndTeam()
  const { app, seen } = appWith(limit(together(sp, parts)))
  const origin = await served(t, app)
  const policies = '"users";q=3;w=3600, "teams";q=5;w=3600'
  assert.deepEqual(told(await get(origin, 'ada')), [policies, '"users";r=2;t=1200'])
  await get(origin, 'ada')
  await get(origin, 'ada')
  assert.deepEqual(left('ada'), [0, 2])
  const denied = await get(origin, 'ada')
  assert.deepEqual([denied.status, ...told(denied)], [429, policies, '"users";r=0;t=1200'])
  assert.deepEqual((await denied.json())['violated-policies'], ['users'])
  assert.deepEqual(left('ada'), [0, 2], 'the team was not charged for what the user was denied')
  assert.deepEqual(told(await get(origin, 'bob')), [policies, '"teams";r=1;t=720'])
  await get(origin, 'bob')
  const full = await get(origin, 'cyd')
  assert.deepEqual((await full.json())['violated-policies'], ['teams'])
  assert.deepEqual(left('cyd'), [3, 0])
  assert.equal(seen.handled, 5)
})

test('limiters that are charged together: keys and costs may be promises, asked one after the other', async (t) => {
  const asked = []
  const now = (what, value) => asked.push(what) && value
  const late = async (what, value) => now(what, value)
  for (const [keyIs, costIs] of [
    [late, now],
    [now, late],
    [late, late],
    [now, now],
  ]) {
    const team = { key: () => keyIs('key', 'team'), cost: () => costIs('cost', 2) }
    const { sp, users, parts, left } = userAndTeam(team)
    for (const order of [parts, [parts[1], parts[0]]]) {
      asked.length = 0
      assert.equal((await get(await served(t, appWith(limit(together(sp, order))).app), 'ada')).status, 200)
      assert.deepEqual(asked, ['key', 'cost'])
    }
    assert.deepEqual(left('ada'), [1, 1])
    assert.equal(users.peek('team').remaining, 3)
  }
  const { sp, parts, left } = userAndTeam({ key: () => Promise.reject(Object.assign(new Error('no'), { code: 'NO' })) })
  const { app, seen } = appWith(limit(together(sp, parts)))
  assert.equal((await (await get(await served(t, app), 'ada')).json()).code, 'NO')
  assert.equal(seen.handled, 0)
  assert.deepEqual(left('ada'), [3, 5])
})

test('limiters that are charged together: an outcome gives every part back, a missing key charges none', async (t) => {
  const { sp, parts, left } = userAndTeam({ cost: 2 })
  const { app, ended } = counted()
  app.get('/:status', limit(together(sp, parts), { refund: 'failed' }), (req, res) => {
    res.status(Number(req.params.status)).end()
  })
  app.use((error, _req, res, _next) => void res.status(500).json({ code: error.code }))
  const origin = await served(t, app)
  await get(`${origin}/200`, 'ada')
  await ended()
  assert.deepEqual(left('ada'), [2, 3])
  await get(`${origin}/503`, 'ada')
  await ended()
  assert.deepEqual(left('ada'), [2, 3])
  assert.deepEqual(await (await get(`${origin}/200`)).json(), { code: 'E_KEY' })
  assert.deepEqual(left('ada'), [2, 3])

  const far = {
    kind: 'limiter',
    name: 'far',
    limits: parts[0].limiter.limits,
    refund: async () => assert.fail('no store'),
  }
  const remote = { consumeAll: async () => parts[0].limiter.consume('bob') }
  app.get(
    '/far/:status',
    limit(together(remote, [{ limiter: far, key: byTenant }]), { refund: 'successful' }),
    (_req, res) => {
      res.end()
    },
  )
  const warned = once(process, 'warning')
  await get(await served(t, app).then((again) => `${again}/far/200`), 'bob')
  assert.equal((await warned)[0].message, 'no store')
})

test('limiters that are charged together: one that cannot give back does not keep the others from it', async () => {
  const { sp, parts, left } = userAndTeam()
  const broken = (refund) => ({ kind: 'limiter', name: 'broken', limits: parts[0].limiter.limits, refund })
  const thrown = broken(() => assert.fail('no store'))
  const rejected = broken(() => Promise.reject(new Error('gone')))
  const both = together(sp, parts)
  const charged = () => {
    const charges = parts.map(({ limiter, key }) => ({ limiter, key: key({ get: () => 'ada' }) }))
    return { charges, decision: sp.consumeAll(charges) }
  }
  const first = charged()
  assert.deepEqual(left('ada'), [2, 4])
  assert.throws(() => both.refund([{ limiter: thrown, key: 'a' }, ...first.charges], first.decision), {
    message: 'no store',
  })
  assert.deepEqual(left('ada'), [3, 5])
  const second = charged()
  const back = [{ limiter: rejected, key: 'a' }, { limiter: thrown, key: 'a' }, ...second.charges]
  await assert.rejects(both.refund(back, second.decision), { message: /no store|gone/ })
  assert.deepEqual(left('ada'), [3, 5])
})

test('limiters that are charged together: one limiter for two keys is one policy', async (t) => {
  const { sp, users } = userAndTeam()
  const both = together(sp, [
    { limiter: users, key: byTenant },
    { limiter: users, key: () => 'all', cost: 2 },
  ])
  assert.deepEqual(told(await get(await served(t, appWith(limit(both)).app), 'ada')), [
    '"users";q=3;w=3600',
    '"users";r=1;t=1200',
  ])
})

test('limiters that are charged together: wrong options throw where they are written', () => {
  const { sp, users, parts } = userAndTeam()
  for (const [given, message] of [
    [undefined, /parts must be an array of 1 to 8; got undefined/],
    [[], /parts must be an array of 1 to 8; got 0 parts/],
    [Array(9).fill(parts[0]), /got 9 parts/],
    [[users], /parts\[0\]\.limiter must be what limiter.+; got undefined/],
    [[null], /parts\[0\]\.limiter must be what limiter.+; got undefined/],
    [[parts[0], { limiter: users }], /parts\[1\]\.key is required.+; got undefined/],
    [[{ limiter: users, key: byTenant, cost: '2' }], /parts\[0\]\.cost must be a whole number.+; got "2"/],
    [
      [{ limiter: users, key: byTenant, refund: 'failed' }],
      /parts\[0\]\.refund is unknown; there are limiter, key and cost/,
    ],
  ]) {
    assert.throws(() => together(sp, given), { name: 'TypeError', code: 'E_OPTION', message })
  }
  assert.throws(() => together({}, parts), { code: 'E_OPTION', message: /the spillway must have consumeAll/ })
  for (const option of ['key', 'cost', 'override']) {
    const options = { [option]: () => 1 }
    const message = new RegExp(`${option} is said of each of the limiters`)
    assert.throws(() => limit(together(sp, parts), options), { code: 'E_OPTION', message })
  }
})
