// Fifty thousand policies at random, each against a reckoning of its own: who is answered when and with what, how often the function
// runs, and how its breaker and its bulkhead end. Owns no rule. Never waits for real.
'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')
const { fallback, retry, timeout } = require('../index.js')
const { BreakerOracle, BulkheadOracle, Call, Tie } = require('./policy-oracle.js')
const { faked, heard } = require('./staged.js')

const POLICIES = 50_000
const AT_ONCE = 5000
/** Calls of one policy, each so long after the one before that nothing of that runs any more. */
const CALLS = 3
const APART_MS = 1200

function randomly(seed) {
  let state = seed
  const below = (count) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * count)
  }
  return { below, chance: (share) => below(1000) < share * 1000, from: (min, max) => min + below(max - min + 1) }
}

/** Up to six strategies in any order; no more than two retries, so that calls end, and one breaker and one bulkhead. */
const KINDS = ['timeout', 'timeout', 'retry', 'retry', 'fallback', 'breaker', 'bulkhead']
function strategiesOf({ below, from }) {
  const strategies = []
  const most = { timeout: 3, retry: 2, fallback: 1, breaker: 1, bulkhead: 1 }
  for (let left = below(7); left > 0; left--) {
    const kind = KINDS[below(KINDS.length)]
    if (most[kind]-- <= 0) continue
    if (kind === 'timeout') strategies.push({ kind, milliseconds: from(5, 150) })
    if (kind === 'retry') strategies.push({ kind, max: from(0, 2), waitMs: from(1, 20) })
    if (kind === 'fallback') strategies.push({ kind })
    if (kind === 'breaker') strategies.push({ kind, consecutive: from(1, 3), openMs: from(20, 2000) })
    if (kind === 'bulkhead') strategies.push({ kind, limit: from(1, 3) })
  }
  return strategies
}

/** A policy, what its calls meet, and how they should end. One in which two things happen at a time is drawn anew. */
function drawn(random) {
  for (;;) {
    const strategies = strategiesOf(random)
    const breakers = strategies.filter(({ kind }) => kind === 'breaker').map((each) => [each, new BreakerOracle(each)])
    const bulkheads = strategies
      .filter(({ kind }) => kind === 'bulkhead')
      .map((each) => [each, new BulkheadOracle(each)])
    const primitives = new Map([...breakers, ...bulkheads])
    const calls = []
    try {
      for (let number = 0; number < CALLS; number++) {
        const script = Array.from({ length: random.from(1, 5) }, () => ({
          takes: random.from(1, 80),
          ok: random.chance(0.4),
          heeds: random.chance(0.5),
        }))
        const at = number * APART_MS
        const goneAt = random.chance(0.2) ? at + random.from(1, 100) : Infinity
        const reckoned = new Call(strategies, script, goneAt, primitives)
        const { quiet: _quiet, ...end } = reckoned.from(0, at, [])
        calls.push({ script, at, goneAt, end, ran: reckoned.ran, counts: reckoned.counts })
      }
      for (const [, breaker] of breakers) breaker.settle(CALLS * APART_MS)
      return { strategies, calls, states: breakers.map(([, { state }]) => state) }
    } catch (error) {
      if (!(error instanceof Tie)) throw error
    }
  }
}

/** The same, at work. */
function built(sp, name, strategies) {
  const real = strategies.map((strategy) => {
    const { kind, milliseconds, max, waitMs, limit, consecutive, openMs } = strategy
    if (kind === 'timeout') return timeout(milliseconds)
    if (kind === 'retry') return retry({ max, base: waitMs, cap: waitMs, budget: false })
    if (kind === 'fallback') return fallback(() => 'instead')
    if (kind === 'bulkhead') return sp.bulkhead(name, { limit })
    return sp.breaker(name, {
      consecutive,
      minCalls: 1_000_000,
      window: '1d',
      open: { for: openMs, max: openMs, jitter: 0 },
      probes: 1,
      probeTimeout: '1d',
    })
  })
  const [breakers, bulkheads] = ['breaker', 'bulkhead'].map((wanted) => real.filter(({ kind }) => kind === wanted))
  return { policy: heard(sp.policy(name, ...real)), breakers, bulkheads }
}

/** Begins a call and notes how it ends. */
function begun(policy, { script, at, goneAt }, now) {
  const seen = { ran: 0, end: undefined }
  const controller = new AbortController()
  if (goneAt < Infinity) setTimeout(() => controller.abort('gone'), goneAt - at)
  const fn = (context) =>
    new Promise((resolve, reject) => {
      const { takes, ok, heeds } = script[Math.min(seen.ran++, script.length - 1)]
      setTimeout(() => (ok ? resolve() : reject(new Error('down'))), takes)
      if (!heeds) return
      const { signal } = context
      if (signal.aborted) reject(signal.reason)
      signal.addEventListener('abort', () => reject(signal.reason))
    })
  policy.run(fn, goneAt < Infinity ? { signal: controller.signal } : undefined).then(
    () => (seen.end = { at: now(), ok: true }),
    (error) => (seen.end = { at: now(), ok: false, error: error.code ?? error.message ?? error }),
  )
  return seen
}

test('fifty thousand random policies do with each call what a reckoning says', async (t) => {
  t.mock.method(process, 'emitWarning', () => {})
  const random = randomly(20_261_121)
  const { sp, pass, now } = faked(t)
  let [refused, timeouts, retries, opened] = [0, 0, 0, 0]
  for (let batch = 0; batch < POLICIES / AT_ONCE; batch++) {
    const cases = Array.from({ length: AT_ONCE }, (_, index) => {
      const reckoned = drawn(random)
      return { ...reckoned, name: `p${index}`, ...built(sp, `p${index}`, reckoned.strategies), seen: [] }
    })
    const began = now()
    for (let number = 0; number < CALLS; number++) {
      for (const { policy, calls, seen } of cases) seen.push(begun(policy, calls[number], () => now() - began))
      await pass(APART_MS)
    }
    const { policies, bulkheads: taken } = sp.snapshot()
    for (const { name, strategies, calls, states, seen, policy, breakers, bulkheads } of cases) {
      const told = () =>
        JSON.stringify({ strategies, calls, seen }, (_, value) => (value === Infinity ? 'never' : value))
      seen.forEach(({ end, ran }, number) => {
        assert.deepEqual({ end, ran }, { end: calls[number].end, ran: calls[number].ran }, told())
      })
      const total = (count) => calls.reduce((sum, { counts }) => sum + counts[count], 0)
      for (const count of ['retries', 'timeouts', 'fallbacks'])
        assert.equal(policies[name][count], total(count), told())
      assert.equal(policies[name].running, 0)
      const real = breakers.map(({ state }) => state)
      assert.deepEqual(real, states, told())
      refused += policies[name].refused
      timeouts += total('timeouts')
      retries += total('retries')
      opened += states.includes('open')
      policy.dispose()
      if (bulkheads.length > 0) assert.equal(taken[name].inUse, 0, told())
      for (const primitive of [...breakers, ...bulkheads]) primitive.dispose()
    }
  }
  // That they were worth the while.
  for (const count of [refused, timeouts, retries, opened]) assert.ok(count > POLICIES / 20, `${count} of ${POLICIES}`)
})
