// Owns the proof that spillway/fetch wraps Web handlers: Request in, Response out, whoever calls them.
// Never waits: time is the clock each test holds.
'use strict'

const assert = require('node:assert/strict')
const { spawnSync } = require('node:child_process')
const { test } = require('node:test')
const { Refusal, spillway } = require('spillway')
const { limited, refusals } = require('spillway/fetch')
const { served } = require('./served.js')

const byTenant = (request) => request.headers.get('x-tenant')
const asking = (tenant = 'a') => new Request('http://service.test/', { headers: { 'x-tenant': tenant } })
const told = (response) => [response.headers.get('ratelimit-policy'), response.headers.get('ratelimit')]

/** A limiter in a time of the test's own. */
function frozen(options = { limit: 2, window: '1m' }, name = 'chat') {
  const time = { now: 1_000_000 }
  return { time, chat: spillway({ clock: () => time.now }).limiter(name, options) }
}

test('every response tells the policy and what is left of it', async () => {
  const { time, chat } = frozen()
  const handler = limited(() => new Response('done'), chat, { key: byTenant })
  assert.deepEqual(told(await handler(asking())), ['"chat";q=2;w=60', '"chat";r=1;t=30'])
  time.now += 1_000
  assert.deepEqual(told(await handler(asking())), ['"chat";q=2;w=60', '"chat";r=0;t=29'])
  assert.deepEqual(told(await handler(asking('b'))), ['"chat";q=2;w=60', '"chat";r=1;t=30'])
})

test('over the limit it answers 429 with problem details, and the handler is not called', async () => {
  const { time, chat } = frozen()
  let handled = 0
  const handler = limited(
    () => {
      handled += 1
      return new Response('done')
    },
    chat,
    { key: byTenant },
  )
  await handler(asking())
  await handler(asking())
  time.now += 500
  const denied = await handler(asking())
  assert.equal(denied.status, 429)
  assert.equal(denied.headers.get('retry-after'), '30')
  assert.equal(denied.headers.get('content-type'), 'application/problem+json')
  assert.equal(denied.headers.get('cache-control'), 'no-store')
  assert.deepEqual(told(denied), ['"chat";q=2;w=60', '"chat";r=0;t=30'])
  const problem = await denied.json()
  assert.deepEqual([problem.status, problem.code, problem.retryAfter], [429, 'E_LIMITED', 30])
  assert.equal(handled, 2)
  time.now += 29_500
  assert.equal(await (await handler(asking())).text(), 'done')
})

test('the handler keeps its name, its this and all its arguments', async () => {
  const { chat } = frozen()
  const context = { params: Promise.resolve({ id: '7' }) }
  const route = {
    async GET(request, ctx, ...more) {
      return Response.json({ self: this === route, id: (await ctx.params).id, more, url: request.url })
    },
  }
  const { GET } = route
  route.GET = limited(GET, chat, { key: (request, ctx) => `${byTenant(request)}:${typeof ctx.params}` })
  assert.equal(route.GET.name, 'GET')
  assert.deepEqual(await (await route.GET(asking(), context, 'and', 'more')).json(), {
    self: true,
    id: '7',
    more: ['and', 'more'],
    url: 'http://service.test/',
  })
  assert.equal(chat.peek('a:object').remaining, 1)
  assert.equal(refusals(GET).name, 'GET')
})

test('a redirect, whose headers are immutable, is answered as a copy that redirects', async () => {
  const { chat } = frozen()
  const handler = limited(() => Response.redirect('http://elsewhere.test/', 307), chat, { key: byTenant })
  const answer = await handler(asking())
  assert.equal(answer.status, 307)
  assert.equal(answer.headers.get('location'), 'http://elsewhere.test/')
  assert.deepEqual(told(answer), ['"chat";q=2;w=60', '"chat";r=1;t=30'])
})

test('a response that came from fetch is answered as a copy with its status, fields and body', async (t) => {
  const origin = await served(t, (_req, res) => {
    res.writeHead(207, 'Several', { 'X-From': 'upstream', 'Set-Cookie': ['a=1', 'b=2'] })
    res.end('streamed')
  })
  const { chat } = frozen()
  const answer = await limited(() => fetch(origin), chat, { key: byTenant })(asking())
  assert.deepEqual([answer.status, answer.statusText], [207, 'Several'])
  assert.equal(answer.headers.get('x-from'), 'upstream')
  assert.deepEqual(answer.headers.getSetCookie(), ['a=1', 'b=2'])
  assert.equal(answer.headers.get('ratelimit'), '"chat";r=1;t=30')
  assert.equal(await answer.text(), 'streamed')
})

test('a response nothing can be written on passes as it is', async () => {
  const { chat } = frozen()
  const broken = Response.error()
  assert.equal(await limited(() => broken, chat, { key: byTenant })(asking()), broken)
  assert.equal(await limited(() => undefined, chat, { key: byTenant })(asking()), undefined)
})

test('one response object answered twice tells the second request its own quota', async () => {
  const { chat } = frozen()
  const constant = new Response(null, { status: 204 })
  const handler = limited(() => constant, chat, { key: byTenant })
  await handler(asking())
  assert.deepEqual(told(await handler(asking())), ['"chat";q=2;w=60', '"chat";r=0;t=30'])
})

test('one limit inside another: both are told', async () => {
  const { chat } = frozen()
  const { chat: daily } = frozen({ limit: 9, window: '1d' }, 'daily')
  const inner = limited(() => new Response('done'), chat, { key: byTenant })
  const answer = await limited(inner, daily, { key: byTenant })(asking())
  assert.deepEqual(told(answer), ['"chat";q=2;w=60, "daily";q=9;w=86400', '"chat";r=1;t=30, "daily";r=8;t=9600'])
})

test('headers: false leaves the fields out and keeps Retry-After', async () => {
  const { chat } = frozen({ limit: 1, window: '1m' })
  const handler = limited(() => new Response('done'), chat, { key: byTenant, headers: false })
  assert.deepEqual(told(await handler(asking())), [null, null])
  const denied = await handler(asking())
  assert.deepEqual(told(denied), [null, null])
  assert.deepEqual([denied.status, denied.headers.get('retry-after')], [429, '60'])
})

test('the key may be a promise, the cost a function', async () => {
  const { chat } = frozen({ limit: 10, window: '10s' })
  const handler = limited(() => new Response('done'), chat, {
    key: async (request) => byTenant(request),
    cost: (request) => Number(new URL(request.url).searchParams.get('n')),
  })
  const answer = await handler(new Request('http://service.test/?n=4', { headers: { 'x-tenant': 'a' } }))
  assert.equal(answer.headers.get('ratelimit'), '"chat";r=6;t=1')
})

test('a limiter that answers with a promise works the same', async () => {
  const { chat } = frozen({ limit: 1, window: '1m' })
  const far = { name: 'far', limit: 1, windowMs: 60_000, burst: 1, consume: async (key) => chat.consume(key) }
  const handler = limited(() => new Response('done'), far, { key: byTenant })
  assert.deepEqual(told(await handler(asking())), ['"far";q=1;w=60', '"far";r=0;t=60'])
  assert.equal((await handler(asking())).status, 429)
})

test('a request without a usable key rejects with E_KEY and nobody is charged', async () => {
  const { chat } = frozen({ limit: 1, window: '1m' })
  for (const key of [() => undefined, () => '', () => 42, () => null, async () => undefined]) {
    const handler = limited(() => new Response('done'), chat, { key })
    await assert.rejects(handler(asking()), {
      name: 'TypeError',
      code: 'E_KEY',
      message: /must answer a non-empty string/,
    })
  }
})

test('wrong options throw where they are written', () => {
  const { chat } = frozen()
  const handler = () => new Response('done')
  const wrong = [
    [undefined, chat, { key: byTenant }, /the handler must be a function.+; got undefined/],
    [handler, undefined, { key: byTenant }, /the limiter must be what .+; got undefined/],
    [handler, chat, undefined, /key is required.+; got undefined/],
    [handler, chat, { key: byTenant, cost: null }, /cost must be.+; got null/],
    [handler, chat, { key: byTenant, limit: 3 }, /has no option "limit"/],
  ]
  for (const [given, limiter, options, message] of wrong) {
    assert.throws(() => limited(given, limiter, options), { name: 'TypeError', code: 'E_OPTION', message })
  }
  assert.throws(() => refusals(chat), {
    name: 'TypeError',
    code: 'E_OPTION',
    message: /the handler must be.+; got an object/,
  })
})

test('a refusal the handler throws becomes a response, with the fields of the limit it passed', async () => {
  const { chat } = frozen()
  const open = () => {
    throw new Refusal({ code: 'E_OPEN', primitive: 'search', retryAfterMs: 1_500 })
  }
  for (const answer of [await limited(open, chat, { key: byTenant })(asking()), await refusals(open)(asking())]) {
    assert.equal(answer.status, 503)
    assert.equal(answer.headers.get('retry-after'), '2')
    const problem = await answer.json()
    assert.deepEqual([problem.status, problem.code, problem.retryAfter], [503, 'E_OPEN', 2])
  }
  const late = await limited(
    async () => {
      throw new Refusal({ code: 'E_TIMEOUT', primitive: 'search' })
    },
    chat,
    { key: byTenant },
  )(asking())
  assert.deepEqual([late.status, late.headers.get('retry-after')], [504, null])
  assert.equal(late.headers.get('ratelimit'), '"chat";r=0;t=30')
})

test('an error that is not a refusal passes unchanged', async () => {
  const { chat } = frozen()
  const mine = Object.assign(new Error('mine'), { code: 'E_OPEN' })
  const handler = () => {
    throw mine
  }
  await assert.rejects(limited(handler, chat, { key: byTenant })(asking()), mine)
  await assert.rejects(refusals(handler)(asking()), mine)
})

test('a whole application is wrapped by its fetch, as Hono, Bun and Deno have it', async () => {
  const { chat } = frozen({ limit: 1, window: '1m' })
  class App {
    #greeting = 'hello'
    fetch(request, env) {
      return new Response(`${this.#greeting} ${env.who}`)
    }
  }
  const app = new App()
  app.fetch = limited(app.fetch, chat, { key: byTenant })
  assert.equal(await (await app.fetch(asking(), { who: 'you' })).text(), 'hello you')
  assert.equal((await app.fetch(asking(), { who: 'you' })).status, 429)
})

test('importing the adapters loads no native code', () => {
  const script = `
    process.dlopen = () => { throw new Error('native code was loaded') }
    const { limited, refusals } = require('spillway/fetch')
    const express = require('spillway/express')
    const native = Object.keys(require.cache).filter((path) => path.endsWith('.node'))
    if (native.length > 0) throw new Error(native.join())
    refusals(() => new Response()); express.refusals()
    if (typeof limited !== 'function') throw new Error('limited')`
  const { status, stderr } = spawnSync(process.execPath, ['-e', script], { cwd: __dirname, encoding: 'utf8' })
  assert.equal(status, 0, stderr)
})
