// Owns the proof that spillway/convex guards handlers of real Convex actions, and that refusals reach a client as data.
// Never waits: time is the clock each test holds. The backend itself cannot be had here: its part is played by a dozen lines.
'use strict'

const assert = require('node:assert/strict')
const { spawnSync } = require('node:child_process')
const { readFileSync } = require('node:fs')
const { join } = require('node:path')
const { test } = require('node:test')
const { ConvexHttpClient } = require('convex/browser')
const { actionGeneric, makeFunctionReference } = require('convex/server')
const { ConvexError, convexToJson, jsonToConvex, v } = require('convex/values')
const esbuild = require('esbuild')
const { Refusal, spillway } = require('spillway')
const { cached, checkRateLimit, guarded, isRateLimitError, limited, rateLimit } = require('spillway/convex')
const { quotations } = require('./quoted.js')
const { served } = require('./served.js')

const byUser = (_ctx, { user }) => user
const MINUTE = 60_000

/** A spillway in a time of the test's own. */
function frozen() {
  const time = { now: 1_000_000 }
  return { time, sp: spillway({ clock: () => time.now }) }
}

/** A limiter of three a minute. */
function chatOf({ sp }, options = { limit: 3, window: '1m' }) {
  return sp.limiter('chat', options)
}

/** Calls an action as the backend's Node executor does: text in, text out, and the data of an error made into text. */
async function invoked(action, args) {
  try {
    return {
      value: jsonToConvex(JSON.parse(await action.invokeAction('request-1', JSON.stringify([convexToJson(args)])))),
    }
  } catch (error) {
    const { message, name } = error
    // The executor tells its own errors by this brand, and their data is text by then.
    if (Symbol.for('ConvexError') in error) return { message, name, data: jsonToConvex(JSON.parse(error.data)) }
    return { message, name }
  }
}

test('an action answers as it did, and over the limit it fails with the data of the rate limiter component', async () => {
  const home = frozen()
  const send = actionGeneric({
    args: { user: v.string(), text: v.string() },
    handler: limited(async (_ctx, { text }) => text.toUpperCase(), chatOf(home), { key: byUser }),
  })
  for (const text of ['one', 'two', 'three']) {
    assert.deepEqual(await invoked(send, { user: 'a', text }), { value: text.toUpperCase() })
  }
  home.time.now += 500
  const denied = await invoked(send, { user: 'a', text: 'four' })
  assert.equal(denied.name, 'ConvexError')
  assert.deepEqual(denied.data, { kind: 'RateLimited', name: 'chat', retryAfter: 19_500 })
  assert.deepEqual(await invoked(send, { user: 'b', text: 'one' }), { value: 'ONE' })
  home.time.now += 19_500
  assert.deepEqual(await invoked(send, { user: 'a', text: 'four' }), { value: 'FOUR' })
})

test('a client of Convex is thrown a ConvexError with that data, which the guards of both packages know', async (t) => {
  const home = frozen()
  const send = actionGeneric({
    handler: limited(async () => 'sent', chatOf(home, { limit: 1, window: '1m' }), { key: byUser }),
  })
  const origin = await served(t, async (req, res) => {
    let body = ''
    for await (const text of req) body += text
    const { value, message, data } = await invoked(send, JSON.parse(body).args[0])
    const failed = { status: 'error', errorMessage: message, errorData: data && convexToJson(data) }
    res.end(JSON.stringify(value === undefined ? failed : { status: 'success', value }))
  })
  const client = new ConvexHttpClient(origin, { logger: false, skipConvexDeploymentUrlCheck: true })
  const call = () => client.action(makeFunctionReference('chat:send'), { user: 'a' })
  assert.equal(await call(), 'sent')
  const error = await call().catch((thrown) => thrown)
  assert.ok(error instanceof ConvexError)
  assert.deepEqual(error.data, { kind: 'RateLimited', name: 'chat', retryAfter: MINUTE })
  assert.equal(isRateLimitError(error), true)
  // The component is an ES module, and looks for the class of those.
  const theirs = new (await import('convex/values')).ConvexError(error.data)
  assert.equal((await import('@convex-dev/rate-limiter')).isRateLimitError(theirs), true)
})

test('refusals of breaker and bulkhead are data as well, whoever threw them', async () => {
  const { sp } = frozen()
  const serper = sp.breaker('serper', { consecutive: 1, open: { for: '10s', jitter: 0 } })
  const tools = sp.bulkhead('tools', { limit: 1 })
  const failing = actionGeneric({
    handler: guarded(
      async () => {
        throw new Error('upstream')
      },
      { run: [serper, tools] },
    ),
  })
  const within = actionGeneric({ handler: guarded(() => serper.run(() => 'never')) })
  assert.deepEqual(await invoked(failing, {}), { message: 'upstream', name: 'Error' })
  const open = { kind: 'Refused', code: 'E_OPEN', name: 'serper', retryAfter: 10_000 }
  assert.deepEqual((await invoked(failing, {})).data, open)
  assert.deepEqual((await invoked(within, {})).data, open)

  const permit = tools.tryAcquire()
  const full = actionGeneric({ handler: guarded(() => 'never', { run: tools }) })
  assert.deepEqual((await invoked(full, {})).data, { kind: 'Refused', code: 'E_FULL', name: 'tools' })
  await guarded(() => 'never', { run: tools })().catch(({ data }) => {
    assert.deepEqual(data, { kind: 'Refused', code: 'E_FULL', name: 'tools' })
  })
  permit.release()
  assert.deepEqual(await invoked(full, {}), { value: 'never' })
})

test('a limit that can never be met says so in a number Convex can carry', async () => {
  const home = frozen()
  const send = actionGeneric({ handler: limited(() => 'sent', chatOf(home), { key: byUser, cost: () => 4 }) })
  assert.deepEqual((await invoked(send, { user: 'a' })).data, {
    kind: 'RateLimited',
    name: 'chat',
    retryAfter: Infinity,
  })
})

test('what the handler throws leaves as it came', async () => {
  const home = frozen()
  const mine = new ConvexError('mine')
  const broken = new TypeError('broken')
  for (const error of [mine, broken, undefined]) {
    const throwing = () => Promise.reject(error)
    const handlers = [limited(throwing, chatOf(home, { limit: 9, window: '1m' }), { key: byUser }), guarded(throwing)]
    // A cache may throw one error at many callers, each of whom gets the data of it for himself.
    if (error !== mine) handlers.push(cached(throwing, home.sp.cache('c'), { key: byUser }))
    for (const handler of handlers) {
      await handler({}, { user: 'a' }).then(
        () => assert.fail('nothing was thrown'),
        (thrown) => assert.equal(thrown, error),
      )
    }
  }
})

test('inside a function a refusal has the brand of a ConvexError, its cause, and the class that is asked for', async () => {
  const home = frozen()
  const chat = chatOf(home, { limit: 1, window: '1m' })
  chat.consume('a')
  const thrown = await limited(() => 1, chat, { key: byUser })({}, { user: 'a' }).catch((error) => error)
  assert.ok(Symbol.for('ConvexError') in thrown && thrown instanceof Error)
  assert.equal(thrown.name, 'ConvexError')
  assert.equal(thrown.message, '{"kind":"RateLimited","name":"chat","retryAfter":60000}')
  assert.ok(thrown.cause instanceof Refusal)
  assert.equal(isRateLimitError(thrown), true)
  const branded = Object.assign(new Error('x'), { [Symbol.for('ConvexError')]: true })
  for (const other of [undefined, null, 'RateLimited', branded, new ConvexError('RateLimited'), thrown.cause]) {
    assert.equal(isRateLimitError(other), false)
  }

  const asked = [
    limited(() => 1, chat, { key: byUser, ConvexError }),
    guarded(() => 1, { limit: { limiter: chat, key: byUser }, ConvexError }),
    cached(() => rateLimit(chat, 'a', { throws: true }), home.sp.cache('c'), { key: byUser, ConvexError }),
    () => rateLimit(chat, 'a', { throws: true, ConvexError }),
    () => checkRateLimit(chat, 'a', { throws: true, ConvexError }),
  ]
  for (const [index, handler] of asked.entries()) {
    const error = await handler({}, { user: 'a' }).catch((thrown) => thrown)
    assert.equal(error instanceof ConvexError, index !== 2, `handler ${index}`)
    assert.equal(isRateLimitError(error), true)
  }
})

test('the key may ask who is calling, and refuse by itself', async (t) => {
  const home = frozen()
  const users = { subject: 'user-7' }
  let identity = users
  // The part of the host that ctx.auth asks.
  globalThis.Convex = { asyncSyscall: async (op) => JSON.stringify(op === '1.0/getUserIdentity' ? identity : null) }
  t.after(() => delete globalThis.Convex)
  const chat = chatOf(home)
  const send = actionGeneric({
    handler: limited(() => 'sent', chat, {
      key: async (ctx) => {
        const caller = await ctx.auth.getUserIdentity()
        if (caller === null) throw new ConvexError('who are you?')
        return caller.subject
      },
      cost: async (_ctx, { units }) => units,
    }),
  })
  assert.deepEqual(await invoked(send, { units: 2 }), { value: 'sent' })
  assert.equal(chat.peek('user-7').remaining, 1)
  identity = null
  assert.equal((await invoked(send, { units: 2 })).data, 'who are you?')
})

test('an answer comes from the cache, under a key of the call, for as long as the handler or the options say', async () => {
  const home = frozen()
  const results = home.sp.cache('results', { ttl: '5m', jitter: 0 })
  let asked = 0
  const search = actionGeneric({
    handler: cached(
      async (_ctx, { query }, { ttl }) => {
        asked += 1
        if (query === 'news') ttl('1m')
        return { query, asked }
      },
      results,
      { key: async (_ctx, { query }) => query, ttl: '10m' },
    ),
  })
  assert.deepEqual(await invoked(search, { query: 'dams' }), { value: { query: 'dams', asked: 1 } })
  assert.deepEqual(await invoked(search, { query: 'dams' }), { value: { query: 'dams', asked: 1 } })
  assert.deepEqual(await invoked(search, { query: 'news' }), { value: { query: 'news', asked: 2 } })
  home.time.now += MINUTE
  assert.deepEqual(await invoked(search, { query: 'news' }), { value: { query: 'news', asked: 3 } })
  home.time.now += 8 * MINUTE
  assert.deepEqual(await invoked(search, { query: 'dams' }), { value: { query: 'dams', asked: 1 } })
  home.time.now += MINUTE
  assert.deepEqual(await invoked(search, { query: 'dams' }), { value: { query: 'dams', asked: 4 } })

  const nothing = actionGeneric({ handler: cached(() => undefined, results, { key: () => 'nothing' }) })
  assert.deepEqual(await invoked(nothing, {}), { value: null })
})

test('calls that ask at the same time share one run of the handler, and each has the data of its failure for itself', async () => {
  const { sp } = frozen()
  let runs = 0
  let settle
  const search = actionGeneric({
    handler: cached(
      () => {
        runs += 1
        return new Promise((resolve, reject) => (settle = { resolve, reject }))
      },
      sp.cache('results'),
      { key: () => 'one' },
    ),
  })
  const turn = () => new Promise((resolve) => setImmediate(resolve))
  const three = () => [1, 2, 3].map(() => invoked(search, {}))
  const good = three()
  await turn()
  settle.resolve('found')
  assert.deepEqual(await Promise.all(good), [{ value: 'found' }, { value: 'found' }, { value: 'found' }])
  assert.equal(runs, 1)

  sp.cache('results').clear()
  const bad = three()
  await turn()
  class QuotaError extends ConvexError {
    name = 'QuotaError'
  }
  const error = new QuotaError({ kind: 'Quota', left: 0 })
  const direct = search._handler({}, {}).catch((thrown) => thrown)
  settle.reject(error)
  assert.ok((await direct) instanceof QuotaError)
  assert.equal((await direct).stack, error.stack)
  for (const { data, name } of await Promise.all(bad)) {
    assert.deepEqual(data, { kind: 'Quota', left: 0 })
    assert.equal(name, 'QuotaError')
  }
  assert.deepEqual(error.data, { kind: 'Quota', left: 0 })
  assert.equal(runs, 2)
})

test('the key goes on to a policy and to guards that have one for each, and to no others', async () => {
  const home = frozen()
  const { sp } = home
  const answer = (run) =>
    guarded(() => 'found', { limit: { limiter: chatOf(home), key: byUser }, run })({}, { user: 'a' })
  const shared = [sp.breaker('serper'), sp.bulkhead('tools', { limit: 1 }), sp.shed('front')]
  assert.equal(await answer(shared), 'found')
  const own = [sp.breaker('each', { perKey: true }), sp.bulkhead('each', { limit: 1, perKey: true })]
  assert.equal(await answer(own), 'found')
  assert.equal(sp.snapshot().breakers.each.keys, 1)
  assert.equal(await answer([sp.policy('all', ...own, ...shared)]), 'found')
})

test('limit, cache and runners are asked in this order, and each is handed the key and the signal', async () => {
  const home = frozen()
  const chat = chatOf(home)
  const trail = []
  const controller = new AbortController()
  const outer = {
    run(fn, { signal, key }) {
      trail.push(['outer', signal, key])
      return fn({ signal: controller.signal })
    },
  }
  const inner = {
    async run(fn, { signal, key }) {
      trail.push(['inner', signal, key])
      return fn({ signal })
    },
  }
  const search = guarded(
    async (_ctx, { query }, { signal, ttl }) => {
      trail.push(['handler', signal])
      ttl('1s')
      return query
    },
    {
      limit: { limiter: chat, key: byUser },
      cache: { cache: home.sp.cache('results', { ttl: '5m', jitter: 0 }), key: (_ctx, { query }) => query },
      run: [outer, inner],
    },
  )
  const ask = () => search({}, { user: 'a', query: 'dams' })
  assert.equal(await ask(), 'dams')
  const [[, loading], ...others] = trail
  assert.ok(loading instanceof AbortSignal, 'the cache says when it waits no longer')
  assert.deepEqual(others, [
    ['inner', controller.signal, 'a'],
    ['handler', controller.signal],
  ])
  assert.equal(await ask(), 'dams')
  assert.equal(trail.length, 3, 'a hit passes by the runners and the handler')
  home.time.now += 1_000
  await ask()
  assert.equal(trail.length, 6, 'the ttl of the handler counts through the runners')
  assert.equal(chat.peek('a').remaining, 0, 'hits are charged')
  await assert.rejects(ask(), { data: { kind: 'RateLimited', name: 'chat', retryAfter: 19_000 } })
  assert.equal(trail.length, 6)

  const bare = guarded((_ctx, _args, call) => call.signal, { run: { run: (fn, options) => fn(options) } })
  assert.equal(await bare(), undefined, 'where nobody has a signal, none is made')
  assert.ok((await guarded((_ctx, _args, call) => call.signal)()) instanceof AbortSignal)
})

test('a charge comes back when the call failed, or was successful, or when a function of its end says so', async () => {
  const home = frozen()
  const chat = chatOf(home)
  const serper = home.sp.breaker('serper')
  serper.isolate()
  let users = 0
  const left = async (refund, handler, more) => {
    const user = `user-${(users += 1)}`
    const call = guarded(handler, { limit: { limiter: chat, key: byUser, refund }, ...more })
    await call({}, { user }).catch(() => {})
    return chat.peek(user).remaining
  }
  const good = () => 'value'
  const bad = async () => {
    throw new Error('bad')
  }
  assert.deepEqual([await left(undefined, good), await left(undefined, bad)], [2, 2])
  assert.deepEqual([await left('failed', good), await left('failed', bad)], [2, 3])
  assert.deepEqual([await left('successful', good), await left('successful', bad)], [3, 2])
  assert.equal(await left('failed', good, { run: serper }), 3, 'what a breaker refuses has failed')
  const seen = []
  const rule = (settled) => seen.push(settled) === 2
  assert.deepEqual([await left(rule, good), await left(rule, bad)], [2, 3])
  assert.deepEqual(seen[0], { ok: true, value: 'value' })
  assert.equal(seen[1].error.message, 'bad')
})

test('rateLimit answers { ok, retryAfter } as the component does, and checkRateLimit spends nothing', async () => {
  const home = frozen()
  const chat = chatOf(home)
  assert.deepEqual(await checkRateLimit(chat, 'a', { count: 3 }), { ok: true })
  assert.deepEqual(await rateLimit(chat, 'a', { count: 2 }), { ok: true })
  assert.deepEqual(await checkRateLimit(chat, 'a', { count: 2 }), { ok: false, retryAfter: 20_000 })
  assert.deepEqual(await rateLimit(chat, 'a'), { ok: true })
  assert.deepEqual(await rateLimit(chat, 'a', { throws: false, reserve: false }), { ok: false, retryAfter: 20_000 })
  assert.deepEqual(await rateLimit(chat, 'a', { count: 4 }), { ok: false, retryAfter: Infinity })
  for (const ask of [rateLimit, checkRateLimit]) {
    await assert.rejects(ask(chat, 'a', { throws: true }), {
      name: 'ConvexError',
      data: { kind: 'RateLimited', name: 'chat', retryAfter: 20_000 },
    })
  }
  home.time.now += 20_000
  assert.deepEqual(await rateLimit(chat, 'a', { throws: true }), { ok: true })
})

test('with reserve the units are spent ahead, and the answer says when their time has come', async () => {
  const home = frozen()
  const chat = chatOf(home)
  await rateLimit(chat, 'a', { count: 3 })
  assert.deepEqual(await rateLimit(chat, 'a', { reserve: true }), { ok: true, retryAfter: 20_000 })
  assert.deepEqual(await rateLimit(chat, 'a', { reserve: { maxWait: '40s' }, throws: true }), {
    ok: true,
    retryAfter: 40_000,
  })
  const refused = await rateLimit(chat, 'a', { reserve: { maxWait: '40s' } })
  assert.equal(refused.ok, false)
  assert.ok(refused.retryAfter > 0)
  await assert.rejects(rateLimit(chat, 'a', { reserve: { maxWait: '40s' }, throws: true }), { name: 'ConvexError' })
  home.time.now += 40_000
  assert.deepEqual(await rateLimit(chat, 'a'), { ok: false, retryAfter: 20_000 }, 'what was reserved is spent')
  assert.deepEqual(await rateLimit(chat, 'b', { reserve: true }), { ok: true })
})

test('a limiter and a cache that answer with promises work the same', async () => {
  const { sp } = frozen()
  const near = { chat: sp.limiter('chat', { limit: 1, window: '1m' }), results: sp.cache('results') }
  const chat = {
    name: 'far',
    consume: async (key, cost) => near.chat.consume(key, cost),
    peek: async (key, cost) => near.chat.peek(key, cost),
  }
  assert.deepEqual(await rateLimit(chat, 'a'), { ok: true })
  assert.deepEqual(await checkRateLimit(chat, 'a'), { ok: false, retryAfter: MINUTE })
  const results = { getOrSet: (key, load) => near.results.getOrSet(key, load) }
  const search = guarded((_ctx, { query }) => query, {
    limit: { limiter: chat, key: byUser },
    cache: { cache: results, key: byUser },
  })
  assert.equal(await search({}, { user: 'b', query: 'dams' }), 'dams')
  await assert.rejects(search({}, { user: 'b', query: 'dams' }), {
    data: { kind: 'RateLimited', name: 'chat', retryAfter: MINUTE },
  })
  assert.equal(near.results.get('b'), 'dams')
})

test('the wrapper goes by the name of the handler', () => {
  const home = frozen()
  const sendMessage = async () => 'sent'
  assert.equal(limited(sendMessage, chatOf(home), { key: byUser }).name, 'sendMessage')
  assert.equal(guarded(sendMessage).name, 'sendMessage')
})

test('a call without a usable key fails with E_KEY before anything is run', async () => {
  const home = frozen()
  let runs = 0
  const run = () => (runs += 1)
  for (const key of [() => undefined, () => '', () => 42, async () => null]) {
    await assert.rejects(limited(run, chatOf(home), { key })({}, {}), { name: 'TypeError', code: 'E_KEY' })
    await assert.rejects(cached(run, home.sp.cache('c'), { key })({}, {}), { name: 'TypeError', code: 'E_KEY' })
  }
  assert.equal(runs, 0)
})

test('wrong options throw where they are written', async () => {
  const home = frozen()
  const chat = chatOf(home)
  const results = home.sp.cache('results')
  const key = byUser
  const handler = () => 'value'
  const wrong = [
    [() => limited(undefined, chat, { key }), /the handler must be a function of \(ctx, args\); got undefined/],
    [() => limited(handler, 'chat', { key }), /the limiter must be what limiter\(name, …\) answered; got "chat"/],
    [() => limited(handler, chat), /`key` of limited\(handler, limiter, \{ key \}\) is required.+; it is missing/],
    [() => limited(handler, chat, { key: 'a' }), /`key` of .+ must be a function; got "a"/],
    [() => limited(handler, chat, { key, cost: '2' }), /`cost` of .+ must be a whole number, or a function.+; got "2"/],
    [() => limited(handler, chat, { key, override: {} }), /`override` of .+ must be a function; got an object/],
    [
      () => limited(handler, chat, { key, refund: 'always' }),
      /`refund` of .+ must be 'successful', 'failed'.+; got "always"/,
    ],
    [() => limited(handler, chat, { key, refund: 'toString' }), /`refund` of .+; got "toString"/],
    [() => limited(handler, { consume() {} }, { key, refund: 'failed' }), /needs a limiter that can refund/],
    [() => limited(handler, chat, { key, headers: true }), /`headers` is not an option of limited/],
    [() => limited(handler, chat, { key, ConvexError: 'ConvexError' }), /`ConvexError` of .+ must be the class/],
    [() => cached(handler, chat, { key }), /the cache must be what cache\(name, …\) answered; got the limiter "chat"/],
    [() => cached(handler, results, { ttl: '1m' }), /`key` of cached.+ is required/],
    [() => cached(handler, results, { key, ttl: 'soon' }), /`ttl` of cached.+ must be milliseconds/, 'E_DURATION'],
    [() => guarded(handler, { limit: chat }), /`limit.[a-z]+` is not an option of guarded/],
    [() => guarded(handler, { limit: { key } }), /the limiter must be what .+ answered; got undefined/],
    [() => guarded(handler, { limit: true }), /`limit` of guarded.+ must be an object with limiter, key/],
    [() => guarded(handler, { cache: { cache: results } }), /`key` of cache of guarded.+ is required/],
    [
      () => guarded(handler, { run: chat }),
      /`run` of guarded.+ must be a breaker, a bulkhead.+; got the limiter "chat"/,
    ],
    [() => guarded(handler, { run: [undefined] }), /`run` of guarded.+; got undefined/],
    [() => guarded(handler, { breaker: chat }), /`breaker` is not an option of guarded/],
  ]
  for (const [make, message, code = 'E_OPTION'] of wrong) assert.throws(make, { code, message }, String(make))

  const late = [
    [rateLimit(chat, 'a', { cost: 1 }), /`cost` is not an option of rateLimit/],
    [rateLimit(chat, 'a', { throws: 'yes' }), /`throws` of rateLimit.+ must be true or false/],
    [rateLimit(chat, 'a', { reserve: 'yes' }), /`reserve` of rateLimit.+ must be true or false/],
    [rateLimit(chat, 'a', { reserve: { maxWait: 'long' } }), /`reserve.maxWait` of rateLimit/, 'E_DURATION'],
    [rateLimit(chat, 'a', { throws: true, ConvexError: {} }), /`ConvexError` of rateLimit/],
    [checkRateLimit(chat, 'a', { reserve: true }), /`reserve` is not an option of checkRateLimit/],
  ]
  for (const [asked, message, code = 'E_OPTION'] of late) await assert.rejects(asked, { code, message })
  assert.equal(chat.peek('a').remaining, 3, 'nothing was charged')
})

test('bundled as Convex bundles queries and mutations, it imports, and the first use says where it must run', async () => {
  const source = `
    import { limiter } from 'spillway'
    import { guarded, isRateLimitError } from 'spillway/convex'
    export const handler = guarded(async () => limiter('chat', { limit: 1, window: '1s' }))
    export const known = isRateLimitError(new Error('other'))`
  const { outputFiles } = await esbuild.build({
    stdin: { contents: source, resolveDir: join(__dirname) },
    bundle: true,
    write: false,
    format: 'esm',
    target: 'esnext',
    platform: 'browser',
    conditions: ['convex', 'module'],
  })
  const { handler, known } = await import(`data:text/javascript,${encodeURIComponent(outputFiles[0].text)}`)
  assert.equal(known, false)
  await assert.rejects(handler({}, {}), {
    code: 'E_RUNTIME',
    message: /starts with 'use node'.+node\.externalPackages/,
  })
})

test('docs/convex.md quotes the example that is run', () => {
  const quoted = quotations('convex.md', 'examples/convex')
  assert.equal(quoted.length, 2)
  for (const { name, quoted: block, code } of quoted) assert.equal(block, code, name)
})

test('the other example of docs/convex.md runs, and says what its comments say', () => {
  const page = readFileSync(join(__dirname, '..', 'docs', 'convex.md'), 'utf8')
  const [block, ...others] = [...page.matchAll(/^```js\n(const [^]*?)^```$/gm)].map(([, text]) => text)
  assert.deepEqual(others, [])
  const { stdout, stderr } = spawnSync(process.execPath, ['-e', block], { cwd: __dirname, encoding: 'utf8' })
  const said = [...block.matchAll(/\/\/ (\{.*\})$/gm)].map(([, comment]) => comment)
  assert.equal(said.length, 4)
  // Each unit takes six seconds, of which some milliseconds are over by then.
  const whole = stdout.replace(/\d+/g, (milliseconds) => String(Math.ceil(milliseconds / 6_000) * 6_000))
  const thrown = "{ kind: 'RateLimited', name: 'send-message', retryAfter: 12000 }"
  assert.deepEqual(whole.split('\n'), [...said, thrown, ''], stderr)
})
