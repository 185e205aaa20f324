// The limiter over a cluster, over sentinels, through a socket and through TLS: the same answers everywhere. Owns that a user's code
// does not know which it is. Never tests what is special about each: engine/tests do.
'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')
const { spillway } = require('../index.js')
const { cluster, redis, sentinels, until } = require('./redis/servers.js')

const LIMIT = { limit: 3, window: '365d', failMode: 'closed' }

/** What every user does, whatever the Redis. */
async function lived(t, given) {
  const [one, two] = [0, 1].map(() => spillway({ redis: { ...given, deadline: '5s' }, prefix: 'same', isolated: true }))
  t.after(() => Promise.all([one.close(), two.close()]))
  await Promise.all([one.ready(), two.ready()])
  const [here, there] = [one, two].map((sp) => sp.limiter('chat', LIMIT))
  const keys = Array.from({ length: 200 }, (_, index) => `key-${index}`)
  // Four units of three for each key, from both at once.
  const asked = [
    here.consumeMany(keys),
    there.consumeMany(keys),
    ...keys.flatMap((key) => [here.consume(key), there.consume(key)]),
  ]
  const decisions = (await Promise.all(asked)).flat()
  assert.equal(decisions.filter(({ ok }) => ok).length, 3 * keys.length, 'exactly the limit, over all keys')
  assert.ok(decisions.every(({ decidedBy }) => decidedBy === 'redis'))
  // All or none, wherever the keys lie.
  const org = one.limiter('org', { ...LIMIT, limit: 2, algorithm: 'fixed-window' })
  const charges = (index) => [
    { limiter: here, key: `user-${index}` },
    { limiter: org, key: 'acme' },
  ]
  const together = []
  for (const index of [1, 2, 3]) together.push((await one.consumeAll(charges(index))).ok)
  assert.deepEqual(together, [true, true, false])
  await until('what was denied has spent nothing', async () => (await here.peek('user-3')).remaining === 3, 2_000)
  // Everything else.
  await here.block('spammer', '1h')
  assert.equal((await there.consume('spammer')).reason, 'blocked')
  assert.equal(await there.unblock('spammer'), true)
  const charge = await there.consume('spammer', 3)
  await there.refund('spammer', charge)
  assert.equal((await here.peek('spammer')).remaining, 3)
  await there.consume('spammer', 3)
  await here.reset('spammer')
  assert.equal((await there.peek('spammer')).remaining, 3)
  assert.equal((await here.reserve('paced', 1, { maxWait: 0 })).ok, true)
  const several = one.limiter('several', [LIMIT, { limit: 2, window: '1d', algorithm: 'sliding-window' }])
  assert.deepEqual(
    [await several.consume('a'), await several.consume('a'), await several.consume('a')].map(({ ok }) => ok),
    [true, true, false],
  )
  const hot = one.limiter('hot', { ...LIMIT, limit: 100, mode: 'lease' })
  let admitted = 0
  for (let call = 0; call < 150; call++) admitted += Number((await hot.consume('everybody')).ok)
  assert.ok(admitted <= 100 && admitted > 50, `${admitted} of 100`)
  return { one, here }
}

test('one server, through a socket', async (t) => {
  const { path } = await redis(t, { socket: true })
  await lived(t, { url: path })
})

test('one server, through TLS, as a user of its ACL', async (t) => {
  const users = ['shop on >p%40ss ~spillway:* &spillway:* +@all -@admin +info']
  const { port, tls } = await redis(t, { tls: true, users })
  await lived(t, { url: `rediss://shop:p%2540ss@localhost:${port}`, tls: { ca: tls.ca, cert: tls.cert, key: tls.key } })
})

test('a cluster, also when a slot moves', async (t) => {
  const nodes = await cluster(t)
  const { one, here } = await lived(t, { urls: nodes.urls, cluster: true })
  assert.ok(one.snapshot().store.nodes.length >= 3)
  await here.consume('moving', 2)
  const [key] = (
    await Promise.all(nodes.nodes.map((node) => node.call('KEYS', 'spillway:same:limiter:chat:*').catch(() => [])))
  ).flat()
  const move = await nodes.migrate(key)
  await Promise.all(Array.from({ length: 50 }, (_, index) => here.consume(`during-${index}`)))
  await move.finish()
  const after = await Promise.all(Array.from({ length: 200 }, (_, index) => here.peek(`key-${index}`)))
  assert.ok(
    after.every(({ ok, decidedBy }) => !ok && decidedBy === 'redis'),
    'all that was spent still is',
  )
  assert.equal((await here.peek('moving')).remaining, 1)
})

test('sentinels, also when the master changes', async (t) => {
  const set = await sentinels(t)
  const { here } = await lived(t, { urls: set.urls, sentinel: { master: set.master } })
  await set.failover('asked')
  await until('the new master decides', async () => (await here.consume('later', 0)).decidedBy === 'redis', 10_000)
  assert.equal((await here.peek('key-7')).remaining, 0, 'what was spent long before still is')
})
