// Owns the proof that spillway/fetch wraps Web handlers: Request in, Response out, whoever calls them.
// Never waits: time is the clock each test holds.
'use strict'

const assert = require('node:assert/strict')
const { spawnSync } = require('node:child_process')
const { test } = require('node:test')
const { Refusal, spillway } = require('spillway')
const { limited, refusals, shedding } = require('spillway/fetch')
const { together } = require('spillway/together')
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

test('legacy fields are told where none were, and stay where a tighter limit is', async () => {
  const { chat } = frozen()
  const { chat: daily } = frozen({ limit: 9, window: '1d' }, 'daily')
  const inner = limited(() => new Response('done'), chat, { key: byTenant, headers: 'legacy' })
  const answer = await limited(inner, daily, { key: byTenant, headers: 'legacy' })(asking())
  const fields = ['limit', 'remaining'].map((name) => answer.headers.get(`x-ratelimit-${name}`))
  assert.deepEqual(fields, ['2', '1'])
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
    [handler, chat, { key: byTenant, headers: 'draft-6' }, /headers must be .+; got "draft-6"/],
    [handler, chat, { key: byTenant, refund: 'aborted' }, /refund must be .+; got "aborted"/],
    [handler, { consume() {}, name: 'x' }, { key: byTenant, refund: 'failed' }, /needs a limiter that can refund; "x"/],
    [handler, chat, { key: byTenant, allow: ['::1'] }, /allow has addresses, so it must be told whose.+address:/],
    [handler, chat, { key: byTenant, deny: ['10.0.0.0/8'] }, /deny has addresses, so it must be told whose/],
  ]
  for (const [given, limiter, options, message] of wrong) {
    assert.throws(() => limited(given, limiter, options), { name: 'TypeError', code: 'E_OPTION', message })
  }
  assert.throws(() => refusals(chat), {
    name: 'TypeError',
    code: 'E_OPTION',
    message: /the handler must be.+; got the limiter "chat"/,
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

test('a whole application is wrapped by its fetch, as Bun and Deno have it', async () => {
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

/** A limiter of ten, and what is left of it for the tenant of `asking()`. */
function ten() {
  const { chat } = frozen({ limit: 10, window: '1h' })
  return { chat, left: () => chat.peek('a').remaining }
}

/** A handler that answers what it is given, under a limit that gives back what failed. */
const refunding = (chat, answer, refund = 'failed') => limited(() => answer, chat, { key: byTenant, refund })

test('a response without a body has ended when it is answered', async () => {
  const { chat, left } = ten()
  await refunding(chat, new Response(null, { status: 204 }))(asking())
  assert.equal(left(), 9)
  await refunding(chat, new Response(null, { status: 404 }))(asking())
  assert.equal(left(), 9)
  await refunding(chat, Response.redirect('http://elsewhere.test/'), 'successful')(asking())
  assert.equal(left(), 9)
})

test('a response with a body has ended when the last of it was read', async () => {
  const { chat, left } = ten()
  const failed = await refunding(chat, Response.json({ no: 1 }, { status: 500 }))(asking())
  assert.equal(left(), 9)
  assert.deepEqual(await failed.json(), { no: 1 })
  assert.equal(left(), 10)
  const served = await refunding(chat, Response.json({ yes: 1 }, { status: 201, statusText: 'Made' }))(asking())
  assert.deepEqual([served.status, served.statusText], [201, 'Made'])
  assert.equal(served.headers.get('content-type'), 'application/json')
  assert.equal(served.headers.get('ratelimit'), '"chat";r=9;t=360')
  assert.deepEqual(await served.json(), { yes: 1 })
  assert.equal(left(), 9)
  await (await refunding(chat, new Response('done'), 'successful')(asking())).text()
  assert.equal(left(), 9)
})

test('a body that breaks or is no longer wanted has failed, and is given back once', async () => {
  const { chat, left } = ten()
  const chunks = (last) => {
    let sent = 0
    return new ReadableStream({
      pull(controller) {
        sent += 1
        if (sent === 1) controller.enqueue(new TextEncoder().encode('half'))
        else last(controller)
      },
    })
  }
  const broken = await refunding(
    chat,
    new Response(chunks((controller) => controller.error(new Error('source')))),
  )(asking())
  await assert.rejects(broken.text(), { message: 'source' })
  assert.equal(left(), 10)

  let cancelled
  const endless = new ReadableStream({
    pull: (controller) => controller.enqueue(new Uint8Array(1)),
    cancel: (reason) => (cancelled = reason),
  })
  const given = await refunding(chat, new Response(endless))(asking())
  const reader = given.body.getReader()
  await reader.read()
  assert.equal(left(), 9)
  await reader.cancel('the client hung up')
  assert.equal(cancelled, 'the client hung up', 'the source is told')
  assert.equal(left(), 10)

  const whole = await refunding(chat, new Response(chunks((controller) => controller.close())))(asking())
  assert.equal(await whole.text(), 'half')
  assert.equal(left(), 9)
})

test('nothing is read ahead of a body that nobody reads', async () => {
  const { chat } = ten()
  let pulled = 0
  const source = new ReadableStream(
    {
      pull(controller) {
        pulled += 1
        controller.enqueue(new Uint8Array(1))
      },
    },
    { highWaterMark: 0 },
  )
  const answer = await refunding(chat, new Response(source))(asking())
  await new Promise(setImmediate)
  assert.equal(pulled, 0)
  await answer.body.cancel()
})

test('the answer to HEAD is not read by anybody, and has ended when it is there', async () => {
  const { chat, left } = ten()
  const head = () => new Request('http://service.test/', { method: 'HEAD', headers: { 'x-tenant': 'a' } })
  const body = new Response('not sent', { status: 500 })
  await refunding(chat, body)(head())
  assert.equal(left(), 10)
  await refunding(chat, new Response('not sent'))(head())
  assert.equal(left(), 9)
})

test('a handler that throws has failed with a 500, one that refuses with the status of the refusal', async () => {
  const { chat, left } = ten()
  const ends = []
  const refund = (end) => ends.push(end) > 0
  const throwing = (error) =>
    limited(
      () => {
        throw error
      },
      chat,
      { key: byTenant, refund },
    )
  await assert.rejects(throwing(new Error('mine'))(asking()), { message: 'mine' })
  await (await throwing(new Refusal({ code: 'E_TIMEOUT', primitive: 'search' }))(asking())).text()
  assert.deepEqual(ends, [
    { status: 500, aborted: false },
    { status: 504, aborted: false },
  ])
  assert.equal(left(), 10)
})

test('the error of a handler is its own, also where the request is not quite one', async () => {
  const { chat, left } = ten()
  const fail = () => Promise.reject(new Error('mine'))
  const handler = limited(fail, chat, { key: () => 'a', refund: 'failed' })
  for (const request of [undefined, {}, { signal: null }]) await assert.rejects(handler(request), { message: 'mine' })
  assert.equal(left(), 10)
})

test('a request that is aborted while it is handled has failed', async () => {
  const { chat, left } = ten()
  const ends = []
  const gone = new AbortController()
  const nobody = new Response('to nobody')
  const request = new Request('http://service.test/', { headers: { 'x-tenant': 'a' }, signal: gone.signal })
  const handler = limited(
    () => {
      gone.abort()
      return nobody
    },
    chat,
    { key: byTenant, refund: (end) => ends.push(end) > 0 },
  )
  const answer = await handler(request)
  assert.equal(answer, nobody, 'nobody waits for its end any more')
  assert.deepEqual(ends, [{ status: 200, aborted: true }])
  assert.equal(left(), 10)
})

test('a plan takes the place of the limit, and may be looked up', async () => {
  const { chat } = frozen({ limit: 1, window: '1m' })
  const handler = limited(() => new Response('done'), chat, {
    key: byTenant,
    cost: async () => 2,
    override: async (request) => (byTenant(request) === 'pro' ? { limit: 60 } : undefined),
    headers: 'draft-7',
  })
  assert.deepEqual(told(await handler(asking('pro'))), ['60;w=60', 'limit=60, remaining=58, reset=1'])
  const free = await handler(asking('free'))
  assert.deepEqual(
    [free.status, free.headers.get('retry-after'), ...told(free)],
    [429, null, '1;w=60', 'limit=1, remaining=1, reset=0'],
  )
})

test('lists: denied before allowed, allowed before charged', async () => {
  const { chat, left } = ten()
  const address = (request) => request.headers.get('x-real-ip') ?? undefined
  const handler = limited(() => new Response('done'), chat, {
    key: byTenant,
    address,
    allow: ['10.0.0.0/8', (_request, context) => context === 'internal'],
    deny: ['10.6.6.6', '2001:db8::/32'],
  })
  const from = (ip, ...rest) => {
    const request = asking()
    if (ip !== undefined) request.headers.set('x-real-ip', ip)
    return handler(request, ...rest)
  }
  const ask = async (...args) => {
    const answer = await from(...args)
    return [answer.status, answer.headers.get('ratelimit')]
  }
  assert.deepEqual(await ask('10.1.2.3'), [200, null])
  assert.deepEqual(await ask('192.0.2.1', 'internal'), [200, null])
  assert.deepEqual(await ask('10.6.6.6', 'internal'), [403, null])
  assert.equal((await (await from('2001:db8::7')).json()).status, 403)
  assert.equal(left(), 10)
  assert.deepEqual(await ask('192.0.2.1'), [200, '"chat";r=9;t=360'])
  assert.deepEqual(await ask(undefined), [200, '"chat";r=8;t=360'])
  assert.deepEqual(await ask('no address'), [200, '"chat";r=7;t=360'])
})

test('a refusal of the handler is answered where the limit let by, too', async () => {
  const { chat } = ten()
  const handler = limited(
    () => {
      throw new Refusal({ code: 'E_OPEN', primitive: 'search' })
    },
    chat,
    { key: byTenant, allow: [() => true] },
  )
  assert.equal((await handler(asking())).status, 503)
})

test('onLimited answers in place of the 429, and what it leaves out is added', async () => {
  const { chat } = frozen({ limit: 1, window: '1m' })
  const custom = (onLimited) => limited(() => new Response('done'), chat, { key: byTenant, onLimited })
  await custom(() => assert.fail('not yet'))(asking())
  const redirected = await custom((request, decision, context) => {
    assert.deepEqual([decision.reason, context], ['limited', 'context'])
    return Response.redirect(new URL('/slow-down', request.url))
  })(asking(), 'context')
  assert.deepEqual([redirected.status, redirected.headers.get('location')], [302, 'http://service.test/slow-down'])
  assert.deepEqual(
    [redirected.headers.get('retry-after'), ...told(redirected)],
    ['60', '"chat";q=1;w=60', '"chat";r=0;t=60'],
  )
  const own = await custom(async () => new Response('no', { status: 420, headers: { 'Retry-After': '90' } }))(asking())
  assert.deepEqual([own.status, await own.text(), own.headers.get('retry-after')], [420, 'no', '90'])
  assert.equal(await custom(() => undefined)(asking()), undefined, 'as its framework will say')
  await assert.rejects(custom(() => Promise.reject(new Error('mine')))(asking()), { message: 'mine' })
})

test('shedding answers 503 without calling the handler, and refusals as refusals() does', async () => {
  const asked = []
  const guard = {
    admit(priority) {
      asked.push(priority)
      return priority === 'low' ? { code: 'E_SHED', primitive: 'overload', status: 503, retryAfterMs: 500 } : null
    },
  }
  const GET = (request, context) => {
    if (context === 'open') throw new Refusal({ code: 'E_OPEN', primitive: 'search' })
    return new Response(`${request.method} ${context}`)
  }
  const handler = shedding(GET, guard, { priority: (request) => request.headers.get('x-priority') ?? undefined })
  assert.equal(handler.name, 'GET')
  const low = () => new Request('http://service.test/', { headers: { 'x-priority': 'low' } })
  assert.equal(await (await handler(asking(), 'context')).text(), 'GET context')
  for (const refused of [await handler(low(), 'context'), await handler(low(), 'context')]) {
    assert.deepEqual([refused.status, refused.headers.get('retry-after')], [503, '1'])
    assert.equal((await refused.json()).code, 'E_SHED')
  }
  assert.equal((await handler(asking(), 'open')).status, 503)
  assert.deepEqual(asked, [undefined, 'low', 'low', undefined])
  assert.throws(() => shedding(undefined, guard), { code: 'E_OPTION', message: /the handler must be a function/ })
  assert.throws(() => shedding(GET, {}), { code: 'E_OPTION', message: /the guard must be/ })
})

test('limiters that are charged together: all or none, and the functions get what the handler gets', async () => {
  const sp = spillway({ clock: () => 1_000_000 })
  const users = sp.limiter('users', { limit: 2, window: '1m' })
  const teams = sp.limiter('teams', { limit: 9, window: '1m' })
  const parts = [
    { limiter: users, key: async (request) => byTenant(request) },
    { limiter: teams, key: (_request, { team }) => team, cost: (_request, { cost }) => cost },
  ]
  const handler = limited(() => new Response(null, { status: 204 }), together(sp, parts), { refund: 'successful' })
  const answer = await handler(asking(), { team: 'red', cost: 8 })
  assert.deepEqual(told(answer), ['"users";q=2;w=60, "teams";q=9;w=60', '"teams";r=1;t=7'])
  assert.deepEqual([users.peek('a').remaining, teams.peek('red').remaining], [2, 9], 'it was successful')
  assert.equal((await handler(asking(), { team: 'red', cost: 10 })).status, 429)
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
