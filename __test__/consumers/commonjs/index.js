// A guest that requires the package. Owns no truth but this: what is installed works.
// Never reads anything outside of its own folder.
'use strict'

const assert = require('node:assert/strict')
const { spillway, limiter, breaker, bulkhead, cache, Refusal, isRefusal } = require('spillway')
const { limit } = require('spillway/express')
const { limited } = require('spillway/fetch')

async function visit() {
  const door = limiter('door', { limit: 2, window: '365d' })
  assert.deepEqual(
    [1, 2, 3].map(() => door.consume('tenant').ok),
    [true, true, false],
  )
  assert.equal(door.consume('tenant').reason, 'limited')
  assert.equal(door.consume('another').remaining, 1)
  assert.ok(Refusal.of(door.consume('tenant')) instanceof Refusal)

  const upstream = breaker('upstream', { consecutive: 2 })
  const down = new Error('down')
  for (const _ of [1, 2])
    await assert.rejects(
      upstream.run(() => Promise.reject(down)),
      down,
    )
  assert.equal(upstream.state, 'open')
  await assert.rejects(upstream.run(assert.fail), (error) => {
    assert.ok(error instanceof Refusal && isRefusal(error))
    assert.equal(error.code, 'E_OPEN')
    assert.equal(error.toProblem().status, 503)
    return true
  })

  const pool = bulkhead('pool', { limit: 1 })
  const permit = pool.tryAcquire()
  assert.equal(pool.tryAcquire(), null)
  permit.release()
  assert.equal(await pool.run(() => 7), 7)

  const users = cache('users')
  users.set('7', { name: 'Ada' })
  assert.deepEqual(users.get('7'), { name: 'Ada' })
  assert.deepEqual(await users.getOrSet('8', async () => ({ name: 'Eve' })), { name: 'Eve' })
  assert.equal(users.get('9'), undefined)

  assert.equal(typeof limit(door, { key: () => 'all' }), 'function')
  const answer = await limited(() => new Response('hello'), door, { key: () => 'tenant' })(new Request('http://guest/'))
  assert.equal(answer.status, 429)

  assert.equal(spillway().snapshot().limiters.door.config.limit, 2)
}

visit().then(() => console.log('satisfied'))
