// The same guest under Jest's fake timers. Owns the question whether limits, queues and loads pass with the time Jest says.
// Never waits for real.
'use strict'

const { spillway } = require('spillway')
const { manualClock } = require('spillway/testing')

let sp
beforeEach(() => {
  jest.useFakeTimers()
  sp = spillway({ clock: () => Date.now() })
})
afterEach(async () => {
  await sp.close()
  jest.useRealTimers()
})

test('a limit refills as time is advanced', () => {
  const chat = sp.limiter('chat', { limit: 1, window: '10s' })
  expect([1, 2].map(() => chat.consume('ada').ok)).toEqual([true, false])
  jest.advanceTimersByTime(9_999)
  expect(chat.consume('ada').ok).toBe(false)
  jest.advanceTimersByTime(1)
  expect(chat.consume('ada').ok).toBe(true)
})

test('who waits in a queue is refused as time is advanced', async () => {
  const uploads = sp.bulkhead('uploads', { limit: 1, queue: 1, queueTimeout: '5s' })
  const permit = uploads.tryAcquire()
  const refused = expect(uploads.run(() => 'stored')).rejects.toMatchObject({ code: 'E_FULL' })
  await jest.advanceTimersByTimeAsync(5000)
  await refused
  permit.release()
})

test('a load takes too long as time is advanced, and a value lives until then', async () => {
  const search = sp.cache('search', { ttl: '5m', jitter: 0, loadTimeout: '5s' })
  const refused = expect(search.getOrSet('dam', () => new Promise(() => {}))).rejects.toMatchObject({
    code: 'E_TIMEOUT',
  })
  await jest.advanceTimersByTimeAsync(5000)
  await refused
  search.set('weir', ['one'])
  jest.advanceTimersByTime(299_999)
  expect(search.get('weir')).toEqual(['one'])
  jest.advanceTimersByTime(1)
  expect(search.get('weir')).toBeUndefined()
})

test('a breaker asks again as time is advanced', async () => {
  const payments = sp.breaker('payments', { consecutive: 1, open: { for: '30s', jitter: 0 } })
  await expect(payments.run(() => Promise.reject(new Error('down')))).rejects.toThrow('down')
  await expect(payments.run(() => 'paid')).rejects.toMatchObject({ code: 'E_OPEN' })
  jest.advanceTimersByTime(30_000)
  expect(await payments.run(() => 'paid')).toBe('paid')
})

test('all timers may be run: none of ours goes on for ever', async () => {
  const uploads = sp.bulkhead('uploads', { limit: 1, queue: 1, queueTimeout: '5s' })
  const permit = uploads.tryAcquire()
  const refused = expect(uploads.run(() => 'stored')).rejects.toMatchObject({ code: 'E_FULL' })
  await jest.runAllTimersAsync()
  await refused
  permit.release()
})

test('a clock of the test’s own passes without fake timers', () => {
  jest.useRealTimers()
  const clock = manualClock()
  const own = spillway({ clock })
  const door = own.limiter('door', { limit: 1, window: '1h' })
  expect([1, 2].map(() => door.consume('ada').ok)).toEqual([true, false])
  clock.advance('1h')
  expect(door.consume('ada').ok).toBe(true)
  return own.close()
})
