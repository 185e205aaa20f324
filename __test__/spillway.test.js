// Names, handles and their end, what a snapshot shows, and what every option may be. Owns identity and configuration.
// Never tests what a primitive decides: each has a file of its own.
'use strict'

const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const { test } = require('node:test')
const face = require('../index.js')

const { retry, timeout, spillway, Refusal, isRefusal } = face

/** A spillway that is closed when the test ends. */
function opened(t, options = { isolated: true }) {
  const sp = spillway(options)
  t.after(() => sp.close())
  return sp
}

let names = 0
/** A name no other test has, for the registry all spillways of the process share. */
const fresh = (what) => `${what}-${++names}-${process.pid}`

const LIMIT = { limit: 3, window: '1h' }

/** One of each kind under one name, and a call of each that needs it alive. */
function oneOfEach(sp, name) {
  const handles = [sp.limiter(name, LIMIT), sp.breaker(name), sp.bulkhead(name, { limit: 1 }), sp.cache(name)]
  const calls = [
    () => handles[0].consume('a'),
    () => handles[1].enter(),
    () => handles[2].tryAcquire(),
    () => handles[3].get('a'),
  ]
  return { handles, calls }
}

const DISPOSED = { name: 'Error', code: 'E_DISPOSED' }

// ---------------------------------------------------------------- identity

test('a name opened twice is one handle', (t) => {
  const sp = opened(t)
  assert.equal(sp.limiter('a', LIMIT), sp.limiter('a', { window: 3_600_000, limit: 3, burst: 3 }))
  assert.equal(sp.breaker('a'), sp.breaker('a', {}))
  assert.equal(sp.bulkhead('a', { limit: 1 }), sp.bulkhead('a', { limit: 1, queue: 0 }))
  assert.equal(sp.cache('a'), sp.cache('a', { ttl: '5m' }))
})

test('the same name in two spillways of the process is the same primitive', (t) => {
  const [one, two] = [opened(t, {}), opened(t, { isolated: false })]
  const name = fresh('shared')
  assert.equal(one.limiter(name, LIMIT).consume('a', 2).remaining, 1)
  assert.equal(two.limiter(name, LIMIT).consume('a').remaining, 0)
})

test('the direct exports are bound to a spillway without a prefix', (t) => {
  const sp = opened(t, {})
  const name = fresh('direct')
  face.limiter(name, LIMIT).consume('a', 2)
  assert.equal(sp.limiter(name, LIMIT).consume('a').remaining, 0)
  face.cache(name).set('a', 1)
  assert.equal(sp.cache(name).get('a'), 1)
  const permit = face.bulkhead(name, { limit: 1 }).tryAcquire()
  assert.equal(sp.bulkhead(name, { limit: 1 }).tryAcquire(), null)
  permit.release()
  face.breaker(name).isolate()
  assert.equal(sp.breaker(name).state, 'isolated')
  assert.equal(face.limiter(name, LIMIT), face.limiter(name, LIMIT))
  for (const open of [face.limiter, face.breaker, face.bulkhead, face.cache]) {
    open(name, open === face.limiter ? LIMIT : open === face.bulkhead ? { limit: 1 } : undefined).dispose()
  }
})

test('kinds may share a name', (t) => {
  const sp = opened(t)
  const { handles } = oneOfEach(sp, 'same')
  assert.deepEqual(
    handles.map(({ kind, name }) => `${kind} ${name}`),
    ['limiter same', 'breaker same', 'bulkhead same', 'cache same'],
  )
  handles[0].consume('a', 3)
  handles[1].isolate()
  assert.equal(handles[3].get('a'), undefined)
  assert.equal(sp.limiter('same', LIMIT), handles[0], 'still the one handle')
  handles[1].dispose()
  assert.equal(handles[0].consume('a').ok, false)
})

test('a prefix keeps names apart, and shows in the snapshot', (t) => {
  const [plain, a, b] = [opened(t, {}), opened(t, { prefix: 'team-a' }), opened(t, { prefix: 'team-b' })]
  const name = fresh('prefixed')
  for (const sp of [plain, a, b]) assert.equal(sp.limiter(name, LIMIT).consume('k').remaining, 2)
  assert.equal(opened(t, { prefix: 'team-a' }).limiter(name, LIMIT).consume('k').remaining, 1)
  const shown = Object.keys(plain.snapshot().limiters).filter((key) => key.endsWith(name))
  assert.deepEqual(shown.sort(), [name, `team-a:${name}`, `team-b:${name}`].sort())
})

test('isolated spillways share nothing with anybody', (t) => {
  const [one, two] = [opened(t), opened(t)]
  assert.equal(one.limiter('a', LIMIT).consume('k', 3).ok, true)
  assert.equal(two.limiter('a', { limit: 1, window: 1 }).consume('k').ok, true)
  assert.deepEqual(Object.keys(one.snapshot().limiters), ['a'])
})

test('a clock implies a registry of its own', (t) => {
  const name = fresh('clocked')
  const shared = opened(t, {})
  shared.limiter(name, LIMIT).consume('k', 3)
  const clocked = opened(t, { clock: () => 0, isolated: false })
  assert.equal(clocked.limiter(name, LIMIT).consume('k').ok, true)
  assert.deepEqual(Object.keys(clocked.snapshot().limiters), [name])
})

test('names may be what an object’s own machinery is called', (t) => {
  const sp = opened(t)
  for (const name of ['__proto__', 'constructor', 'toString']) sp.limiter(name, LIMIT).consume('a')
  const { limiters } = sp.snapshot()
  assert.deepEqual(Object.keys(limiters).sort(), ['__proto__', 'constructor', 'toString'])
  assert.equal(Object.getPrototypeOf(limiters), Object.prototype)
  for (const report of Object.values(limiters)) assert.equal(report.allowed, 1)
})

// ---------------------------------------------------------------- mismatch

test('other options under a name are an error that says what differs', (t) => {
  const sp = opened(t)
  sp.limiter('chat', { limit: 30, window: '5m' })
  sp.bulkhead('slots', { limit: 2, queue: 3 })
  sp.breaker('upstream', { probes: 3 })
  sp.cache('found', { ttl: '5m' })
  for (const [open, message] of [
    [
      () => sp.limiter('chat', { limit: 31, window: '5m' }),
      'the limiter "chat" is open with other options: `burst` is 30 there and 31 here, `limit` is 30 there and 31 here; ' +
        "open it with the same ones, under another name, or with `onMismatch: 'replace'` [E_MISMATCH]",
    ],
    [() => sp.bulkhead('slots', { limit: 2, queue: 4 }), /`queue` is 3 there and 4 here; open it with the same/],
    [() => sp.breaker('upstream', { probes: 4 }), /the breaker "upstream" .*`probes` is 3 there and 4 here;/],
    [() => sp.breaker('upstream', { consecutive: 5 }), /`consecutive` is null there and 5 here;/],
    [() => sp.cache('found', { maxBytes: '1mb' }), /the cache "found" .*`maxBytes` is .* there and .* here/],
  ]) {
    assert.throws(open, { name: 'TypeError', code: 'E_MISMATCH', message })
  }
  assert.equal(sp.limiter('chat', { limit: 30, window: '5m' }).consume('a').remaining, 29, 'the first is as it was')
})

test('a mismatch is found between spillways too', (t) => {
  const [one, two] = [opened(t, {}), opened(t, {})]
  const name = fresh('mismatch')
  one.limiter(name, LIMIT)
  assert.throws(() => two.limiter(name, { ...LIMIT, limit: 4 }), { code: 'E_MISMATCH' })
})

test('a mismatch replaces where that was asked for: the old handle keeps the old state, the name has the new', async (t) => {
  const sp = opened(t, { isolated: true, onMismatch: 'replace' })
  const old = sp.limiter('chat', { limit: 30, window: '5m' })
  old.consume('a', 30)
  const replaced = sp.limiter('chat', { limit: 31, window: '5m' })
  assert.notEqual(replaced, old)
  assert.equal(replaced.consume('a').remaining, 30)
  assert.equal(old.consume('a').ok, false)
  assert.equal(sp.limiter('chat', { limit: 31, window: '5m' }), replaced)
  assert.equal(sp.snapshot().limiters.chat.limits[0].limit, 31)
})

test('what was replaced ends with its spillway like everything else', async (t) => {
  for (const options of [
    { isolated: true, onMismatch: 'replace' },
    { prefix: fresh('p'), onMismatch: 'replace' },
  ]) {
    const sp = opened(t, options)
    const handles = [1, 2, 3].map((limit) => sp.limiter('chat', { limit, window: '5m' }))
    for (const handle of handles) assert.equal(handle.consume('a').ok, true)
    await sp.close()
    for (const handle of handles) assert.throws(() => handle.consume('a'), DISPOSED)
  }
})

test('NODE_ENV=development replaces by default, and everywhere else throws', (t) => {
  const { NODE_ENV } = process.env
  t.after(() => {
    if (NODE_ENV === undefined) delete process.env.NODE_ENV
    else process.env.NODE_ENV = NODE_ENV
  })
  for (const [env, onMismatch, replaces] of [
    ['development', undefined, true],
    ['development', 'throw', false],
    ['production', undefined, false],
    ['production', 'replace', true],
    ['test', undefined, false],
  ]) {
    process.env.NODE_ENV = env
    const sp = opened(t, { isolated: true, onMismatch })
    sp.limiter('chat', LIMIT)
    const again = () => sp.limiter('chat', { ...LIMIT, limit: 4 })
    if (replaces) assert.equal(again().limit, 4)
    else assert.throws(again, { code: 'E_MISMATCH' }, env)
  }
})

test('a timeout is the handle’s own: another one is no mismatch, and both handles end with the spillway', async (t) => {
  const sp = opened(t)
  const [one, two] = [10, 20].map((queueTimeout) => sp.bulkhead('slots', { limit: 1, queueTimeout }))
  assert.notEqual(one.tryAcquire(), null)
  assert.equal(two.tryAcquire(), null)
  const [near, far] = ['1s', '2s'].map((softTimeout) => sp.cache('found', { softTimeout }))
  near.set('a', 1)
  assert.equal(far.get('a'), 1)
  await sp.close()
  for (const handle of [one, two]) assert.throws(() => handle.tryAcquire(), DISPOSED)
  for (const handle of [near, far]) assert.throws(() => handle.get('a'), DISPOSED)
})

// ---------------------------------------------------------------- dispose and close

test('dispose ends a name: every handle of it says E_DISPOSED, and a second call does nothing', (t) => {
  const [one, two] = [opened(t, {}), opened(t, {})]
  const name = fresh('disposed')
  const here = oneOfEach(one, name)
  const there = oneOfEach(two, name)
  for (const [index, handle] of here.handles.entries()) {
    assert.doesNotThrow(here.calls[index])
    assert.equal(handle.dispose(), undefined)
    assert.throws(here.calls[index], DISPOSED)
    assert.throws(there.calls[index], { ...DISPOSED, message: new RegExp(`^the ${handle.kind} "${name}" has been`) })
  }
  for (const handle of [...here.handles, ...there.handles, ...here.handles]) assert.doesNotThrow(() => handle.dispose())
})

test('a name opened after dispose is fresh, with whatever options', (t) => {
  const [one, two] = [opened(t, {}), opened(t, {})]
  const name = fresh('reopened')
  one.limiter(name, LIMIT).consume('a', 3)
  const late = two.limiter(name, LIMIT)
  one.limiter(name, LIMIT).dispose()
  const again = one.limiter(name, { limit: 5, window: '1h' })
  assert.equal(again.consume('a').remaining, 4)
  assert.throws(() => late.consume('a'), DISPOSED)
  late.dispose()
  assert.equal(again.consume('a').remaining, 3, 'whoever disposes of the old one does not end the new one')
  assert.equal(two.limiter(name, { limit: 5, window: '1h' }).consume('a').remaining, 2)
  again.dispose()
})

test('a name that somebody else has ended is opened afresh with the same options too', (t) => {
  const [one, two] = [opened(t, {}), opened(t, {})]
  const name = fresh('ended')
  const before = two.limiter(name, LIMIT)
  before.consume('a', 3)
  one.limiter(name, LIMIT).dispose()
  const after = two.limiter(name, LIMIT)
  assert.notEqual(after, before)
  assert.equal(after.consume('a').ok, true)
  assert.throws(() => before.consume('a'), DISPOSED)
  after.dispose()
})

test('a thousand disposals and reopenings in a row leave one name', (t) => {
  const sp = opened(t)
  for (let i = 0; i < 1000; i++) {
    const limiter = sp.limiter('chat', LIMIT)
    assert.equal(limiter.consume('a', 3).ok, true)
    limiter.dispose()
    assert.throws(() => limiter.consume('a'), DISPOSED)
  }
  assert.deepEqual(sp.snapshot().limiters, {})
})

test('close ends what nobody else has open, and leaves what somebody has', async (t) => {
  const [one, two] = [spillway(), opened(t, {})]
  const [mine, ours] = [fresh('mine'), fresh('ours')]
  one.limiter(mine, LIMIT).consume('a', 3)
  const closed = one.limiter(ours, LIMIT)
  closed.consume('a', 3)
  const open = two.limiter(ours, LIMIT)
  assert.equal(await one.close(), undefined)
  assert.throws(() => closed.consume('a'), DISPOSED)
  assert.equal(open.consume('a').ok, false, 'with its state')
  assert.equal(two.limiter(mine, LIMIT).consume('a').ok, true, 'without: it had ended')
})

test('close ends an isolated registry at once', async () => {
  const sp = spillway({ isolated: true })
  const { calls } = oneOfEach(sp, 'a')
  await sp.close()
  for (const call of calls) assert.throws(call, DISPOSED)
})

test('a closed spillway opens nothing and shows nothing; a second close does nothing', async () => {
  for (const options of [{}, { isolated: true }, { clock: () => 0 }]) {
    const sp = spillway(options)
    await sp.close()
    await sp.close()
    for (const call of [
      () => sp.limiter('a', LIMIT),
      () => sp.breaker('a'),
      () => sp.bulkhead('a', { limit: 1 }),
      () => sp.cache('a'),
      () => sp.snapshot(),
    ]) {
      assert.throws(call, { ...DISPOSED, message: /^this spillway is closed; make another with spillway\(\)/ })
    }
  }
})

test('a decoded copy is not served after dispose or close', async (t) => {
  const [one, two] = [spillway(), opened(t, {})]
  const [first, second] = [fresh('copies'), fresh('copies')]
  const [closing, staying, disposing] = [one.cache(first), two.cache(first), two.cache(second)]
  for (const cache of [staying, disposing]) cache.set('a', { of: 1 })
  for (const cache of [closing, staying, disposing]) assert.equal(cache.get('a'), cache.get('a'))
  await one.close()
  assert.throws(() => closing.get('a'), DISPOSED)
  assert.deepEqual(staying.get('a'), { of: 1 })
  disposing.dispose()
  assert.throws(() => disposing.get('a'), DISPOSED)
})

// ---------------------------------------------------------------- snapshot

test('a snapshot has the shape index.d.ts declares, not a field more or less', async (t) => {
  const sp = opened(t)
  const shapes = declaredShapes()
  const { loop, ...bare } = sp.snapshot()
  const none = {
    limiters: {},
    breakers: {},
    bulkheads: {},
    caches: {},
    budgets: {},
    leases: {},
    sheds: {},
    policies: {},
  }
  assert.deepEqual(bare, none)
  assertShape(loop, 'LoopReport', shapes, 'loop')
  const { handles } = oneOfEach(sp, 'a')
  sp.breaker('slow', { consecutive: 3, slow: { over: '1s', rate: 0.5 } })
  await sp.policy('careful', timeout('1s'), retry()).run(() => {})
  sp.limiter('several', [LIMIT, { limit: 9, window: '1d', algorithm: 'fixed-window', shadow: true }]).consume('a')
  handles[0].consume('a')
  await handles[1].run(() => {})
  handles[3].set('a', 1)
  const snapshot = sp.snapshot()
  assert.deepEqual(snapshot.limiters.several.config, configured(snapshot.limiters.several), 'of the first of them')
  assertShape(snapshot, 'Snapshot', shapes, 'snapshot')
  assert.deepEqual(JSON.parse(JSON.stringify(snapshot)), snapshot, 'plain data')
  assertShape(handles[3].stats(), 'CacheStats', shapes, 'stats')
  assert.throws(() => assertShape({ ...snapshot, more: {} }, 'Snapshot', shapes, 'snapshot'))
  const less = structuredClone(snapshot)
  delete less.breakers.a.window.slow
  assert.throws(() => assertShape(less, 'Snapshot', shapes, 'snapshot'), /snapshot\.breakers\.a\.window/)
  const other = structuredClone(snapshot)
  other.breakers.a.state = 'ajar'
  assert.throws(() => assertShape(other, 'Snapshot', shapes, 'snapshot'), /snapshot\.breakers\.a\.state/)
  for (const [field, wrong] of Object.entries({ algorithm: 'guess', provenance: { limit: 7 }, shadow: 0, name: 7 })) {
    const limit = structuredClone(snapshot)
    limit.limiters.several.limits[1][field] = wrong
    const at = new RegExp(`snapshot\\.limiters\\.several\\.limits\\[1\\]\\.${field}`)
    assert.throws(() => assertShape(limit, 'Snapshot', shapes, 'snapshot'), at)
  }
})

test('a snapshot shows what was configured', (t) => {
  const sp = opened(t)
  sp.limiter('l', { limit: 30, window: '5m', burst: 40, maxKeys: 50 })
  sp.breaker('b', {
    window: '10s',
    failureRate: 0.25,
    minCalls: 7,
    consecutive: 4,
    slow: { over: '1.5s', rate: 0.75 },
    open: { for: '2s', max: '8s', jitter: 0.1 },
    probes: 2,
    probeTimeout: 900,
  })
  sp.bulkhead('h', { limit: 5, queue: 6, perKey: true, lease: '2s' })
  sp.cache('c', {
    ttl: '1m',
    jitter: 0.3,
    stale: '2m',
    grace: '3m',
    negativeTtl: '4s',
    maxBytes: '1mb',
    maxValueBytes: '64kb',
    loadTimeout: '5s',
    version: 7,
    codec: 'v8',
  })
  const { limiters, breakers, bulkheads, caches } = sp.snapshot()
  assert.deepEqual(limiters.l.limits, [
    {
      name: 'l',
      algorithm: 'token-bucket',
      limit: 30,
      windowMs: 300_000,
      burst: 40,
      maxKeys: 50,
      shadow: false,
      provenance: {
        limit: 'option',
        window: 'option',
        burst: 'option',
        algorithm: 'default',
        maxKeys: 'option',
        shadow: 'default',
      },
      keys: 0,
      overflowed: 0,
    },
  ])
  assert.deepEqual(limiters.l.config, configured(limiters.l))
  assert.deepEqual(breakers.b.config, {
    windowMs: 10_000,
    windowCalls: null,
    failureRate: 0.25,
    minCalls: 7,
    consecutive: 4,
    slow: { overMs: 1500, rate: 0.75 },
    open: { forMs: 2000, maxMs: 8000, jitter: 0.1 },
    probes: 2,
    probeTimeoutMs: 900,
    maxKeys: null,
  })
  assert.deepEqual(bulkheads.h.config, { limit: 5, queue: 6, perKey: true, leaseMs: 2000 })
  assert.deepEqual(caches.c.config, {
    ttlMs: 60_000,
    jitter: 0.3,
    staleMs: 120_000,
    graceMs: 180_000,
    negativeTtlMs: 4000,
    loadTimeoutMs: 5000,
    maxBytes: 1_048_576,
    maxValueBytes: 65_536,
    codec: 'v8',
    version: '7',
  })
})

test('the defaults are those index.d.ts names', (t) => {
  const sp = opened(t)
  sp.limiter('a', { limit: 30, window: '5m' })
  sp.bulkhead('a', { limit: 5 })
  sp.cache('a')
  sp.cache('small', { maxBytes: '64kb' })
  const { limiters, bulkheads, caches } = sp.snapshot()
  assert.deepEqual(configured(limiters.a), {
    name: 'a',
    algorithm: 'token-bucket',
    limit: 30,
    windowMs: 300_000,
    burst: 30,
    maxKeys: 1_000_000,
    shadow: false,
  })
  assert.deepEqual(bulkheads.a.config, { limit: 5, queue: 0, perKey: false, leaseMs: null })
  const mb = 1024 * 1024
  assert.deepEqual(caches.a.config, {
    ttlMs: 300_000,
    jitter: 0.1,
    staleMs: 0,
    graceMs: 0,
    negativeTtlMs: 0,
    loadTimeoutMs: 30_000,
    maxBytes: 64 * mb,
    maxValueBytes: mb,
    codec: 'json',
    version: null,
  })
  assert.equal(caches.small.config.maxValueBytes, 8192)
})

/** What a snapshot says the first limit of a limiter was opened with. */
function configured({ limits: [{ keys: _keys, overflowed: _overflowed, provenance: _provenance, ...config }] }) {
  return config
}

/** The interfaces of index.d.ts a snapshot is made of, as field → type. */
function declaredShapes() {
  const text = fs.readFileSync(path.join(__dirname, '..', 'index.d.ts'), 'utf8').replace(/\/\*\*[^]*?\*\//g, '')
  const shapes = new Map()
  for (const [, name, parent, body] of text.matchAll(/export interface (\w+)(?: extends (\w+))? \{\n([^]*?)\n\}/g)) {
    if (/Snapshot$|^CacheStats$|^LimitInfo$|^(?:Loop|Shed)Report$/.test(name))
      shapes.set(name, { parent, fields: fieldsOf(body) })
  }
  const [, states] = /type BreakerState = (.*)/.exec(text)
  shapes.set('BreakerState', { values: states.split(' | ').map((word) => word.slice(1, -1)) })
  return shapes
}

/** Fields of the inside of a pair of braces; what stands inside of further braces stays text. */
function fieldsOf(body) {
  const fields = new Map()
  let rest = body.trim()
  while (rest !== '') {
    const [whole, name, isOptional] = /^(?:readonly )?(\w+)(\?)?: */.exec(rest)
    let [depth, end] = [0, whole.length]
    while (end < rest.length && (depth > 0 || !'\n;'.includes(rest[end]))) {
      depth += '{<'.includes(rest[end]) ? 1 : '}>'.includes(rest[end]) ? -1 : 0
      end++
    }
    // What there is only over Redis: redis-ready.test.js and cache-redis.test.js have it.
    if (isOptional === undefined) fields.set(name, rest.slice(whole.length, end).trim())
    rest = rest.slice(end + 1).trim()
  }
  return fields
}

/** That `value` is of `type`, to the last field. */
function assertShape(value, type, shapes, at) {
  const [, of] = /^Record<string, (\w+)>$/.exec(type) ?? []
  const words = /^'[^|]*'(?: \| '[^|]*')*$/.test(type) ? type.split(' | ').map((word) => word.slice(1, -1)) : undefined
  const alternatives = type.endsWith(' | null') ? [type.slice(0, -' | null'.length), null] : [type]
  if (alternatives.length > 1 && value === null) return
  const [main] = alternatives
  if (of !== undefined) {
    for (const [name, entry] of Object.entries(value)) assertShape(entry, of, shapes, `${at}.${name}`)
  } else if (main.endsWith('[]')) {
    assert.ok(Array.isArray(value), `${at} is no array`)
    for (const [index, entry] of value.entries()) assertShape(entry, main.slice(0, -2), shapes, `${at}[${index}]`)
  } else if (main === 'string' || main === 'boolean') {
    assert.equal(typeof value, main, at)
  } else if (words !== undefined) {
    assert.ok(words.includes(value), `${at} is ${value}`)
  } else if (main === 'number') {
    assert.ok(Number.isFinite(value), `${at} is ${value}`)
  } else if (shapes.get(main)?.values) {
    assert.ok(shapes.get(main).values.includes(value), `${at} is ${value}`)
  } else {
    const fields = main.startsWith('{') ? fieldsOf(main.slice(1, -1)) : allFields(main, shapes)
    assert.deepEqual(Object.keys(value).sort(), [...fields.keys()].sort(), at)
    for (const [name, inner] of fields) assertShape(value[name], inner, shapes, `${at}.${name}`)
  }
}

function allFields(name, shapes) {
  const shape = shapes.get(name)
  assert.ok(shape, `index.d.ts declares no ${name}`)
  return new Map([...(shape.parent ? allFields(shape.parent, shapes) : []), ...shape.fields])
}

// ---------------------------------------------------------------- options

/** That `open` throws what the option's rule says. */
function assertMisuse(open, { code, option, Base, includes }) {
  assert.throws(open, (error) => {
    assert.ok(error instanceof Base, `${error.stack}\nis no ${Base.name}`)
    assert.equal(error.code, code, error.message)
    assert.equal(error.option, option, error.message)
    for (const part of includes) assert.ok(error.message.includes(part), `${error.message}\nlacks ${part}`)
    assert.ok(error.message.endsWith(` [${code}]`), error.message)
    return true
  })
}

/** A value as a message shows it. */
function shown(value) {
  if (value === undefined) return 'it is missing'
  if (typeof value === 'string') return `got ${JSON.stringify(value)}`
  if (typeof value === 'function') return 'got function '
  if (Array.isArray(value)) return 'got an array'
  if (typeof value === 'object' && value !== null) return 'got an object (Object)'
  return `got ${String(value)}${typeof value === 'bigint' ? 'n' : ''}`
}

const MISTYPED = ['7', null, true, {}, [], 7n, () => 7]
const FRACTIONS = [NaN, Infinity, -Infinity, 1.5]
const DURATION = "like '30s'"
const LIMITER = { limit: 1, window: 1000 }
const FIXED = { ...LIMITER, algorithm: 'fixed-window' }
const SLIDING = { ...LIMITER, algorithm: 'sliding-window' }
const ALGORITHMS = "must be 'token-bucket', 'fixed-window' or 'sliding-window'"
const ranged = (from, to) => `from ${from} to ${to}`

/** kind, option, the other options, code, what a wrong type is told, wrong types, what is out of range is told, and what is. */
const RULES = [
  ['limiter', 'limit', LIMITER, 'E_OPTION', ranged('1', '1,000,000,000'), [undefined, ...MISTYPED]],
  ['limiter', 'limit', LIMITER, 'E_OPTION', ranged('1', '1,000,000,000'), [], [0, -1, 1e9 + 1, ...FRACTIONS]],
  ['limiter', 'burst', LIMITER, 'E_OPTION', ranged('1', '1,000,000,000'), MISTYPED, [0, -1, 1e9 + 1, ...FRACTIONS]],
  ['limiter', 'maxKeys', LIMITER, 'E_OPTION', ranged('1', '100,000,000'), MISTYPED, [0, 1e8 + 1, ...FRACTIONS]],
  ['limiter', 'algorithm', LIMITER, 'E_OPTION', ALGORITHMS, ['sliding', 'Token-Bucket', 'gcra', '', 1, null, {}]],
  ['limiter', 'burst', FIXED, 'E_OPTION', 'a fixed-window allows its limit at once', [1, 5, null, NaN, '7']],
  ['limiter', 'burst', SLIDING, 'E_OPTION', 'a sliding-window allows its limit at once', [1, 5, null, NaN, '7']],
  ['limiter', 'limit', SLIDING, 'E_OPTION', 'must be up to 1,048,575; for more take a', [], [1_048_576, 1e9]],
  ['limiter', 'limit', SLIDING, 'E_OPTION', ranged('1', '1,000,000,000'), [undefined, ...MISTYPED], [0, 1e9 + 1]],
  ['limiter', 'shadow', LIMITER, 'E_OPTION', 'must be true or false', ['true', 1, 0, null, {}]],
  [
    'limiter',
    'window',
    LIMITER,
    'E_DURATION',
    DURATION,
    [undefined, 'soon', '5 m', '5M', '-5s', '1e3ms', '', 'm', NaN],
  ],
  ['limiter', 'window', LIMITER, 'E_DURATION', DURATION, ['5', Infinity, null, {}, [], true, 7n]],
  ['limiter', 'window', LIMITER, 'E_DURATION', '1 ms to 315,360,000,000 ms', [], [0, 0.9, -1, '0.5ms', '3651d', 4e11]],
  ['breaker', 'window', {}, 'E_DURATION', DURATION, ['soon', null, []]],
  [
    'breaker',
    'window.calls',
    { window: {} },
    'E_OPTION',
    ranged('1', '100,000'),
    [...MISTYPED, undefined],
    [0, 100_001, 1.5],
  ],
  ['breaker', 'window', {}, 'E_DURATION', '10 ms to 86,400,000 ms', [], [9, '9ms', '2d', 0, -10]],
  ['breaker', 'failureRate', {}, 'E_OPTION', 'above 0 and up to 1', MISTYPED, [0, -0.1, 1.1, NaN, Infinity]],
  ['breaker', 'minCalls', {}, 'E_OPTION', ranged('1', '1,000,000'), MISTYPED, [0, 1e6 + 1, ...FRACTIONS]],
  ['breaker', 'consecutive', {}, 'E_OPTION', ranged('1', '1,000,000'), MISTYPED, [0, 1e6 + 1, ...FRACTIONS]],
  ['breaker', 'slow', {}, 'E_OPTION', 'an object with over and rate', ['1s', 7, true, null, []]],
  ['breaker', 'slow.over', { slow: { rate: 0.5 } }, 'E_DURATION', DURATION, [undefined, 'soon', null]],
  ['breaker', 'slow.over', { slow: { rate: 0.5 } }, 'E_DURATION', '1 ms to 86,400,000 ms', [], [0, '25h']],
  [
    'breaker',
    'slow.rate',
    { slow: { over: 5 } },
    'E_OPTION',
    'above 0 and up to 1',
    [undefined, '1', null],
    [0, 2, NaN],
  ],
  ['breaker', 'slow.rte', { slow: { over: 5, rate: 1 } }, 'E_OPTION', 'there are over and rate', [1]],
  ['breaker', 'open', {}, 'E_DURATION', DURATION, ['soon', true, NaN]],
  ['breaker', 'open', {}, 'E_OPTION', 'an object with for, max and jitter', [null, []]],
  ['breaker', 'open', {}, 'E_DURATION', '1 ms to 86,400,000 ms', [], [0, '25h', -1]],
  ['breaker', 'open.for', { open: {} }, 'E_DURATION', DURATION, [undefined, 'soon', null]],
  ['breaker', 'open.for', { open: {} }, 'E_DURATION', '1 ms to 86,400,000 ms', [], [0, '25h']],
  ['breaker', 'open.max', { open: { for: 500 } }, 'E_DURATION', DURATION, ['soon', null]],
  ['breaker', 'open.max', { open: { for: 500 } }, 'E_DURATION', '500 ms to 86,400,000 ms', [], [499, '25h']],
  ['breaker', 'open.jitter', { open: { for: 5 } }, 'E_OPTION', 'from 0 to 1', ['0', null], [-0.1, 1.1, NaN]],
  ['breaker', 'probes', {}, 'E_OPTION', ranged('1', '65,535'), MISTYPED, [0, 65_536, ...FRACTIONS]],
  ['breaker', 'probeTimeout', {}, 'E_DURATION', DURATION, ['soon', null]],
  ['breaker', 'probeTimeout', {}, 'E_DURATION', '1 ms to 86,400,000 ms', [], [0, '25h']],
  ['breaker', 'perKey', {}, 'E_OPTION', 'must be true or false', [1, 'yes', null]],
  ['breaker', 'maxKeys', { perKey: true }, 'E_OPTION', ranged('1', '1,000,000'), MISTYPED, [0, 1e6 + 1, ...FRACTIONS]],
  ['breaker', 'maxKeys', {}, 'E_OPTION', 'is for one with `perKey`', [5]],
  ['breaker', 'classify', {}, 'E_OPTION', 'must be a function', ['ok', null, {}, 7]],
  ['breaker', 'onTransition', {}, 'E_OPTION', 'must be a function', ['ok', null, {}, 7]],
  ['bulkhead', 'limit', {}, 'E_OPTION', ranged('1', '1,000,000'), [undefined, ...MISTYPED], [0, 1e6 + 1, ...FRACTIONS]],
  ['bulkhead', 'queue', { limit: 1 }, 'E_OPTION', ranged('0', '1,000,000'), MISTYPED, [-1, 1e6 + 1, ...FRACTIONS]],
  ['bulkhead', 'queueTimeout', { limit: 1 }, 'E_DURATION', DURATION, ['soon', null]],
  ['bulkhead', 'queueTimeout', { limit: 1 }, 'E_DURATION', '1 ms to 86,400,000 ms', [], [0, '25h']],
  ['bulkhead', 'perKey', { limit: 1 }, 'E_OPTION', 'must be true or false', ['true', 1, null]],
  ['bulkhead', 'lease', { limit: 1 }, 'E_DURATION', DURATION, ['soon', null]],
  ['bulkhead', 'lease', { limit: 1 }, 'E_DURATION', '1 ms to 86,400,000 ms', [], [0, '25h']],
  ['cache', 'ttl', {}, 'E_DURATION', DURATION, ['soon', null]],
  ['cache', 'ttl', {}, 'E_DURATION', '1 ms to 315,360,000,000 ms', [], [0, '3651d']],
  ['cache', 'jitter', {}, 'E_OPTION', 'from 0 to 1', ['0', null, true], [-0.1, 1.1, NaN]],
  ['cache', 'maxBytes', {}, 'E_SIZE', "like '64mb'", ['64', '64 mb', '64MB', 'mb', null, {}, NaN, true]],
  ['cache', 'maxBytes', {}, 'E_SIZE', ranged('65,536', '1,099,511,627,776'), [], ['63kb', 0, -1, '1025gb']],
  ['cache', 'maxValueBytes', { maxBytes: '1mb' }, 'E_SIZE', "like '64mb'", ['big', null]],
  ['cache', 'maxValueBytes', { maxBytes: '1mb' }, 'E_SIZE', ranged('1', '131,072'), [], [0, '129kb', -5]],
  ['cache', 'loadTimeout', {}, 'E_DURATION', DURATION, ['soon', null]],
  ['cache', 'loadTimeout', {}, 'E_DURATION', '1 ms to 86,400,000 ms', [], [0, '25h']],
  ['cache', 'stale', {}, 'E_DURATION', '0 ms to 315,360,000,000 ms', [], [-1, '3651d']],
  ['cache', 'grace', {}, 'E_DURATION', '0 ms to 315,360,000,000 ms', [], [-1, '3651d']],
  ['cache', 'negativeTtl', {}, 'E_DURATION', '0 ms to 315,360,000,000 ms', [], [-1, '3651d']],
  ['cache', 'negativeTtl', {}, 'E_DURATION', DURATION, ['soon', null]],
  ['cache', 'softTimeout', {}, 'E_DURATION', '1 ms to 86,400,000 ms', [], [0, '25h']],
  ['cache', 'version', {}, 'E_OPTION', 'a string of 1 to 128 characters, or a number', ['', null, NaN, {}]],
  ['cache', 'codec', {}, 'E_OPTION', "must be 'json', 'bytes', 'v8' or an object", ['JSON', null, {}]],
  ['cache', 'bulkhead', {}, 'E_OPTION', 'must be a bulkhead', ['slots', null, 7, {}]],
  ['cache', 'waitUntil', {}, 'E_OPTION', 'must be a function', ['ctx', null, {}]],
  ['spillway', 'env', {}, 'E_OPTION', 'an object of environment variables, or false', [true, 'prod', 7, null, []]],
  ['spillway', 'onMismatch', {}, 'E_OPTION', "must be 'throw' or 'replace'", ['ignore', null, true]],
  ['spillway', 'isolated', {}, 'E_OPTION', 'must be true or false', ['true', 1, null]],
  ['spillway', 'clock', {}, 'E_OPTION', 'must be a function', [0, 'now', null, {}]],
  ['spillway', 'prefix', {}, 'E_OPTION', "up to 64 characters without ':'", [7, null, {}, 'a:b', ':', 'x'.repeat(65)]],
]

const OPENED_WITH = {
  limiter: LIMITER,
  breaker: {},
  bulkhead: { limit: 1 },
  cache: {},
  spillway: {},
}

/** Options with one of them, maybe inside of another, set to `value`. */
function withOption(options, option, value) {
  const [outer, inner] = option.split('.')
  return { ...options, [outer]: inner === undefined ? value : { ...options[outer], [inner]: value } }
}

for (const [index, [kind, option, others, code, rule, mistyped, outOfRange = []]] of RULES.entries()) {
  const article = kind === 'spillway' ? 'spillway()' : `a ${kind}`
  test(`\`${option}\` of ${article}: ${rule} (rule ${index + 1})`, (t) => {
    const sp = opened(t)
    const open = (options) => (kind === 'spillway' ? spillway(options) : sp[kind]('wrong', options))
    for (const [values, Base] of [
      [mistyped, TypeError],
      [outOfRange, RangeError],
    ]) {
      for (const value of values) {
        const includes = [`\`${option}\` `, rule, article]
        // A long string is cut in the message.
        if (typeof value !== 'string' || value.length <= 60) includes.push(shown(value))
        assertMisuse(() => open(withOption(others, option, value)), { code, option, Base, includes })
      }
    }
    assert.deepEqual(sp.snapshot().limiters, {}, 'nothing was opened')
  })
}

test('both ends of every range are inside of it', (t) => {
  const sp = opened(t)
  for (const [kind, ...all] of [
    ['limiter', { limit: 1, window: 1 }, { limit: 1, window: '3650d' }, { limit: 1e9, window: '1000s', burst: 1e9 }],
    ['limiter', { limit: 1, window: 1, burst: 1, maxKeys: 1 }, { limit: 1, window: 1, algorithm: 'token-bucket' }],
    ['limiter', { limit: 1e9, window: 1, algorithm: 'fixed-window' }, { ...FIXED, window: '3650d', maxKeys: 1e8 }],
    ['limiter', { ...SLIDING, limit: 1_048_575, window: 1 }, { ...SLIDING, limit: 1_048_575, window: '3650d' }],
    ['breaker', { window: 10, failureRate: 1e-9, minCalls: 1, consecutive: 1, probes: 1, probeTimeout: 1, open: 1 }],
    ['breaker', { window: '1d', failureRate: 1, minCalls: 1e6, consecutive: 1e6, probes: 65_535, probeTimeout: '1d' }],
    ['breaker', { open: '1d' }, { open: { for: 1, max: 1, jitter: 0 } }, { open: { for: '1d', max: '1d', jitter: 1 } }],
    ['breaker', { slow: { over: 1, rate: 1e-9 } }, { slow: { over: '1d', rate: 1 } }],
    ['bulkhead', { limit: 1, queue: 0, queueTimeout: 1 }, { limit: 1e6, queue: 1e6, queueTimeout: '24h' }],
    ['cache', { ttl: 1, jitter: 0, maxBytes: 65_536, maxValueBytes: 1, loadTimeout: 1 }, { ttl: '3650d', jitter: 1 }],
    ['cache', { maxBytes: '0.5mb', maxValueBytes: '64kb', codec: 'json', loadTimeout: '1d' }, { maxBytes: '65536b' }],
    ['cache', { stale: 0, grace: 0, negativeTtl: 0, softTimeout: 1, version: 'x'.repeat(128) }],
    ['cache', { stale: '3650d', grace: '3650d', negativeTtl: '3650d', softTimeout: '1d', version: -1.5 }],
  ]) {
    for (const options of all) sp[kind](fresh(kind), options)
  }
  for (const options of [
    { prefix: '' },
    { prefix: 'x'.repeat(64), isolated: true },
    { onMismatch: 'throw' },
    undefined,
  ]) {
    opened(t, options)
  }
})

test('an option there is not is told with those there are', (t) => {
  const sp = opened(t)
  const all = {
    limiter:
      'there are limit, window, burst, algorithm, maxKeys, shadow, env, failMode, mode, share and rememberDenials',
    breaker:
      'there are window, failureRate, minCalls, consecutive, slow, open, probes, probeTimeout, perKey, maxKeys, classify, onTransition and env',
    bulkhead: 'there are limit, queue, queueTimeout, perKey, lease and env',
    cache:
      'there are ttl, jitter, stale, grace, negativeTtl, maxBytes, maxValueBytes, loadTimeout, softTimeout, version, codec, bulkhead, waitUntil and env',
    spillway: 'there are prefix, env, onMismatch, isolated, clock and redis',
  }
  for (const [kind, there] of Object.entries(all)) {
    for (const option of ['Limit', 'windwo', 'constructor']) {
      const options = { ...OPENED_WITH[kind], [option]: 5 }
      const includes = [`\`${option}\` is not an option of `, there, 'got 5']
      const open = () => (kind === 'spillway' ? spillway(options) : sp[kind]('wrong', options))
      assertMisuse(open, { code: 'E_OPTION', option, Base: TypeError, includes })
    }
  }
})

test('options that are no object are told', (t) => {
  const sp = opened(t)
  for (const [kind, of] of [
    [
      'limiter',
      'the options of a limiter must be an object with limit, window, burst, algorithm, maxKeys, shadow, env, failMode, mode, share and rememberDenials',
    ],
    ['breaker', 'the options of a breaker must be an object with window, '],
    [
      'bulkhead',
      'the options of a bulkhead must be an object with limit, queue, queueTimeout, perKey, lease and env; got ',
    ],
    ['cache', 'the options of a cache must be an object with ttl, '],
    ['spillway', 'the options of spillway() must be an object with prefix, '],
  ]) {
    // Of limiters alone there may be several options: how those are refused is in limits.test.js.
    const arrays = kind === 'limiter' ? [] : [[], [LIMITER]]
    for (const options of [null, 30, '30', true, () => LIMITER, ...arrays]) {
      const open = () => (kind === 'spillway' ? spillway(options) : sp[kind]('wrong', options))
      assertMisuse(open, { code: 'E_OPTION', option: undefined, Base: TypeError, includes: [of] })
    }
  }
})

test('a name is a string of 1 to 128 characters', (t) => {
  const sp = opened(t)
  for (const kind of ['limiter', 'breaker', 'bulkhead', 'cache']) {
    for (const name of [undefined, null, '', 7, {}, Symbol('name'), 'x'.repeat(129)]) {
      assert.throws(() => sp[kind](name, OPENED_WITH[kind]), {
        name: 'TypeError',
        code: 'E_NAME',
        message: new RegExp(`^the name of a ${kind} must be a string of 1 to 128 characters; got `),
      })
    }
    assert.equal(sp[kind]('x'.repeat(128), OPENED_WITH[kind]).name.length, 128)
  }
})

test('a long value is cut and what is inside of an object stays out of a message', (t) => {
  const sp = opened(t)
  const secret = { password: 'hunter2' }
  for (const value of [secret, [secret], 'x'.repeat(10_000)]) {
    assert.throws(
      () => sp.limiter('a', { ...LIMIT, burst: value }),
      ({ message }) => message.length < 250 && !message.includes('hunter2'),
    )
  }
})

test('options are read, never changed, and may be frozen or without a prototype', (t) => {
  const sp = opened(t)
  const options = Object.freeze(Object.assign(Object.create(null), { limit: 3, window: '1h' }))
  assert.equal(sp.limiter('a', options).limit, 3)
  assert.deepEqual(Object.keys(options), ['limit', 'window'])
})

test('a polluted prototype is no option', (t) => {
  const polluted = {
    limit: 1,
    window: 1,
    burst: 1,
    maxKeys: 1,
    algorithm: 'fixed-window',
    shadow: true,
    name: 'evil',
    env: { limit: 'EVIL' },
    queue: 9,
    perKey: true,
    lease: 5,
    ttl: 1,
    prefix: 'evil',
    redis: 'redis://evil',
  }
  const more = {
    isolated: 7,
    clock: 7,
    slow: 7,
    consecutive: 1,
    registry: 7,
    nowMs: 7,
    jitter: 7,
    for: 7,
  }
  t.after(() => {
    for (const name of Object.keys({ ...polluted, ...more })) delete Object.prototype[name]
  })
  const { prototype } = Object
  for (const [name, value] of Object.entries({ ...polluted, ...more })) prototype[name] = value
  const sp = opened(t, { onMismatch: 'throw' })
  const name = fresh('polluted')
  assert.throws(() => sp.limiter(name, {}), { code: 'E_OPTION', option: 'limit' })
  assert.throws(() => sp.bulkhead(name, {}), { code: 'E_OPTION', option: 'limit' })
  sp.limiter(name, LIMIT)
  sp.breaker(name, {})
  sp.bulkhead(name, { limit: 2 })
  sp.cache(name, {})
  const { limiters, breakers, bulkheads, caches } = sp.snapshot()
  assert.deepEqual(configured(limiters[name]), {
    name,
    algorithm: 'token-bucket',
    limit: 3,
    windowMs: 3_600_000,
    burst: 3,
    maxKeys: 1_000_000,
    shadow: false,
  })
  assert.deepEqual([breakers[name].config.consecutive, breakers[name].config.slow], [null, null])
  assert.deepEqual(bulkheads[name].config, { limit: 2, queue: 0, perKey: false, leaseMs: null })
  assert.deepEqual([caches[name].config.ttlMs, caches[name].config.jitter], [300_000, 0.1])
})

test('a clock that answers no time is told where it is read', async (t) => {
  let now = 0
  const sp = opened(t, { clock: () => now })
  const { calls, handles } = oneOfEach(sp, 'a')
  for (const answer of [NaN, Infinity, undefined, '0', null, 0n, new Date(0)]) {
    now = answer
    const name = typeof answer === 'number' ? 'RangeError' : 'TypeError'
    const wrong = { name, code: 'E_OPTION', option: 'clock', message: /^`clock` must answer milliseconds since 1970 / }
    for (const call of [calls[0], calls[3]]) assert.throws(call, wrong)
    assert.throws(() => handles[0].peek('a'), wrong)
    assert.throws(() => handles[0].reset('a'), wrong)
    assert.throws(() => handles[3].set('a', 1), wrong)
    assert.throws(() => handles[3].delete('a'), wrong)
    assert.throws(() => sp.snapshot(), wrong)
    assert.throws(() => sp.limiter('b', LIMIT), wrong)
    await assert.rejects(
      handles[3].getOrSet('a', () => 1),
      wrong,
    )
    await assert.rejects(
      handles[1].run(() => 1),
      wrong,
    )
  }
  now = 0
  assert.equal(handles[0].consume('a').remaining, 2, 'nothing was spent meanwhile')
})

test('what a clock throws comes through', (t) => {
  const error = new Error('no time')
  let broken = false
  const sp = opened(t, {
    clock: () => {
      if (broken) throw error
      return 0
    },
  })
  const { calls } = oneOfEach(sp, 'a')
  broken = true
  for (const call of [calls[0], calls[3]]) assert.throws(call, (caught) => caught === error)
})

// ---------------------------------------------------------------- refusals

test('a refusal has the status, the title and the retry of its code, as problem details', () => {
  for (const [code, status, type] of [
    ['E_LIMITED', 429, 'quota-exceeded'],
    ['E_OPEN', 503, 'temporary-reduced-capacity'],
    ['E_FULL', 503, 'temporary-reduced-capacity'],
    ['E_TIMEOUT', 504, undefined],
    ['E_RETRY_BUDGET', 503, 'temporary-reduced-capacity'],
    ['E_SHED', 503, 'temporary-reduced-capacity'],
    ['E_SATURATED', 503, 'temporary-reduced-capacity'],
    ['E_STORE_UNAVAILABLE', 503, undefined],
  ]) {
    const refusal = new Refusal({ code, primitive: 'chat', retryAfterMs: 1001 })
    assert.ok(refusal instanceof Refusal && refusal instanceof Error && isRefusal(refusal))
    assert.deepEqual([refusal.code, refusal.status, refusal.primitive], [code, status, 'chat'])
    assert.ok(refusal.message.includes('"chat"'))
    const problem = refusal.toProblem()
    assert.equal(problem.type, type ? `https://iana.org/assignments/http-problem-types#${type}` : 'about:blank')
    assert.deepEqual([problem.status, problem.code, problem.detail], [status, code, refusal.message])
    assert.equal(problem.retryAfter, 2, 'whole seconds, rounded up')
    assert.ok(typeof problem.title === 'string' && problem.title !== '')
    assert.deepEqual(problem['violated-policies'], code === 'E_LIMITED' ? ['chat'] : undefined)
  }
})

test('Refusal.of a denial says when to come back; of an impossible one it does not', (t) => {
  const sp = opened(t, { clock: () => 0 })
  const limiter = sp.limiter('chat', LIMIT)
  limiter.consume('a', 3)
  const refusal = Refusal.of(limiter.consume('a'))
  const { code, status, primitive, retryAfterMs } = refusal
  assert.deepEqual([code, status, primitive, retryAfterMs], ['E_LIMITED', 429, 'chat', 1_200_000])
  assert.equal(refusal.toProblem().retryAfter, 1200)
  const never = Refusal.of(limiter.consume('a', 4))
  assert.equal(never.retryAfterMs, Infinity)
  assert.equal('retryAfter' in never.toProblem(), false)
  assert.equal(Refusal.of({ ...limiter.consume('a'), reason: 'store-unavailable' }).code, 'E_STORE_UNAVAILABLE')
})

test('a refusal takes a message and a cause', () => {
  const cause = new Error('down')
  const refusal = new Refusal({ code: 'E_SHED', primitive: 'chat', message: 'not now', cause })
  assert.deepEqual([refusal.message, refusal.cause], ['not now', cause])
  const plain = new Refusal({ code: 'E_SHED', primitive: 'chat' })
  assert.deepEqual(['cause' in plain, 'retryAfterMs' in plain], [false, false])
})

test('a refusal of another copy of the package is one, and what only looks like it is not', () => {
  const file = require.resolve('../lib/refusals.js')
  const cached = require.cache[file]
  delete require.cache[file]
  const other = require('../lib/refusals.js')
  require.cache[file] = cached
  assert.notEqual(other.Refusal, Refusal)
  const foreign = new other.Refusal({ code: 'E_OPEN', primitive: 'a' })
  assert.ok(foreign instanceof Refusal && isRefusal(foreign))
  for (const value of [
    { code: 'E_OPEN', primitive: 'a', status: 503 },
    new Error('E_OPEN'),
    null,
    undefined,
    'E_OPEN',
  ]) {
    assert.equal(isRefusal(value), false)
    assert.equal(value instanceof Refusal, false)
  }
  class Mine extends Refusal {}
  assert.equal(foreign instanceof Mine, false)
  assert.ok(new Mine({ code: 'E_OPEN', primitive: 'a' }) instanceof Mine)
})

test('a refusal with a code there is not is told, and costs other errors nothing', () => {
  const limit = Error.stackTraceLimit
  for (const code of ['E_NOPE', undefined, 'constructor', 7]) {
    assert.throws(() => new Refusal({ code, primitive: 'a' }), {
      name: 'TypeError',
      code: 'E_OPTION',
      option: 'code',
      message: /^`code` of a Refusal must be one of E_LIMITED, .*; got /,
    })
  }
  assert.equal(Error.stackTraceLimit, limit)
})
