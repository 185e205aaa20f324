// Orders of strategies that cannot work, and the warning about each. Owns lib/order.js and the warnings of lib/policies.js.
// Never waits: warnings are made in the turn and told in the next.
'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')
const { fallback, hedge, presets, retry, timeout } = require('../index.js')
const { opened, printed, turn } = require('./staged.js')

let names = 0

/** What is warned of when a policy is made of what `strategiesOf` answers. */
async function warnings(t, strategiesOf) {
  const { sp } = opened(t)
  const seen = []
  const note = (warning) => warning.code === 'SPILLWAY_POLICY_ORDER' && seen.push(warning)
  process.on('warning', note)
  t.after(() => process.off('warning', note))
  const name = `order-${++names}`
  sp.policy(name, ...strategiesOf(sp))
  await turn()
  process.off('warning', note)
  return seen.map(({ message }) => message.replace(`in the policy "${name}" `, ''))
}

const answer = fallback(() => 'instead')
const bulkhead = (sp) => sp.bulkhead('slots', { limit: 5 })

for (const [what, strategiesOf, message] of [
  [
    'one bulkhead twice',
    (sp) => [bulkhead(sp), timeout(5), bulkhead(sp)],
    'the bulkhead "slots" stands in it twice: each call takes two permits, and calls that hold one may wait for each other for ever',
  ],
  [
    'a retry around a fallback',
    () => [retry(), answer],
    'the retry stands around the fallback: it never sees a failure, since the fallback answers for each; put the fallback outside',
  ],
  [
    'a hedge around a fallback, with something in between',
    () => [hedge(), timeout(5), answer],
    'the hedge stands around the fallback: it never sees a failure, since the fallback answers for each; put the fallback outside',
  ],
  [
    'a breaker around a fallback',
    (sp) => [sp.breaker('upstream'), answer],
    'the breaker "upstream" stands around the fallback: it never sees a failure, since the fallback answers for each; put the fallback outside',
  ],
  [
    'a retry around a retry',
    () => [retry(), timeout('1s'), retry({ max: 2 })],
    'a retry stands around a retry: together they make up to 12 attempts of one call; keep one',
  ],
  [
    'a timeout within a shorter one',
    () => [timeout('1s'), retry(), timeout('5s')],
    'the timeout of 5000 ms stands inside one of 1000 ms, and so never fires; make it shorter, or leave it out',
  ],
  [
    'a timeout within an equal one',
    () => [timeout('1s'), timeout(1000)],
    'the timeout of 1000 ms stands inside one of 1000 ms, and so never fires; make it shorter, or leave it out',
  ],
  [
    'a retry that waits longer than the timeout around it',
    () => [timeout(100), retry()],
    'the retry waits at least 100 ms inside a timeout of 100 ms, and so never tries again; put the timeout inside, or make it longer',
  ],
  [
    'a hedge that begins after the timeout around it',
    () => [timeout('1s'), hedge({ after: '1s' })],
    'the hedge begins after 1000 ms inside a timeout of 1000 ms, and so never does; make it begin sooner',
  ],
]) {
  test(`${what} is warned of, with the reason`, async (t) => {
    assert.deepEqual(await warnings(t, strategiesOf), [message])
  })
}

for (const [what, strategiesOf] of [
  ['nothing at all', () => []],
  ['the standard order', () => [presets.http({ limiter: { limit: 5, window: '1s' }, bulkhead: { limit: 5 } })]],
  ['a fallback around everything', (sp) => [answer, timeout('1s'), retry(), hedge(), sp.breaker('b'), timeout(100)]],
  ['two fallbacks', () => [answer, fallback(() => 'another')]],
  [
    'a limiter or a shed around a fallback',
    (sp) => [sp.limiter('l', { limit: 5, window: '1s' }), sp.shed('s'), answer],
  ],
  ['a timeout around a fallback', () => [timeout('1s'), answer]],
  ['two bulkheads of different names', (sp) => [bulkhead(sp), sp.bulkhead('others', { limit: 5 })]],
  ['a longer timeout around a shorter one', () => [timeout(1001), timeout(1000)]],
  ['a short timeout within a retry', () => [retry(), timeout(10)]],
  ['a hedge at the live percentile', () => [timeout(5), hedge()]],
  ['a hedge around a retry', () => [hedge({ after: 10 }), retry()]],
]) {
  test(`${what} is not warned of`, async (t) => {
    assert.deepEqual(await warnings(t, strategiesOf), [])
  })
}

test('each fault of an order is told', async (t) => {
  const told = await warnings(t, (sp) => [sp.breaker('b'), timeout(50), retry({ base: 50 }), answer, timeout(60)])
  assert.equal(told.length, 4)
  assert.equal(new Set(told).size, 4)
})

test('it is a warning of Node’s with a type and a code', async (t) => {
  const { sp } = opened(t)
  const warned = new Promise((resolve) => process.once('warning', resolve))
  sp.policy('order-type', timeout(5), timeout(5))
  const { name, code } = await warned
  assert.deepEqual({ name, code }, { name: 'SpillwayWarning', code: 'SPILLWAY_POLICY_ORDER' })
})

test('it is told once, however often a policy of the name is made', async () => {
  const script = `
    const { policy, spillway, timeout } = require('.')
    let told = 0
    process.on('warning', ({ code }) => code === 'SPILLWAY_POLICY_ORDER' && told++)
    for (let i = 0; i < 10; i++) policy('same', timeout(5), timeout(5))
    spillway({ isolated: true }).policy('same', timeout(5), timeout(5))
    policy('other', timeout(5), timeout(5))
    for (let i = 0; i < 1000; i++) policy('tenant-' + i, timeout(5), timeout(5))
    setImmediate(() => console.log(told))
  `
  assert.equal(await printed(script, '--no-warnings'), '100')
})
