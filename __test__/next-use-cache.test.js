// Owns the proof that spillway/next-use-cache answers as Next expects of its cacheHandlers; examples.test.js does so in Next.
// Never waits for time: it is the clock each test holds.
'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const path = require('node:path')
const { test } = require('node:test')
const { Worker } = require('node:worker_threads')
const { nextCache } = require('spillway/next-cache')
const { nextUseCache } = require('spillway/next-use-cache')

/** A handler in a time of the test's own. */
function frozen(options) {
  const time = { now: 1_700_000_000_000 }
  return { time, handler: nextUseCache({ clock: () => time.now, ...options }) }
}

/** What Next hands over once it has begun to make something. */
const made = (time, text, { tags = [], ...more } = {}) => ({
  value: new Blob([text]).stream(),
  tags,
  stale: 300,
  timestamp: time.now,
  expire: 3600,
  revalidate: 900,
  ...more,
})
const stored = (handler, key, entry) => handler.set(key, Promise.resolve(entry))
const textOf = async (entry) => entry && new Response(entry.value).text()

/** A stream that is written to by hand. */
function written() {
  /** @type {ReadableStreamDefaultController} */
  let controller
  const stream = new ReadableStream({ start: (given) => (controller = given) })
  return { stream, controller }
}

test('a result comes back as it went in, with a stream of its own for each reader', async () => {
  const { time, handler } = frozen()
  const bytes = Buffer.from([0, 255, 128, 10])
  const { stream, controller } = written()
  controller.enqueue(new Uint8Array(bytes.subarray(0, 3)))
  controller.enqueue(new Uint8Array(bytes.subarray(3)))
  controller.close()
  await stored(handler, 'key', { ...made(time, ''), value: stream, tags: ['a'] })
  assert.ok(
    stream.locked === false && (await stream.getReader().read()).done,
    'the stream was read to its end, and let go',
  )

  const [one, two] = [await handler.get('key', []), await handler.get('key')]
  assert.notEqual(one.value, two.value)
  for (const { value, ...about } of [one, two]) {
    assert.ok(value instanceof ReadableStream)
    assert.deepEqual(Buffer.from(await new Response(value).arrayBuffer()), bytes)
    assert.deepEqual(about, { tags: ['a'], stale: 300, timestamp: time.now, expire: 3600, revalidate: 900 })
  }
  assert.equal(await handler.get('absent', []), undefined)
  await stored(handler, 'empty', made(time, ''))
  assert.equal(await textOf(await handler.get('empty', [])), '')
})

test('who asks while a set is under way waits for it, and has what was set', async () => {
  const { time, handler } = frozen()
  const { stream, controller } = written()
  let begin
  const set = handler.set('key', new Promise((resolve) => (begin = resolve)))
  const asked = [handler.get('key', []), handler.get('key', [])]
  const early = await Promise.race([...asked, new Promise((resolve) => setImmediate(resolve, 'still waiting'))])
  assert.equal(early, 'still waiting')
  assert.equal(await handler.get('other', []), undefined, 'another key is nobody else’s business')

  begin({ ...made(time, ''), value: stream })
  controller.enqueue(Buffer.from('late'))
  assert.equal(
    await Promise.race([...asked, new Promise((resolve) => setImmediate(resolve, 'still waiting'))]),
    'still waiting',
  )
  controller.close()
  await set
  for (const entry of await Promise.all(asked)) assert.equal(await textOf(entry), 'late')
})

test('what breaks off is not stored: what was there stays, and nobody waits for ever', async () => {
  const { time, handler } = frozen()
  for (const old of [undefined, 'old']) {
    if (old !== undefined) await stored(handler, 'key', made(time, old))
    const { stream, controller } = written()
    controller.enqueue(Buffer.from('half of'))
    const broken = handler.set('key', Promise.resolve({ ...made(time, ''), value: stream }))
    const asked = handler.get('key', [])
    controller.error(new Error('the render has failed'))
    await broken
    assert.equal(await textOf(await asked), old)

    await handler.set('key', Promise.reject(new Error('the render has failed')))
    assert.equal(await textOf(await handler.get('key', [])), old)
  }
})

test('past its revalidate a result is served for Next to make it anew; past its expire it is gone', async () => {
  const { time, handler } = frozen()
  await stored(handler, 'key', made(time, 'old'))
  time.now += 3_599_999
  assert.equal((await handler.get('key', [])).revalidate, 900)
  time.now += 1
  assert.equal(await handler.get('key', []), undefined)

  // It counts from when it was begun, not from when it was done.
  await stored(handler, 'key', { ...made(time, 'slow'), timestamp: time.now - 3_000_000 })
  time.now += 600_000
  assert.equal(await handler.get('key', []), undefined)
  for (const expire of [0, -1]) {
    await stored(handler, 'dynamic', made(time, 'dynamic', { expire }))
    assert.equal(await handler.get('dynamic', []), undefined)
  }
  await stored(handler, 'long', made(time, 'long', { expire: 0xfffffffe }))
  assert.equal(await textOf(await handler.get('long', [])), 'long')
})

test('updateTags without durations: what has the tag is gone, and so it is for who names the tag', async () => {
  const { time, handler } = frozen()
  await stored(handler, 'own', made(time, '1', { tags: ['x', 'prices'] }))
  await stored(handler, 'soft', made(time, '2'))
  await stored(handler, 'other', made(time, '3', { tags: ['price'] }))
  time.now += 1
  await handler.updateTags(['prices', 'y'])
  assert.equal(await handler.get('own', []), undefined)
  assert.equal(await handler.get('soft', ['_N_T_/layout', 'prices']), undefined)
  assert.equal(await textOf(await handler.get('soft', ['_N_T_/layout'])), '2')
  assert.equal(await textOf(await handler.get('other', [])), '3')
  assert.equal(await handler.getExpiration(['prices']), Infinity, 'so that Next names them')
  assert.equal(await handler.refreshTags(), undefined)
})

test('updateTags with durations: what has the tag is served as due, until it is made anew or expire is over', async () => {
  const { time, handler } = frozen()
  const entry = async () => {
    const found = await handler.get('key', ['soft'])
    return found && [await textOf(found), found.revalidate]
  }
  for (const tag of ['own', 'soft']) {
    await stored(handler, 'key', made(time, 'old', { tags: ['own'] }))
    time.now += 1
    await handler.updateTags([tag], { expire: 60 })
    assert.deepEqual(await entry(), ['old', -1])
    time.now += 59_999
    assert.deepEqual(await entry(), ['old', -1])
    await stored(handler, 'key', made(time, 'new', { tags: ['own'] }))
    time.now += 1
    assert.deepEqual(await entry(), ['new', 900])
    time.now += 1
    await handler.updateTags([tag], { expire: 60 })
    time.now += 60_000
    assert.equal(await entry(), undefined)

    await stored(handler, 'key', made(time, 'old', { tags: ['own'] }))
    await handler.updateTags([tag], {})
    time.now += 3_000_000
    assert.deepEqual(await entry(), ['old', -1], 'no expire: as long as the result may be served itself')
  }
})

test('what was begun before its tag was revalidated is not stored, however late it is done', async () => {
  const { time, handler } = frozen()
  await handler.get('key', [])
  time.now += 1_000
  const before = made(time, 'from before', { tags: ['prices'] })
  time.now += 5
  await handler.get('key', [])
  time.now += 1
  await handler.updateTags(['prices'])
  time.now += 1
  const after = made(time, 'from after', { tags: ['prices'] })
  time.now += 5_000
  await stored(handler, 'key', before)
  assert.equal(await handler.get('key', []), undefined)
  await stored(handler, 'key', after)
  assert.equal(await textOf(await handler.get('key', [])), 'from after')

  const due = made(time, 'due', { tags: ['prices'] })
  time.now += 5
  await handler.updateTags(['prices'], { expire: 60 })
  await stored(handler, 'due', due)
  assert.equal((await handler.get('due', [])).revalidate, -1)
  const old = made({ now: time.now - 86_400_000 }, 'of a time nobody knows', { tags: ['prices'], expire: 90_000 })
  await stored(handler, 'old', old)
  assert.equal(await handler.get('old', []), undefined)
})

test('a key may be as long as arguments are, and a result have any number of tags', async () => {
  const { time, handler } = frozen()
  const key = (last) => JSON.stringify(['id', 'x'.repeat(100_000), last])
  const tags = Array.from({ length: 300 }, (_, index) => `tag-${index}`)
  await stored(handler, key(1), made(time, '1', { tags }))
  await stored(handler, key(2), made(time, '2'))
  assert.equal(await textOf(await handler.get(key(1), [])), '1')
  assert.equal(await textOf(await handler.get(key(2), tags)), '2')
  time.now += 1
  await handler.updateTags(['tag-299'])
  assert.equal(await handler.get(key(1), []), undefined)
  assert.equal(await handler.get(key(2), tags), undefined)
})

test('a result that is too large is not kept, neither is the one before it, and a warning says so once', async (t) => {
  const { time, handler } = frozen({ maxBytes: '1mb', maxValueBytes: '10kb' })
  await stored(handler, 'key', made(time, 'small'))
  /** @type {any[]} */
  const warnings = []
  const heard = (/** @type {unknown} */ warning) => warnings.push(warning)
  process.on('warning', heard)
  t.after(() => process.off('warning', heard))
  for (let set = 0; set < 2; set++) await stored(handler, 'key', made(time, 'x'.repeat(20_000)))
  await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(
    warnings.map(({ code }) => code),
    ['E_VALUE_TOO_LARGE'],
  )
  assert.match(warnings[0].message, /'use cache'.*maxValueBytes/)
  assert.equal(await handler.get('key', []), undefined)
})

test('threads share what they store and what they revalidate', async (t) => {
  const name = 'threads'
  const results = nextUseCache({ name })
  const Pages = nextCache({ name })
  const thread = new Worker(path.join(__dirname, 'threads', 'next-handlers.js'), { workerData: { name } })
  t.after(async () => {
    await thread.terminate()
    results.cache.dispose()
    Pages.cache.dispose()
  })
  const there = async (...call) => {
    thread.postMessage(call)
    return (await once(thread, 'message'))[0]
  }
  const now = { now: Date.now() }
  const { value: _, ...entry } = made(now, '', { tags: ['prices'] })
  const page = { kind: 'APP_PAGE', html: '<p>', headers: { 'x-next-cache-tags': 'prices' } }
  const told = { cacheControl: { revalidate: 60, expire: 3600 } }

  await there('set', 'key', { ...entry, text: 'from there' })
  assert.equal(await textOf(await results.get('key', [])), 'from there')
  await there('setPage', '/', page, told)
  assert.deepEqual((await new Pages().get('/', { kind: 'APP_PAGE' })).value, page)

  await there('updateTags', ['prices'], { expire: 60 })
  assert.equal((await results.get('key', [])).revalidate, -1)
  await there('updateTags', ['prices'])
  assert.equal(await results.get('key', []), undefined)
  await new Pages().revalidateTag('prices')
  assert.equal(await there('getPage', '/', { kind: 'APP_PAGE' }), null)
})

test('wrong options throw where they are written', () => {
  assert.throws(() => nextUseCache({ ttl: '5m' }), {
    code: 'E_OPTION',
    message: /`ttl` is not an option of nextUseCache\(\)/,
  })
  assert.throws(() => nextUseCache({ maxBytes: -1 }), { code: 'E_SIZE', message: /`maxBytes` of nextUseCache\(\)/ })
})
