// A guest that imports the package, and requires it too. Owns no truth but this: both are the same package.
// Never reads anything outside of its own folder.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { breaker, cache, isRefusal, limiter, Refusal, spillway } from 'spillway'
import { limit, refusals } from 'spillway/express'
import { limited } from 'spillway/fetch'

const required = createRequire(import.meta.url)('spillway')
assert.equal(required.Refusal, Refusal)
assert.equal(required.spillway, spillway)
const imported = Object.keys(await import('spillway'))
assert.deepEqual(imported.filter((name) => name !== 'default').sort(), Object.keys(required).sort())

const door = limiter('door', { limit: 2, window: '365d' })
assert.ok(door.consume('tenant').ok)
assert.ok(required.limiter('door', { limit: 2, window: '365d' }).consume('tenant').ok)
assert.equal(door.consume('tenant').ok, false)

const upstream = breaker('upstream', { consecutive: 1 })
await assert.rejects(
  upstream.run(() => Promise.reject(new Error('down'))),
  /down/,
)
await assert.rejects(upstream.run(assert.fail), (error) => error instanceof Refusal && isRefusal(error))
const attempt = await upstream.attempt(assert.fail)
assert.equal(attempt.refusal.code, 'E_OPEN')

const users = cache('users')
users.set('7', { name: 'Ada' })
assert.deepEqual(users.get('7'), { name: 'Ada' })

for (const adapter of [limit, refusals, limited]) assert.equal(typeof adapter, 'function')

console.log('satisfied')
