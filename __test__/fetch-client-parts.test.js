// The parts of spillway/fetch-client alone: what is believed of Retry-After, what may be sent twice, and what a call that is wrong is.
// Owns adapters/http-client. Never opens a connection.
'use strict'

const assert = require('node:assert/strict')
const { spawnSync } = require('node:child_process')
const { Readable } = require('node:stream')
const { test } = require('node:test')
const { callTerms, clientTerms } = require('../adapters/http-client/client-options.js')
const { abortLate } = require('../adapters/http-client/late-abort.js')
const { httpDate } = require('../adapters/http-client/http-date.js')
const { RequestToSend } = require('../adapters/http-client/request.js')
const { retryAfterMs } = require('../adapters/http-client/retry-after.js')
const { letGo } = require('../adapters/http-client/unread.js')
const { collectGarbage } = require('./garbage.js')

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5)
const URL_OF_IT = 'http://upstream.test/'

/** The wait that is read from these fields. */
const waitOf = (fields) => retryAfterMs(new Headers(fields), NOW)
const at = (ms) => new Date(ms).toUTCString()

// ---------------------------------------------------------------- dates

test('a date is read in each of the three forms of HTTP', () => {
  const then = Date.UTC(1994, 10, 6, 8, 49, 37)
  assert.equal(httpDate('Sun, 06 Nov 1994 08:49:37 GMT', NOW), then)
  assert.equal(httpDate('Sunday, 06-Nov-94 08:49:37 GMT', NOW), then)
  assert.equal(httpDate('Sun Nov  6 08:49:37 1994', NOW), then)
  assert.equal(httpDate('Wed Nov 16 08:49:37 1994', NOW), Date.UTC(1994, 10, 16, 8, 49, 37))
})

test('a year of two digits is never more than fifty years ahead', () => {
  const year = (digits) => new Date(httpDate(`Friday, 02-Jan-${digits} 03:04:05 GMT`, NOW)).getUTCFullYear()
  assert.deepEqual([year('26'), year('76'), year('77'), year('99'), year('00')], [2026, 2076, 1977, 1999, 2000])
})

test('what Date.parse would take for a date, and HTTP would not, is none', () => {
  const others = [
    '',
    '5',
    '2026',
    '2026-01-02T03:04:05Z',
    'Fri, 02 Jan 2026 03:04:05',
    'Fri, 02 Jan 2026 03:04:05 +0100',
  ]
  const broken = ['Fri, 32 Jan 2026 03:04:05 GMT', 'Fri, 02 Jan 2026 24:04:05 GMT', 'Fry, 02 Jan 2026 03:04:05 GMT']
  for (const text of [...others, ...broken]) assert.ok(Number.isNaN(httpDate(text, NOW)), text)
})

// ---------------------------------------------------------------- Retry-After

test('a wait in seconds is told in milliseconds', () => {
  assert.equal(waitOf({ 'retry-after': '1' }), 1_000)
  assert.equal(waitOf({ 'retry-after': '120' }), 120_000)
  assert.equal(waitOf({ 'retry-after': '0.25' }), 250)
})

test('a date is a distance from the time the server tells, whatever our clock says', () => {
  const theirs = NOW + 3_600_000
  assert.equal(waitOf({ 'retry-after': at(theirs + 2_000), date: at(theirs) }), 2_000)
  assert.equal(waitOf({ 'retry-after': at(NOW + 2_000) }), 2_000, 'without one, ours')
  assert.equal(waitOf({ 'retry-after': at(NOW + 2_000), date: 'yesterday' }), 2_000)
})

test('a wait that is over, or none, asks for nothing', () => {
  const over = ['0', '0.0', at(NOW), at(NOW - 86_400_000), at(0)]
  for (const asked of over) assert.equal(waitOf({ 'retry-after': asked }), undefined, asked)
  assert.equal(waitOf({}), undefined)
})

test('garbage asks for nothing', () => {
  const garbage = ['', '-5', '+5', '1e3', '0x10', '5s', 'soon', '1, 2', 'NaN', 'Infinity', '१', '1 2', '.5', '5.']
  for (const asked of garbage) {
    // Not every fake knows what a header may hold.
    const headers = /** @type {any} */ ({ get: (name) => (name === 'retry-after' ? asked : null) })
    assert.equal(retryAfterMs(headers, NOW), undefined, asked)
  }
})

test('an absurd wait is what it says, and so longer than anybody waits', () => {
  assert.equal(waitOf({ 'retry-after': '86400' }), 86_400_000)
  assert.equal(waitOf({ 'retry-after': `1${'0'.repeat(20)}` }), 1e23)
  assert.equal(waitOf({ 'retry-after': '9'.repeat(400) }), Infinity)
  assert.ok(waitOf({ 'retry-after': 'Fri, 31 Dec 9999 23:59:59 GMT' }) > 1e14)
})

// ---------------------------------------------------------------- what may be sent twice

const repeatable = (input, init, options, call) =>
  new RequestToSend(input, init).isRepeatable(callTerms(clientTerms(options), call))

test('a request is sent again if its method is idempotent', () => {
  for (const method of ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'get', 'delete']) {
    assert.equal(repeatable(URL_OF_IT, { method }), true, method)
  }
  for (const method of ['POST', 'PATCH', 'post', 'QUERY', 'PURGE']) {
    assert.equal(repeatable(URL_OF_IT, { method }), false, method)
  }
  assert.equal(repeatable(URL_OF_IT), true)
  assert.equal(repeatable(new URL(URL_OF_IT)), true)
  assert.equal(repeatable(new Request(URL_OF_IT, { method: 'POST' })), false)
  assert.equal(repeatable(new Request(URL_OF_IT, { method: 'POST' }), { method: 'PUT' }), true)
})

test('which methods are, and that one call is, can be told', () => {
  const post = { method: 'POST' }
  assert.equal(repeatable(URL_OF_IT, { method: 'QUERY' }, { retryMethods: ['GET', 'query'] }), true)
  assert.equal(repeatable(URL_OF_IT, { method: 'PUT' }, { retryMethods: ['GET'] }), false)
  assert.equal(repeatable(URL_OF_IT, post, {}, { idempotent: true }), true)
  assert.equal(repeatable(URL_OF_IT, {}, {}, { idempotent: false }), false)
})

test('an idempotency key counts only for a client that was told that the server knows it', () => {
  const keyed = { method: 'POST', headers: { 'Idempotency-Key': '"8e03978e"' } }
  assert.equal(repeatable(URL_OF_IT, keyed), false)
  assert.equal(repeatable(URL_OF_IT, keyed, { idempotencyKey: true }), true)
  assert.equal(repeatable(new Request(URL_OF_IT, keyed), undefined, { idempotencyKey: true }), true)
  assert.equal(repeatable(URL_OF_IT, { method: 'POST' }, { idempotencyKey: true }), false)
  assert.equal(repeatable(URL_OF_IT, keyed, { idempotencyKey: true }, { idempotent: false }), false)
})

test('a body is sent again unless it is a stream', () => {
  const form = new FormData()
  form.set('file', new Blob(['dam']), 'dam.txt')
  const bodies = { text: 'dam', bytes: new Uint8Array(3), buffer: Buffer.from('dam').buffer, form, none: null }
  for (const [kind, body] of Object.entries({
    ...bodies,
    blob: new Blob(['dam']),
    search: new URLSearchParams('a=1'),
  })) {
    assert.equal(repeatable(URL_OF_IT, { method: 'PUT', body }), true, kind)
  }
  const streams = {
    web: new Blob(['dam']).stream(),
    node: Readable.from(['dam']),
    generator: (async function* () {})(),
  }
  for (const [kind, body] of Object.entries(streams)) {
    assert.equal(repeatable(URL_OF_IT, { method: 'PUT', body, duplex: 'half' }), false, kind)
    assert.equal(repeatable(URL_OF_IT, { method: 'POST', body }, {}, { idempotent: true }), false, `${kind}, when told`)
  }
})

test('a Request keeps its body for the next attempt as long as there may be one', async () => {
  const given = new Request(URL_OF_IT, { method: 'PUT', body: 'dam' })
  const request = new RequestToSend(given)
  assert.equal(request.isRepeatable(clientTerms({})), true)
  for (let attempt = 0; attempt < 3; attempt++) {
    const [sent] = request.toSend({ signal: AbortSignal.abort(), dispatcher: undefined, again: true })
    assert.equal(await sent.text(), 'dam')
  }
  request.forget()
  await Promise.resolve()
  assert.equal(given.bodyUsed, true, 'as after a plain fetch')

  const posted = new Request(URL_OF_IT, { method: 'POST', body: 'dam' })
  const [sent] = new RequestToSend(posted).toSend({ signal: AbortSignal.abort(), dispatcher: undefined, again: false })
  assert.equal(sent, posted, 'none is kept of what is sent once')
})

test('a Request that has been used is nothing to send', async () => {
  const used = new Request(URL_OF_IT, { method: 'PUT', body: 'dam' })
  await used.text()
  assert.equal(repeatable(used), false)
  assert.equal(new RequestToSend(used).isWellFormed(), false)
  assert.equal(repeatable(used, { body: 'another' }), true)
})

test('what fetch would not take is known from what only failed', async () => {
  const formed = (input, init) => new RequestToSend(input, init).isWellFormed()
  const wrong = [['no url'], [undefined], [URL_OF_IT, { method: 'NO WAY' }], [URL_OF_IT, { body: 'dam' }]]
  const alsoWrong = [[URL_OF_IT, { headers: { 'a b': 'c' } }], [URL_OF_IT, { redirect: 'never' }], ['http://a:b@c/']]
  for (const [input, init] of [...wrong, ...alsoWrong]) {
    assert.equal(formed(input, init), false, `${input} ${JSON.stringify(init)}`)
    await assert.rejects(fetch(input, init), TypeError)
  }
  const sent = new Request(URL_OF_IT, { method: 'POST', body: 'dam' })
  const request = new RequestToSend(sent)
  await sent.text()
  assert.equal(request.isWellFormed(), true, 'a body that was sent since was there to be sent')
  assert.equal(formed(URL_OF_IT, { method: 'POST', body: new Blob(['a']).stream(), duplex: 'half' }), true)
  assert.equal(formed(URL_OF_IT, { signal: AbortSignal.abort(), dispatcher: {} }), true)
})

test('the signal is the one of the init, or else of the Request; null is none', () => {
  const [one, other] = [new AbortController().signal, new AbortController().signal]
  const request = new Request(URL_OF_IT, { signal: one })
  assert.equal(new RequestToSend(URL_OF_IT, { signal: one }).signal, one)
  assert.equal(new RequestToSend(request).signal, request.signal)
  assert.equal(new RequestToSend(request, { signal: other }).signal, other)
  assert.equal(new RequestToSend(request, { signal: null }).signal, undefined)
  assert.equal(new RequestToSend(URL_OF_IT).signal, undefined)
})

// ---------------------------------------------------------------- what an answer is

test('5xx are failures, a 429 is neither that nor a success, and all else is an answer', () => {
  const { outcomeOf, retryStatus } = clientTerms({})
  for (const status of [500, 501, 502, 503, 504, 599]) assert.equal(outcomeOf(status), 'fail', String(status))
  for (const status of [200, 204, 301, 304, 400, 401, 404, 408, 425, 499]) assert.equal(outcomeOf(status), 'ok')
  assert.equal(outcomeOf(429), 'ignore')
  assert.deepEqual([...retryStatus], [408, 425, 429, 500, 502, 503, 504])
})

test('both lists can be given', () => {
  const { outcomeOf, retryStatus } = clientTerms({ failStatus: [429, 503], retryStatus: [] })
  assert.deepEqual([outcomeOf(429), outcomeOf(503), outcomeOf(500)], ['fail', 'fail', 'ok'])
  assert.equal(retryStatus.size, 0)
})

// ---------------------------------------------------------------- what is left of one

test('what says that it is long is not begun to be read', async () => {
  const seen = []
  const body = new ReadableStream(
    { pull: () => void seen.push('read'), cancel: () => void seen.push('cancelled') },
    { highWaterMark: 0 },
  )
  letGo(new Response(body, { headers: { 'content-length': '65537' } }))
  await Promise.resolve()
  assert.deepEqual(seen, ['cancelled'])
})

test('a signal that was aborted just before the body was handed over breaks it off', () => {
  const controller = new AbortController()
  const reason = new Error('the user has gone')
  abortLate(AbortSignal.abort(reason), controller, new Response('body').body)
  assert.equal(controller.signal.reason, reason)
})

test('a thousand bodies that are read under one signal are broken off by one listener, which goes with them', (t) => {
  const caller = new AbortController()
  const add = t.mock.method(caller.signal, 'addEventListener')
  const remove = t.mock.method(caller.signal, 'removeEventListener')
  const requests = Array.from({ length: 1_000 }, () => ({
    controller: new AbortController(),
    body: new Blob().stream(),
  }))
  for (const { controller, body } of requests) abortLate(caller.signal, controller, body)
  assert.equal(add.mock.callCount(), 1)
  const reason = new Error('the user has gone')
  caller.abort(reason)
  assert.ok(requests.every(({ controller }) => controller.signal.reason === reason))
  assert.equal(remove.mock.callCount(), 1)
})

test('when the last body under a signal is gone, so is the listener', async (t) => {
  const { signal } = new AbortController()
  const add = t.mock.method(signal, 'addEventListener')
  const remove = t.mock.method(signal, 'removeEventListener')
  // In a function of its own: its variables are gone when it has ended.
  const read = () => {
    const body = new Response('body').body
    abortLate(signal, new AbortController(), body)
    return body
  }
  const bodies = [read(), read()]
  bodies.length = 1
  await collectGarbage()
  assert.equal(remove.mock.callCount(), 0, 'one may still be read')
  bodies.length = 0
  await collectGarbage()
  assert.equal(remove.mock.callCount(), 1)
  read()
  assert.equal(add.mock.callCount(), 2, 'and comes again with the next')
})

test('importing it loads no native code and no undici', () => {
  const script = `
    process.dlopen = () => { throw new Error('native code was loaded') }
    const { fetchClient } = require('spillway/fetch-client')
    fetchClient({ run: (fn) => fn() }, { dispatcher: { dispatch() {} } }).with({ key: 'acme' })
    const loaded = Object.keys(require.cache).filter((path) => /node_modules|\\.node$/.test(path))
    if (loaded.length > 0) throw new Error(loaded.join())`
  const { status, stderr } = spawnSync(process.execPath, ['-e', script], { cwd: __dirname, encoding: 'utf8' })
  assert.equal(status, 0, stderr)
})
