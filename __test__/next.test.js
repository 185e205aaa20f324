// Owns the proof that spillway/next answers for server actions and proxies as Next expects it; examples.test.js does so in Next.
// Never waits: time is the clock each test holds.
'use strict'

const assert = require('node:assert/strict')
const { spawnSync } = require('node:child_process')
const { test } = require('node:test')
const { Refusal, spillway } = require('spillway')
const fetched = require('spillway/fetch')
const next = require('spillway/next')
const { quotations } = require('./quoted.js')

const { limitedAction, proxyLimit } = next
const AsyncFunction = (async () => {}).constructor
const byFirst = (first) => first
const byTenant = (request) => request.headers.get('x-tenant')
const asking = (tenant = 'a') => new Request('http://service.test/', { headers: { 'x-tenant': tenant } })
const told = (response) => [response.headers.get('ratelimit-policy'), response.headers.get('ratelimit')]

/** A limiter in a time of the test's own. */
function frozen(options = { limit: 2, window: '1m' }) {
  const time = { now: 1_000_000 }
  return { time, send: spillway({ clock: () => time.now }).limiter('send', options) }
}

test('route handlers are wrapped by what spillway/fetch exports', () => {
  const { limitedAction: _action, proxyLimit: _proxy, ...others } = next
  assert.deepEqual(others, { ...fetched })
})

test('a limited action is an async function with the name, the arguments and the answer of the action', async () => {
  const { send } = frozen()
  async function rename(id, name) {
    return { id, name, given: arguments.length }
  }
  const limited = limitedAction(rename, send, { key: byFirst })
  assert.ok(limited instanceof AsyncFunction, "a 'use server' file may export nothing else")
  assert.equal(limited.name, 'rename')
  assert.deepEqual(await limited('7', 'seven', undefined), { id: '7', name: 'seven', given: 3 })
  assert.equal(send.peek('7').remaining, 1)
})

test('over the limit the answer is plain data, and the action is not called', async () => {
  const { time, send } = frozen()
  let calls = 0
  const action = limitedAction(async () => (calls += 1), send, { key: byFirst })
  assert.deepEqual([await action('a'), await action('a')], [1, 2])
  time.now += 500
  const refusal = await action('a')
  assert.deepEqual(refusal, { ok: false, error: 'rate_limited', code: 'E_LIMITED', retryAfterMs: 29_500 })
  assert.equal(Object.getPrototypeOf(refusal), Object.prototype, 'nothing that a client cannot be sent')
  assert.equal(calls, 2)
  assert.equal(await action('b'), 3)
  time.now += 29_500
  assert.equal(await action('a'), 4)
})

test('a call that costs more than there ever is says so', async () => {
  const { send } = frozen()
  const action = limitedAction(async () => 'sent', send, { key: byFirst, cost: async (_key, units) => units })
  assert.equal(await action('a', 2), 'sent')
  assert.equal((await action('a', 3)).retryAfterMs, Infinity)
})

test('a refusal the action throws is an answer as well', async () => {
  const { send } = frozen({ limit: 9, window: '1m' })
  const answers = [
    [
      { code: 'E_OPEN', primitive: 'mail', retryAfterMs: 1_500 },
      { error: 'unavailable', retryAfterMs: 1_500 },
    ],
    [{ code: 'E_FULL', primitive: 'mail' }, { error: 'unavailable' }],
    [{ code: 'E_TIMEOUT', primitive: 'mail' }, { error: 'timeout' }],
    [
      { code: 'E_LIMITED', primitive: 'mail', retryAfterMs: 10 },
      { error: 'rate_limited', retryAfterMs: 10 },
    ],
  ]
  for (const [info, answer] of answers) {
    const action = limitedAction(() => Promise.reject(new Refusal(info)), send, { key: byFirst })
    assert.deepEqual(await action('a'), { ok: false, code: info.code, ...answer })
  }
})

test('onRefused makes the answer of the refusal and the arguments, as the state of a form needs it', async () => {
  const { send } = frozen({ limit: 1, window: '1m' })
  const form = new FormData()
  form.set('text', 'hello')
  const action = limitedAction(async (previous, given) => ({ sent: [...previous.sent, given.get('text')] }), send, {
    key: () => 'all',
    onRefused: async ({ error, retryAfterMs }, previous, given) => ({
      ...previous,
      message: `${error}: ${given.get('text')} in ${retryAfterMs / 1000} s`,
    }),
  })
  const first = await action({ sent: [] }, form)
  assert.deepEqual(first, { sent: ['hello'] })
  assert.deepEqual(await action(first, form), { sent: ['hello'], message: 'rate_limited: hello in 60 s' })
})

test('what else the action throws goes on as it came, or redirect() would do nothing', async () => {
  const { send } = frozen({ limit: 9, window: '1m' })
  const redirect = Object.assign(new Error('NEXT_REDIRECT'), { digest: 'NEXT_REDIRECT;replace;/thanks;303;' })
  for (const error of [redirect, new TypeError('broken'), { code: 'E_OPEN' }, undefined]) {
    const action = limitedAction(() => Promise.reject(error), send, { key: byFirst, onRefused: () => 'refused' })
    await action('a').then(
      () => assert.fail('nothing was thrown'),
      (thrown) => assert.equal(thrown, error),
    )
  }
})

test('the key may be a promise, for what is asked of the request; a call without one is an E_KEY', async () => {
  const { send } = frozen()
  const headers = async () => new Headers({ 'x-tenant': 'a' })
  const action = limitedAction(async () => 'sent', send, { key: async () => (await headers()).get('x-tenant') })
  assert.equal(await action(), 'sent')
  assert.equal(send.peek('a').remaining, 1)
  for (const key of [() => undefined, () => '', async () => 42]) {
    await assert.rejects(limitedAction(async () => 'sent', send, { key })(), { name: 'TypeError', code: 'E_KEY' })
  }
})

test('a caller on another plan has the rate of that plan', async () => {
  const { send } = frozen()
  const action = limitedAction(async () => 'sent', send, {
    key: byFirst,
    override: async (key) => (key === 'paying' ? { limit: 4 } : undefined),
  })
  for (let call = 0; call < 4; call += 1) assert.equal(await action('paying'), 'sent')
  assert.equal((await action('paying')).error, 'rate_limited')
  for (let call = 0; call < 2; call += 1) assert.equal(await action('free'), 'sent')
  assert.equal((await action('free')).error, 'rate_limited')
})

test('a limiter that answers with a promise works the same', async () => {
  const { send } = frozen({ limit: 1, window: '1m' })
  const far = {
    name: 'far',
    limit: 1,
    windowMs: 60_000,
    burst: 1,
    consume: async (key, cost) => send.consume(key, cost),
  }
  const action = limitedAction(async () => 'sent', far, { key: byFirst })
  assert.equal(await action('a'), 'sent')
  assert.equal((await action('a')).error, 'rate_limited')
})

test('a proxy answers 429 by itself, and what next answers carries the fields on', async () => {
  const { time, send } = frozen()
  // What NextResponse.next() answers; given a request, it would send its headers back.
  const goOn = (...args) => {
    assert.deepEqual(args, [])
    return new Response(null, { headers: { 'x-middleware-next': '1' } })
  }
  const proxy = proxyLimit(send, { key: byTenant, next: goOn })
  const event = { waitUntil() {} }
  const admitted = await proxy(asking(), event)
  assert.deepEqual(told(admitted), ['"send";q=2;w=60', '"send";r=1;t=30'])
  assert.equal(admitted.headers.get('x-middleware-next'), '1')
  await proxy(asking(), event)
  time.now += 500
  const denied = await proxy(asking(), event)
  assert.deepEqual([denied.status, denied.headers.get('retry-after')], [429, '30'])
  assert.equal(denied.headers.get('x-middleware-next'), null)
  assert.equal((await denied.json()).code, 'E_LIMITED')
  assert.equal((await proxy(asking('b'), event)).headers.get('x-middleware-next'), '1')
})

test('a proxy without next answers nothing to a request that may go on', async () => {
  const { send } = frozen({ limit: 1, window: '1m' })
  const proxy = proxyLimit(send, { key: byTenant, headers: false })
  assert.equal(proxy.name, 'proxy')
  assert.equal(await proxy(asking()), undefined)
  const denied = await proxy(asking())
  assert.deepEqual([denied.status, ...told(denied)], [429, null, null])
})

test('wrong options throw where they are written', () => {
  const { send } = frozen()
  const action = async () => 'sent'
  const key = byFirst
  const wrong = [
    [() => limitedAction(undefined, send, { key }), /the action must be an async function; got undefined/],
    [() => limitedAction(action, 'send', { key }), /the limiter must be what limiter\(name, …\) answered; got "send"/],
    [() => limitedAction(action, send), /`key` of limitedAction.+ is required, .+; it is missing/],
    [() => limitedAction(action, send, { key, cost: [] }), /`cost` of limitedAction.+; got an array/],
    [() => limitedAction(action, send, { key, onRefused: 'no' }), /`onRefused` of limitedAction.+ must be a function/],
    [() => limitedAction(action, send, { key, headers: true }), /`headers` is not an option of limitedAction/],
    [() => limitedAction(action, send, { key, refund: 'failed' }), /`refund` is not an option of limitedAction/],
    [() => proxyLimit('send', { key }), /the limiter must be what limiter\(name, …\) answered; got "send"/],
    [() => proxyLimit(send), /key is required/],
    [() => proxyLimit(send, { key, next: new Response() }), /next must be a function that answers NextResponse.next/],
    [() => proxyLimit(send, { key, refund: 'failed' }), /refund is not for a proxy.+ Limit the route handler instead/],
    [() => proxyLimit(send, { key, matcher: '/api' }), /has no option "matcher"/],
  ]
  for (const [make, message] of wrong)
    assert.throws(make, { name: 'TypeError', code: 'E_OPTION', message }, String(make))
})

test('importing it loads no native code and nothing of Next', () => {
  const script = `
    process.dlopen = () => { throw new Error('native code was loaded') }
    const { limitedAction } = require('spillway/next')
    const others = Object.keys(require.cache).filter((path) => /\\.node$|node_modules/.test(path))
    if (others.length > 0 || typeof limitedAction !== 'function') throw new Error(others.join())`
  const { status, stderr } = spawnSync(process.execPath, ['-e', script], { cwd: __dirname, encoding: 'utf8' })
  assert.equal(status, 0, stderr)
})

test('docs/next.md quotes the example that is built and run', () => {
  const quoted = quotations('next.md', 'examples/next')
  assert.equal(quoted.length, 8)
  for (const { name, quoted: block, code } of quoted) assert.equal(block, code, name)
})
