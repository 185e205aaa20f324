// Owns the proof that spillway/fastify limits routes and answers refusals over real HTTP, on the real Fastify 5 and 4.
// Never waits: time is the clock each test holds.
'use strict'

const assert = require('node:assert/strict')
const { Readable } = require('node:stream')
const { test } = require('node:test')
const { Refusal, spillway } = require('spillway')
const { limit, refusals, shed, spillwayFastify } = require('spillway/fastify')
const { together } = require('spillway/together')
const { hangingUp, hungUp } = require('./hang-up.js')

const VERSIONS = { 'Fastify 5': require('fastify'), 'Fastify 4': require('fastify-4') }

const byTenant = (request) => request.headers['x-tenant']
const get = (origin, tenant) => fetch(origin, { headers: tenant === undefined ? {} : { 'x-tenant': tenant } })
const told = (response) => [response.headers.get('ratelimit-policy'), response.headers.get('ratelimit')]

/** Limiters that live in a time of the test's own. */
function frozen() {
  const time = { now: 1_000_000 }
  return { time, sp: spillway({ clock: () => time.now }) }
}

for (const [version, fastify] of Object.entries(VERSIONS)) {
  /** An instance that is closed with the test. */
  function instance(t, options) {
    const app = fastify({ forceCloseConnections: true, ...options })
    t.after(() => app.close())
    return app
  }

  const listening = (app) => app.listen({ port: 0, host: '127.0.0.1' })

  /** A limiter of ten, what is left of it, and an instance that tells when an answer has ended. */
  function counted(t) {
    const { sp } = frozen()
    const chat = sp.limiter('chat', { limit: 10, window: '1h' })
    const app = instance(t)
    const ends = []
    const waiting = []
    // First of all listeners, and yet told after all of them: a promise is heard when the event is over.
    app.addHook('onRequest', (_request, reply, done) => {
      reply.raw.once('close', () => (waiting.length > 0 ? waiting.shift()() : ends.push(true)))
      done()
    })
    const ended = () => (ends.length > 0 ? ends.shift() : new Promise((resolve) => waiting.push(resolve)))
    return { app, chat, ended, left: (key = 'a') => chat.peek(key).remaining }
  }

  test(`${version}: the plugin limits every route, and tells what is left`, async (t) => {
    const { time, sp } = frozen()
    const app = instance(t)
    let handled = 0
    await app.register(spillwayFastify, { limiter: sp.limiter('api', { limit: 2, window: '1m' }), key: byTenant })
    app.get('/', async () => {
      handled += 1
      return 'done'
    })
    const origin = await listening(app)
    const first = await get(origin, 'a')
    assert.deepEqual(
      [first.status, await first.text(), ...told(first)],
      [200, 'done', '"api";q=2;w=60', '"api";r=1;t=30'],
    )
    await get(origin, 'a')
    time.now += 500
    const denied = await get(origin, 'a')
    assert.equal(denied.status, 429)
    assert.match(denied.headers.get('content-type'), /^application\/problem\+json/)
    assert.equal(denied.headers.get('cache-control'), 'no-store')
    assert.equal(denied.headers.get('retry-after'), '30')
    assert.deepEqual(told(denied), ['"api";q=2;w=60', '"api";r=0;t=30'])
    const problem = await denied.json()
    assert.deepEqual([problem.status, problem.code, problem.retryAfter], [429, 'E_LIMITED', 30])
    assert.equal(handled, 2)
    assert.equal((await get(origin, 'b')).status, 200)
    time.now += 29_500
    assert.equal((await get(origin, 'a')).status, 200)
  })

  test(`${version}: it reaches unknown paths, encapsulated plugins, HEAD, and routes declared before it was loaded`, async (t) => {
    const { sp } = frozen()
    const app = instance(t)
    const api = sp.limiter('api', { limit: 100, window: '1m' })
    void app.register(spillwayFastify, { limiter: api, key: () => 'all' })
    app.get('/early', async () => 'early')
    void app.register(async (inner) => void inner.get('/inner', async () => 'inner'), { prefix: '/deep' })
    const origin = await listening(app)
    const remaining = []
    for (const [path, method] of [['early'], ['deep/inner'], ['nowhere'], ['early', 'HEAD']]) {
      const answer = await fetch(`${origin}/${path}`, { method })
      remaining.push([answer.status, answer.headers.get('ratelimit')])
    }
    assert.deepEqual(remaining, [
      [200, '"api";r=99;t=1'],
      [200, '"api";r=98;t=1'],
      [404, '"api";r=97;t=1'],
      [200, '"api";r=96;t=1'],
    ])
  })

  test(`${version}: a route's config takes the place of the plugin's limit, on its terms`, async (t) => {
    const { sp } = frozen()
    const app = instance(t)
    const of = (name, quota) => sp.limiter(name, { limit: quota, window: '1m' })
    const search = of('search', 10)
    await app.register(spillwayFastify, { limiter: of('api', 60), key: byTenant, headers: 'draft-7' })
    const reply = async () => 'done'
    app.get('/default', reply)
    app.get('/free', { config: { limit: false } }, reply)
    app.get('/alone', { config: { limit: search } }, reply)
    app.get('/costly', { config: { limit: { limiter: search, cost: 5, headers: 'draft-11' } } }, reply)
    app.get('/both', { config: { limit: [of('first', 1), { limiter: of('second', 3), cost: 2 }] } }, reply)
    const origin = await listening(app)
    const ask = async (path) => {
      const answer = await get(`${origin}/${path}`, 'a')
      return [answer.status, ...told(answer)]
    }
    assert.deepEqual(await ask('default'), [200, '60;w=60', 'limit=60, remaining=59, reset=1'])
    assert.deepEqual(await ask('free'), [200, null, null])
    assert.deepEqual(await ask('alone'), [200, '10;w=60', 'limit=10, remaining=9, reset=6'])
    assert.deepEqual(await ask('costly'), [200, '"search";q=10;w=60', '"search";r=4;t=6'])
    assert.deepEqual(await ask('both'), [200, '1;w=60, 3;w=60', 'limit=1, remaining=0, reset=60'])
    assert.deepEqual(await ask('both'), [429, '1;w=60', 'limit=1, remaining=0, reset=60'], 'the second is not asked')
    assert.equal(sp.limiter('second', { limit: 3, window: '1m' }).peek('a').remaining, 1)
  })

  test(`${version}: limiters that are charged together have keys of their own, and the rest of the plugin's terms`, async (t) => {
    const { sp } = frozen()
    const app = instance(t)
    const [users, teams] = ['users', 'teams'].map((name) => sp.limiter(name, { limit: 9, window: '1m' }))
    const both = together(sp, [
      { limiter: users, key: byTenant },
      { limiter: teams, key: () => 'team', cost: 4 },
    ])
    await app.register(spillwayFastify, { limiter: both, key: () => 'else', cost: 2, headers: 'draft-7' })
    app.get('/all', async () => 'done')
    app.get('/alone', { config: { limit: both } }, async () => 'done')
    app.get('/terms', { config: { limit: { limiter: both, headers: 'none' } } }, async () => 'done')
    app.get('/other', { config: { limit: users } }, async () => 'done')
    app.get('/hook', { config: { limit: false }, onRequest: limit(both) }, async () => 'done')
    const origin = await listening(app)
    const ask = async (path) => told(await get(`${origin}/${path}`, 'a'))
    assert.deepEqual(await ask('all'), ['9;w=60, 9;w=60', 'limit=9, remaining=5, reset=7'])
    assert.deepEqual(await ask('other'), ['9;w=60', 'limit=9, remaining=7, reset=7'])
    assert.deepEqual(await ask('alone'), ['9;w=60, 9;w=60', 'limit=9, remaining=1, reset=7'])
    assert.deepEqual(await ask('terms'), [null, null])
    assert.match((await ask('hook'))[1], /^"teams";r=1/)
    assert.equal(users.peek('a').remaining, 7)
  })

  test(`${version}: wrong options throw where they are written`, async (t) => {
    const { sp } = frozen()
    const chat = sp.limiter('chat', { limit: 1, window: '1m' })
    for (const [options, message] of [
      [{ limiter: chat }, /key is required/],
      [{ limiter: {}, key: byTenant }, /the limiter must be what/],
      [{ limiter: chat, key: byTenant, max: 3 }, /has no option "max"/],
      [{ limiter: chat, key: byTenant, hook: 'onSend' }, /hook must be one of onRequest, preValidation, preHandler/],
    ]) {
      const app = fastify()
      await assert.rejects(async () => app.register(spillwayFastify, options), { code: 'E_OPTION', message })
      await app.close()
    }
    const app = instance(t)
    await app.register(spillwayFastify, {})
    for (const wrong of [
      true,
      null,
      'chat',
      {},
      { limiter: chat },
      [false],
      { limiter: chat, key: byTenant, ttl: 1 },
    ]) {
      assert.throws(() => app.get('/', { config: { limit: wrong } }, async () => 'done'), { code: 'E_OPTION' })
    }
    assert.throws(() => limit(chat, {}), { code: 'E_OPTION', message: /^limit\(limiter, \{ key \}\): key is required/ })
    assert.throws(() => shed({}), { code: 'E_OPTION', message: /^shed\(guard\): the guard must be/ })
    assert.throws(() => refusals({}), { code: 'E_OPTION', message: /otherwise must be an error handler/ })
  })

  test(`${version}: registered again in a scope within, both limit, and a route's own limit is charged once`, async (t) => {
    const { sp } = frozen()
    const app = instance(t)
    const [outer, inner, own] = ['outer', 'inner', 'own'].map((name) => sp.limiter(name, { limit: 9, window: '1m' }))
    await app.register(spillwayFastify, { limiter: outer, key: byTenant })
    await app.register(async (scope) => {
      await scope.register(spillwayFastify, { limiter: inner, key: byTenant })
      scope.get('/both', async () => 'done')
      scope.get('/own', { config: { limit: own } }, async () => 'done')
    })
    app.get('/own-outside', { config: { limit: own } }, async () => 'done')
    const origin = await listening(app)
    assert.equal((await get(`${origin}/both`, 'a')).headers.get('ratelimit'), '"outer";r=8;t=7, "inner";r=8;t=7')
    assert.equal((await get(`${origin}/own`, 'a')).headers.get('ratelimit'), '"own";r=8;t=7')
    assert.equal((await get(`${origin}/own-outside`, 'a')).headers.get('ratelimit'), '"own";r=7;t=7')
  })

  test(`${version}: the plugin is registered with nothing, and limits only what asks for it`, async (t) => {
    const { sp } = frozen()
    const app = instance(t)
    await app.register(spillwayFastify, { key: byTenant, prefix: '/ignored' })
    app.get('/free', async () => 'done')
    app.get('/limited', { config: { limit: sp.limiter('chat', { limit: 1, window: '1m' }) } }, async () => 'done')
    const origin = await listening(app)
    assert.deepEqual(told(await get(`${origin}/free`)), [null, null])
    assert.equal((await get(`${origin}/limited`, 'a')).status, 200)
    assert.equal((await get(`${origin}/limited`, 'a')).status, 429)
  })

  test(`${version}: a request without a usable key is an E_KEY for the error handler`, async (t) => {
    const { sp } = frozen()
    const app = instance(t)
    const limiter = sp.limiter('chat', { limit: 1, window: '1m' })
    for (const [path, key] of [
      ['/sync', () => undefined],
      ['/async', async () => ''],
    ]) {
      app.get(path, { onRequest: limit(limiter, { key }) }, () => assert.fail('handled'))
    }
    app.setErrorHandler((error, _request, reply) => reply.code(500).send({ code: error.code }))
    const origin = await listening(app)
    for (const path of ['/sync', '/async']) {
      assert.deepEqual(await (await get(origin + path)).json(), { code: 'E_KEY' })
    }
  })

  test(`${version}: where the first of several limits fails, the second is not charged`, async (t) => {
    const { sp } = frozen()
    const app = instance(t)
    const second = sp.limiter('second', { limit: 3, window: '1m' })
    const first = { limiter: sp.limiter('first', { limit: 3, window: '1m' }), key: async () => '' }
    await app.register(spillwayFastify, { key: () => 'a' })
    app.get('/', { config: { limit: [first, second] } }, () => assert.fail('handled'))
    assert.equal((await get(await listening(app))).status, 500)
    assert.equal(second.peek('a').remaining, 3)
  })

  test(`${version}: limit() is a hook, and in preHandler it knows the body`, async (t) => {
    const { app, chat, left, ended } = counted(t)
    const logins = limit(chat, { key: (request) => request.body.email, refund: 'successful' })
    app.post('/login', { preHandler: logins }, async (request, reply) => {
      if (request.body.password !== 'right') reply.code(401)
      return { ok: request.body.password === 'right' }
    })
    const origin = await listening(app)
    const login = async (password) => {
      const body = JSON.stringify({ email: 'ada@example.test', password })
      const headers = { 'content-type': 'application/json' }
      const { status } = await fetch(`${origin}/login`, { method: 'POST', headers, body })
      await ended()
      return status
    }
    assert.equal(await login('right'), 200)
    assert.equal(left('ada@example.test'), 10)
    assert.equal(await login('wrong'), 401)
    assert.equal(left('ada@example.test'), 9)
  })

  test(`${version}: the key, the cost and the plan may be promises`, async (t) => {
    const { sp } = frozen()
    const app = instance(t)
    await app.register(spillwayFastify, {
      limiter: sp.limiter('api', { limit: 1, window: '1m' }),
      key: async (request) => byTenant(request),
      cost: async () => 2,
      override: async () => ({ limit: 3 }),
    })
    app.get('/', async () => 'done')
    const origin = await listening(app)
    assert.deepEqual(told(await get(origin, 'a')), ['"api";q=3;w=60', '"api";r=1;t=20'])
    assert.equal((await get(origin, 'a')).status, 429)
  })

  test(`${version}: refund failed gives back what failed, was thrown, refused or cut off, once each`, async (t) => {
    const { app, chat, ended, left } = counted(t)
    await app.register(spillwayFastify, { limiter: chat, key: byTenant, refund: 'failed' })
    app.setErrorHandler(refusals())
    app.get('/fine', async () => 'done')
    app.get('/missing', async (_request, reply) => reply.code(404).send('no'))
    app.get('/thrown', async () => {
      throw new Error('mine')
    })
    app.get('/refused', async () => {
      throw new Refusal({ code: 'E_OPEN', primitive: 'search', retryAfterMs: 1_001 })
    })
    app.get('/stream', async () => Readable.from(['one', 'two']))
    app.get('/endless', async (_request, reply) => {
      const endless = new Readable({ read() {} })
      endless.push('half')
      return reply.send(endless)
    })
    const origin = await listening(app)
    let charged = 0
    for (const [path, status, cost] of [
      ['fine', 200, 1],
      ['missing', 404, 0],
      ['thrown', 500, 0],
      ['refused', 503, 0],
      ['stream', 200, 1],
    ]) {
      const answer = await get(`${origin}/${path}`, 'a')
      assert.equal(answer.status, status)
      await answer.text()
      await ended()
      charged += cost
      assert.equal(left(), 10 - charged, path)
    }
    await hungUp(`${origin}/endless`, { headers: { 'x-tenant': 'a' } })
    await ended()
    assert.equal(left(), 10 - charged)
  })

  test(`${version}: a client that is gone before its key was found is charged by how that ended, too`, async (t) => {
    const { app, chat, ended, left } = counted(t)
    let reached
    const arrived = new Promise((resolve) => (reached = resolve))
    let known
    const late = new Promise((resolve) => (known = resolve))
    let handled
    const done = new Promise((resolve) => (handled = resolve))
    const key = () => reached() ?? late.then(() => 'a')
    app.get('/', { onRequest: limit(chat, { key, refund: 'failed' }) }, async () => handled() ?? 'to nobody')
    const origin = await listening(app)
    const hangUp = hangingUp(origin)
    await arrived
    hangUp()
    await ended()
    known()
    await done
    assert.equal(left(), 10)
  })

  test(`${version}: what is injected is charged and given back as what came over the network`, async (t) => {
    const { app, chat, ended, left } = counted(t)
    app.get(
      '/:status',
      { onRequest: limit(chat, { key: () => 'a', refund: 'successful' }) },
      async (request, reply) => {
        return reply.code(Number(request.params.status)).send('done')
      },
    )
    assert.equal((await app.inject('/200')).headers.ratelimit, '"chat";r=9;t=360')
    await ended()
    assert.equal(left(), 10)
    await app.inject('/500')
    await ended()
    assert.equal(left(), 9)
  })

  test(`${version}: lists by address and by function; denied is a 403, allowed is not charged`, async (t) => {
    const { sp } = frozen()
    const app = instance(t, { trustProxy: 'loopback' })
    const chat = sp.limiter('chat', { limit: 10, window: '1h' })
    await app.register(spillwayFastify, {
      limiter: chat,
      key: () => 'all',
      allow: ['10.0.0.0/8', (request) => request.url === '/health'],
      deny: ['10.6.6.6', '2001:db8::/32'],
    })
    app.get('/*', async () => 'done')
    const origin = await listening(app)
    const ask = async (path, ip) => {
      const answer = await fetch(origin + path, { headers: { 'x-forwarded-for': ip } })
      return [answer.status, answer.headers.get('ratelimit')]
    }
    assert.deepEqual(await ask('/', '10.1.2.3'), [200, null])
    assert.deepEqual(await ask('/health', '192.0.2.1'), [200, null])
    assert.deepEqual(await ask('/health', '10.6.6.6'), [403, null])
    assert.deepEqual(await ask('/', '2001:db8::7'), [403, null])
    assert.equal(chat.peek('all').remaining, 10)
    assert.deepEqual(await ask('/', '192.0.2.1'), [200, '"chat";r=9;t=360'])
  })

  test(`${version}: onLimited answers by a body, a promise of one, or reply; the status is set`, async (t) => {
    const { sp } = frozen()
    const app = instance(t)
    const chat = sp.limiter('chat', { limit: 1, window: '1m' })
    chat.consume('a')
    const custom = (path, onLimited) =>
      app.get(path, { onRequest: limit(chat, { key: byTenant, onLimited }) }, () => assert.fail('handled'))
    custom('/body', (_request, _reply, decision) => ({ wait: decision.retryAfterMs }))
    custom('/promise', async (request) => ({ id: typeof request.id }))
    custom('/reply', (_request, reply) => void reply.code(420).send('calm down'))
    custom('/later', (_request, reply) => void setImmediate(() => reply.send('when it is there')))
    custom('/returned', (_request, reply) => reply.send('slow'))
    custom('/awaited', async (_request, reply) => reply.code(302).redirect('/slow-down'))
    custom('/thrown', () => {
      throw new Error('mine')
    })
    custom('/rejected', async () => {
      throw new Error('mine')
    })
    const origin = await listening(app)
    const ask = async (path) => {
      const answer = await fetch(origin + path, { headers: { 'x-tenant': 'a' }, redirect: 'manual' })
      assert.deepEqual([answer.headers.get('retry-after'), answer.headers.get('ratelimit')], ['60', '"chat";r=0;t=60'])
      return [answer.status, await answer.text()]
    }
    assert.deepEqual(await ask('/body'), [429, '{"wait":60000}'])
    assert.deepEqual(await ask('/promise'), [429, '{"id":"string"}'])
    assert.deepEqual(await ask('/reply'), [420, 'calm down'])
    assert.deepEqual(await ask('/later'), [429, 'when it is there'])
    assert.deepEqual(await ask('/returned'), [429, 'slow'])
    assert.deepEqual(await ask('/awaited'), [302, ''])
    for (const path of ['/thrown', '/rejected']) assert.match((await ask(path))[1], /"mine"/)
  })

  test(`${version}: refusals() answers refusals; other errors go to otherwise, or to Fastify's own handler`, async (t) => {
    const failing = async (handler) => {
      const app = instance(t)
      app.setErrorHandler(handler)
      app.get('/refused', async (_request, reply) => {
        reply.header('ETag', '"v1"').header('Cache-Control', 'public').header('X-Request-Id', '7')
        throw new Refusal({ code: 'E_TIMEOUT', primitive: 'search', retryAfterMs: 1_001 })
      })
      app.get('/thrown', async () => {
        throw Object.assign(new Error('mine'), { statusCode: 418 })
      })
      return listening(app)
    }
    const plain = await failing(refusals())
    const refused = await get(`${plain}/refused`)
    assert.deepEqual([refused.status, refused.headers.get('retry-after')], [504, '2'])
    assert.match(refused.headers.get('content-type'), /^application\/problem\+json/)
    assert.deepEqual(
      ['etag', 'cache-control', 'x-request-id'].map((name) => refused.headers.get(name)),
      [null, 'no-store', '7'],
    )
    assert.equal((await refused.json()).code, 'E_TIMEOUT')
    const thrown = await get(`${plain}/thrown`)
    assert.deepEqual([thrown.status, (await thrown.json()).message], [418, 'mine'])

    const other = await failing(
      refusals((error, request, reply) => reply.code(409).send(`${error.message} ${request.url}`)),
    )
    const answered = await get(`${other}/thrown`)
    assert.deepEqual([answered.status, await answered.text()], [409, 'mine /thrown'])
    assert.equal((await get(`${other}/refused`)).status, 504)
  })

  test(`${version}: a refusal that nobody handles still has its status`, async (t) => {
    const app = instance(t)
    app.get('/', async () => {
      throw new Refusal({ code: 'E_FULL', primitive: 'pool' })
    })
    assert.equal((await get(await listening(app))).status, 503)
  })

  test(`${version}: shed answers 503 by priority, with Retry-After and problem details`, async (t) => {
    const app = instance(t)
    const info = Object.freeze({ code: 'E_SHED', primitive: 'overload', status: 503, retryAfterMs: 1_500 })
    const guard = { admit: (priority) => (priority === 'low' ? info : null) }
    app.addHook('onRequest', shed(guard, { priority: (request) => request.headers['x-priority'] }))
    app.get('/', async () => 'done')
    const origin = await listening(app)
    assert.equal((await fetch(origin)).status, 200)
    for (let call = 0; call < 2; call += 1) {
      const refused = await fetch(origin, { headers: { 'x-priority': 'low' } })
      assert.deepEqual([refused.status, refused.headers.get('retry-after')], [503, '2'])
      assert.equal((await refused.json()).code, 'E_SHED')
    }
  })

  test(`${version}: an answer somebody else gave meanwhile is left alone`, async (t) => {
    const { sp } = frozen()
    const chat = sp.limiter('chat', { limit: 1, window: '1m' })
    chat.consume('a')
    const app = instance(t)
    let known
    const late = new Promise((resolve) => (known = resolve))
    let asked = false
    app.get(
      '/',
      {
        onRequest: [
          (_request, reply, done) => {
            done()
            reply.raw.end('somebody else was faster')
          },
          limit(chat, { key: () => late.then(() => 'a'), onLimited: () => (asked = true) }),
        ],
      },
      () => assert.fail('handled'),
    )
    const answer = await get(await listening(app))
    assert.equal(await answer.text(), 'somebody else was faster')
    known()
    await new Promise(setImmediate)
    assert.equal(asked, false, 'there is nothing left to answer')
  })
}
