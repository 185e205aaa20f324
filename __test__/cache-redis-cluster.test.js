// A cache over a cluster: its keys lie on all masters and what is known of its tags on one, and nobody can tell. Owns statements about a cache
// over several servers. Never how a cluster is spoken to: that is redis-cluster's business, in the engine's tests.
'use strict'

const assert = require('node:assert/strict')
const { after, before, test } = require('node:test')
const { startCluster } = require('./redis/servers.js')
const { liveHosts, soon, PATIENT } = require('./hosts.js')
const { never } = require('./caches.js')

let cluster
before(async () => (cluster = await startCluster()))
after(() => cluster.close())

const opened = async (t, count, options) => {
  const redis = { urls: cluster.nodes.map(({ url }) => url), cluster: true, deadline: PATIENT }
  return (await liveHosts(t, redis, count, options)).map(({ cache }) => cache)
}
const KEYS = Array.from({ length: 60 }, (_, index) => `key {${index}} of ${index}`)

test('keys on every master are set, read, listed and deleted together', async (t) => {
  const [a, b, c] = await opened(t, 3)
  await a.setMany(KEYS.map((key, index) => [key, index, { tags: ['all', `t${index % 3}`] }]))
  assert.deepEqual(await b.getMany(KEYS), [...KEYS.keys()])
  const owners = new Set(await Promise.all(KEYS.map(async (key) => (await cluster.ownerOf(key)).port)))
  assert.equal(owners.size, 3)
  const listed = new Set()
  for await (const key of c.keys()) listed.add(key)
  assert.deepEqual([...listed].sort(), [...KEYS].sort())

  await a.invalidateTag('t0')
  const left = KEYS.map((_, index) => (index % 3 === 0 ? undefined : index))
  assert.deepEqual(await c.getMany(KEYS), left, 'from Redis, wherever it lies')
  await soon(async () => (await b.get(KEYS[0])) === undefined)
  assert.deepEqual(await b.getMany(KEYS), left)

  assert.equal(await c.deletePrefix('key {1'), 11, 'also what its tags have made unreadable, but lies there still')
  await soon(async () => (await a.get(KEYS[1])) === undefined)
  await b.clear()
  await soon(async () => (await a.getMany(KEYS)).every((value) => value === undefined))
})

test('cold keys on every master are loaded once over hosts', async (t) => {
  const all = await opened(t, 4)
  let loads = 0
  const load = async () => {
    loads++
    await new Promise((resolve) => setTimeout(resolve, 30))
    return loads
  }
  await Promise.all(KEYS.flatMap((key) => all.map((cache) => cache.getOrSet(key, load))))
  assert.equal(loads, KEYS.length)
  assert.ok((await Promise.all(KEYS.map((key) => all[3].getOrSet(key, never)))).every((value) => value > 0))
})

test('what was made before an invalidation is not stored after it, though the two know nothing of each other', async (t) => {
  const [a, b, c] = await opened(t, 3)
  for (const key of KEYS.slice(0, 12)) {
    const since = await b.moment()
    await a.invalidateTag(`of ${key}`)
    await b.set(key, 'old', { tags: [`of ${key}`], since })
    assert.equal(await c.get(key), undefined, key)
  }
  assert.equal(await a.setVersion('2'), true)
  // Until it has heard of it, what it sets is of the version before.
  await soon(() => b.version === '2')
  await b.set('after', 1)
  await soon(async () => (await a.get('after')) === 1)
})
