// How many timers guarded calls take: none each. Owns the count over many calls, guards and waiters.
// Never fakes a timer: what is counted is what Node itself is asked for.
'use strict'

const assert = require('node:assert/strict')
const { createHook } = require('node:async_hooks')
const { test } = require('node:test')
const { spillway, retry, timeout } = require('../index.js')

/** All deadlines of a thread share one timer, which is armed anew now and then; and its clock has one. */
const A_HANDFUL = 5

/** How many timers Node is asked for while `body` runs. */
async function timersSet(body) {
  let count = 0
  const hook = createHook({ init: (_id, type) => (count += Number(type === 'Timeout')) }).enable()
  try {
    await body()
  } finally {
    hook.disable()
  }
  return count
}

/** A policy with everything in it that has a deadline. */
function guarded(t) {
  const sp = spillway({ isolated: true, env: false })
  t.after(() => sp.close())
  const breaker = sp.breaker('upstream')
  const bulkhead = sp.bulkhead('upstream', { limit: 10, queue: 10_000 })
  return {
    sp,
    breaker,
    bulkhead,
    policy: sp.policy('upstream', timeout('10s'), retry(), breaker, bulkhead, timeout('2s')),
  }
}

const answer = async () => 1

test('a timer is noticed: this is what a call would cost that sets its own', async () => {
  const count = await timersSet(async () => {
    for (let call = 0; call < 20; call++) clearTimeout(setTimeout(() => {}, 1000))
    clearInterval(setInterval(() => {}, 1000))
  })
  assert.equal(count, 21)
})

test('ten thousand calls through a policy with two timeouts take a handful of timers, one after the other', async (t) => {
  const { policy } = guarded(t)
  const count = await timersSet(async () => {
    for (let call = 0; call < 10_000; call++) await policy.run(answer)
  })
  assert.ok(count <= A_HANDFUL, `${count}`)
})

test('and all at once, though most of them wait in the queue', async (t) => {
  const { policy } = guarded(t)
  const count = await timersSet(() => Promise.all(Array.from({ length: 10_000 }, () => policy.run(answer))))
  assert.ok(count <= A_HANDFUL, `${count}`)
})

test('and with a timeout of the call’s own', async (t) => {
  const { policy } = guarded(t)
  const count = await timersSet(async () => {
    for (let call = 0; call < 10_000; call++) await policy.run(answer, { timeout: [5000, 1000, 3000][call % 3] })
  })
  assert.ok(count <= A_HANDFUL, `${count}`)
})

test('a thousand retries that wait share one timer', async (t) => {
  const sp = spillway({ isolated: true, env: false })
  t.after(() => sp.close())
  const policy = sp.policy('upstream', retry({ max: 1, base: '1h', cap: '1h', budget: false }))
  const caller = new AbortController()
  const fail = async () => {
    throw new Error('the dependency is down')
  }
  const count = await timersSet(async () => {
    const calls = Array.from({ length: 1000 }, () => policy.run(fail, { signal: caller.signal }))
    setImmediate(() => caller.abort())
    const ended = await Promise.allSettled(calls)
    assert.ok(ended.every(({ reason }) => reason === caller.signal.reason))
  })
  assert.ok(count <= A_HANDFUL, `${count}`)
})

test('a thousand guards take none of their own, made, used and ended', async (t) => {
  const sp = spillway({ isolated: true, env: false })
  t.after(() => sp.close())
  const count = await timersSet(async () => {
    for (let n = 0; n < 1000; n++) {
      const [breaker, bulkhead] = [sp.breaker(`${n}`), sp.bulkhead(`${n}`, { limit: 1 })]
      await breaker.run(() => bulkhead.run(answer))
      const policy = sp.policy(`${n}`, breaker, bulkhead)
      await policy.run(answer)
      for (const each of [policy, breaker, bulkhead]) each.dispose()
    }
  })
  // The clock of the turn is one for all.
  assert.ok(count <= A_HANDFUL, `${count}`)
})
