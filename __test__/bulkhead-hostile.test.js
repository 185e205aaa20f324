// Functions, listeners and signals that do what they should not. Owns that a bulkhead neither loses a permit over them nor counts one
// twice. Never waits for real.
'use strict'

const assert = require('node:assert/strict')
const { execFile } = require('node:child_process')
const { subscribe, unsubscribe } = require('node:diagnostics_channel')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { test } = require('node:test')
const { pathToFileURL } = require('node:url')
const { promisify } = require('node:util')
const vm = require('node:vm')
const { spillway } = require('../index.js')
const { opened, pending, turn } = require('./bulkheads.js')

const FACE = JSON.stringify(path.join(__dirname, '..', 'index.js'))
const mine = new Error('mine')

class Twice extends Promise {
  then(ok, fail) {
    super.then(ok, fail)
    return super.then(ok, fail)
  }
}

for (const [way, options] of [
  ['counted', { limit: 2 }],
  ['leased', { limit: 2, lease: '1d' }],
]) {
  for (const [what, fn, expected] of [
    ['a thenable that resolves twice', () => ({ then: (ok) => [1, 2].forEach(ok) }), 1],
    ['a thenable that resolves and throws', () => ({ then: (ok) => ok(1) ?? assert.fail('late') }), 1],
    ['a promise of another realm', () => vm.runInNewContext('Promise.resolve(1)'), 1],
    ['a promise of a class that calls back twice', () => Twice.resolve(1), 1],
    ['an object that only looks like a promise', () => Object.create(Promise.prototype), TypeError],
    ['a proxy of a promise', () => new Proxy(Promise.resolve(1), {}), TypeError],
    ['no promise', () => 1, 1],
  ]) {
    test(`${what} gives one permit back, once, where permits are ${way}`, async (t) => {
      const { bulkhead, load } = opened(t, options)
      const other = bulkhead.tryAcquire()
      for (const call of [() => bulkhead.run(fn), async () => (await bulkhead.attempt(fn)).value]) {
        if (expected === 1) assert.equal(await call(), 1)
        else await assert.rejects(call, expected)
        await turn()
        assert.deepEqual(load(), [1, 0])
      }
      other.release()
    })
  }

  test(`whatever a function rejects with comes through, undefined too, where permits are ${way}`, async (t) => {
    const { bulkhead, load } = opened(t, options)
    for (const reason of [undefined, null, 0, mine]) {
      for (const fn of [
        () => Promise.reject(reason),
        () => {
          throw reason
        },
        () => ({ then: (_ok, fail) => fail(reason) }),
      ]) {
        const caught = await bulkhead.run(fn).then(assert.fail, (error) => [error])
        assert.deepEqual(caught, [reason])
      }
    }
    assert.deepEqual(load(), [0, 0])
  })

  test(`what never settles holds its permit and nothing else, where permits are ${way}`, async (t) => {
    const { bulkhead, load } = opened(t, options)
    for (const fn of [() => new Promise(() => {}), () => ({ then: () => {} })]) bulkhead.run(fn)
    await turn()
    assert.deepEqual(load(), [2, 0])
    assert.equal((await bulkhead.attempt(() => {})).ok, false)
  })

  test(`a bulkhead that ends while calls are out gets their permits back, and its place is not another’s, where they are ${way}`, async (t) => {
    const { bulkhead, sp } = opened(t, options)
    const [one, two] = [pending(), pending()]
    const runs = [bulkhead.run(one.fn), bulkhead.run(two.fn)]
    bulkhead.dispose()
    assert.throws(() => bulkhead.tryAcquire(), { code: 'E_DISPOSED' })
    // As many as it takes for a freed number to be given out again, were it free.
    for (let i = 0; i < 5000; i++) sp.bulkhead('other', { limit: 1 }).dispose()
    const fresh = sp.bulkhead('slots', options)
    const held = fresh.tryAcquire()
    one.resolve(1)
    two.reject(mine)
    assert.equal(await runs[0], 1)
    await assert.rejects(runs[1], mine)
    assert.equal(sp.snapshot().bulkheads.slots.inUse, 1)
    held.release()
    assert.equal(sp.snapshot().bulkheads.slots.inUse, 0)
  })
}

test('an abort between the turn that comes and the function that would begin gives the permit back', async (t) => {
  const { bulkhead, load } = opened(t, { limit: 1, queue: 3 })
  const held = bulkhead.tryAcquire()
  const controller = new AbortController()
  const { signal } = controller
  const calls = [
    bulkhead.run(() => assert.fail('it was called'), { signal }),
    bulkhead.attempt(() => assert.fail('it was called'), { signal }),
    bulkhead.acquire({ signal }),
  ]
  // The permit is there within this call, the caller hears of it in a later microtask.
  held.release()
  controller.abort(mine)
  for (const call of calls) assert.equal(await call.catch((error) => error), mine)
  assert.deepEqual(load(), [0, 0])
})

test('a listener is called with the refusal of its handle, and off means off', async (t) => {
  const { bulkhead, sp } = opened(t, { limit: 1 })
  const keyed = sp.bulkhead('keyed', { limit: 1, perKey: true })
  const heard = []
  const off = bulkhead.on('refused', (event) => heard.push(event))
  keyed.on('refused', (event) => heard.push(event))
  const published = []
  const onMessage = (message) => published.push(message)
  subscribe('spillway:bulkhead:refused', onMessage)
  t.after(() => unsubscribe('spillway:bulkhead:refused', onMessage))
  const refusal = { code: 'E_FULL', primitive: 'slots', status: 503 }
  const held = [bulkhead.tryAcquire(), keyed.tryAcquire('acme')]
  assert.deepEqual(heard, [])
  bulkhead.tryAcquire()
  await bulkhead.attempt(() => {})
  await bulkhead.acquire().catch(() => {})
  assert.deepEqual(heard, Array(3).fill({ bulkhead, refusal }))
  keyed.tryAcquire('acme')
  assert.deepEqual(heard.at(-1), { bulkhead: keyed, key: 'acme', refusal: { ...refusal, primitive: 'keyed' } })
  off()
  bulkhead.tryAcquire()
  assert.deepEqual([heard.length, published.length], [4, 5])
  for (const permit of held) permit.release()
  assert.throws(() => bulkhead.on('full', () => {}), { code: 'E_OPTION', option: 'event' })
  assert.throws(() => bulkhead.on('refused', 'log'), { code: 'E_FUNCTION' })
})

/** What a script prints before it ends by itself. */
async function printed(script, env = {}) {
  const options = { timeout: 20_000, killSignal: 'SIGKILL', env: { ...process.env, ...env } }
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', script], options)
  return stdout.trim()
}

test('a listener that throws is an uncaught exception and changes no answer', async () => {
  const script = `
    process.on('uncaughtException', ({ message }) => console.log(message))
    const bulkhead = require(${FACE}).bulkhead('slots', { limit: 1 })
    bulkhead.on('refused', () => { throw new Error('of the listener') })
    const permit = bulkhead.tryAcquire()
    console.log(bulkhead.tryAcquire())
    permit.release()
    bulkhead.run(() => 'ran').then(console.log)
  `
  assert.equal(await printed(script), 'null\nof the listener\nran')
})

const NESTED = `
  process.on('warning', ({ code, message }) => console.log(code, /"slots"/.test(message)))
  const bulkhead = require(${FACE}).bulkhead('slots', { limit: 1, queue: 2, queueTimeout: 10 })
  const inner = () => bulkhead.run(() => {}).catch(({ code }) => console.log(code))
  const outer = () => bulkhead.run(async () => { await null; await inner(); await inner() })
  outer().then(outer).then(() => setImmediate(() => {}))
`

test('in development who waits for himself is told so, once', async () => {
  const lines = (await printed(NESTED, { NODE_ENV: 'development' })).split('\n')
  assert.deepEqual(lines.sort(), ['E_FULL', 'E_FULL', 'E_FULL', 'E_FULL', 'SPILLWAY_BULKHEAD_NESTED true'])
})

test('elsewhere nobody looks', async () => {
  assert.equal(await printed(NESTED, { NODE_ENV: 'production' }), 'E_FULL\nE_FULL\nE_FULL\nE_FULL')
})

test('in development neither another key nor a call beside is taken for nesting', async () => {
  const script = `
    process.on('warning', ({ code }) => console.log(code))
    const sp = require(${FACE})
    const [keyed, plain] = [sp.bulkhead('keyed', { limit: 1, queue: 2, perKey: true }), sp.bulkhead('plain', { limit: 1, queue: 9 })]
    const later = () => new Promise((resolve) => setImmediate(resolve))
    const one = keyed.run(() => keyed.run(later, { key: 'b' }), { key: 'a' })
    const rest = [1, 2, 3].map(() => plain.run(later))
    const busy = keyed.run(later, { key: 'b' })
    Promise.all([one, busy, ...rest]).then(() => setImmediate(() => console.log('done')))
  `
  assert.equal(await printed(script, { NODE_ENV: 'development' }), 'done')
})

test('a permit leaves with the block that uses it', async (t) => {
  const { bulkhead, load } = opened(t, { limit: 1, queue: 1 })
  const source = `
    export default async (bulkhead, load) => {
      const seen = []
      {
        using permit = await bulkhead.acquire()
        seen.push(load())
        using none = bulkhead.tryAcquire()
        seen.push(none === null)
      }
      seen.push(load())
      try {
        using permit = bulkhead.tryAcquire()
        permit.release()
        seen.push(load())
        throw new Error('out')
      } catch {}
      return [...seen, load()]
    }
  `
  // Compiled, as long as there are supported versions of Node that cannot read it.
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'spillway-using-'))
  t.after(() => fs.rmSync(folder, { recursive: true }))
  fs.writeFileSync(path.join(folder, 'using.mts'), source)
  const tsc = path.join(__dirname, '..', 'node_modules', '.bin', 'tsc')
  const flags = ['--noCheck', '--target', 'es2022', '--module', 'nodenext', '--types', '', 'using.mts']
  await promisify(execFile)(tsc, flags, { cwd: folder })
  const compiled = await import(pathToFileURL(path.join(folder, 'using.mjs')).href)
  assert.deepEqual(await compiled.default(bulkhead, load), [[1, 0], true, [0, 0], [0, 0], [0, 0]])
})

test('a spillway that closes while calls are out and wait leaves none of them without an answer', async (t) => {
  const { bulkhead, sp } = opened(t, { limit: 1, queue: 1 })
  const { fn, resolve } = pending()
  const [running, queued] = [bulkhead.run(fn), bulkhead.run(() => 'queued')]
  await sp.close()
  resolve('ran')
  assert.deepEqual(await Promise.all([running, queued]), ['ran', 'queued'])
  assert.throws(() => spillway({ isolated: true }).bulkhead('slots', null), { code: 'E_OPTION' })
})
