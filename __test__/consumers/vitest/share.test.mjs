// The same guest's second file. Owns the question whether a test's own spillway is its own, whichever process or thread it runs in.
// Never relies on which file runs first.
import { expect, test } from 'vitest'
import { isRefusal, Refusal, spillway } from 'spillway'

for (const which of ['first', 'second']) {
  test(`names of a spillway's own meet nobody: ${which}`, async () => {
    const sp = spillway({ isolated: true })
    const door = sp.limiter('door', { limit: 1, window: '365d' })
    expect([1, 2].map(() => door.consume('ada').ok)).toEqual([true, false])
    await sp.close()
  })
}

test('what a refused call throws is a Refusal', async () => {
  const sp = spillway({ isolated: true })
  const payments = sp.breaker('payments')
  payments.isolate()
  const refusal = await payments.run(() => 'paid').catch((error) => error)
  expect(refusal).toBeInstanceOf(Refusal)
  expect(isRefusal(refusal)).toBe(true)
  await sp.close()
})
