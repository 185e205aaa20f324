// Owns the proof that spillway/hono limits routes and answers refusals over real HTTP, on the real Hono and its Node server.
// Never waits: time is the clock each test holds.
'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const { test } = require('node:test')
const { serve } = require('@hono/node-server')
const { getConnInfo } = require('@hono/node-server/conninfo')
const { Hono } = require('hono')
const { cors } = require('hono/cors')
const { HTTPException } = require('hono/http-exception')
const { stream } = require('hono/streaming')
const { Refusal, spillway } = require('spillway')
const { limited } = require('spillway/fetch')
const { limit, refusals, shed } = require('spillway/hono')
const { together } = require('spillway/together')
const { hangingUp, hungUp } = require('./hang-up.js')

const byTenant = (c) => c.req.header('x-tenant')
const get = (origin, tenant) => fetch(origin, { headers: tenant === undefined ? {} : { 'x-tenant': tenant } })
const told = (response) => [response.headers.get('ratelimit-policy'), response.headers.get('ratelimit')]

/** Serves `app` until the test ends. */
async function listening(t, { fetch: handle }) {
  const server = serve({ fetch: handle, port: 0, hostname: '127.0.0.1' })
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  if (!server.listening) await once(server, 'listening')
  return `http://127.0.0.1:${server.address().port}`
}

/** Limiters that live in a time of the test's own. */
function frozen() {
  const time = { now: 1_000_000 }
  return { time, sp: spillway({ clock: () => time.now }) }
}

/** A limiter of ten that tells when something was given back, and what is left of it. */
function counted() {
  const { sp } = frozen()
  const local = sp.limiter('chat', { limit: 10, window: '1h' })
  const waiting = []
  const limiter = {
    ...{ name: local.name, limit: local.limit, windowMs: local.windowMs, burst: local.burst, limits: local.limits },
    consume: (...args) => local.consume(...args),
    refund(key, decision) {
      local.refund(key, decision)
      waiting.shift()?.()
    },
  }
  return {
    limiter,
    refunded: () => new Promise((resolve) => waiting.push(resolve)),
    left: () => local.peek('a').remaining,
  }
}

test('it limits a path, tells what is left, and answers 429 with problem details', async (t) => {
  const { time, sp } = frozen()
  const app = new Hono()
  let handled = 0
  app.use('/api/*', limit(sp.limiter('api', { limit: 2, window: '1m' }), { key: byTenant }))
  app.get('/api/text', (c) => {
    handled += 1
    return c.text('done')
  })
  app.get('/free', (c) => c.text('free'))
  const origin = await listening(t, app)
  const first = await get(`${origin}/api/text`, 'a')
  assert.deepEqual(
    [first.status, await first.text(), ...told(first)],
    [200, 'done', '"api";q=2;w=60', '"api";r=1;t=30'],
  )
  assert.deepEqual(told(await get(`${origin}/api/nowhere`, 'a')), ['"api";q=2;w=60', '"api";r=0;t=30'])
  time.now += 500
  const denied = await get(`${origin}/api/text`, 'a')
  assert.equal(denied.status, 429)
  assert.equal(denied.headers.get('content-type'), 'application/problem+json')
  assert.equal(denied.headers.get('cache-control'), 'no-store')
  assert.equal(denied.headers.get('retry-after'), '30')
  assert.deepEqual(told(denied), ['"api";q=2;w=60', '"api";r=0;t=30'])
  const problem = await denied.json()
  assert.deepEqual([problem.status, problem.code, problem.retryAfter], [429, 'E_LIMITED', 30])
  assert.equal(handled, 1)
  assert.deepEqual(told(await get(`${origin}/free`, 'a')), [null, null])
})

test('whatever a handler answers with is told: json, its own Response, a redirect, no body, a stream', async (t) => {
  const { sp } = frozen()
  const app = new Hono()
  app.use(limit(sp.limiter('api', { limit: 100, window: '1m' }), { key: () => 'all' }))
  const constant = new Response(null, { status: 204 })
  app.get('/json', (c) => c.json({ done: true }, 201, { 'X-Own': 'yes' }))
  app.get('/own', () => new Response('own', { status: 203, headers: { 'X-Own': 'yes', 'Set-Cookie': 'a=1' } }))
  app.get('/redirect', () => Response.redirect('http://elsewhere.test/', 307))
  app.get('/constant', () => constant)
  app.get('/stream', (c) => stream(c, async (out) => void (await out.write('streamed'))))
  const origin = await listening(t, app)
  for (const [path, status, body] of [
    ['json', 201, '{"done":true}'],
    ['own', 203, 'own'],
    ['redirect', 307, ''],
    ['constant', 204, ''],
    ['constant', 204, ''],
    ['stream', 200, 'streamed'],
    ['nowhere', 404, '404 Not Found'],
  ]) {
    const answer = await fetch(`${origin}/${path}`, { redirect: 'manual' })
    assert.deepEqual([answer.status, await answer.text()], [status, body])
    assert.equal(answer.headers.get('ratelimit-policy'), '"api";q=100;w=60', path)
    if (path === 'json' || path === 'own') assert.equal(answer.headers.get('x-own'), 'yes')
    if (path === 'own') assert.deepEqual(answer.headers.getSetCookie(), ['a=1'])
  }
  assert.equal(constant.headers.get('ratelimit'), null, 'what the handler keeps is not written on')
})

test('fields of other middleware stay, and two limits are both told', async (t) => {
  const { sp } = frozen()
  const app = new Hono()
  app.use(async (c, next) => {
    c.header('X-Before', 'yes')
    await next()
    c.header('X-After', 'yes')
  })
  app.use(limit(sp.limiter('wide', { limit: 9, window: '1h' }), { key: byTenant }))
  app.use(limit(sp.limiter('tight', { limit: 1, window: '1m' }), { key: byTenant }))
  app.get('/', (c) => c.text('done'))
  app.get('/empty', (c) => c.body(null, 204))
  const origin = await listening(t, app)
  const empty = await get(`${origin}/empty`, 'b')
  assert.deepEqual(told(empty), ['"tight";q=1;w=60, "wide";q=9;w=3600', '"tight";r=0;t=60, "wide";r=8;t=400'])
  const first = await get(origin, 'a')
  assert.deepEqual(told(first), ['"tight";q=1;w=60, "wide";q=9;w=3600', '"tight";r=0;t=60, "wide";r=8;t=400'])
  const denied = await get(origin, 'a')
  assert.equal(denied.status, 429)
  assert.deepEqual(told(denied), ['"tight";q=1;w=60, "wide";q=9;w=3600', '"tight";r=0;t=60, "wide";r=7;t=400'])
  for (const answer of [first, denied]) {
    assert.deepEqual([answer.headers.get('x-before'), answer.headers.get('x-after')], ['yes', 'yes'])
  }
})

test('HEAD is charged and told, and ends where nobody reads its body', async (t) => {
  const { limiter, left } = counted()
  const app = new Hono()
  app.use(limit(limiter, { key: byTenant, refund: 'successful' }))
  app.get('/', (c) => c.text('done'))
  const origin = await listening(t, app)
  const answer = await fetch(origin, { method: 'HEAD', headers: { 'x-tenant': 'a' } })
  assert.deepEqual([answer.status, answer.headers.get('ratelimit')], [200, '"chat";r=9;t=360'])
  assert.equal(left(), 10)
})

test('the key, the cost and the plan may be promises; a format and a custom answer may be chosen', async (t) => {
  const { sp } = frozen()
  const app = new Hono()
  app.use(
    limit(sp.limiter('api', { limit: 1, window: '1m' }), {
      key: async (c) => byTenant(c),
      cost: async () => 2,
      override: async () => ({ limit: 3 }),
      headers: 'draft-7',
      onLimited: (c, decision) => c.json({ wait: decision.retryAfterMs }, 420),
    }),
  )
  app.get('/', (c) => c.text('done'))
  const origin = await listening(t, app)
  assert.deepEqual(told(await get(origin, 'a')), ['3;w=60', 'limit=3, remaining=1, reset=20'])
  const denied = await get(origin, 'a')
  assert.deepEqual(
    [denied.status, denied.headers.get('retry-after'), await denied.json()],
    [420, '20', { wait: 20_000 }],
  )
})

test('a request without a usable key is an E_KEY for onError', async (t) => {
  const { sp } = frozen()
  const app = new Hono()
  app.use(limit(sp.limiter('api', { limit: 1, window: '1m' }), { key: byTenant }))
  app.onError((error, c) => c.json({ code: error.code }, 500))
  assert.deepEqual(await (await get(await listening(t, app))).json(), { code: 'E_KEY' })
})

test('lists by address and by function; denied is a 403, allowed is not charged', async (t) => {
  const { limiter, left } = counted()
  const app = new Hono()
  const address = (c) => c.req.header('x-real-ip') ?? getConnInfo(c).remote.address
  app.use(
    limit(limiter, {
      key: () => 'a',
      address,
      allow: ['127.0.0.0/8', (c) => c.req.path === '/health'],
      deny: ['2001:db8::/32'],
    }),
  )
  app.get('/*', (c) => c.text('done'))
  const origin = await listening(t, app)
  const ask = async (path, ip) => {
    const answer = await fetch(origin + path, { headers: ip === undefined ? {} : { 'x-real-ip': ip } })
    return [answer.status, answer.headers.get('ratelimit')]
  }
  assert.deepEqual(await ask('/'), [200, null])
  assert.deepEqual(await ask('/health', '192.0.2.1'), [200, null])
  assert.deepEqual(await ask('/health', '2001:db8::7'), [403, null])
  assert.equal(left(), 10)
  assert.deepEqual(await ask('/', '192.0.2.1'), [200, '"chat";r=9;t=360'])
})

test('refund failed: what failed, was thrown or refused is given back', async (t) => {
  const { limiter, refunded, left } = counted()
  const app = new Hono()
  app.use(limit(limiter, { key: byTenant, refund: 'failed' }))
  app.onError(refusals((error, c) => c.text(error.message, 500)))
  app.get('/fine', (c) => c.text('done'))
  app.get('/missing', (c) => c.text('no', 404))
  app.get('/thrown', () => {
    throw new Error('mine')
  })
  app.get('/refused', () => {
    throw new Refusal({ code: 'E_OPEN', primitive: 'search' })
  })
  const origin = await listening(t, app)
  assert.equal((await get(`${origin}/fine`, 'a')).status, 200)
  for (const [path, status] of [
    ['missing', 404],
    ['thrown', 500],
    ['refused', 503],
  ]) {
    const back = refunded()
    const answer = await get(`${origin}/${path}`, 'a')
    assert.equal(answer.status, status)
    await answer.text()
    await back
    assert.equal(left(), 9, path)
  }
})

test('refund failed: a client that hangs up in the middle of a stream is given back once', async (t) => {
  const { limiter, refunded, left } = counted()
  const app = new Hono()
  app.use(limit(limiter, { key: byTenant, refund: 'failed' }))
  const endless = () => {
    let sent = false
    return new ReadableStream({
      pull(controller) {
        if (sent) return new Promise(() => {})
        sent = true
        controller.enqueue(new TextEncoder().encode('half'))
        return undefined
      },
    })
  }
  app.get('/', (c) => c.body(endless()))
  const origin = await listening(t, app)
  const back = refunded()
  await hungUp(origin, { headers: { 'x-tenant': 'a' } })
  await back
  assert.equal(left(), 10)
})

test('a client that is gone before there is an answer is given back', async (t) => {
  const { limiter, refunded, left } = counted()
  const app = new Hono()
  app.use(limit(limiter, { key: byTenant, refund: 'failed' }))
  let hangUp
  app.get('/', async (c) => {
    hangUp()
    await once(c.env.outgoing, 'close')
    return c.body(null, 204)
  })
  const whole = limited(
    async (_request, { outgoing }) => {
      hangUp()
      await once(outgoing, 'close')
      return new Response(null, { status: 204 })
    },
    limiter,
    { key: (request) => request.headers.get('x-tenant'), refund: 'failed' },
  )
  for (const handler of [app, { fetch: whole }]) {
    const origin = await listening(t, handler)
    const back = refunded()
    hangUp = hangingUp(origin, { headers: { 'x-tenant': 'a' } })
    await back
    assert.equal(left(), 10)
  }
})

test('a handler that forgot to answer is what Hono says it is', async (t) => {
  const { limiter } = counted()
  const app = new Hono()
  app.use(limit(limiter, { key: () => 'a' }))
  app.get('/', async () => undefined)
  app.onError((error, c) => c.text(error.message, 500))
  const answer = await fetch(await listening(t, app))
  assert.deepEqual([answer.status, /not finalized/.test(await answer.text())], [500, true])
})

test('an error that passes Hono by is given back as well', async () => {
  const { limiter, left } = counted()
  const guard = limit(limiter, { key: byTenant, refund: 'failed' })
  const raw = new Request('http://service.test/')
  const c = { req: { raw, header: () => 'a' } }
  await assert.rejects(
    guard(c, () => Promise.reject(new Error('mine'))),
    { message: 'mine' },
  )
  assert.equal(left(), 10)
  for (const raw of [undefined, {}]) {
    await assert.rejects(
      guard({ req: { raw, header: () => 'a' } }, () => Promise.reject(new Error('mine'))),
      { message: 'mine' },
    )
  }
  assert.equal(left(), 10)
  assert.equal(await guard({ ...c, finalized: false }, async () => {}), undefined, 'nobody answered')
})

test('refusals() answers refusals; every other error is answered by otherwise', async (t) => {
  const app = new Hono()
  app.onError(
    refusals((error, c) =>
      error instanceof HTTPException ? error.getResponse() : c.text(`mine: ${error.message}`, 500),
    ),
  )
  app.use(cors())
  app.get('/refused', (c) => {
    c.header('ETag', '"v1"')
    c.header('Cache-Control', 'public')
    c.header('X-Request-Id', '7')
    throw new Refusal({ code: 'E_TIMEOUT', primitive: 'search', retryAfterMs: 1_001 })
  })
  app.get('/http', () => {
    throw new HTTPException(418, { message: 'teapot' })
  })
  app.get('/thrown', () => {
    throw new Error('other')
  })
  const origin = await listening(t, app)
  const refused = await fetch(`${origin}/refused`)
  assert.deepEqual([refused.status, refused.headers.get('retry-after')], [504, '2'])
  assert.deepEqual(
    ['etag', 'cache-control', 'x-request-id', 'content-type', 'access-control-allow-origin'].map((name) =>
      refused.headers.get(name),
    ),
    [null, 'no-store', '7', 'application/problem+json', '*'],
  )
  assert.equal((await refused.json()).code, 'E_TIMEOUT')
  assert.equal((await fetch(`${origin}/http`)).status, 418)
  assert.equal(await (await fetch(`${origin}/thrown`)).text(), 'mine: other')
  assert.throws(() => refusals(), { code: 'E_OPTION', message: /otherwise must be a function/ })
})

test('shed answers 503 by priority', async (t) => {
  const app = new Hono()
  const info = { code: 'E_SHED', primitive: 'overload', status: 503, retryAfterMs: 1_500 }
  const guard = { admit: (priority) => (priority === 'low' ? info : null) }
  app.use(shed(guard, { priority: (c) => c.req.header('x-priority') }))
  app.get('/', (c) => c.text('done'))
  const origin = await listening(t, app)
  assert.equal((await fetch(origin)).status, 200)
  for (let call = 0; call < 2; call += 1) {
    const refused = await fetch(origin, { headers: { 'x-priority': 'low' } })
    assert.deepEqual([refused.status, refused.headers.get('retry-after')], [503, '2'])
    assert.equal((await refused.json()).code, 'E_SHED')
  }
})

test('limiters that are charged together are told together', async (t) => {
  const { sp } = frozen()
  const [users, teams] = ['users', 'teams'].map((name) => sp.limiter(name, { limit: 1, window: '1m' }))
  const app = new Hono()
  const parts = [
    { limiter: users, key: byTenant },
    { limiter: teams, key: (c) => c.req.path },
  ]
  app.use(limit(together(sp, parts)))
  app.get('/*', (c) => c.text('done'))
  const origin = await listening(t, app)
  assert.equal((await get(`${origin}/red`, 'ada')).status, 200)
  const denied = await get(`${origin}/red`, 'bob')
  assert.deepEqual([denied.status, ...told(denied)], [429, '"users";q=1;w=60, "teams";q=1;w=60', '"teams";r=0;t=60'])
  assert.equal(users.peek('bob').remaining, 1)
})

test('wrong options throw where they are written', () => {
  const { sp } = frozen()
  const chat = sp.limiter('chat', { limit: 1, window: '1m' })
  assert.throws(() => limit(chat, {}), { code: 'E_OPTION', message: /key is required/ })
  assert.throws(() => limit(chat, { key: byTenant, deny: ['::1'] }), { code: 'E_OPTION', message: /address: / })
  assert.throws(() => shed(), { code: 'E_OPTION', message: /the guard must be/ })
})

test('limited() of spillway/fetch goes around a whole app', async (t) => {
  const { sp } = frozen()
  const app = new Hono()
  app.get('/', (c) => c.text('done'))
  const chat = sp.limiter('chat', { limit: 1, window: '1m' })
  const whole = limited(app.fetch, chat, { key: (request) => request.headers.get('x-tenant') })
  const origin = await listening(t, { fetch: whole })
  const first = await get(origin, 'a')
  assert.deepEqual(
    [first.status, await first.text(), ...told(first)],
    [200, 'done', '"chat";q=1;w=60', '"chat";r=0;t=60'],
  )
  assert.equal((await get(origin, 'a')).status, 429)
})
