// Owns the proof that every example runs, installed from the packed tarball into a folder of its own.
// Never installs into this repository, and never leaves a server running.
'use strict'

const assert = require('node:assert/strict')
const { spawn } = require('node:child_process')
const { once } = require('node:events')
const { Agent, get } = require('node:http')
const { cp, mkdtemp, readFile, readdir, rm, writeFile } = require('node:fs/promises')
const { createServer } = require('node:net')
const { tmpdir } = require('node:os')
const { join } = require('node:path')
const { after, before, test } = require('node:test')
const { setTimeout: wait } = require('node:timers/promises')

const ROOT = join(__dirname, '..')
const EXAMPLES = join(ROOT, 'examples')
const MINUTE = 60_000
const QUIET = { NEXT_TELEMETRY_DISABLED: '1', npm_config_audit: 'false', npm_config_fund: 'false' }

let folder
let tarball

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spillway-examples-'))
  await ran('npm', ['pack', '--pack-destination', folder], ROOT)
  const [packed, ...others] = (await readdir(folder)).filter((name) => name.endsWith('.tgz'))
  assert.deepEqual(others, [])
  tarball = join(folder, packed)
})

after(() => rm(folder, { recursive: true, force: true }))

/** A copy of the example with the tarball in place of the repository, installed. */
async function installed(name) {
  const copy = join(folder, name)
  const foreign = /(?:^|[\\/])(?:node_modules|\.next|package-lock\.json)(?:[\\/]|$)/
  await cp(join(EXAMPLES, name), copy, {
    recursive: true,
    filter: (path) => !foreign.test(path.slice(EXAMPLES.length)),
  })
  const path = join(copy, 'package.json')
  const manifest = JSON.parse(await readFile(path, 'utf8'))
  assert.equal(manifest.dependencies.spillway, 'file:../..')
  manifest.dependencies.spillway = `file:${tarball}`
  await writeFile(path, JSON.stringify(manifest, null, 2))
  await ran('npm', ['install'], copy)
  return copy
}

/** Runs a command to its end; what it printed is in the error when it fails. */
async function ran(command, args, cwd) {
  const child = started(command, args, cwd)
  const [code] = await once(child.process, 'close')
  assert.equal(code, 0, `${command} ${args.join(' ')} ended with ${code}\n${child.output()}`)
  return child.output()
}

function started(command, args, cwd, env = {}) {
  const process_ = spawn(command, args, { cwd, env: { ...process.env, ...QUIET, ...env }, detached: true })
  let output = ''
  for (const stream of [process_.stdout, process_.stderr])
    stream.setEncoding('utf8').on('data', (text) => (output += text))
  return { process: process_, output: () => output }
}

/** Starts a server, waits for what it says when it listens, and ends it and whatever it started with the test. */
async function listening(t, command, args, cwd, env, says) {
  const child = started(command, args, cwd, env)
  const closed = once(child.process, 'close')
  t.after(async () => {
    try {
      process.kill(-child.process.pid, 'SIGTERM')
    } catch (error) {
      if (error.code !== 'ESRCH') throw error
    }
    await closed
  })
  const heard = new Promise((resolve) => {
    child.process.stdout.on('data', () => {
      const match = says.exec(child.output())
      if (match) resolve(match)
    })
  })
  const early = closed.then(([code]) =>
    assert.fail(`${command} ${args.join(' ')} ended with ${code}\n${child.output()}`),
  )
  return { match: await Promise.race([heard, early]), output: child.output, pid: child.process.pid }
}

/** A server that takes no port 0 gets one that was free a moment ago. */
async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return String(port)
}

const post = (url, tenant = 'a') => fetch(url, { method: 'POST', headers: { 'x-tenant': tenant } })

test('every example pins its versions and says how to start it', async () => {
  const names = await readdir(EXAMPLES)
  assert.deepEqual(names.sort(), ['convex', 'express', 'fastify', 'hono', 'next', 'next-cache', 'workers'])
  for (const name of names) {
    const manifest = JSON.parse(await readFile(join(EXAMPLES, name, 'package.json'), 'utf8'))
    const { spillway, ...others } = manifest.dependencies
    assert.equal(spillway, 'file:../..')
    for (const version of Object.values(others)) assert.match(version, /^\d+\.\d+\.\d+$/)
    assert.ok(manifest.scripts.start)
    assert.match(await readFile(join(EXAMPLES, name, 'README.md'), 'utf8'), /npm start/)
  }
})

test('workers: four threads share one limit exactly, one bulkhead and one load', { timeout: 5 * MINUTE }, async () => {
  const output = await ran('npm', ['start'], await installed('workers'))
  assert.match(output, /^limiter {3}4 × 25000 attempts, admitted \d+ \+ \d+ \+ \d+ \+ \d+ = 1000$/m, output)
  assert.match(output, /^bulkhead {2}4 × 50 jobs, at most 3 at a time$/m, output)
  assert.match(output, /^cache {5}4 × 1000 asked at once, loaded 1 time$/m, output)
})

test(
  'convex: refusals reach a client as data, and what fails is not asked again',
  { timeout: 5 * MINUTE },
  async () => {
    const output = await ran('npm', ['start'], await installed('convex'))
    assert.match(output, /^link code {2}5 of 6 sent, then RateLimited: again in 1(?:20|19) s$/m, output)
    assert.match(output, /^search {5}3 asked at the same time, searched once$/m, output)
    assert.match(output, /^outage {5}Server Error, Server Error, Server Error, E_OPEN$/m, output)
  },
)

test('express: limits, caches, and stops asking a service that fails', { timeout: 5 * MINUTE }, async (t) => {
  const copy = await installed('express')
  const { match, output } = await listening(t, 'npm', ['start'], copy, { PORT: '0' }, /Listening on (http:\S+)\./)
  const origin = match[1]

  const statuses = []
  for (let message = 0; message < 5; message += 1) statuses.push((await post(`${origin}/messages`, 'a')).status)
  assert.deepEqual(statuses, [201, 201, 201, 201, 201], output())
  const denied = await post(`${origin}/messages`, 'a')
  assert.equal(denied.status, 429)
  assert.equal(denied.headers.get('retry-after'), '12')
  assert.equal(denied.headers.get('ratelimit-policy'), '"messages";q=5;w=60')
  assert.equal((await post(`${origin}/messages`, 'b')).status, 201)

  const first = await (await fetch(`${origin}/weather/Paris`)).json()
  assert.deepEqual(await (await fetch(`${origin}/weather/Paris`)).json(), first, 'the second comes from the cache')

  const failures = []
  for (let ask = 0; ask < 4; ask += 1) failures.push((await fetch(`${origin}/weather/Atlantis`)).status)
  assert.deepEqual(failures, [500, 500, 500, 503])
  const { breakers, caches } = await (await fetch(`${origin}/health`)).json()
  assert.equal(Object.values(breakers)[0].state, 'open')
  assert.equal(Object.values(caches)[0].hits, 1)
})

test(
  'fastify: plans, weights, a login that counts failures, one report at a time',
  { timeout: 5 * MINUTE },
  async (t) => {
    const copy = await installed('fastify')
    const { match, output } = await listening(t, 'npm', ['start'], copy, { PORT: '0' }, /Listening on (http:\S+)\./)
    const origin = match[1]
    const get = (path, headers = {}) => fetch(origin + path, { headers })

    const searches = []
    for (let search = 0; search < 3; search += 1) searches.push((await get('/search?q=dam')).status)
    assert.deepEqual(searches, [200, 200, 429], output())
    const paying = await get('/', { 'x-tenant': 'a', 'x-plan': 'pro' })
    assert.equal(paying.headers.get('ratelimit-policy'), '"api";q=100;w=60')

    const login = async (password) => {
      const body = JSON.stringify({ email: 'ada', password })
      const headers = { 'content-type': 'application/json' }
      return (await fetch(`${origin}/login`, { method: 'POST', headers, body })).status
    }
    for (let attempt = 0; attempt < 5; attempt += 1) assert.equal(await login('open sesame'), 200)
    assert.deepEqual([await login('a'), await login('b'), await login('c'), await login('d')], [401, 401, 401, 429])

    const reports = await Promise.all([get('/report', { 'x-tenant': 'a' }), get('/report', { 'x-tenant': 'a' })])
    assert.deepEqual(reports.map(({ status }) => status).sort(), [200, 503])
    assert.equal(Object.values((await (await get('/health')).json()).bulkheads)[0].refused, 1)
  },
)

test(
  'hono: a limit for a path, downloads that failed are not charged, and a breaker',
  { timeout: 5 * MINUTE },
  async (t) => {
    const copy = await installed('hono')
    const { match, output } = await listening(t, 'npm', ['start'], copy, { PORT: '0' }, /Listening on (http:\S+)\./)
    const origin = match[1]
    const statuses = []
    for (let call = 0; call < 6; call += 1) statuses.push((await fetch(`${origin}/api/hello`)).status)
    assert.deepEqual(statuses, [200, 200, 200, 200, 200, 429], output())

    const left = async (name) => {
      const answer = await fetch(`${origin}/files/${name}`)
      await answer.text()
      return [answer.status, answer.headers.get('x-ratelimit-remaining')]
    }
    assert.deepEqual(await left('wine.txt'), [404, '19'])
    assert.deepEqual(await left('water.txt'), [200, '19'], 'what failed was given back')

    const failures = []
    for (let ask = 0; ask < 4; ask += 1) failures.push((await fetch(`${origin}/upstream`)).status)
    assert.deepEqual(failures, [500, 500, 500, 503])
  },
)

test(
  'next: built for real, routes, a server action and proxy.js let by and then refuse',
  { timeout: 14 * MINUTE },
  async (t) => {
    const copy = await installed('next')
    const built = await ran('npm', ['run', 'build'], copy)
    assert.match(built, /ƒ \/api\/chat/, built)
    const env = { PORT: await freePort(), HOSTNAME: '127.0.0.1' }
    const { output } = await listening(t, process.execPath, ['.next/standalone/server.js'], copy, env, /Ready in/)
    const origin = `http://127.0.0.1:${env.PORT}`

    const statuses = []
    for (let message = 0; message < 4; message += 1) statuses.push((await post(`${origin}/api/chat`, 'a')).status)
    assert.deepEqual(statuses, [200, 200, 200, 429], output())
    const denied = await post(`${origin}/api/chat`, 'a')
    assert.match(denied.headers.get('retry-after'), /^(?:20|19)$/)
    assert.equal(denied.headers.get('ratelimit-policy'), '"messages";q=3;w=60')
    assert.equal(denied.headers.get('content-type'), 'application/problem+json')
    assert.equal((await denied.json()).code, 'E_LIMITED')
    const other = await post(`${origin}/api/chat`, 'b')
    assert.deepEqual([other.status, other.headers.get('ratelimit')], [200, '"messages";r=2;t=20'])

    const first = await (await fetch(`${origin}/api/search?q=spillway`)).json()
    assert.equal(first.found, 8)
    assert.deepEqual(
      await (await fetch(`${origin}/api/search?q=spillway`)).json(),
      first,
      'the second comes from the cache',
    )
    assert.equal((await fetch(origin)).status, 200)

    await republished(origin)
    await proxied(origin)
    await signed(`${origin}/guestbook`)
    assert.doesNotMatch(output(), /error/i)
  },
)

test(
  'next-cache: pages and results are made once, made anew by their tags, and take no more memory with time',
  { timeout: 14 * MINUTE },
  async (t) => {
    const copy = await installed('next-cache')
    const built = await ran('npm', ['run', 'build'], copy)
    assert.match(built, /○ \/products\/1 /, built)
    const sizes = { SPILLWAY_CACHE_NEXT_CACHE_MAX_BYTES: '4mb', SPILLWAY_CACHE_NEXT_USE_CACHE_MAX_BYTES: '4mb' }
    const env = { PORT: await freePort(), HOSTNAME: '127.0.0.1', NODE_OPTIONS: '--max-old-space-size=256', ...sizes }
    const { output, pid } = await listening(t, process.execPath, ['.next/standalone/server.js'], copy, env, /Ready in/)
    const shop = new Shop(`http://127.0.0.1:${env.PORT}`)
    await shop.pages()
    await shop.results()
    await shop.parts()
    const { pages, results } = await shop.caches()
    for (const { hits, sets, maxBytes } of [pages, results])
      assert.ok(hits > 0 && sets > 0 && maxBytes === 4 * 1024 ** 2)
    assert.doesNotMatch(output(), /error|warn/i)
    await shop.crowd(20_000, pid, t)
    assert.doesNotMatch(output(), /error|warn/i)
  },
)

/** The application of examples/next-cache, from outside: each answer says how often its shop had been asked when it was made. */
class Shop {
  #origin
  #agent = new Agent({ keepAlive: true, maxSockets: 8 })

  constructor(origin) {
    this.#origin = origin
  }

  /** A page that is made once, is served once more when its tag goes stale, and is waited for when its tag has expired. */
  async pages() {
    const first = await this.#asked('/products/1')
    assert.deepEqual([first.status, first.cache], [200, 'HIT'], 'the build has made it')
    await this.#until(async () => (await this.#asked('/products/7')).cache === 'HIT')
    const before = await this.#asked('/products/7')
    assert.deepEqual(await this.#asked('/products/7'), before)

    await this.#revalidate('product:7', 'max')
    assert.deepEqual(await this.#asked('/products/7'), { ...before, cache: 'STALE' })
    await this.#until(async () => (await this.#asked('/products/7')).count > before.count)
    assert.deepEqual(await this.#asked('/products/1'), first, 'that has another tag')

    const { count } = await this.#asked('/products/7')
    await this.#revalidate('products')
    assert.ok((await this.#asked('/products/7')).count > count)
    assert.notEqual((await this.#asked('/products/1')).cache, 'HIT', 'what the build has made is as old')
  }

  /** What a function answers, in a route that is made for each request. */
  async results() {
    const count = async (id) => (await this.#asked(`/api/prices/${id}`)).count
    const [first, other] = [await count(7), await count(8)]
    assert.deepEqual([await count(7), await count(8)], [first, other])

    await this.#revalidate('price:7')
    const second = await count(7)
    assert.ok(second > first)
    assert.deepEqual([await count(7), await count(8)], [second, other])

    await this.#revalidate('prices', 'max')
    assert.deepEqual([await count(7), await count(8)], [second, other])
    await this.#until(async () => (await count(7)) > second && (await count(8)) > other)
  }

  /** A component in a page, and the action after which nobody is shown the old one. */
  async parts() {
    const { count } = await this.#asked('/prices')
    assert.equal((await this.#asked('/prices')).count, count)
    const html = await (await fetch(`${this.#origin}/prices`)).text()
    const body = new FormData()
    body.append(/name="(\$ACTION_ID_[^"]+)"/.exec(html)[1], '')
    const raised = await fetch(`${this.#origin}/prices`, { method: 'POST', body, headers: { origin: this.#origin } })
    assert.equal(raised.status, 200)
    assert.ok((await this.#asked('/prices')).count > count)
  }

  async caches() {
    return (await fetch(`${this.#origin}/api/caches`)).json()
  }

  /** So many requests for more results than there is room for, now and then with a tag: the resident set has to stay where it was. */
  async crowd(requests, pid, t) {
    /** @type {number[]} */
    const resident = []
    let begun = 0
    const one = async (request) => {
      if (request % 400 === 0) resident.push(await residentMegabytes(pid))
      if (request % 500 === 0)
        await this.#revalidate(`price:${request % 3_000}`, request % 1_000 === 0 ? 'max' : undefined)
      const path = request % 4 === 0 ? `/products/${request % 40}` : `/api/prices/${request % 3_000}`
      assert.equal(await this.#status(path), 200, path)
    }
    const visitor = async () => {
      while (begun < requests) await one(begun++)
    }
    await Promise.all(Array.from({ length: 8 }, visitor))
    this.#agent.destroy()

    const { results } = await this.caches()
    assert.ok(results.evictions > 0 && results.bytes <= results.maxBytes, JSON.stringify(results))
    const quarter = resident.length / 4
    const [early, late] = [resident.slice(quarter, 2 * quarter), resident.slice(3 * quarter)].map(median)
    t.diagnostic(`resident after ${requests / 4} requests ${early} MB, after ${(requests / 4) * 3} ${late} MB`)
    assert.ok(late - early < 40, `${early} MB, then ${late} MB`)
  }

  async #asked(path) {
    const response = await fetch(this.#origin + path)
    return {
      status: response.status,
      cache: response.headers.get('x-nextjs-cache'),
      count: countIn(await response.text()),
    }
  }

  async #revalidate(tag, profile) {
    const query = new URLSearchParams({ tag, ...(profile && { profile }) })
    const { status } = await fetch(`${this.#origin}/api/revalidate?${query}`, { method: 'POST' })
    assert.equal(status, 200)
  }

  #status(path) {
    return new Promise((resolve, reject) => {
      const asked = get(this.#origin + path, { agent: this.#agent }, (response) => {
        response.resume().on('end', () => resolve(response.statusCode))
      })
      asked.on('error', reject)
    })
  }

  /** What is made behind an answer is there a while after it. */
  async #until(isSo) {
    for (const end = Date.now() + MINUTE; Date.now() < end; await wait(50)) if (await isSo()) return
    assert.fail('it did not come to be')
  }
}

/** How often the shop had been asked: as a page says it, or an answer in JSON. */
function countIn(text) {
  return Number(/asked for (?:<!-- -->)?(\d+)|"asked":(\d+)/.exec(text)?.slice(1).find(Boolean))
}

async function residentMegabytes(pid) {
  const output = await ran('ps', ['-o', 'rss=', '-p', String(pid)])
  return Math.round(Number(output) / 1024)
}

/** @param {number[]} numbers */
function median(numbers) {
  return numbers.sort((a, b) => a - b)[Math.floor(numbers.length / 2)]
}

/** A page with `revalidate`: the build has made it, and once its path is revalidated nobody is shown that any more. */
async function republished(origin) {
  const news = async () => {
    const response = await fetch(`${origin}/news`)
    return [response.headers.get('x-nextjs-cache'), /As of (?:<!-- -->)?(\d+)/.exec(await response.text())[1]]
  }
  const [built, again] = [await news(), await news()]
  assert.deepEqual([built[0], again], ['HIT', built])
  assert.equal((await post(`${origin}/api/news`)).status, 200)
  const [cache, time] = await news()
  assert.ok(cache === 'MISS' && Number(time) > Number(built[1]), `${cache} ${time} ${built}`)
  assert.deepEqual(await news(), ['HIT', time])
}

/** proxy.js is asked before the route: what it lets by carries the fields of its limit, the rest never arrives. */
async function proxied(origin) {
  const reports = async (tenant) => {
    const { status, headers } = await fetch(`${origin}/api/reports`, { headers: { 'x-tenant': tenant } })
    return [status, headers.get('ratelimit'), headers.get('content-type').split(';')[0]]
  }
  assert.deepEqual(await reports('a'), [200, '"reports";r=1;t=30', 'application/json'])
  assert.equal((await reports('a'))[0], 200)
  assert.deepEqual(await reports('a'), [429, '"reports";r=0;t=30', 'application/problem+json'])
  assert.equal((await reports('b'))[0], 200)
}

/** The server action, called by its form as a browser without JavaScript sends it, and as Next's own client calls it. */
async function signed(url) {
  const hidden = [
    ...(await (await fetch(url)).text()).matchAll(/<input type="hidden" name="([^"]+)"(?: value="([^"]*)")?/g),
  ]
  const fields = hidden.map(([, name, value = '']) => [name, value.replaceAll('&quot;', '"')])
  const { id } = JSON.parse(new Map(fields).get('$ACTION_1:0'))
  const sent = async (tenant, entries, headers = {}) => {
    const body = new FormData()
    for (const [name, value] of entries) body.append(name, value)
    const origin = new URL(url).origin
    const response = await fetch(url, { method: 'POST', body, headers: { origin, 'x-tenant': tenant, ...headers } })
    assert.equal(response.status, 200)
    return response.text()
  }

  const form = async () => /<p>(.*?)<\/p>/.exec(await sent('form', [...fields, ['name', 'Ann']]))?.[1]
  assert.deepEqual([await form(), await form()], ['Thank you, Ann.', 'Thank you, Ann.'])
  assert.match(await form(), /^Too many entries: again in (?:30|29) s\.$/)

  const call = [
    ['_1_name', 'Ben'],
    ['0', '[null,"$K1"]'],
  ]
  const called = () => sent('call', call, { 'next-action': id, accept: 'text/x-component' })
  for (let entry = 0; entry < 2; entry += 1) assert.match(await called(), /\{"ok":true,"message":"Thank you, Ben\."\}/)
  const refusal = JSON.parse(/\{"ok":false.*\}/.exec(await called())[0])
  assert.deepEqual([refusal.error, refusal.code], ['rate_limited', 'E_LIMITED'])
  assert.ok(refusal.retryAfterMs > 0 && refusal.retryAfterMs <= 30_000)
}
