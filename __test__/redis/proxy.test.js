// Each fault of the proxy, seen on the wire by a plain client of a real server. Owns nothing else.
// Never tests Spillway: that is what faults/ is for.
'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')
const { setTimeout: sleep } = require('node:timers/promises')
const { startProxy } = require('./proxy.js')
const { connect, startServer, until } = require('./servers.js')

/** A server, a proxy before it and a client through it. */
let server
test.before(async () => (server = await startServer()))
test.after(() => server.close())

async function through(t) {
  const proxy = await startProxy(server)
  t.after(() => proxy.close())
  const client = await connect(proxy)
  t.after(() => client.close())
  return { proxy, client }
}

/** How long it took, in milliseconds, and what came of it. */
async function timed(promise) {
  const began = performance.now()
  const value = await promise
  return { value, tookMs: performance.now() - began }
}

const SILENT_MS = 80
const silent = (promise) => Promise.race([promise.catch((error) => error), sleep(SILENT_MS, 'silent')])

/** Draws that come in this order, over and over. */
const draws = (...numbers) => {
  let at = 0
  return () => numbers[at++ % numbers.length]
}

test('without faults the bytes pass as they are, and are counted', async (t) => {
  const { proxy, client } = await through(t)
  const big = 'x'.repeat(3_000_000)
  assert.equal(await client.call('ECHO', big), big)
  assert.ok(proxy.up.counts.bytesIn > big.length && proxy.up.counts.bytesIn < big.length + 100)
  assert.equal(proxy.up.counts.bytesOut, proxy.up.counts.bytesIn)
  assert.equal(proxy.down.counts.bytesOut, proxy.down.counts.bytesIn)
  assert.deepEqual(proxy.counts, { accepted: 1, open: 1, unreached: 0 })
  client.close()
  await until('the end of the connection', () => proxy.counts.open === 0)
})

test('a delay holds in its direction only, and can be taken away', async (t) => {
  const { proxy, client } = await through(t)
  proxy.down.set({ delayMs: 60 })
  assert.ok((await timed(client.call('PING'))).tookMs >= 59)
  proxy.set({ delayMs: 40 })
  assert.ok((await timed(client.call('PING'))).tookMs >= 79)
  proxy.heal()
  assert.ok((await timed(client.call('PING'))).tookMs < 40)
})

test('jitter never changes the order of bytes', async (t) => {
  const { proxy, client } = await through(t)
  proxy.down.set({ jitterMs: 15 })
  const calls = []
  for (let i = 0; i < 30; i++) {
    calls.push(client.call('ECHO', String(i)))
    if (i % 5 === 4) await sleep(1)
  }
  assert.deepEqual(
    await Promise.all(calls),
    Array.from({ length: 30 }, (_, i) => String(i)),
  )
})

test('throttled bytes take their time', async (t) => {
  const { proxy, client } = await through(t)
  proxy.down.set({ bytesPerSecond: 100_000 })
  const { tookMs } = await timed(client.call('ECHO', 'x'.repeat(20_000)))
  assert.ok(tookMs > 190 && tookMs < 1500, `${tookMs}`)
})

test('what is swallowed never arrives: a command that was not seen, or an answer that was lost', async (t) => {
  const { proxy, client } = await through(t)
  await client.call('SET', 'n', 0)
  proxy.up.set({ swallow: true })
  assert.equal(await silent(client.call('INCR', 'n')), 'silent')
  assert.equal(await server.call('GET', 'n'), '0')
  proxy.up.set()
  proxy.down.set({ swallow: true })
  assert.equal(await silent(client.call('INCR', 'n')), 'silent')
  assert.equal(await server.call('GET', 'n'), '1', 'it was done')
  assert.equal(proxy.down.counts.bytesOut + 4, proxy.down.counts.bytesIn)
})

test('a stalled direction takes no bytes, and passes all of them on later', async (t) => {
  const { proxy, client } = await through(t)
  proxy.up.set({ stall: true })
  const answer = client.call('PING')
  assert.equal(await silent(answer), 'silent')
  proxy.heal()
  assert.equal(await answer, 'PONG')
})

test('half open: the server is gone, the client is told nothing, and a new connection works', async (t) => {
  const { proxy, client } = await through(t)
  await client.call('CLIENT', 'SETNAME', 'halved')
  proxy.halfOpen()
  await until('the end of the far half', async () => !/name=halved/.test(await server.call('CLIENT', 'LIST')))
  assert.equal(await silent(client.call('PING')), 'silent')
  const other = await connect(proxy)
  assert.equal(await other.call('PING'), 'PONG')
  other.close()
})

test('a reset ends a connection at once, with an error', async (t) => {
  const { proxy, client } = await through(t)
  const answer = client.call('BLPOP', 'nothing', 0)
  proxy.reset()
  await assert.rejects(answer, { code: 'ECONNRESET' })
})

test('a server that refuses is one until it is healed', async (t) => {
  const { proxy } = await through(t)
  proxy.refuse()
  await assert.rejects(async () => (await connect(proxy)).call('PING'))
  proxy.heal()
  const client = await connect(proxy)
  assert.equal(await client.call('PING'), 'PONG')
  client.close()
})

test('a truncated answer is the beginning of it and the end of the connection', async (t) => {
  const { proxy, client } = await through(t)
  proxy.down.set({ truncateAfter: 10 })
  await assert.rejects(client.call('ECHO', 'x'.repeat(100)), /closed/)
  assert.equal(proxy.down.counts.bytesOut, 10)
  assert.equal(proxy.down.counts.truncated, 1)
})

test('flipped bits change that share of bytes, one bit each', async (t) => {
  const { proxy, client } = await through(t)
  let drawn = 0
  // The first byte, and in it the lowest bit: '*' becomes '+', and what was a command is words.
  proxy.up.set({ flip: 0.5, random: () => (drawn++ < 2 ? 0 : 0.9) })
  await assert.rejects(client.call('PING'), /unknown command '\+1'/)
  assert.equal(proxy.up.counts.flipped, 1)
})

test('garbage comes in the place of bytes, as many', async (t) => {
  const { proxy, client } = await through(t)
  proxy.down.set({ garbage: 1, random: draws(0.25) })
  let heard
  client.onBytes = (bytes) => (heard = bytes)
  assert.equal(await silent(client.call('PING')), 'silent')
  assert.equal(heard.toString(), '@@@@@@@')
  assert.equal(proxy.down.counts.garbled, 1)
})

test('swapped replies change places', async (t) => {
  const { proxy, client } = await through(t)
  proxy.down.set({ swap: 1 })
  const [first, second] = await Promise.all([client.call('ECHO', 'first'), client.call('ECHO', 'second')])
  assert.deepEqual([first, second], ['second', 'first'])
  assert.equal(proxy.down.counts.swapped, 1)
})

test('a reply that is put in shifts all that come after', async (t) => {
  const { proxy, client } = await through(t)
  proxy.down.set({ insert: 0.5, random: draws(0.4, 0, 0.9) })
  assert.deepEqual(await Promise.all([client.call('ECHO', 'a'), client.call('ECHO', 'b')]), ['OK', 'a'])
  assert.equal(proxy.down.counts.inserted, 1)
})

test('so does a reply that is left out', async (t) => {
  const { proxy, client } = await through(t)
  proxy.down.set({ drop: 0.5, random: draws(0.4, 0.9, 0.9) })
  const answers = ['a', 'b', 'c'].map((word) => client.call('ECHO', word))
  assert.deepEqual(await Promise.all(answers.slice(0, 2)), ['b', 'c'])
  assert.equal(await silent(answers[2]), 'silent')
  assert.equal(proxy.down.counts.dropped, 1)
})

test('a server that is not there is told as the end of the connection, and counted', async (t) => {
  const behind = await startServer()
  const proxy = await startProxy(behind)
  t.after(() => proxy.close())
  await behind.close()
  await assert.rejects(async () => (await connect(proxy)).call('PING'))
  assert.equal(proxy.counts.unreached, 1)
})
