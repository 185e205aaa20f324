// The servers of the tests themselves: what was asked for is what is there, and nothing outlives the tests. Owns nothing else.
// Never tests Spillway.
'use strict'

const assert = require('node:assert/strict')
const { spawn } = require('node:child_process')
const fs = require('node:fs')
const { createInterface } = require('node:readline')
const { test } = require('node:test')
const { isAlive } = require('./reaper.js')
const { cluster, connect, redis, sentinels, until } = require('./servers.js')

test('a password, users and a unix socket are what was asked for', async (t) => {
  const users = ['ada on >lovelace ~* +@all -eval']
  const server = await redis(t, { password: 'two "words"', users, socket: true })
  assert.equal(await server.call('PING'), 'PONG')
  const stranger = await connect({ port: server.port })
  await assert.rejects(stranger.call('PING'), { code: 'NOAUTH' })
  stranger.close()
  const ada = await connect({ path: server.path, username: 'ada', password: 'lovelace', resp3: true })
  assert.equal((await ada.call('HELLO')).proto, 3)
  await assert.rejects(ada.call('EVAL', 'return 1', 0), { code: 'NOPERM' })
  ada.close()
  assert.match(server.url, /^redis:\/\/:two%20%22words%22@127\.0\.0\.1:\d+$/)
})

test('TLS takes the certificates that were made for it, and no others', async (t) => {
  const server = await redis(t, { tls: true })
  assert.equal(await server.call('PING'), 'PONG')
  await assert.rejects(connect({ port: server.port, tls: { servername: 'localhost' } }), { code: /SELF_SIGNED|VERIFY/ })
})

test('killed and started again it is where it was, and empty; frozen it is silent', async (t) => {
  const server = await redis(t)
  const { port } = server
  await server.call('SET', 'a', 1)
  await server.restart()
  assert.equal(server.port, port)
  assert.equal(await server.call('DBSIZE'), 0)
  server.freeze()
  const answer = server.call('PING')
  const silence = new Promise((resolve) => setTimeout(resolve, 50, 'silent'))
  assert.equal(await Promise.race([answer, silence]), 'silent')
  server.thaw()
  assert.equal(await answer, 'PONG')
})

test('a failover of the sentinels moves the master, and the old one follows it', async (t) => {
  const set = await sentinels(t)
  const before = await set.current()
  await before.call('SET', 'kept', 'yes')
  await before.call('WAIT', 1, 1000)
  const after = await set.failover('killed')
  assert.notEqual(after, before)
  assert.equal(await after.call('GET', 'kept'), 'yes')
  assert.equal(await set.settled(), after)
  await assert.rejects(before.call('SET', 'a', 1), { code: 'READONLY' })
})

test('a cluster has its slots on three masters, fails over and moves a slot', async (t) => {
  const whole = await cluster(t)
  const before = await whole.ownerOf('{a}b')
  const other = whole.nodes.find((node) => node !== before)
  await assert.rejects(other.call('GET', 'a'), { code: 'MOVED' })
  const after = await whole.failover('a')
  assert.notEqual(after, before)
  const { from, to, finish } = await whole.migrate('a')
  assert.equal(from, after)
  await assert.rejects(from.call('SET', 'a', 1), { code: 'ASK' })
  await finish()
  assert.equal(await whole.ownerOf('a'), to)
  assert.equal(await to.call('SET', 'a', 1), 'OK')
})

test('a test process that is killed leaves neither servers nor folders, not even a frozen one', async () => {
  const source = `
    const { startServer } = require(${JSON.stringify(require.resolve('./servers.js'))})
    Promise.all([startServer(), startServer()]).then(([one, other]) => {
      other.freeze()
      for (const { pid, folder } of [one, other]) console.log(JSON.stringify({ pid, folder }))
    })
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['-e', source], { stdio: ['ignore', 'pipe', 'inherit'] })
  const started = []
  for await (const row of createInterface({ input: child.stdout })) {
    started.push(JSON.parse(row))
    if (started.length === 2) break
  }
  assert.ok(started.every(({ pid, folder }) => isAlive(pid) && fs.existsSync(folder)))
  child.kill('SIGKILL')
  await until('their end', () => started.every(({ pid, folder }) => !isAlive(pid) && !fs.existsSync(folder)), 5000)
})
