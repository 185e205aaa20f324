// The same guest's second file, in the same process as the first and with modules of its own. Owns the question what two
// copies of the JavaScript over one binary say. Never relies on which file runs first.
'use strict'

/** The package as a module registry that was emptied sees it. */
function anew() {
  jest.resetModules()
  return require('spillway')
}

test('two copies of the package share a limiter, and each reads its own decisions', () => {
  const options = { limit: 5, window: '365d' }
  const one = anew().limiter('second-door', options)
  const two = anew().limiter('second-door', options)
  expect(one.consume('tenant')).toMatchObject({ ok: true, remaining: 4, limit: 5 })
  expect(two.consume('tenant', 3)).toMatchObject({ ok: true, remaining: 1, cost: 3 })
  expect(one.consume('another')).toMatchObject({ ok: true, remaining: 4 })
  expect(two.consume('tenant', 2)).toMatchObject({ ok: false, reason: 'limited', remaining: 1 })
  expect(one.consume('tenant', 2).retryAfterMs).toBeGreaterThan(0)
})

test('neither copy reads from its cache what the other has overwritten', () => {
  const one = anew().cache('second-users')
  const two = anew().cache('second-users')
  one.set('7', 'Ada')
  expect([one.get('7'), two.get('7')]).toEqual(['Ada', 'Ada'])
  two.set('7', 'Eve')
  expect([one.get('7'), two.get('7')]).toEqual(['Eve', 'Eve'])
  one.delete('7')
  expect([one.get('7'), two.get('7')]).toEqual([undefined, undefined])
})

test('completions reach the copy that waits for them', async () => {
  const one = anew().bulkhead('second-pool', { limit: 1, queue: 2 })
  const two = anew().bulkhead('second-pool', { limit: 1, queue: 2 })
  const permit = await one.acquire()
  const waiting = [two.run(() => 'two'), one.run(() => 'one')]
  permit.release()
  expect(await Promise.all(waiting)).toEqual(['two', 'one'])
})

test('a refusal of one copy is a refusal to the other', async () => {
  const one = anew()
  const two = anew()
  expect(one.Refusal).not.toBe(two.Refusal)
  const upstream = one.breaker('second-upstream')
  upstream.isolate()
  const refusal = await upstream.run(() => 7).catch((error) => error)
  expect(refusal).toBeInstanceOf(two.Refusal)
  expect(two.isRefusal(refusal)).toBe(true)
})

test('misuse names its code', () => {
  const { limiter } = anew()
  expect(() => limiter('second-wrong', { limit: 0, window: '5m' })).toThrow(
    expect.objectContaining({ code: 'E_OPTION' }),
  )
})
