// Whether a spillway over Redis says what is wrong with that Redis: ready(), the warnings and the snapshot. Owns the E_REDIS_ codes.
// Never counts anything: that is redis-limiter.test.js.
'use strict'

const assert = require('node:assert/strict')
const { execFile } = require('node:child_process')
const fs = require('node:fs')
const net = require('node:net')
const path = require('node:path')
const { test } = require('node:test')
const { inspect, promisify } = require('node:util')
const { spillway } = require('../index.js')
const { cluster, redis, sentinels, until } = require('./redis/servers.js')

const ROOT = path.join(__dirname, '..')
const PAGE = fs.readFileSync(path.join(ROOT, 'docs', 'errors.md'), 'utf8')
const SECRET = 'hunter2'

/** A spillway that is closed when the test ends. */
function opened(t, given, options = {}) {
  const sp = spillway({ redis: given, isolated: true, ...options })
  t.after(() => sp.close())
  return sp
}

/** What ready() rejects with; never with a secret in it. */
async function refused(sp, code) {
  const error = await sp.ready().then(
    () => assert.fail(`ready, where it should be ${code}`),
    (error) => error,
  )
  assert.equal(error.code, code, error.message)
  for (const text of [error.message, inspect(error), JSON.stringify(sp.snapshot()), inspect(sp)]) {
    assert.ok(!text.includes(SECRET), text)
  }
  return error
}

/** The example of docs/errors.md under a code is what was thrown, but for the port. */
function assertShown(error) {
  const [, section] = new RegExp(`^## ${error.code}\\n([^]*?)(?=^##? )`, 'm').exec(PAGE)
  const [, example] = /```text\n(.*)\n```/.exec(section)
  const bare = (line) => line.replace(/:\d+/g, ':PORT')
  assert.equal(bare(`${error.name}: ${error.message}`), bare(example))
}

test('ready() resolves where Redis is there, through a host, a socket and TLS', async (t) => {
  const plain = await redis(t, { socket: true })
  await opened(t, plain.url).ready()
  await opened(t, plain.path).ready()
  await opened(t, `unix://${plain.path}?db=3`).ready()
  const locked = await redis(t, { tls: true, password: SECRET })
  await opened(t, { url: locked.url, tls: { ca: locked.tls.ca, cert: locked.tls.cert, key: locked.tls.key } }).ready()
  const sp = opened(t, { url: plain.url, clientName: 'api-1' })
  await sp.ready()
  await until('it is connected', () => sp.snapshot().store.up)
  assert.match(await plain.call('CLIENT', 'LIST'), /name=api-1/)
})

test('ready() resolves in memory', async () => {
  const sp = spillway({ isolated: true })
  assert.equal(await sp.ready(), undefined)
  await sp.close()
  await assert.rejects(() => sp.ready(), { code: 'E_DISPOSED' })
})

test('a missing, a wrong and another user’s password are E_REDIS_AUTH', async (t) => {
  const server = await redis(t, { password: `${SECRET}-right`, users: ['ada on >x ~* &* +@all'] })
  const { host, port } = server
  assertShown(await refused(opened(t, `redis://${host}:${port}`), 'E_REDIS_AUTH'))
  await refused(opened(t, `redis://:${SECRET}@${host}:${port}`), 'E_REDIS_AUTH')
  await refused(opened(t, `redis://ada:${SECRET}@${host}:${port}`), 'E_REDIS_AUTH')
  await refused(opened(t, `redis://nobody:${SECRET}@${host}:${port}`), 'E_REDIS_AUTH')
  await opened(t, `redis://ada:x@${host}:${port}`).ready()
  await opened(t, server.url).ready()
})

test('an ACL without scripts, keys or channels is E_REDIS_DENIED, which says what is missing', async (t) => {
  const users = [
    'scriptless on >x ~* &* +@all -eval -evalsha',
    'keyless on >x ~other:* &* +@all',
    'deaf on >x ~* resetchannels +@all',
    'fit on >x ~spillway:* &spillway:* +@all -@dangerous -@admin +info',
  ]
  const { host, port } = await redis(t, { users })
  const as = (user) => opened(t, `redis://${user}:x@${host}:${port}`)
  assert.match((await refused(as('scriptless'), 'E_REDIS_DENIED')).message, /EVAL/)
  assert.match((await refused(as('keyless'), 'E_REDIS_DENIED')).message, /keys under spillway:/)
  assert.match((await refused(as('deaf'), 'E_REDIS_DENIED')).message, /channels under spillway:/)
  await as('fit').ready()
})

test('the ACL of docs/redis.md is enough', async (t) => {
  const page = fs.readFileSync(path.join(ROOT, 'docs', 'redis.md'), 'utf8')
  const [, rules] = /^user spillway on >password (.*)$/m.exec(page)
  const users = [`spillway on >password ${rules}`]
  const { host, port } = await redis(t, { users })
  await opened(t, `redis://spillway:password@${host}:${port}`).ready()
  const nodes = await cluster(t)
  for (const node of nodes.nodes) await node.call('ACL', 'SETUSER', 'spillway', 'on', '>password', ...rules.split(' '))
  const urls = nodes.urls.map((url) => url.replace('redis://', 'redis://spillway:password@'))
  await opened(t, urls).ready()
})

test('a database there is not is E_REDIS_DATABASE', async (t) => {
  const { url } = await redis(t)
  assertShown(await refused(opened(t, `${url}/99`), 'E_REDIS_DATABASE'))
  await opened(t, `${url}/15`).ready()
})

test('a certificate nobody vouches for, and TLS where there is none, are E_REDIS_TLS', async (t) => {
  const server = await redis(t, { tls: true })
  const error = await refused(opened(t, `rediss://127.0.0.1:${server.port}`), 'E_REDIS_TLS')
  assert.match(error.message, /UnknownIssuer|unknown issuer/i)
})

test('a server of another kind is E_REDIS_MODE', async (t) => {
  const { url } = await redis(t)
  await refused(opened(t, [url]), 'E_REDIS_MODE')
  const nodes = await cluster(t)
  assertShown(await refused(opened(t, nodes.urls[0]), 'E_REDIS_MODE'))
  await opened(t, nodes.urls).ready()
})

test('sentinels are asked for their master, and told when they know none of the name', async (t) => {
  const set = await sentinels(t)
  await opened(t, { urls: set.urls, sentinel: { master: set.master } }).ready()
  const error = await refused(opened(t, { urls: set.urls, sentinel: { master: 'nobody' } }), 'E_REDIS_MODE')
  assert.match(error.message, /nobody/)
})

test('a server that is too old is E_REDIS_VERSION, and what it says of our own words is not repeated', async (t) => {
  const old = net.createServer((socket) => {
    socket.on('error', () => {})
    // As versions before 6 answer: with the beginning of what they were sent, the password too.
    socket.on('data', () =>
      socket.write(`-ERR unknown command 'HELLO', with args beginning with: '3' 'AUTH' '${SECRET}'\r\n`),
    )
  })
  await new Promise((resolve) => old.listen(0, '127.0.0.1', resolve))
  t.after(() => old.close())
  await refused(opened(t, `redis://:${SECRET}@127.0.0.1:${old.address().port}`), 'E_REDIS_VERSION')
})

test('nobody there is E_REDIS_DOWN within connectTimeout, and whoever comes later is used', async (t) => {
  const server = await redis(t)
  await server.kill9()
  const sp = opened(t, { url: server.url, connectTimeout: 300 })
  const began = performance.now()
  await refused(sp, 'E_REDIS_DOWN')
  assert.ok(performance.now() - began < 2_000)
  assert.equal(sp.snapshot().store.up, false)
  await server.start()
  await until('it is connected', () => sp.snapshot().store.up, 5_000)
  await sp.ready()
})

test('a server that takes connections and says nothing is E_REDIS_DOWN within connectTimeout', async (t) => {
  const silent = net.createServer(() => {}).listen(0, '127.0.0.1')
  await new Promise((resolve) => silent.once('listening', resolve))
  t.after(() => silent.close())
  const sp = opened(t, { url: `redis://127.0.0.1:${silent.address().port}`, connectTimeout: 200 })
  const began = performance.now()
  await refused(sp, 'E_REDIS_DOWN')
  assert.ok(performance.now() - began < 2_000)
})

test('something that is no Redis is told, and does no harm', async (t) => {
  const http = net.createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
  })
  await new Promise((resolve) => http.listen(0, '127.0.0.1', resolve))
  t.after(() => http.close())
  const sp = opened(t, { url: `redis://127.0.0.1:${http.address().port}`, connectTimeout: 200 })
  const error = await sp.ready().catch((error) => error)
  assert.match(error.code, /^E_REDIS_(?:DOWN|VERSION)$/)
})

/** What a script writes to stderr, and how long it lived. */
async function script(text) {
  const began = performance.now()
  const { stderr, stdout } = await promisify(execFile)(process.execPath, ['-e', text], { cwd: ROOT, timeout: 30_000 })
  return { stderr, stdout, ms: performance.now() - began }
}

test('whoever does not call ready() is warned once, with the code, and without the password', async (t) => {
  const { host, port } = await redis(t, { password: 'right' })
  const { stderr } = await script(`
    const { spillway } = require('./index.js')
    const open = () => spillway({ redis: 'redis://:${SECRET}@${host}:${port}', isolated: true })
    const all = [open(), open()]
    setTimeout(() => all.forEach((sp) => sp.close()), 1_000)
  `)
  assert.equal(stderr.match(/\[SPILLWAY_REDIS\] SpillwayWarning: .*\[E_REDIS_AUTH\]/g)?.length, 1, stderr)
  assert.ok(!stderr.includes(SECRET), stderr)
})

test('whoever calls ready() is told there, and not warned', async (t) => {
  const { host, port } = await redis(t, { password: 'right' })
  const { stderr, stdout } = await script(`
    const { spillway } = require('./index.js')
    const sp = spillway({ redis: 'redis://:${SECRET}@${host}:${port}' })
    sp.ready().catch(({ code }) => console.log(code)).finally(() => setTimeout(() => sp.close(), 500))
  `)
  assert.equal(stdout.trim(), 'E_REDIS_AUTH')
  assert.equal(stderr, '')
})

test('a Redis that drops keys when it is full is warned of, and is ready all the same', async (t) => {
  const { url } = await redis(t, { config: { maxmemory: '50mb', 'maxmemory-policy': 'allkeys-lru' } })
  const { stderr, stdout } = await script(`
    const { spillway } = require('./index.js')
    const sp = spillway({ redis: '${url}' })
    sp.ready().then(() => console.log('ready')).finally(() => sp.close())
  `)
  assert.equal(stdout.trim(), 'ready')
  assert.match(stderr, /\[SPILLWAY_REDIS_EVICTION\] SpillwayWarning: Redis has the maxmemory-policy allkeys-lru:/)
})

test('a snapshot says how the store is and who shares it', async (t) => {
  const { url, port } = await redis(t)
  const [one, two] = [opened(t, url, { prefix: 'fleet' }), opened(t, url, { prefix: 'fleet' })]
  await Promise.all([one.ready(), two.ready()])
  one.breaker('stripe').isolate()
  const { store } = await until('both are seen', () => {
    const snapshot = one.snapshot()
    const states = snapshot.fleet.map(({ breakers }) => breakers?.stripe)
    return snapshot.fleet.length === 2 && states.includes('isolated') && snapshot
  })
  assert.equal(store.kind, 'redis')
  assert.equal(store.up, true)
  assert.deepEqual(
    store.nodes.map(({ address, state }) => `${address} ${state}`),
    [`127.0.0.1:${port} up`],
  )
  for (const member of one.snapshot().fleet) {
    assert.equal(member.pid, process.pid)
    assert.equal(typeof member.host, 'string')
    assert.ok(member.seenMs < 5_000)
  }
})

test('spillways of one process over one Redis share one connection', async (t) => {
  const { url, call } = await redis(t).then((server) => ({
    url: server.url,
    call: (...words) => server.call(...words),
  }))
  const name = `shared-${process.pid}`
  const open = () => spillway({ redis: { url, clientName: name } })
  const all = Array.from({ length: 5 }, open)
  await Promise.all(all.map((sp) => sp.ready()))
  const connections = async () => (await call('CLIENT', 'LIST')).split(`name=${name} `).length - 1
  await until('it is one', async () => (await connections()) === 1)
  await Promise.all(all.slice(1).map((sp) => sp.close()))
  assert.equal(await connections(), 1)
  await all[0].close()
  await until('it is closed', async () => (await connections()) === 0)
})
