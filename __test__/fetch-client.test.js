// Owns the proof that spillway/fetch-client survives an upstream that is trouble, over real HTTP, and leaves no connection open.
// Never waits longer than an answer takes: waits that a server asks for pass on a clock the test moves.
'use strict'

const assert = require('node:assert/strict')
const { AsyncLocalStorage } = require('node:async_hooks')
const { Readable } = require('node:stream')
const { test } = require('node:test')
const { setImmediate: turn } = require('node:timers/promises')
const { gzipSync } = require('node:zlib')
const { Agent, MockAgent, Request: UndiciRequest, fetch: undiciFetch } = require('undici')
const { fallback, hedge, isRefusal, retry, spillway, timeout } = require('spillway')
const { fetchClient } = require('spillway/fetch-client')
const { collectGarbage } = require('./garbage.js')
const {
  upstream,
  answering,
  flooding,
  hanging,
  hangingInBody,
  late,
  resetting,
  resettingInBody,
} = require('./upstream.js')

const FAKES = { apis: ['setTimeout', 'Date'], now: Date.UTC(2026, 0, 2) }
const SOON = { base: 1, cap: 1, budget: false }
const OK = answering(200, {}, 'ok')

/** Nothing that is dropped may be heard of again: each test says at its end that nothing was. */
const unheard = []
process.on('unhandledRejection', (error) => unheard.push(error))
test.afterEach(async () => {
  await turn()
  assert.deepEqual(unheard.splice(0), [])
})

/** Of this test: a spillway of its own, and connections of its own. */
function place(t, options) {
  const sp = spillway({ isolated: true })
  const dispatcher = new Agent({ keepAliveTimeout: 60_000, ...options })
  t.after(() => Promise.all([sp.close(), dispatcher.destroy()]))
  return { sp, dispatcher }
}

/** A client behind these strategies. */
function clientOf(t, ...strategies) {
  const { sp, dispatcher } = place(t)
  const policy = sp.policy('upstream', ...strategies)
  return { policy, dispatcher, client: fetchClient(policy, { dispatcher }) }
}

/** One that has a single connection: as long as anything holds it, nothing else is sent. */
function narrowClientOf(t, ...strategies) {
  const { sp, dispatcher } = place(t, { connections: 1 })
  const policy = sp.policy('upstream', ...strategies)
  return { policy, client: fetchClient(policy, { dispatcher }) }
}

/** A body that is more than is read of one that nobody wants. */
function endless(onCancel) {
  return new ReadableStream({
    pull: (controller) => controller.enqueue(Buffer.alloc(100_000)),
    cancel: () => void onCancel(),
  })
}

/** The waits before retries, each of which is over as soon as it has begun. */
function waitsOf(t, policy) {
  t.mock.timers.enable(FAKES)
  const waits = []
  policy.on('retry', async ({ waitMs }) => {
    waits.push(waitMs)
    await turn()
    t.mock.timers.tick(waitMs)
  })
  return waits
}

// ---------------------------------------------------------------- a Response is a value

test('what succeeds is answered as fetch answers it', async (t) => {
  const server = await upstream(t, answering(200, { 'x-dam': 'full' }, 'water'))
  const { client } = clientOf(t, retry(SOON))
  const response = await client(`${server.origin}/level?deep=1`, { headers: { 'x-who': 'ada' } })
  assert.ok(response instanceof Response)
  assert.deepEqual([response.status, response.headers.get('x-dam')], [200, 'full'])
  assert.equal(response.url, `${server.origin}/level?deep=1`)
  assert.equal(await response.text(), 'water')
  assert.equal(server.requests[0].headers['x-who'], 'ada')
  assert.equal(server.requests.length, 1)
})

test('a failure that passes is not seen', async (t) => {
  const server = await upstream(t, answering(503), answering(500), resetting, OK)
  const { client } = clientOf(t, retry(SOON))
  const response = await client(server.origin)
  assert.deepEqual([response.status, await response.text()], [200, 'ok'])
  assert.equal(server.requests.length, 4)
})

test('when attempts are spent, the last answer is the answer, with its body', async (t) => {
  const server = await upstream(t, answering(503, {}, 'one'), answering(502, {}, 'two'), answering(504, {}, 'three'))
  const { client } = clientOf(t, retry({ ...SOON, max: 2 }))
  const response = await client(server.origin)
  assert.deepEqual([response.status, await response.text()], [504, 'three'])
  assert.equal(server.requests.length, 3)
})

test('when the budget is spent, the answer that was to be retried is the answer', async (t) => {
  const server = await upstream(t, answering(503, {}, 'not now'))
  const { client } = clientOf(t, retry({ ...SOON, budget: { ratio: 0, floor: 0 } }))
  const response = await client(server.origin)
  assert.deepEqual([response.status, await response.text()], [503, 'not now'])
  assert.equal(server.requests.length, 1)
})

test('a status that says so is not tried again', async (t) => {
  for (const status of [400, 401, 404, 409, 422, 501]) {
    const server = await upstream(t, answering(status), OK)
    const { client } = clientOf(t, retry(SOON))
    assert.equal((await client(server.origin)).status, status)
    assert.equal(server.requests.length, 1)
  }
})

test('a network error is the error of fetch, when attempts are spent', async (t) => {
  const server = await upstream(t, resetting)
  const { client } = clientOf(t, retry({ ...SOON, max: 2 }))
  await assert.rejects(client(server.origin), (error) => error instanceof TypeError && error.cause !== undefined)
  assert.equal(server.begun, 3)
})

test('a redirect is followed, and answers without a body are answers', async (t) => {
  const server = await upstream(
    t,
    answering(302, { location: '/there' }, ''),
    OK,
    answering(204, {}, ''),
    answering(200, {}, ''),
  )
  const { client } = clientOf(t, retry(SOON))
  const followed = await client(server.origin)
  assert.deepEqual([followed.redirected, followed.url, await followed.text()], [true, `${server.origin}/there`, 'ok'])
  const empty = await client(server.origin)
  assert.deepEqual([empty.status, empty.body, await empty.text()], [204, null, ''])
  const head = await client(server.origin, { method: 'HEAD' })
  assert.deepEqual([head.status, await head.text()], [200, ''])
})

test('a redirect is not followed where fetch was told not to', async (t) => {
  const server = await upstream(t, answering(302, { location: '/there' }), OK)
  const { client } = clientOf(t, retry(SOON))
  assert.equal((await client(server.origin, { redirect: 'manual' })).status, 302)
  await assert.rejects(
    clientOf(t)
      .client(server.origin, { redirect: 'error' })
      .then((r) => assert.equal(r.status, 200) ?? Promise.reject(new TypeError('ok'))),
    TypeError,
  )
})

test('a compressed answer is read, and a compressed failure let go of', async (t) => {
  const zipped = (status, text) => answering(status, { 'content-encoding': 'gzip' }, gzipSync(text))
  const server = await upstream(t, zipped(503, 'no'.repeat(10_000)), zipped(200, 'water'))
  const { client } = clientOf(t, retry(SOON))
  assert.equal(await (await client(server.origin)).text(), 'water')
  assert.equal(server.connections, 1)
})

// ---------------------------------------------------------------- sent once, sent again

test('a POST is sent exactly once, however it fails', async (t) => {
  const failures = {
    reset: resetting,
    503: answering(503),
    429: answering(429, { 'retry-after': '1' }),
    500: answering(500),
  }
  for (const [kind, behaviour] of Object.entries({ ...failures, 'reset in its body': resettingInBody(200) })) {
    const server = await upstream(t, behaviour, OK)
    const { client } = clientOf(t, hedge({ after: 1, budget: false }), retry(SOON), timeout('5s'), retry(SOON))
    await client(server.origin, { method: 'POST', body: 'order' }).catch(() => {})
    await turn()
    assert.equal(server.begun, 1, kind)
  }
})

test('a POST that hangs is sent exactly once, though a hedge and retries stand around it', async (t) => {
  t.mock.timers.enable(FAKES)
  const server = await upstream(t, hanging)
  const { client, policy } = clientOf(t, retry(SOON), hedge({ after: 1, max: 3, budget: false }), timeout('1s'))
  for (const event of ['retry', 'hedge', 'exhausted']) policy.on(event, () => assert.fail(`there was a ${event}`))
  const call = assert.rejects(client(server.origin, { method: 'POST', body: 'order' }), { code: 'E_TIMEOUT' })
  await server.until(() => server.begun === 1)
  for (const ms of [1, 1, 1, 1_000]) {
    t.mock.timers.tick(ms)
    await turn()
  }
  await call
  await server.until(() => server.open === 0)
  assert.equal(server.begun, 1)
})

test('a POST is answered once, though its only attempt answers two that asked for it', async (t) => {
  const server = await upstream(t, late(20, answering(201, {}, 'created')))
  const { client } = clientOf(t, hedge({ after: 1, max: 3, budget: false }))
  const response = await client(server.origin, { method: 'POST', body: 'order' })
  assert.deepEqual([response.status, await response.text()], [201, 'created'])
  assert.equal(server.begun, 1)
})

test('a policy that retries whatever comes does not send a POST twice', async (t) => {
  const server = await upstream(t, answering(503, {}, 'no'))
  const { client } = clientOf(t, retry({ ...SOON, when: () => true }))
  const response = await client(server.origin, { method: 'POST', body: 'order' })
  assert.deepEqual([response.status, await response.text()], [503, 'no'])
  assert.equal(server.begun, 1)
})

test('a POST that was never sent may wait for its turn', async (t) => {
  const server = await upstream(t, OK)
  const { sp, dispatcher } = place(t)
  const slots = sp.bulkhead('slots', { limit: 1 })
  const permit = slots.tryAcquire()
  const policy = sp.policy('upstream', retry({ ...SOON, max: 100 }), slots)
  policy.on('retry', ({ attempt }) => attempt === 3 && permit.release())
  const response = await fetchClient(policy, { dispatcher })(server.origin, { method: 'POST', body: 'order' })
  assert.equal(await response.text(), 'ok')
  assert.equal(server.begun, 1)
})

test('a POST is sent again when the call says that it is idempotent, or the client that its key is known', async (t) => {
  const { sp, dispatcher } = place(t)
  const policy = sp.policy('upstream', retry(SOON))
  const post = { method: 'POST', body: 'order', headers: { 'idempotency-key': '"7"' } }
  const told = await upstream(t, resetting, answering(503), OK)
  await fetchClient(policy, { dispatcher }).with({ idempotent: true })(told.origin, post)
  const keyed = await upstream(t, resetting, answering(503), OK)
  await fetchClient(policy, { dispatcher, idempotencyKey: true })(keyed.origin, post)
  for (const { requests, begun } of [told, keyed]) {
    assert.equal(begun, 3)
    assert.deepEqual(
      requests.map(({ body, headers }) => [body, headers['idempotency-key']]),
      Array(3).fill(['order', '"7"']),
    )
  }
})

test('every attempt sends the whole body', async (t) => {
  const form = () => {
    const data = new FormData()
    data.set('name', new Blob(['dam']), 'dam.txt')
    return data
  }
  const bodies = [
    'text',
    Buffer.from('bytes'),
    new Uint8Array([98]).buffer,
    new URLSearchParams({ name: 'dam' }),
    new Blob(['blob']),
    form(),
  ]
  for (const body of bodies) {
    const server = await upstream(t, answering(503), resetting, OK)
    const { client } = clientOf(t, retry(SOON))
    await client(server.origin, { method: 'PUT', body })
    const sent = server.requests.map((request) => request.body.replaceAll(/formdata-undici-\d+/g, ''))
    assert.equal(sent.length, 3)
    assert.ok(sent[0].length > 0)
    assert.deepEqual(sent, Array(3).fill(sent[0]))
  }
})

test('a Request is sent again with its body, and is used afterwards', async (t) => {
  const server = await upstream(t, answering(503), resetting, OK)
  const { client } = clientOf(t, retry(SOON))
  const request = new Request(server.origin, { method: 'PUT', body: 'dam', headers: { 'x-who': 'ada' } })
  assert.equal(await (await client(request)).text(), 'ok')
  const sent = server.requests.map(({ method, body, headers }) => [method, body, headers['x-who']])
  assert.deepEqual(sent, Array(3).fill(['PUT', 'dam', 'ada']))
  assert.equal(request.bodyUsed, true)
  await assert.rejects(client(request), TypeError)
})

test('a Request that a breaker turned away has not been used', async (t) => {
  const { sp, dispatcher } = place(t)
  const server = await upstream(t, OK)
  const breaker = sp.breaker('upstream')
  breaker.isolate()
  const client = fetchClient(breaker, { dispatcher })
  const request = new Request(server.origin, { method: 'PUT', body: 'dam' })
  await assert.rejects(client(request), { code: 'E_OPEN' })
  assert.equal(request.bodyUsed, false)
  breaker.reset()
  await client(request)
  assert.equal(server.requests[0].body, 'dam')
})

test('a stream is sent once, though the method is idempotent', async (t) => {
  for (const behaviour of [answering(503), resetting]) {
    for (const body of [() => new Blob(['dam']).stream(), () => Readable.from(['dam'])]) {
      const server = await upstream(t, behaviour, OK)
      const { client } = clientOf(t, hedge({ after: 1, budget: false }), retry(SOON))
      await client(server.origin, { method: 'PUT', body: body(), duplex: 'half' }).catch(() => {})
      assert.equal(server.begun, 1)
      assert.equal(server.requests[0].body, 'dam')
    }
  }
})

test('a call that is wrong is told at once, and says nothing about the upstream', async (t) => {
  const { sp } = place(t)
  const breaker = sp.breaker('upstream', { consecutive: 1 })
  const policy = sp.policy('upstream', retry(SOON), breaker)
  const retried = []
  policy.on('retry', (message) => retried.push(message))
  const client = fetchClient(policy)
  await assert.rejects(client('no url'), TypeError)
  await assert.rejects(client('http://127.0.0.1', { body: 'of a GET' }), TypeError)
  await assert.rejects(client('http://127.0.0.1', { headers: { 'a b': 'c' } }), TypeError)
  assert.deepEqual(retried, [])
  assert.equal(breaker.state, 'closed')
})

// ---------------------------------------------------------------- Retry-After

test('a wait that the upstream asks for is waited, and no other', async (t) => {
  const soon = new Date(Date.UTC(2031, 4, 5, 0, 0, 7)).toUTCString()
  const theirs = new Date(Date.UTC(2031, 4, 5)).toUTCString()
  const server = await upstream(
    t,
    answering(429, { 'retry-after': '1' }),
    answering(503, { 'retry-after': soon, date: theirs }),
    answering(503, { 'retry-after': '25' }),
    OK,
  )
  const { client, policy } = clientOf(t, retry(SOON))
  const waits = waitsOf(t, policy)
  assert.equal(await (await client(server.origin)).text(), 'ok')
  assert.deepEqual(waits, [1_000, 7_000, 25_000])
  assert.equal(server.connections, 1, 'no connection was held through a wait')
})

test('an upstream that lies about it is not waited for', async (t) => {
  const far = new Date(Date.UTC(9999, 0, 1)).toUTCString()
  for (const asked of ['31', '86400', `1${'0'.repeat(20)}`, '9'.repeat(400), far]) {
    const server = await upstream(t, answering(503, { 'retry-after': asked }, 'later'), OK)
    const { client, policy } = clientOf(t, retry(SOON))
    policy.on('retry', () => assert.fail(asked))
    const response = await client(server.origin)
    assert.deepEqual([response.status, await response.text()], [503, 'later'], asked)
  }
})

test('garbage, a past date and a wait of nothing are waited as if nothing had been said', async (t) => {
  const past = new Date(Date.UTC(1999, 0, 1)).toUTCString()
  for (const asked of ['-5', 'soon', '1e3', '0', past, '2026-01-02', '1, 2']) {
    const server = await upstream(t, answering(503, { 'retry-after': asked }), OK)
    const { client, policy } = clientOf(t, retry({ base: 3, cap: 3, budget: false }))
    const waits = waitsOf(t, policy)
    assert.equal((await client(server.origin)).status, 200)
    assert.deepEqual(waits, [3], asked)
    t.mock.timers.reset()
  }
})

// ---------------------------------------------------------------- the breaker

test('5xx and network errors open a breaker; 429 and 4xx do not', async (t) => {
  const { sp, dispatcher } = place(t)
  const cases = { 500: [answering(500), 'open'], 503: [answering(503), 'open'], reset: [resetting, 'open'] }
  const others = { 429: [answering(429), 'closed'], 404: [answering(404), 'closed'], 200: [OK, 'closed'] }
  for (const [kind, [behaviour, state]] of Object.entries({ ...cases, ...others })) {
    const server = await upstream(t, behaviour)
    const breaker = sp.breaker(`upstream-${kind}`, { consecutive: 2 })
    const client = fetchClient(sp.policy(`upstream-${kind}`, breaker), { dispatcher })
    for (let call = 0; call < 2; call++) await client(server.origin).catch(() => {})
    assert.equal(breaker.state, state, kind)
  }
})

test('a 429 gives a probe back: it does not close a breaker either', async (t) => {
  const clock = { now: 0 }
  const sp = spillway({ clock: () => clock.now })
  t.after(() => sp.close())
  const { dispatcher } = place(t)
  const server = await upstream(t, answering(503), answering(429), OK)
  const breaker = sp.breaker('upstream', { consecutive: 1, open: { for: '1s', jitter: 0 }, probes: 1 })
  const client = fetchClient(sp.policy('upstream', breaker), { dispatcher })
  const states = []
  for (let call = 0; call < 3; call++) {
    await (await client(server.origin)).text()
    states.push(breaker.state)
    clock.now += 1_000
  }
  assert.deepEqual(states, ['open', 'half-open', 'closed'])
})

test('what counts as a failure can be told', async (t) => {
  const { sp, dispatcher } = place(t)
  const server = await upstream(t, answering(500), answering(418))
  const breaker = sp.breaker('upstream', { consecutive: 1 })
  const client = fetchClient(sp.policy('upstream', breaker), { dispatcher, failStatus: [418] })
  await client(server.origin)
  assert.equal(breaker.state, 'closed')
  await client(server.origin)
  assert.equal(breaker.state, 'open')
  await assert.rejects(client(server.origin), { code: 'E_OPEN', primitive: 'upstream' })
})

// ---------------------------------------------------------------- time

test('an upstream that hangs before its answer is timed out and hung up on', async (t) => {
  t.mock.timers.enable(FAKES)
  const server = await upstream(t, hanging)
  const { client } = clientOf(t, timeout('5s'))
  for (const ask of [client, client.with({ timeout: '3s' })]) {
    const call = assert.rejects(ask(server.origin), { code: 'E_TIMEOUT', status: 504 })
    await server.until(() => server.open === 1 && server.requests.length > server.hungUp)
    t.mock.timers.tick(ask === client ? 5_000 : 3_000)
    await call
    await server.until(() => server.open === 0)
  }
  assert.equal(server.hungUp, 2)
})

test('an attempt that hangs is timed out, and the next one answers', async (t) => {
  t.mock.timers.enable(FAKES)
  const server = await upstream(t, hanging, hanging, OK)
  const { client } = clientOf(t, timeout('10s'), retry(SOON), timeout('1s'))
  const call = client(server.origin)
  for (const attempt of [1, 2]) {
    await server.until(() => server.begun === attempt)
    t.mock.timers.tick(1_000)
    await server.until(() => server.hungUp === attempt)
    t.mock.timers.tick(1)
  }
  assert.equal(await (await call).text(), 'ok')
})

test('the deadline of an attempt ends with the head of the answer: a body may take its time', async (t) => {
  t.mock.timers.enable(FAKES)
  let end
  const server = await upstream(t, (_req, res) => {
    res.write('begin')
    end = () => res.end(' and end')
  })
  const { client } = clientOf(t, timeout('2s'), retry(SOON), hedge({ after: '1s' }), timeout('1s'))
  const response = await client(server.origin)
  t.mock.timers.tick(60_000)
  await turn()
  end()
  assert.equal(await response.text(), 'begin and end')
  assert.equal(server.begun, 1)
})

test('the signal of the caller ends an attempt, and nothing is tried again', async (t) => {
  const server = await upstream(t, hanging, OK)
  const { client } = clientOf(t, retry(SOON), timeout('10s'))
  const controller = new AbortController()
  const call = client(server.origin, { signal: controller.signal })
  await server.until(() => server.requests.length === 1)
  const reason = new Error('the user has gone')
  controller.abort(reason)
  await assert.rejects(call, (error) => error === reason)
  await server.until(() => server.open === 0)
  assert.equal(server.begun, 1)
})

test('the signal of the caller ends a wait, and nothing is tried again', async (t) => {
  const server = await upstream(t, answering(503, { 'retry-after': '20' }), OK)
  const { client, policy } = clientOf(t, retry(SOON))
  const controller = new AbortController()
  policy.on('retry', () => setImmediate(() => controller.abort()))
  await assert.rejects(client(server.origin, { signal: controller.signal }), { name: 'AbortError' })
  assert.equal(server.begun, 1)
})

test('the signal of the caller breaks off a body, and that of a Request does', async (t) => {
  const server = await upstream(t, hangingInBody(200))
  const { client } = clientOf(t, timeout('5s'), retry(SOON), timeout('5s'))
  for (const ask of [
    (signal) => client(server.origin, { signal }),
    (signal) => client(new Request(server.origin, { signal })),
  ]) {
    const controller = new AbortController()
    const reading = (await ask(controller.signal)).text()
    controller.abort()
    await assert.rejects(reading, { name: 'AbortError' })
    await server.until(() => server.open === 0)
  }
})

test('a signal that is aborted already sends nothing', async (t) => {
  const server = await upstream(t, OK)
  const { client } = clientOf(t, retry(SOON))
  await assert.rejects(client(server.origin, { signal: AbortSignal.abort() }), { name: 'AbortError' })
  assert.equal(server.connections, 0)
})

test('an attempt whose signal is aborted before it begins sends nothing', async (t) => {
  const server = await upstream(t, OK)
  const late = { name: 'late', run: async (fn) => fn({ signal: AbortSignal.abort(), remainingMs: 0, attempt: 0 }) }
  await assert.rejects(fetchClient(late)(server.origin), { name: 'AbortError' })
  assert.equal(server.connections, 0)
})

test('a body can be broken off though nobody holds anything but its reader', async (t) => {
  const server = await upstream(t, hangingInBody(200))
  const { client } = clientOf(t, timeout('5s'))
  const controller = new AbortController()
  const reader = (await client(server.origin, { signal: controller.signal })).body.getReader()
  await reader.read()
  await collectGarbage()
  controller.abort()
  await assert.rejects(reader.read(), { name: 'AbortError' })
  await server.until(() => server.open === 0)
})

test('a long-lived signal is left without listeners of calls that are over', async (t) => {
  const server = await upstream(t, answering(503), answering(204, {}, ''), resetting)
  const { client } = clientOf(t, retry({ ...SOON, max: 1 }), timeout('5s'))
  const { signal } = new AbortController()
  const listeners = new Set()
  const { addEventListener, removeEventListener } = EventTarget.prototype
  signal.addEventListener = (type, listener, options) => {
    listeners.add(listener)
    addEventListener.call(signal, type, listener, options)
  }
  signal.removeEventListener = (type, listener) => {
    listeners.delete(listener)
    removeEventListener.call(signal, type, listener)
  }
  await client(server.origin, { signal })
  assert.equal(listeners.size, 0)
  const { sp, dispatcher } = place(t)
  const alone = fetchClient(sp.breaker('upstream'), { dispatcher })
  for (const ask of [client, alone]) {
    await assert.rejects(ask(server.origin, { signal }), TypeError)
    assert.equal(listeners.size, 0)
  }
})

// ---------------------------------------------------------------- hedges

test('the loser of a hedge is hung up on, and the winner’s body is whole', async (t) => {
  const server = await upstream(t, hanging, answering(200, {}, 'second'))
  const { client } = clientOf(t, hedge({ after: 5, budget: false }))
  const response = await client(server.origin)
  assert.equal(await response.text(), 'second')
  assert.equal(server.begun, 2)
  await server.until(() => server.hungUp === 1)
})

test('a loser that answers after all is let go of', async (t) => {
  const { sp } = place(t)
  const cancelled = []
  const answers = []
  // A fetch that does not care for signals.
  const fetch = (url, { signal: _ }) => {
    const body = endless(() => cancelled.push(url))
    return new Promise((resolve) => answers.push(() => resolve(new Response(body))))
  }
  const client = fetchClient(sp.policy('upstream', hedge({ after: 1, budget: false })), { fetch })
  const call = client('http://upstream.test/')
  while (answers.length < 2) await new Promise((resolve) => setTimeout(resolve, 1))
  answers[1]()
  const response = await call
  answers[0]()
  await turn()
  assert.deepEqual(cancelled, ['http://upstream.test/'])
  assert.equal(response.bodyUsed || response.body.locked, false, 'the winner is not')
})

test('a hedge answers for a first attempt that fails meanwhile, and the failure is let go of', async (t) => {
  let first
  const held = (_req, res) => {
    first = res
  }
  const then = (_req, res) => {
    first.writeHead(503).end('no', () => setTimeout(() => res.end('ok'), 20))
  }
  const server = await upstream(t, held, then, OK)
  const { sp, dispatcher } = place(t, { connections: 2 })
  const client = fetchClient(sp.policy('upstream', hedge({ after: 5, budget: false })), { dispatcher })
  const response = await client(server.origin)
  assert.deepEqual([response.status, await response.text()], [200, 'ok'])
  const both = await Promise.all([client(server.origin), client(server.origin)])
  assert.deepEqual(await Promise.all(both.map((each) => each.text())), ['ok', 'ok'])
})

// ---------------------------------------------------------------- nothing is left open

test('short bodies of failures are read to their end, so that their connection is used again', async (t) => {
  const server = await upstream(t, answering(503), answering(503, {}, 'x'.repeat(60_000)), answering(500), OK)
  const { client } = narrowClientOf(t, retry(SOON))
  for (let call = 0; call < 5; call++) assert.equal(await (await client(server.origin)).text(), 'ok')
  assert.deepEqual([server.begun, server.connections, server.hungUp], [8, 1, 0])
})

test('bodies of failures that are long, or have no end, are given up', async (t) => {
  const long = answering(503, {}, 'x'.repeat(10_000_000))
  const longer = answering(503, { 'content-length': '10000000' }, 'x'.repeat(10_000_000))
  for (const behaviour of [long, longer, flooding(503)]) {
    const server = await upstream(t, behaviour, OK)
    const { client } = narrowClientOf(t, retry(SOON))
    assert.equal(await (await client(server.origin)).text(), 'ok')
    assert.ok(server.connections > 1)
  }
})

test('a failure that breaks off in its body is a failure like any', async (t) => {
  const server = await upstream(t, resettingInBody(503), OK)
  const { client } = narrowClientOf(t, retry(SOON))
  assert.equal(await (await client(server.origin)).text(), 'ok')
})

test('the body of a failure that hangs is given up after a second', async (t) => {
  t.mock.timers.enable(FAKES)
  const server = await upstream(t, hangingInBody(503), OK)
  const { client, policy } = narrowClientOf(t, retry(SOON))
  const seen = []
  policy.on('retry', async () => {
    await turn()
    t.mock.timers.tick(999)
    await turn()
    seen.push(server.hungUp)
    t.mock.timers.tick(1)
  })
  assert.equal(await (await client(server.origin)).text(), 'ok')
  assert.deepEqual([...seen, server.hungUp], [0, 1])
})

test('an answer that nobody is given, because a classify of the user’s throws, is let go of', async (t) => {
  const { sp } = place(t)
  const cancelled = []
  const fetch = async (url) => new Response(endless(() => cancelled.push(url)))
  const classify = () => {
    throw new Error('a defect')
  }
  const client = fetchClient(sp.breaker('upstream', { classify }), { fetch })
  await assert.rejects(client('http://upstream.test/'), { message: 'a defect' })
  await turn()
  assert.deepEqual(cancelled, ['http://upstream.test/'])
})

test('a listener may read an answer that is not the last', async (t) => {
  const server = await upstream(t, answering(503, {}, 'why'), OK)
  const { client, policy } = clientOf(t, retry(SOON))
  const read = []
  policy.on('retry', ({ value }) => read.push(value.text()))
  assert.equal(await (await client(server.origin)).text(), 'ok')
  assert.deepEqual(await Promise.all(read), ['why'])
})

test('a hundred failing calls leave no connection more than they used at a time', async (t) => {
  const trouble = [answering(503), resetting, hanging, flooding(502), hangingInBody(504), resettingInBody(500), OK]
  let seed = 7
  const any = (req, res) => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
    return trouble[(seed >>> 16) % trouble.length](req, res)
  }
  const server = await upstream(t, any)
  const { client, dispatcher } = clientOf(
    t,
    timeout('2s'),
    hedge({ after: 20, budget: false }),
    retry({ ...SOON, max: 1 }),
    timeout(60),
  )
  const ends = { answered: 0, refused: 0, failed: 0 }
  const call = async () => {
    for (let round = 0; round < 20; round++) {
      try {
        const response = await client(server.origin)
        ends.answered++
        await response.body?.cancel().catch(() => {})
      } catch (error) {
        ends[isRefusal(error) ? 'refused' : 'failed']++
      }
    }
  }
  await Promise.all(Array.from({ length: 5 }, call))
  assert.equal(ends.answered + ends.refused + ends.failed, 100)
  assert.ok(ends.answered > 0, JSON.stringify(ends))
  await dispatcher.close()
  await server.until(() => server.open === 0)
})

// ---------------------------------------------------------------- around it

test('the context of the caller is that of every attempt and of what comes after', async (t) => {
  const context = new AsyncLocalStorage()
  const seen = []
  const server = await upstream(t, answering(503), resetting, late(500, OK), OK)
  const { sp, dispatcher } = place(t)
  const fetch = (...request) => {
    seen.push(context.getStore())
    return globalThis.fetch(...request)
  }
  const policy = sp.policy('upstream', timeout('5s'), retry(SOON), hedge({ after: 10, budget: false }))
  const client = fetchClient(policy, { dispatcher, fetch })
  // Whoever comes first arms the timer that all share.
  await context.run('another', () => client(server.origin))
  const before = seen.length
  await context.run('ada', async () => {
    await client(server.origin)
    assert.equal(context.getStore(), 'ada')
  })
  assert.deepEqual(new Set(seen.slice(0, before)), new Set(['another']))
  assert.ok(before >= 3)
  assert.deepEqual(new Set(seen.slice(before)), new Set(['ada']))
})

test('a hedge and a retry of two callers at a time stay each in its own context', async (t) => {
  const context = new AsyncLocalStorage()
  const seen = []
  const held = {}
  // An attempt fails only once its hedge has come, too.
  const inPairs = ({ url }, res) => {
    const first = held[url]
    held[url] = first === undefined ? res : undefined
    if (first !== undefined) for (const each of [first, res]) each.writeHead(503).end('no')
  }
  const server = await upstream(t, inPairs)
  const { sp, dispatcher } = place(t)
  const fetch = (url, init) => {
    seen.push([new URL(url).pathname.slice(1), context.getStore()])
    return globalThis.fetch(url, init)
  }
  const policy = sp.policy('upstream', retry({ ...SOON, max: 2 }), hedge({ after: 5, budget: false }))
  const client = fetchClient(policy, { dispatcher, fetch })
  const names = ['ada', 'bob']
  await Promise.all(names.map((name) => context.run(name, () => client(`${server.origin}/${name}`))))
  const of = (name) => Array(6).fill([name, name])
  assert.deepEqual(seen.sort(), [...of('ada'), ...of('bob')])
})

test('it goes through the dispatcher of the client, of the call, and the fetch of undici', async (t) => {
  const { sp } = place(t)
  const policy = sp.policy('upstream', retry(SOON))
  const mocked = (text) => {
    const agent = new MockAgent()
    agent.disableNetConnect()
    const pool = agent.get('http://upstream.test')
    pool.intercept({ path: '/' }).reply(503, 'no')
    pool.intercept({ path: '/' }).reply(200, text)
    t.after(() => agent.close())
    return agent
  }
  const url = 'http://upstream.test/'
  const ofClient = fetchClient(policy, { dispatcher: mocked('of the client'), fetch: undiciFetch })
  assert.equal(await (await ofClient(url)).text(), 'of the client')
  assert.equal(await (await ofClient(url, { dispatcher: mocked('of the call') })).text(), 'of the call')
  const ofUndici = fetchClient(policy, { dispatcher: mocked('a Request of undici’s'), fetch: undiciFetch })
  assert.equal(await (await ofUndici(new UndiciRequest(url, { method: 'GET' }))).text(), 'a Request of undici’s')
})

test('fetch is the one of the moment of the call', async (t) => {
  const { sp } = place(t)
  const client = fetchClient(sp.policy('upstream'))
  t.mock.method(globalThis, 'fetch', async (url) => Response.json({ url }))
  assert.deepEqual(await (await client('http://upstream.test/')).json(), { url: 'http://upstream.test/' })
})

test('key, cost, priority and timeout of a call reach the policy, one over the other', async () => {
  const calls = []
  const policy = { name: 'upstream', run: async (_fn, { signal: _, ...call }) => void calls.push(call) }
  const client = fetchClient(policy)
  const tenant = client.with({ key: 'acme', cost: 2 })
  await client('http://upstream.test/')
  await tenant('http://upstream.test/')
  await tenant.with({ priority: 'low', cost: 3, timeout: '1s' })('http://upstream.test/')
  await tenant.with({ idempotent: true })('http://upstream.test/')
  assert.deepEqual(calls, [
    {},
    { key: 'acme', cost: 2 },
    { key: 'acme', cost: 3, priority: 'low', timeout: '1s' },
    { key: 'acme', cost: 2 },
  ])
})

test('limits, bulkheads and breakers stand before fetch as they do before any function', async (t) => {
  const server = await upstream(t, OK)
  const { sp, dispatcher } = place(t)
  const policy = sp.policy(
    'upstream',
    sp.limiter('upstream', { limit: 1, window: '1m' }),
    sp.bulkhead('slots', { limit: 5 }),
  )
  const client = fetchClient(policy, { dispatcher })
  await client.with({ key: 'acme' })(server.origin)
  await assert.rejects(client.with({ key: 'acme' })(server.origin), { code: 'E_LIMITED', status: 429 })
  await client.with({ key: 'initech' })(server.origin)
  assert.equal(server.begun, 2)
  const alone = fetchClient(sp.bulkhead('alone', { limit: 1 }), { dispatcher })
  assert.equal(await (await alone(server.origin)).text(), 'ok')
})

test('a fallback answers in place of a Response', async (t) => {
  const server = await upstream(t, resetting)
  const { client } = clientOf(
    t,
    fallback(() => 'nothing new'),
    retry({ ...SOON, max: 1 }),
  )
  assert.equal(await client(server.origin), 'nothing new')
})

test('a client within a client is refused as the inner one is', async (t) => {
  const { sp } = place(t)
  const inner = sp.breaker('inner')
  inner.isolate()
  const outer = sp.breaker('outer', { consecutive: 1 })
  const client = fetchClient(sp.policy('outer', outer), { fetch: fetchClient(inner) })
  await assert.rejects(client('http://upstream.test/'), { code: 'E_OPEN', primitive: 'inner' })
  assert.equal(outer.state, 'closed', 'a refusal of ours is no failure of theirs')
})

test('a fetch that throws, or answers what is no Response, is passed on', async (t) => {
  const { sp } = place(t)
  const policy = sp.policy('upstream', retry({ ...SOON, max: 1 }))
  for (const thrown of [undefined, 'text', 7, Object.freeze(new Error('frozen'))]) {
    let calls = 0
    const fetch = () => {
      calls++
      throw thrown
    }
    const caught = await fetchClient(policy, { fetch })('http://upstream.test/').then(assert.fail, (error) => error)
    assert.equal(caught, thrown)
    assert.equal(calls, 2)
  }
  const plain = { status: 200, json: async () => ({ ok: true }) }
  assert.equal(await fetchClient(policy, { fetch: async () => plain })('http://upstream.test/'), plain)
  assert.equal(await fetchClient(policy, { fetch: async () => undefined })('http://upstream.test/'), undefined)
  const failing = { status: 503 }
  assert.equal(await fetchClient(policy, { fetch: async () => failing })('http://upstream.test/'), failing)
})

test('options that are wrong are told where they are written', (t) => {
  const { sp } = place(t)
  const policy = sp.policy('upstream')
  const wrong = [
    [undefined],
    ['upstream'],
    [{}],
    [policy, { retries: 3 }],
    [policy, { fetch: 'undici' }],
    [policy, { dispatcher: {} }],
    [policy, { retryMethods: 'GET' }],
    [policy, { retryMethods: [7] }],
    [policy, { retryStatus: ['503'] }],
    [policy, { retryStatus: 503 }],
    [policy, { failStatus: [99] }],
    [policy, { idempotencyKey: 'x-key' }],
    [policy, []],
  ]
  for (const args of wrong) assert.throws(() => fetchClient(...args), { name: 'TypeError', code: 'E_OPTION' })
  const client = fetchClient(policy)
  assert.throws(() => client.with({ retry: true }), { code: 'E_OPTION' })
  assert.throws(() => client.with({ idempotent: 'yes' }), { code: 'E_OPTION', option: 'idempotent' })
  assert.throws(() => client.with('acme'), { code: 'E_OPTION' })
})
