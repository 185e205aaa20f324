// A guest written in TypeScript for Node's own resolution, as an ES module. Owns no truth but this: it compiles and runs.
// Never reads anything outside of its own folder.
import assert from 'node:assert/strict'
import { breaker, bulkhead, cache, isRefusal, limiter, Refusal, type Decision, type Limiter } from 'spillway'
import { limit } from 'spillway/express'
import { limited } from 'spillway/fetch'
import { ask } from './required.cjs'

const door: Limiter = limiter('door', { limit: 2, window: '365d' })
const decisions: Decision[] = [1, 2, 3].map(() => door.consume('tenant'))
assert.deepEqual(
  decisions.map(({ ok }) => ok),
  [true, true, false],
)

const upstream = breaker('upstream', { consecutive: 1 })
await assert.rejects(
  upstream.run(() => Promise.reject(new Error('down'))),
  /down/,
)
try {
  const answer: number = await upstream.run(() => 7)
  assert.fail(String(answer))
} catch (error) {
  assert.ok(error instanceof Refusal && isRefusal(error))
  assert.equal(error.code, 'E_OPEN')
}

const pool = bulkhead('pool', { limit: 1 })
{
  using permit = pool.tryAcquire()
  assert.ok(permit)
  assert.equal(pool.tryAcquire(), null)
}
assert.ok(pool.tryAcquire(), 'leaving the block gave the permit back')

const users = cache<{ name: string }>('users')
users.set('7', { name: 'Ada' })
assert.equal(users.get('7')?.name, 'Ada')

const handler = limited((request: Request) => new Response(request.url), door, { key: () => 'tenant' })
assert.equal((await handler(new Request('http://guest/'))).status, 429)
assert.equal(typeof limit(door, { key: (request) => request.url ?? '' }), 'function')

assert.equal(ask('tenant').reason, 'limited', 'the CommonJS half of this program meets the same limiter')
console.log('satisfied')
