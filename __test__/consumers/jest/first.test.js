// A guest that tests its own code with Jest. Owns no truth but this: the package works where modules are loaded anew for
// each file. Never reads anything outside of its own folder.
'use strict'

const { limiter, breaker, bulkhead, cache, Refusal, isRefusal } = require('spillway')

test('a limiter admits and then denies', () => {
  const door = limiter('first-door', { limit: 2, window: '365d' })
  expect([1, 2, 3].map(() => door.consume('tenant').ok)).toEqual([true, true, false])
  expect(door.consume('another')).toMatchObject({ ok: true, remaining: 1, limit: 2, limiter: 'first-door' })
})

test('a breaker opens, and what it throws is a Refusal', async () => {
  const upstream = breaker('first-upstream', { consecutive: 1 })
  await expect(upstream.run(() => Promise.reject(new Error('down')))).rejects.toThrow('down')
  const refusal = await upstream.run(() => 7).catch((error) => error)
  expect(refusal).toBeInstanceOf(Refusal)
  expect(isRefusal(refusal)).toBe(true)
  expect(refusal.code).toBe('E_OPEN')
})

test('a cache answers what was set, and loads once for all who ask', async () => {
  const users = cache('first-users')
  users.set('7', { name: 'Ada' })
  expect(users.get('7')).toEqual({ name: 'Ada' })
  const load = jest.fn(async () => ({ name: 'Eve' }))
  expect(await Promise.all([users.getOrSet('8', load), users.getOrSet('8', load)])).toEqual([
    { name: 'Eve' },
    { name: 'Eve' },
  ])
  expect(load).toHaveBeenCalledTimes(1)
})

test('who waits in the queue of a bulkhead is let in', async () => {
  const pool = bulkhead('first-pool', { limit: 1, queue: 1 })
  const permit = await pool.acquire()
  const waiting = pool.run(() => 7)
  permit.release()
  expect(await waiting).toBe(7)
})
