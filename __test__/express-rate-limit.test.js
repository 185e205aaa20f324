// Holds the store for express-rate-limit to what that package does with its own: each of its options is played twice, over HTTP.
// Never a mock of it, and never real time but in windows of years.
'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const http = require('node:http')
const path = require('node:path')
const { test } = require('node:test')
const { Worker } = require('node:worker_threads')
const express = require('express')
const { rateLimit, MemoryStore, ipKeyGenerator } = require('express-rate-limit')
const { SpillwayStore } = require('../adapters/express-rate-limit.js')
const { spillway } = require('../index.js')
const { served } = require('./served.js')

const MINUTE = 60_000
const YEARS = 3650 * 86_400_000
/** A moment at which windows of all lengths that are used here begin: there, both stores have windows of the same ends. */
const START = Date.UTC(2031, 4, 7)

let names = 0
const fresh = () => `test-${++names}-${process.pid}`

const STORES = {
  MemoryStore: () => new MemoryStore(),
  SpillwayStore: (name) => new SpillwayStore({ name, clock: () => Date.now() }),
}

/** Lets whatever follows the end of a response happen: express-rate-limit takes hits back then. */
async function settled() {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
}

/**
 * Plays a scene with a store, and answers everything that could be seen of it from outside.
 * @param {import('node:test').TestContext} t
 * @param {(name: string) => object} storeOf
 * @param {(stage: any) => Promise<void>} scene
 */
async function play(t, storeOf, scene) {
  t.mock.timers.enable({ apis: ['Date'], now: START })
  const seen = []
  const stores = []
  const app = express().set('env', 'test')
  const logger = {
    error: (...said) => seen.push(logged('error', said)),
    warn: (...said) => seen.push(logged('warn', said)),
  }
  const stage = {
    app,
    seen,
    logger,
    /** A store, of a name of its own. */
    store(name = fresh()) {
      const store = storeOf(name)
      stores.push(store)
      return store
    },
    /** The middleware under test, with its own store unless the options have one. */
    limit: (options = {}) => rateLimit({ store: stage.store(), logger, validate: { default: true }, ...options }),
    async ask(path = '/', { method = 'GET', ...headers } = {}) {
      const answer = await fetch((await stage.origin()) + path, { method, headers })
      const body = await answer.text()
      await settled()
      // The moment of the answer is the machine's; the rest of the fields is the application's.
      const fields = Object.fromEntries([...answer.headers].filter(([field]) => field !== 'date'))
      seen.push({ path, status: answer.status, fields, body })
      return { status: answer.status, fields, body }
    },
    async times(count, ...request) {
      const statuses = []
      for (let turn = 0; turn < count; turn++) statuses.push((await stage.ask(...request)).status)
      return statuses
    },
    // A copy: its own store hands out the very object it goes on counting in.
    note: (what) => seen.push({ note: structuredClone(what) }),
    tick: (ms) => t.mock.timers.tick(ms),
    origin: () => (stage.at ??= served(t, app)),
  }
  await scene(stage)
  for (const store of stores) store.shutdown()
  t.mock.timers.reset()
  return seen
}

/** A log line without what differs between any two stores: the name of the class. */
function logged(level, [error, text]) {
  const message = String(error?.message ?? error).replaceAll(/MemoryStore|SpillwayStore/g, 'store')
  return { level, code: error?.code, message: message.replace(' (with a unique prefix)', ''), text }
}

/** The same scene with both stores: what is seen has to be the same to the last digit. */
function same(sentence, scene) {
  test(`like its own store: ${sentence}`, async (t) => {
    const expected = await play(t, STORES.MemoryStore, scene)
    assert.ok(expected.length > 0, 'nothing was seen')
    assert.deepEqual(await play(t, STORES.SpillwayStore, scene), expected)
  })
}

const ok = (_req, res) => res.send('ok')
const OVER = [200, 200, 429]

same('without options, five a minute and legacy fields', async ({ app, limit, times, seen, tick }) => {
  app.use(limit(), ok)
  assert.deepEqual(await times(6), [200, 200, 200, 200, 200, 429])
  assert.equal(seen.at(-1).body, 'Too many requests, please try again later.')
  assert.equal(seen.at(-1).fields['retry-after'], '60')
  assert.equal(seen.at(0).fields['x-ratelimit-remaining'], '4')
  tick(MINUTE)
  assert.deepEqual(await times(1), [200])
})

same('windowMs, to its last millisecond', async ({ app, limit, times, tick, seen }) => {
  app.use(limit({ windowMs: 5000, limit: 2 }), ok)
  assert.deepEqual(await times(3), OVER)
  tick(4999)
  assert.deepEqual(await times(1), [429])
  assert.equal(seen.at(-1).fields['retry-after'], '1')
  tick(1)
  assert.deepEqual(await times(3), OVER)
  tick(15_000)
  assert.deepEqual(await times(1), [200])
})

for (const windowMs of [1000, 90_000, 3_600_000, 86_400_000]) {
  same(`windowMs ${windowMs} in every sort of field`, async ({ app, limit, times, tick }) => {
    for (const standardHeaders of ['draft-6', 'draft-7', 'draft-8']) {
      app.get(`/${standardHeaders}`, limit({ windowMs, limit: 2, standardHeaders }), ok)
      assert.deepEqual(await times(3, `/${standardHeaders}`), OVER)
    }
    tick(windowMs - 1)
    assert.deepEqual(await times(1, '/draft-8'), [429])
  })
}

same('limit as a number, a function and a promise of one', async ({ app, limit, times }) => {
  app.get('/number', limit({ limit: 2 }), ok)
  app.get('/function', limit({ limit: (req) => (req.get('x-plan') === 'pro' ? 3 : 2) }), ok)
  app.get('/promise', limit({ limit: async () => 2 }), ok)
  app.get('/max', limit({ max: 2 }), ok)
  for (const route of ['/number', '/function', '/promise', '/max']) assert.deepEqual(await times(3, route), OVER)
  assert.deepEqual(await times(1, '/function', { 'x-plan': 'pro' }), [429], 'the hits that were refused count too')
})

same('a limit of 0, which lets nobody through and is warned of', async ({ app, limit, times, seen }) => {
  app.use(limit({ limit: 0 }), ok)
  assert.deepEqual(await times(2), [429, 429])
  assert.ok(seen.some(({ code }) => code === 'WRN_ERL_MAX_ZERO'))
})

same('message as text, object, function and promise', async ({ app, limit, times, seen }) => {
  const messages = {
    text: 'slow down',
    object: { error: 'slow down' },
    function: (req) => `slow down, ${req.method}`,
    promise: async () => ({ error: 'later' }),
  }
  for (const [name, message] of Object.entries(messages)) {
    app.get(`/${name}`, limit({ limit: 1, message }), ok)
    assert.deepEqual(await times(2, `/${name}`), [200, 429])
  }
  assert.deepEqual(
    seen.filter(({ status }) => status === 429).map(({ body }) => body),
    ['slow down', '{"error":"slow down"}', 'slow down, GET', '{"error":"later"}'],
  )
})

same('statusCode', async ({ app, limit, times }) => {
  app.use(limit({ limit: 1, statusCode: 503 }), ok)
  assert.deepEqual(await times(2), [200, 503])
})

same('handler, with the options that were used, and one that lets through', async ({ app, limit, times, note }) => {
  const handler = (_req, res, _next, { statusCode, message, windowMs }) => {
    note({ statusCode, message, windowMs })
    res.status(statusCode).json({ full: true })
  }
  app.get('/own', limit({ limit: 1, handler }), ok)
  app.get('/through', limit({ limit: 1, handler: (_req, _res, next) => next() }), ok)
  assert.deepEqual(await times(2, '/own'), [200, 429])
  assert.deepEqual(await times(2, '/through'), [200, 200])
})

same('legacyHeaders and standardHeaders, on, off and by draft', async ({ app, limit, times, seen }) => {
  let route = 0
  for (const legacyHeaders of [true, false]) {
    for (const standardHeaders of [true, false, 'draft-6', 'draft-7', 'draft-8', 'draft-9']) {
      app.get(`/${++route}`, limit({ limit: 2, legacyHeaders, standardHeaders }), ok)
      assert.deepEqual(await times(3, `/${route}`), OVER)
    }
  }
  app.get('/headers', limit({ limit: 2, headers: false }), ok)
  assert.deepEqual(await times(3, '/headers'), OVER)
  const fields = new Set(seen.flatMap((each) => Object.keys(each.fields ?? {})))
  for (const field of ['x-ratelimit-limit', 'x-ratelimit-reset', 'ratelimit-limit', 'ratelimit', 'ratelimit-policy'])
    assert.ok(fields.has(field), field)
  assert.ok(seen.some(({ code }) => code === 'ERR_ERL_HEADERS_UNSUPPORTED_DRAFT_VERSION'))
})

same('retryAfter as a number, a function and a promise', async ({ app, limit, ask, times }) => {
  for (const [name, retryAfter] of Object.entries({ number: 7, function: () => 8, promise: async () => 9 })) {
    app.get(`/${name}`, limit({ limit: 1, retryAfter }), ok)
    await times(1, `/${name}`)
    assert.match((await ask(`/${name}`)).fields['retry-after'], /^[789]$/)
  }
})

same('identifier as text, function and what it makes of the window', async ({ app, limit, ask }) => {
  const shared = { limit: 2, standardHeaders: 'draft-8' }
  app.get('/text', limit({ ...shared, identifier: 'api' }), ok)
  app.get('/function', limit({ ...shared, identifier: (req) => `api-${req.method}` }), ok)
  app.get('/promise', limit({ ...shared, identifier: async () => 'api-later' }), ok)
  app.get('/both', limit({ ...shared, windowMs: 3_600_000 }), limit({ ...shared, windowMs: 1000 }), ok)
  assert.match((await ask('/text')).fields.ratelimit, /^"api"; r=1; t=60$/)
  await ask('/function')
  await ask('/promise')
  assert.match((await ask('/both')).fields['ratelimit-policy'], /^"2-in-1hr"; .*, "2-in-1sec"; /)
})

same('requestPropertyName, and what the request then carries', async ({ app, limit, ask }) => {
  const told = (property) => (req, res) =>
    res.json({ ...req[property], current: req[property].current, isDate: req[property].resetTime instanceof Date })
  app.get('/standard', limit({ limit: 1, handler: told('rateLimit') }), told('rateLimit'))
  app.get('/own', limit({ limit: 1, requestPropertyName: 'quota', handler: told('quota') }), told('quota'))
  for (const route of ['/standard', '/own']) {
    const first = JSON.parse((await ask(route)).body)
    assert.deepEqual([first.used, first.remaining, first.current, first.isDate], [1, 0, 1, true])
    assert.equal(first.resetTime, new Date(START + MINUTE).toISOString())
    assert.equal(JSON.parse((await ask(route)).body).used, 2)
  }
})

same('skip, at once or later', async ({ app, limit, times }) => {
  app.get('/now', limit({ limit: 1, skip: (req) => req.get('x-internal') === 'yes' }), ok)
  app.get('/later', limit({ limit: 1, skip: async (req) => req.get('x-internal') === 'yes' }), ok)
  for (const route of ['/now', '/later']) {
    assert.deepEqual(await times(3, route, { 'x-internal': 'yes' }), [200, 200, 200])
    assert.deepEqual(await times(2, route), [200, 429])
  }
})

/** Answers with the status that the path ends in. */
const answering = (req, res) => res.status(Number(req.params.status)).send(req.params.status)

same('skipFailedRequests takes the hit of a 4xx or 5xx back', async ({ app, limit, times, ask, note }) => {
  const limited = limit({ limit: 2, skipFailedRequests: true, keyGenerator: () => 'one' })
  app.get('/:status', limited, answering)
  assert.deepEqual(await times(3, '/404'), [404, 404, 404])
  assert.deepEqual(await times(3, '/500'), [500, 500, 500])
  assert.equal((await ask('/200')).fields['x-ratelimit-remaining'], '1')
  assert.equal((await ask('/400')).fields['x-ratelimit-remaining'], '0')
  note(await limited.getKey('one'))
  assert.equal((await ask('/302', {})).status, 302)
  assert.deepEqual(await times(2, '/200'), [429, 429], 'a refusal of its own is a failed request as well')
  note(await limited.getKey('one'))
})

same('skipSuccessfulRequests takes the hit of anything else back', async ({ app, limit, times, note }) => {
  const limited = limit({ limit: 2, skipSuccessfulRequests: true, keyGenerator: () => 'one' })
  app.get('/:status', limited, answering)
  assert.deepEqual(await times(5, '/200'), [200, 200, 200, 200, 200])
  assert.deepEqual(await times(3, '/401'), [401, 401, 429])
  note(await limited.getKey('one'))
})

same('both of them count nothing', async ({ app, limit, times }) => {
  app.get('/:status', limit({ limit: 1, skipFailedRequests: true, skipSuccessfulRequests: true }), answering)
  assert.deepEqual(await times(3, '/200'), [200, 200, 200])
  assert.deepEqual(await times(3, '/500'), [500, 500, 500])
})

same('requestWasSuccessful says what has failed, at once or later', async ({ app, limit, times }) => {
  const judges = {
    now: (_req, res) => res.statusCode === 404,
    later: async (_req, res) => res.statusCode === 404,
  }
  for (const [name, requestWasSuccessful] of Object.entries(judges)) {
    app.get(`/${name}/:status`, limit({ limit: 1, skipFailedRequests: true, requestWasSuccessful }), answering)
    assert.deepEqual(await times(3, `/${name}/200`), [200, 200, 200])
    assert.deepEqual(await times(2, `/${name}/404`), [404, 429])
  }
})

same('a client that goes away before the answer is a failed request', async ({ app, limit, ask, origin, note }) => {
  const gone = []
  app.get('/slow', limit({ limit: 1, skipFailedRequests: true, keyGenerator: () => 'one' }), (req, res) => {
    if (req.get('x-stay') === 'yes') return res.send('stayed')
    gone.push(once(res, 'close'))
    return res.flushHeaders()
  })
  for (let turn = 0; turn < 3; turn++) {
    const request = http.get(`${await origin()}/slow`)
    const [response] = await once(request, 'response')
    note(response.statusCode)
    assert.equal(response.statusCode, 200)
    request.destroy()
    response.on('error', () => {})
    await gone[turn]
    await settled()
  }
  assert.equal((await ask('/slow', { 'x-stay': 'yes' })).status, 200)
  assert.equal((await ask('/slow', { 'x-stay': 'yes' })).status, 429)
})

same('a hit of an earlier window is not taken back from the next', async ({ app, limit, ask, tick }) => {
  let arrive
  const arrived = new Promise((resolve) => (arrive = resolve))
  app.get('/', limit({ limit: 2, skipFailedRequests: true, keyGenerator: () => 'one' }), (req, res) => {
    if (req.get('x-hold') !== 'yes') return res.send('ok')
    return arrive(() => res.status(500).end())
  })
  const first = ask('/', { 'x-hold': 'yes' })
  const fail = await Promise.race([arrived, first])
  tick(MINUTE)
  assert.equal((await ask()).status, 200)
  fail()
  assert.equal((await first).status, 500)
  assert.equal((await ask()).status, 200)
  assert.equal((await ask()).status, 429)
})

same('keyGenerator, at once or later, keeps clients apart', async ({ app, limit, times }) => {
  app.get('/now', limit({ limit: 2, keyGenerator: (req) => req.get('x-client') }), ok)
  app.get('/later', limit({ limit: 2, keyGenerator: async (req) => req.get('x-client') }), ok)
  for (const route of ['/now', '/later']) {
    assert.deepEqual(await times(3, route, { 'x-client': 'a' }), OVER)
    assert.deepEqual(await times(3, route, { 'x-client': 'b' }), OVER)
    assert.deepEqual(await times(3, route, { 'x-client': 'ü'.normalize('NFC') }), OVER)
  }
})

same('keys that are no text: numbers apart from their digits, and nothing at all as one client', async (stage) => {
  const { app, limit, ask, times } = stage
  const keys = {
    number: 7,
    digits: '7',
    nothing: undefined,
    null: null,
    empty: '',
    'the word': 'undefined',
    yes: true,
    big: 7n,
  }
  app.get('/:which', limit({ limit: 2, keyGenerator: (req) => keys[req.params.which] }), ok)
  for (const which of Object.keys(keys)) {
    assert.equal((await ask(`/${which}`)).fields['x-ratelimit-remaining'], '1', which)
    assert.deepEqual(await times(2, `/${which}`), [200, 429], which)
  }
})

same('keys as long and as odd as they come', async ({ app, limit, times }) => {
  const keys = [
    'k'.repeat(5000),
    '\0',
    '\0undefined',
    '\ud800',
    '\udfff',
    '__proto__',
    'constructor',
    ' ',
    'é',
    'e\u0301',
  ]
  app.get('/:index', limit({ limit: 2, keyGenerator: (req) => keys[Number(req.params.index)] }), ok)
  for (const index of keys.keys()) assert.deepEqual(await times(3, `/${index}`), OVER, JSON.stringify(keys[index]))
})

same('ipv6Subnet, on, off, as a function, and addresses of IPv4', async ({ app, limit, times, seen }) => {
  app.set('trust proxy', 1)
  app.get('/standard', limit({ limit: 2 }), ok)
  app.get('/48', limit({ limit: 2, ipv6Subnet: 48 }), ok)
  app.get('/false', limit({ limit: 2, ipv6Subnet: false }), ok)
  app.get('/function', limit({ limit: 2, ipv6Subnet: (req) => (req.get('x-wide') ? 32 : 64) }), ok)
  app.get('/odd', limit({ limit: 2, ipv6Subnet: 7 }), ok)
  app.get('/own', limit({ limit: 2, keyGenerator: (req) => ipKeyGenerator(req.ip, 64) }), ok)
  const from = (address) => ({ 'x-forwarded-for': address })
  for (const route of ['/standard', '/48', '/false', '/function', '/odd', '/own']) {
    for (const address of [
      '2001:db8:1:100::1',
      '2001:db8:1:1ff::2',
      '2001:db8:1:200::3',
      '2001:db8:2::4',
      '::ffff:192.0.2.1',
      '192.0.2.1',
      '192.0.2.2',
    ]) {
      await times(1, route, from(address))
    }
  }
  const remaining = (route) =>
    seen.filter((each) => each.path === route).map((each) => each.fields['x-ratelimit-remaining'])
  assert.deepEqual(remaining('/standard'), ['1', '0', '1', '1', '1', '0', '1'])
  assert.deepEqual(remaining('/48'), ['1', '0', '0', '1', '1', '0', '1'])
  assert.deepEqual(remaining('/false'), ['1', '1', '1', '1', '1', '0', '1'])
})

same(
  'passOnStoreError: a store in trouble is an error, or lets through',
  async ({ app, store, limit, times, seen }) => {
    const broken = () =>
      Object.assign(store(), {
        increment() {
          throw new Error('no store today')
        },
      })
    app.get('/error', limit({ store: broken() }), ok)
    app.get('/pass', limit({ store: broken(), passOnStoreError: true }), ok)
    app.use((error, _req, res, _next) => res.status(500).send(error.message))
    assert.deepEqual(await times(2, '/error'), [500, 500])
    assert.deepEqual(await times(2, '/pass'), [200, 200])
    assert.equal(seen.filter(({ level }) => level === 'error').length, 2)
  },
)

same('validate finds one store in two limiters, and says nothing when it is off', async ({ store, limit, seen }) => {
  const shared = store()
  limit({ store: shared })
  limit({ store: shared })
  assert.equal(seen.at(-1).code, 'ERR_ERL_STORE_REUSE')
  const count = seen.length
  limit({ store: shared, validate: false })
  limit({ store: shared, validate: { unsharedStore: false } })
  assert.equal(seen.length, count)
  limit({ validate: { nonsense: true } })
  limit({ nonsense: true })
  assert.deepEqual(
    seen.slice(count).map(({ code }) => code),
    ['ERR_ERL_UNKNOWN_VALIDATION', 'ERR_ERL_UNKNOWN_OPTION'],
  )
})

same('two limiters in one chain count apart, and neither finds it odd', async ({ app, limit, times, seen }) => {
  app.use(limit({ limit: 5, windowMs: 1000 }), limit({ limit: 2, windowMs: MINUTE }), ok)
  assert.deepEqual(await times(3), OVER)
  assert.deepEqual(
    seen.filter(({ level }) => level !== undefined),
    [],
  )
})

same('one limiter twice in one chain counts twice', async ({ app, limit, times }) => {
  const limited = limit({ limit: 4 })
  app.use(limited, limited, ok)
  assert.deepEqual(await times(3), OVER)
})

same('validate warns of a forwarded address that nobody trusts', async ({ app, limit, times, seen }) => {
  app.use(limit({ limit: 2 }), ok)
  await times(1, '/', { 'x-forwarded-for': '192.0.2.1' })
  assert.ok(seen.some(({ code }) => code === 'ERR_ERL_UNEXPECTED_X_FORWARDED_FOR'))
})

same('getKey and resetKey of the middleware', async ({ app, limit, times, note, tick }) => {
  const limited = limit({ limit: 2, keyGenerator: (req) => req.get('x-client') })
  app.use(limited, ok)
  assert.equal(await limited.getKey('a'), undefined)
  await times(3, '/', { 'x-client': 'a' })
  note(await limited.getKey('a'))
  assert.deepEqual({ ...(await limited.getKey('a')) }, { totalHits: 3, resetTime: new Date(START + MINUTE) })
  assert.equal(await limited.getKey('b'), undefined)
  limited.resetKey('b')
  await limited.resetKey('a')
  assert.equal(await limited.getKey('a'), undefined)
  assert.deepEqual(await times(3, '/', { 'x-client': 'a' }), OVER)
  tick(MINUTE)
  assert.equal(await limited.getKey('a'), undefined)
})

same('resetAll and decrement of the store', async ({ app, store, limit, times }) => {
  const mine = store()
  app.use(limit({ store: mine, limit: 2, keyGenerator: (req) => req.get('x-client') }), ok)
  for (const client of ['a', 'b']) assert.deepEqual(await times(3, '/', { 'x-client': client }), OVER)
  await mine.decrement('a')
  await mine.decrement('a')
  assert.deepEqual(await times(2, '/', { 'x-client': 'a' }), [200, 429])
  await mine.resetAll()
  for (const client of ['a', 'b']) assert.deepEqual(await times(3, '/', { 'x-client': client }), OVER)
  for (let turn = 0; turn < 9; turn++) await mine.decrement('c')
  assert.deepEqual(await times(3, '/', { 'x-client': 'c' }), OVER, 'nothing below none')
})

same('after shutdown it counts on, from nothing', async ({ app, store, limit, times }) => {
  const mine = store()
  app.use(limit({ store: mine, limit: 2 }), ok)
  assert.deepEqual(await times(3), OVER)
  await mine.shutdown()
  await mine.shutdown()
  assert.deepEqual(await times(3), OVER)
})

same('fifty at once, and a limit of twenty', async ({ app, limit, ask, seen }) => {
  app.use(limit({ limit: 20 }), ok)
  const statuses = (await Promise.all(Array.from({ length: 50 }, () => ask()))).map(({ status }) => status)
  assert.equal(statuses.filter((status) => status === 200).length, 20)
  assert.equal(statuses.filter((status) => status === 429).length, 30)
  seen.sort((one, other) => JSON.stringify(one).localeCompare(JSON.stringify(other)))
})

// What its own store does not do.

/** Middleware on the real clock and the process's counts, in a window that will not end while the test runs. */
function ours(t, options) {
  const { name, windowMs = YEARS, ...rest } = options
  const store = new SpillwayStore({ name })
  t.after(() => store.shutdown())
  const said = []
  const logger = { error: (error) => said.push(error), warn: (error) => said.push(error) }
  const limited = rateLimit({
    windowMs,
    limit: 3,
    store,
    logger,
    keyGenerator: (req) => req.get('x-client') ?? 'one',
    ...rest,
  })
  return { limited, store, said }
}

/** The statuses of some requests, one after the other. */
async function statuses(origin, count, headers = {}) {
  const seen = []
  for (let turn = 0; turn < count; turn++) {
    const answer = await fetch(origin, { headers })
    await answer.arrayBuffer()
    seen.push(answer.status)
  }
  return seen
}

/** A worker that serves an application of its own. */
async function worker(t, data) {
  const thread = new Worker(path.join(__dirname, 'threads', 'express-rate-limit.js'), { workerData: data })
  t.after(() => thread.terminate())
  const [port] = await once(thread, 'message')
  return `http://127.0.0.1:${port}`
}

test('the same line in every worker thread is one limit, to the hit', async (t) => {
  const data = { name: fresh(), windowMs: YEARS, limit: 6 }
  const origins = await Promise.all([worker(t, data), worker(t, data), worker(t, data)])
  const used = []
  for (let turn = 0; turn < 6; turn++) {
    const answer = await fetch(origins[turn % 3], { headers: { 'x-client': 'a' } })
    used.push(await answer.json())
  }
  assert.deepEqual(used, [1, 2, 3, 4, 5, 6])
  for (const origin of origins) {
    assert.deepEqual(await statuses(origin, 1, { 'x-client': 'a' }), [429])
    assert.deepEqual(await statuses(origin, 1, { 'x-client': 'b' }), [200])
  }
})

test('stores of another name in another thread count for themselves', async (t) => {
  const data = { windowMs: YEARS, limit: 1 }
  for (const name of [fresh(), fresh()]) {
    const origin = await worker(t, { ...data, name })
    assert.deepEqual(await statuses(origin, 2, { 'x-client': 'a' }), [200, 429])
  }
})

test('resetAll in one thread begins anew in all of them, and nobody meets an error', async (t) => {
  const data = { name: fresh(), windowMs: YEARS, limit: 2 }
  const [first, second] = await Promise.all([worker(t, data), worker(t, data)])
  const { limited, store } = ours(t, { ...data })
  const third = await served(t, express().use(limited, ok))
  for (const origin of [first, second, third]) await statuses(origin, 1)
  assert.deepEqual(await statuses(second, 1, { 'x-client': 'one' }), [200])
  assert.equal(store.get('one').totalHits, 2)
  await fetch(first, { method: 'DELETE', headers: { 'x-client': 'other' } })
  assert.equal(store.get('one'), undefined)
  for (const origin of [third, second, third, first]) await statuses(origin, 1, { 'x-client': 'one' })
  assert.equal(store.get('one').totalHits, 4)
})

test('whatever a store is asked first after another has reset them all, it answers', (t) => {
  const name = fresh()
  const { store: other } = ours(t, { name })
  const { store } = ours(t, { name })
  const asks = {
    increment: () => assert.equal(store.increment('a').totalHits, 1),
    get: () => assert.equal(store.get('a'), undefined),
    decrement: () => store.decrement('a'),
    resetKey: () => store.resetKey('a'),
    resetAll: () => store.resetAll(),
  }
  for (const [what, ask] of Object.entries(asks)) {
    store.increment('a')
    other.increment('a')
    assert.ok(store.get('a').totalHits >= 2, what)
    other.resetAll()
    ask()
    other.resetAll()
    assert.equal(store.increment('b').totalHits, 1, what)
    store.resetKey('b')
  }
})

test('resetAll resets what is there now, also where another has reset what this store knew', (t) => {
  const name = fresh()
  const [one, two] = [ours(t, { name }).store, ours(t, { name }).store]
  two.increment('a')
  one.resetAll()
  assert.equal(one.increment('a').totalHits, 1)
  two.resetAll()
  assert.equal(one.get('a'), undefined)
})

test('two stores of one name are one limit on two routes, and on one route express-rate-limit tells', async (t) => {
  const name = fresh()
  const [one, two] = [ours(t, { name }), ours(t, { name })]
  const app = express()
    .get('/one', one.limited, ok)
    .get('/two', two.limited, ok)
    .get('/both', one.limited, two.limited, ok)
  const origin = await served(t, app)
  assert.deepEqual(await statuses(`${origin}/one`, 2), [200, 200])
  assert.deepEqual(await statuses(`${origin}/two`, 2), [200, 429])
  const third = await served(t, express().use(ours(t, { name }).limited, ok))
  assert.deepEqual(await statuses(third, 1), [429])

  const twin = fresh()
  const [left, right] = [ours(t, { name: twin }), ours(t, { name: twin })]
  await statuses(await served(t, express().use(left.limited, right.limited, ok)), 1)
  assert.deepEqual(
    [...left.said, ...right.said].map(({ code }) => code),
    ['ERR_ERL_DOUBLE_COUNT'],
  )
})

test('a limiter of the application may have the name of a store', (t) => {
  const name = fresh()
  const sp = spillway()
  t.after(() => sp.close())
  const limiter = sp.limiter(name, { limit: 1, window: '1d' })
  const { store, said } = ours(t, { name })
  assert.deepEqual([store.increment('a').totalHits, store.increment('a').totalHits], [1, 2])
  assert.equal(limiter.consume('a').ok, true)
  assert.deepEqual(said, [])
  assert.ok(
    Object.keys(sp.snapshot().limiters).some((each) => each.includes('express-rate-limit') && each.includes(name)),
  )
})

test('no variable of the environment changes what a store counts with', (t) => {
  const name = `knobless-${process.pid}`
  const variable = `SPILLWAY_LIMITER_KNOBLESS_${process.pid}_LIMIT`
  process.env[variable] = '1'
  t.after(() => delete process.env[variable])
  const { store } = ours(t, { name })
  assert.deepEqual([store.increment('a').totalHits, store.increment('a').totalHits], [1, 2])
})

test('windows begin on the clock: a first hit late in a window has the rest of it', (t) => {
  const time = { now: START + 59_000 }
  const store = new SpillwayStore({ name: fresh(), clock: () => time.now })
  t.after(() => store.shutdown())
  store.init({ windowMs: MINUTE })
  assert.deepEqual(store.increment('a'), { totalHits: 1, resetTime: new Date(START + MINUTE) })
  time.now += 999.7
  assert.deepEqual(store.increment('b'), { totalHits: 1, resetTime: new Date(START + MINUTE) })
  time.now = START + MINUTE
  assert.deepEqual(store.increment('a'), { totalHits: 1, resetTime: new Date(START + 2 * MINUTE) })
  assert.equal(store.get('b'), undefined)
})

test('a reset time never moves within a window, whatever fraction of a millisecond it is asked in', (t) => {
  for (const windowMs of [7, 1000, 1001, 1500.5, MINUTE, 86_400_000, YEARS]) {
    const time = { now: START + 0.25 }
    const store = new SpillwayStore({ name: fresh(), clock: () => time.now })
    t.after(() => store.shutdown())
    store.init({ windowMs })
    for (let turn = 0; turn < 400; turn++) {
      const { resetTime } = store.increment('a')
      const end = (Math.floor(time.now / windowMs) + 1) * windowMs
      assert.ok(Math.abs(resetTime.getTime() - end) < 1, `${windowMs}: ${resetTime.getTime()} at ${time.now}`)
      time.now += (windowMs / 97) * (1 + (turn % 3))
    }
  }
})

test('a reset time is whole, also when the clock moves on between two readings of it', (t) => {
  const time = { now: START }
  const store = new SpillwayStore({ name: fresh(), clock: () => (time.now += 0.3) })
  t.after(() => store.shutdown())
  store.init({ windowMs: 1000 })
  for (let turn = 0; turn < 400; turn++)
    assert.equal(store.increment('a').resetTime.getTime(), START + 1000, `at ${time.now}`)
  assert.ok(time.now < START + 1000)
})

test('windows may be longer than a timer can wait', async (t) => {
  const { limited, store, said } = ours(t, { name: fresh(), windowMs: YEARS, limit: 1 })
  const origin = await served(t, express().use(limited, ok))
  assert.deepEqual(await statuses(origin, 2), [200, 429])
  assert.equal(store.get('one').resetTime.getTime() % YEARS, 0)
  assert.deepEqual(said, [])
})

test('one name with two windows is logged where it is made, and is the error of every request', async (t) => {
  const name = fresh()
  const first = ours(t, { name, windowMs: YEARS })
  const second = ours(t, { name, windowMs: YEARS / 2 })
  const lenient = ours(t, { name, windowMs: YEARS / 2, passOnStoreError: true })
  assert.deepEqual(
    [first, second, lenient].map(({ said }) => said.map(({ code }) => code)),
    [[], ['E_MISMATCH'], ['E_MISMATCH']],
  )
  const app = express().get('/second', second.limited, ok).get('/lenient', lenient.limited, ok)
  app.use((error, _req, res, _next) => res.status(500).send(error.code))
  const origin = await served(t, app)
  const answer = await fetch(`${origin}/second`)
  assert.deepEqual([answer.status, await answer.text()], [500, 'E_MISMATCH'])
  assert.deepEqual(await statuses(`${origin}/lenient`, 2), [200, 200])
  // Once the other has gone, there is nothing to be at odds with.
  first.store.shutdown()
  assert.deepEqual(await statuses(`${origin}/second`, 4), [200, 200, 200, 429])
})

test('a window that cannot be is a mistake too, and not a limit that never limits', (t) => {
  for (const windowMs of [0, -1, NaN, Infinity, '60000', null, YEARS * 2]) {
    const { store, said } = ours(t, { name: fresh(), windowMs, validate: false })
    assert.deepEqual([said.length, said[0].code, said[0].option], [1, 'E_DURATION', 'window'], String(windowMs))
    assert.throws(() => store.increment('a'), { code: 'E_DURATION' })
  }
})

test('the counts of a name live as long as one of its stores', (t) => {
  const name = fresh()
  const { store } = ours(t, { name })
  const { store: other } = ours(t, { name })
  store.increment('a')
  store.shutdown()
  assert.equal(other.increment('a').totalHits, 2)
  assert.equal(store.increment('a').totalHits, 3, 'and it may come back')
  store.shutdown()
  other.shutdown()
  assert.equal(store.get('a'), undefined)
})

test('a store that is handed to rateLimit() again with another window begins anew', (t) => {
  const store = new SpillwayStore({ name: fresh() })
  t.after(() => store.shutdown())
  store.init({ windowMs: YEARS })
  store.increment('a')
  store.init({ windowMs: YEARS })
  assert.equal(store.increment('a').totalHits, 2)
  store.init({ windowMs: YEARS / 2 })
  assert.equal(store.increment('a').totalHits, 1)
})

test('every answer comes at once, and no timer is left behind', (t) => {
  const before = process.getActiveResourcesInfo().filter((each) => each === 'Timeout').length
  const { store } = ours(t, { name: fresh() })
  assert.equal(store.increment('a').totalHits, 1)
  assert.equal(store.get('a').totalHits, 1)
  for (const call of ['decrement', 'resetKey', 'resetAll', 'shutdown']) assert.equal(store[call]('a'), undefined)
  assert.equal(process.getActiveResourcesInfo().filter((each) => each === 'Timeout').length, before)
})

test('hits that are counted are never fewer than those that came, also beyond maxKeys', (t) => {
  const store = new SpillwayStore({ name: fresh(), maxKeys: 1 })
  t.after(() => store.shutdown())
  store.init({ windowMs: YEARS })
  let more = 0
  for (let hit = 1; hit <= 3; hit++) {
    for (let client = 0; client < 2000; client++) {
      const { totalHits } = store.increment(`client-${client}`)
      assert.ok(totalHits >= hit)
      if (totalHits > hit) more++
    }
  }
  assert.ok(more > 0, 'they shared nothing, so nothing was tried')
})

test('the name is asked for, and what else is wrong is said at once', () => {
  for (const name of ['', 'n'.repeat(129), 7, null, undefined])
    assert.throws(() => new SpillwayStore({ name }), { code: 'E_NAME' })
  for (const [options, option] of [
    [{ name: 'a', maxKeys: 0 }, 'maxKeys'],
    [{ name: 'a', maxKeys: '1' }, 'maxKeys'],
    [{ name: 'a', clock: 7 }, 'clock'],
    [{ name: 'a', windowMs: 1000 }, 'windowMs'],
    [{ name: 'a', prefix: 'b' }, 'prefix'],
  ]) {
    assert.throws(() => new SpillwayStore(options), { code: 'E_OPTION', option })
  }
  for (const options of ['api', 7, null, []]) assert.throws(() => new SpillwayStore(options), { code: 'E_OPTION' })
  assert.throws(() => new SpillwayStore(), { code: 'E_NAME' })
})

test('a store without rateLimit() says what it is missing', () => {
  const store = new SpillwayStore({ name: fresh() })
  for (const call of ['increment', 'get', 'decrement', 'resetKey', 'resetAll'])
    assert.throws(() => store[call]('a'), { code: 'E_OPTION', message: /rateLimit/ })
  store.shutdown()
})

test('a key that is an object is a mistake of the keyGenerator, and said so', async (t) => {
  for (const key of [{}, [], () => 'a', Symbol('a'), Object.create(null)]) {
    const { limited } = ours(t, { name: fresh(), keyGenerator: () => key, validate: false })
    const app = express().use(limited, ok)
    app.use((error, _req, res, _next) => res.status(500).send(error.code))
    const answer = await fetch(await served(t, app))
    assert.deepEqual([answer.status, await answer.text()], [500, 'E_KEY'])
  }
})
