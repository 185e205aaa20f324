// Owns the proof that retries do not multiply an outage: what arrives at an upstream that is down, for each call through a client.
// Never waits: a second of calls passes on a clock the test moves.
'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')
const { setImmediate: turn } = require('node:timers/promises')
const { hedge, retry, spillway } = require('spillway')
const { fetchClient } = require('spillway/fetch-client')

/** What a budget by default pays for each call, and for each second. */
const RATIO = 0.2
const FLOOR = 10
/** How much more may arrive while it is counted: what was granted before, and waited. */
const WAITING = 10

const STEP_MS = 10

const down = {
  'that answers 503': async () => new Response('down', { status: 503 }),
  'that cannot be reached': async () => {
    throw new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED') })
  },
  'that asks for a second': async () => new Response('down', { status: 429, headers: { 'retry-after': '1' } }),
}

/**
 * What an outage looks like upstream: so many calls a second for so many seconds. What had been saved up before is spent in the first,
 * which is not counted.
 * @param {import('node:test').TestContext} t
 * @param {{ rate: number, seconds: number, strategies: any[], fetch?: () => Promise<Response> }} load
 */
async function outage(t, { rate, seconds, strategies, fetch = down['that answers 503'] }) {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: Date.UTC(2026, 0, 2) })
  const sp = spillway({ clock: () => Date.now() })
  let requests = 0
  const counted = () => {
    requests++
    return fetch()
  }
  const client = fetchClient(sp.policy('down', ...strategies), { fetch: counted })
  const perStep = (rate * STEP_MS) / 1_000
  const pass = async (/** @type {number} */ ms) => {
    let calls = 0
    for (let step = 1; step <= ms / STEP_MS; step++) {
      for (; calls < Math.floor(step * perStep); calls++) client('http://down.test/').catch(() => {})
      await turn()
      t.mock.timers.tick(STEP_MS)
    }
    return calls
  }
  await pass(1_000)
  const before = requests
  const calls = await pass(seconds * 1_000)
  const arrived = requests - before
  // What still waits must not wait for real.
  for (let attempt = 0; attempt < 4; attempt++) {
    t.mock.timers.tick(60_000)
    await turn()
  }
  t.mock.timers.reset()
  await sp.close()
  return { calls, requests: arrived }
}

for (const rate of [50, 200, 1_000]) {
  for (const [kind, fetch] of Object.entries(down)) {
    test(`at ${rate} calls a second, an upstream ${kind} sees at most 1.2 + 10/r requests a call`, async (t) => {
      const seconds = 1 + 2_000 / rate
      const { calls, requests } = await outage(t, { rate, seconds, strategies: [retry()], fetch })
      t.diagnostic(`${(requests / calls).toFixed(4)} requests a call, of ${calls} calls`)
      assert.equal(calls, rate * seconds)
      assert.ok(requests <= calls * (1 + RATIO + FLOOR / rate) + WAITING, `${requests} for ${calls} calls`)
      assert.ok(requests > calls * (1 + RATIO), 'what the budget grants is used')
    })
  }
}

test('hedges take from the same budget', async (t) => {
  const slow = () => new Promise((resolve) => setTimeout(() => resolve(new Response('down', { status: 503 })), 50))
  const strategies = [retry(), hedge({ after: 20 })]
  const { calls, requests } = await outage(t, { rate: 200, seconds: 10, strategies, fetch: slow })
  t.diagnostic(`${(requests / calls).toFixed(4)} requests a call`)
  assert.ok(requests <= calls * (1 + RATIO + FLOOR / 200) + WAITING, `${requests} for ${calls} calls`)
})

test('without a budget it would be nearly as many as there are attempts', async (t) => {
  const { calls, requests } = await outage(t, { rate: 200, seconds: 5, strategies: [retry({ budget: false })] })
  t.diagnostic(`${(requests / calls).toFixed(4)} requests a call`)
  assert.ok(requests > 3.5 * calls)
})
