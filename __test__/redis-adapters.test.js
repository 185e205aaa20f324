// Limits over Redis in front of every framework, through the adapters as they are. Owns that a Redis that is not there never looks like
// a limit: 503 where the limiter fails closed, no answer of ours at all where it fails open.
// Never tests what an adapter does with a limiter in memory: each has a file of its own.
'use strict'

const assert = require('node:assert/strict')
const { createServer } = require('node:http')
const { before, after, test } = require('node:test')
const express = require('express')
const Fastify = require('fastify')
const { Hono } = require('hono')
const { fallback, isRefusal, presets, retry, spillway, timeout } = require('spillway')
const convex = require('spillway/convex')
const expressFace = require('spillway/express')
const fastifyFace = require('spillway/fastify')
const fetchFace = require('spillway/fetch')
const { fetchClient } = require('spillway/fetch-client')
const honoFace = require('spillway/hono')
const nextFace = require('spillway/next')
const { together } = require('spillway/together')
const { startServer, until } = require('./redis/servers.js')
const { served } = require('./served.js')

let server
let dead
before(async () => {
  ;[server, dead] = await Promise.all([startServer({}), startServer({})])
  await dead.kill9()
})
after(() => Promise.all([server.close(), dead.close()]))

let prefixes = 0
/** A spillway over the living server, or over the one that is not there. */
async function opened(t, { url } = server) {
  const prefix = `a${process.pid}-${++prefixes}`
  const sp = spillway({ redis: { url, deadline: url === server.url ? '5s' : '20ms' }, prefix, isolated: true })
  t.after(() => sp.close())
  if (url === server.url) await sp.ready()
  else await sp.ready().catch(() => {})
  return sp
}

const key = () => 'tenant-7'
const LIMIT = { limit: 2, window: '1h', failMode: 'closed' }
const onLimited = () => assert.fail('it stands in the place of a 429, and this is none')

/** By framework: an origin or a function that answers a request behind `limiter`, and how it counts what it refunds. */
const FRAMEWORKS = {
  async express(t, limiter, options) {
    const app = express()
    app.use(expressFace.limit(limiter, options))
    app.get('/', (_req, res) => res.send('served'))
    app.use(expressFace.refusals())
    const origin = await served(t, app)
    return () => fetch(origin)
  },
  async 'node:http'(t, limiter, options) {
    const middleware = expressFace.limit(limiter, options)
    const origin = await served(t, (req, res) => middleware(req, res, (error) => res.end(error ? 'failed' : 'served')))
    return () => fetch(origin)
  },
  async fastify(t, limiter, options) {
    const app = Fastify()
    t.after(() => app.close())
    app.get('/', { onRequest: fastifyFace.limit(limiter, options) }, async () => 'served')
    const origin = await app.listen({ port: 0, host: '127.0.0.1' })
    return () => fetch(origin)
  },
  async hono(_t, limiter, options) {
    const app = new Hono()
    app.use(honoFace.limit(limiter, options))
    app.get('/', (c) => c.text('served'))
    return () => app.request('/')
  },
  async fetch(_t, limiter, options) {
    const handler = fetchFace.limited(() => new Response('served'), limiter, options)
    return () => handler(new Request('http://localhost/'))
  },
  async 'next’s proxy'(_t, limiter, { refund: _refund, ...options }) {
    const proxy = nextFace.proxyLimit(limiter, { ...options, next: () => new Response('served') })
    return () => proxy(new Request('http://localhost/'))
  },
}

for (const [name, behind] of Object.entries(FRAMEWORKS)) {
  test(`${name}: a limit over Redis admits, tells its quota and answers 429 beyond`, async (t) => {
    const limiter = (await opened(t)).limiter('chat', LIMIT)
    const ask = await behind(t, limiter, { key })
    const first = await ask()
    assert.deepEqual([first.status, await first.text()], [200, 'served'])
    assert.match(first.headers.get('ratelimit'), /"chat";r=1/)
    await ask()
    const denied = await ask()
    assert.equal(denied.status, 429)
    assert.ok(Number(denied.headers.get('retry-after')) > 0)
    assert.equal((await denied.json()).code, 'E_LIMITED')
  })

  test(`${name}: with Redis gone a limiter that fails open serves, and tells no quota it does not know`, async (t) => {
    const limiter = (await opened(t, dead)).limiter('chat', { ...LIMIT, failMode: 'open' })
    const ask = await behind(t, limiter, { key, onLimited })
    for (let call = 0; call < 5; call++) {
      const answer = await ask()
      assert.deepEqual([answer.status, await answer.text()], [200, 'served'])
      assert.equal(answer.headers.get('ratelimit'), null)
    }
  })

  test(`${name}: with Redis gone a limiter that fails closed answers 503 as a problem, never 429`, async (t) => {
    const limiter = (await opened(t, dead)).limiter('chat', LIMIT)
    const ask = await behind(t, limiter, { key, onLimited })
    const answer = await ask()
    assert.equal(answer.status, 503)
    assert.match(answer.headers.get('content-type'), /^application\/problem\+json/)
    assert.equal(answer.headers.get('ratelimit'), null)
    assert.ok(Number(answer.headers.get('retry-after')) > 0)
    const problem = await answer.json()
    assert.deepEqual(
      [problem.code, problem.status, problem.title],
      ['E_STORE_UNAVAILABLE', 503, 'The limit cannot be checked'],
    )
    assert.match(problem.detail, /the store of "chat" is unavailable/)
  })

  test(`${name}: limiters over Redis are charged together, all or none`, async (t) => {
    const sp = await opened(t)
    const [user, org] = [sp.limiter('user', LIMIT), sp.limiter('org', { ...LIMIT, limit: 1 })]
    const both = together(sp, [
      { limiter: user, key },
      { limiter: org, key: () => 'org-1' },
    ])
    const ask = await behind(t, both, {})
    assert.equal((await ask()).status, 200)
    assert.equal((await ask()).status, 429)
    assert.equal((await user.peek('tenant-7')).remaining, 1)
  })

  if (name === 'next’s proxy') continue
  test(`${name}: what is given back comes back to Redis`, async (t) => {
    const limiter = (await opened(t)).limiter('chat', LIMIT)
    const ask = await behind(t, limiter, { key, refund: 'successful' })
    for (let call = 0; call < 4; call++) {
      const answer = await ask()
      assert.equal(answer.status, 200)
      await answer.text()
      await until('it is given back', async () => (await limiter.peek('tenant-7')).remaining === 2)
    }
  })
}

test('fastify as a plugin, with a key that takes its time', async (t) => {
  const limiter = (await opened(t)).limiter('chat', LIMIT)
  const app = Fastify()
  t.after(() => app.close())
  await app.register(fastifyFace.spillwayFastify, { limiter, key: async () => 'tenant-7' })
  app.get('/', async () => 'served')
  const codes = []
  for (let call = 0; call < 3; call++) codes.push((await app.inject('/')).statusCode)
  assert.deepEqual(codes, [200, 200, 429])
})

test('a server action says that it is unavailable, not that it was called too often', async (t) => {
  const action = async () => 'done'
  const living = nextFace.limitedAction(action, (await opened(t)).limiter('chat', { ...LIMIT, limit: 1 }), { key })
  assert.equal(await living(), 'done')
  assert.equal((await living()).error, 'rate_limited')
  const gone = nextFace.limitedAction(action, (await opened(t, dead)).limiter('chat', LIMIT), { key })
  const refused = await gone()
  assert.deepEqual([refused.error, refused.code], ['unavailable', 'E_STORE_UNAVAILABLE'])
  const open = (await opened(t, dead)).limiter('chat', { ...LIMIT, failMode: 'open' })
  assert.equal(await nextFace.limitedAction(action, open, { key })(), 'done')
})

test('Convex handlers are limited over Redis, and an outage is no rate limit error', async (t) => {
  const limiter = (await opened(t)).limiter('chat', { ...LIMIT, limit: 1 })
  const handler = convex.limited(async () => 'done', limiter, { key })
  assert.equal(await handler({}, {}), 'done')
  await assert.rejects(handler({}, {}), convex.isRateLimitError)
  assert.equal((await convex.checkRateLimit(limiter, 'tenant-7')).ok, false)
  assert.equal((await convex.rateLimit(limiter, 'tenant-8')).ok, true)
  assert.equal((await convex.rateLimit(limiter, 'tenant-8', { reserve: true })).ok, true)
  const gone = convex.limited(async () => 'done', (await opened(t, dead)).limiter('chat', LIMIT), { key })
  await assert.rejects(
    gone({}, {}),
    (error) => !convex.isRateLimitError(error) && error.data.code === 'E_STORE_UNAVAILABLE',
  )
})

test('a policy awaits its limiter, and tells a store that is gone from a limit', async (t) => {
  const sp = await opened(t)
  const limiter = sp.limiter('chat', { ...LIMIT, limit: 1 })
  const guarded = sp.policy('guarded', timeout('5s'), retry({ max: 0 }), limiter)
  assert.equal(await guarded.run(() => 'done', { key: 'a' }), 'done')
  await assert.rejects(
    guarded.run(() => 'done', { key: 'a' }),
    (error) => isRefusal(error) && error.code === 'E_LIMITED',
  )
  const { ok, refusal } = await guarded.attempt(() => 'done', { key: 'a' })
  assert.deepEqual([ok, refusal.status, refusal.primitive], [false, 429, 'chat'])
  await assert.rejects(
    guarded.run(() => 'done'),
    { code: 'E_KEY' },
  )
  const gone = await opened(t, dead)
  const closed = gone.policy('closed', gone.limiter('chat', LIMIT))
  const told = await closed.attempt(() => assert.fail('called'), { key: 'a' })
  assert.deepEqual([told.refusal.code, told.refusal.status], ['E_STORE_UNAVAILABLE', 503])
  const open = gone.policy('open', gone.limiter('chat-open', { ...LIMIT, failMode: 'open' }))
  assert.equal(await open.run(() => 'done', { key: 'a' }), 'done')
  const kept = gone.policy(
    'kept',
    fallback(() => 'instead'),
    gone.limiter('chat', LIMIT),
  )
  assert.equal(await kept.run(() => 'done', { key: 'a' }), 'instead')
})

test('a call that was aborted while Redis was asked is not made, and its charge goes back', async (t) => {
  const sp = await opened(t)
  const limiter = sp.limiter('chat', LIMIT)
  const guarded = sp.policy('guarded', limiter)
  const controller = new AbortController()
  const call = guarded.run(() => assert.fail('called'), { key: 'a', signal: controller.signal })
  controller.abort(new Error('the caller has left'))
  await assert.rejects(call, /the caller has left/)
  await until('it is given back', async () => (await limiter.peek('a')).remaining === 2)
})

test('fetch behind a policy with a limiter over Redis, and the preset that opens one', async (t) => {
  const origin = await served(t, (_req, res) => res.end('served'))
  const sp = await opened(t)
  const client = fetchClient(sp.policy('upstream', sp.limiter('chat', { ...LIMIT, limit: 1 }))).with({ key: 'a' })
  assert.equal(await (await client(origin)).text(), 'served')
  await assert.rejects(client(origin), { code: 'E_LIMITED' })
  const preset = sp.policy('stripe', presets.http({ limiter: { ...LIMIT, limit: 1 } }))
  assert.equal(await preset.run(() => 'done', { key: 'a' }), 'done')
  await assert.rejects(
    preset.run(() => 'done', { key: 'a' }),
    { code: 'E_LIMITED' },
  )
  assert.throws(() => sp.policy('unsaid', presets.http({ limiter: { limit: 1, window: '1h' } })), {
    option: 'failMode',
  })
})

test('a slow Redis makes a request wait no longer than the deadline', async (t) => {
  const silent = createServer(() => {}).listen(0, '127.0.0.1')
  t.after(() => silent.close())
  await new Promise((resolve) => silent.once('listening', resolve))
  const sp = spillway({
    redis: { url: `redis://127.0.0.1:${silent.address().port}`, deadline: '50ms' },
    isolated: true,
  })
  t.after(() => sp.close())
  const limiter = sp.limiter('chat', { ...LIMIT, failMode: 'open' })
  const waits = []
  for (let call = 0; call < 20; call++) {
    const began = performance.now()
    assert.equal((await limiter.consume('a')).reason, 'store-unavailable')
    waits.push(performance.now() - began)
  }
  assert.ok(Math.max(...waits) < 500, `${Math.max(...waits)} ms`)
})
