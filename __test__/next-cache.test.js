// Owns the proof that spillway/next-cache answers as Next expects of a cacheHandler; examples.test.js does so in Next.
// Never waits: time is the clock each test holds.
'use strict'

const assert = require('node:assert/strict')
const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { test } = require('node:test')
const { nextCache } = require('spillway/next-cache')
const { collectGarbage } = require('./garbage.js')
const { quotations } = require('./quoted.js')

const HOUR = 3600
const APP_PAGE = { kind: 'APP_PAGE' }
const FETCH = { kind: 'FETCH' }

/** A handler in a time of the test's own. `request()` is what Next makes for each request. */
function frozen(options) {
  const time = { now: 1_700_000_000_000 }
  const Handler = nextCache({ clock: () => time.now, ...options })
  return { time, Handler, request: (context) => new Handler(context), cache: Handler.cache }
}

const page = (html, ...tags) => ({
  kind: 'APP_PAGE',
  html,
  rscData: Buffer.from(`rsc of ${html}`),
  headers: { 'x-next-cache-tags': tags.join() },
  postponed: undefined,
  status: 200,
  segmentData: new Map([['/_tree', Buffer.from([0, 255, 128])]]),
})
const fetched = (body, ...tags) => ({
  kind: 'FETCH',
  data: { headers: {}, body, url: 'http://shop.test/', status: 200 },
  revalidate: HOUR,
  tags,
})
const lasting = (revalidate, expire) => ({ cacheControl: { revalidate, expire } })

test('what Next stores comes back as it went in, buffers and maps in it', async () => {
  const { time, request } = frozen()
  const values = [
    page('<p>', 'a'),
    { kind: 'APP_ROUTE', body: Buffer.from([1, 2, 250]), status: 200, headers: { 'content-type': 'image/png' } },
    { kind: 'PAGES', html: '<p>', pageData: { pageProps: { at: [1, null] } }, headers: {}, status: 200 },
    { kind: 'REDIRECT', props: { destination: '/there' } },
    { kind: 'IMAGE', etag: 'e', upstreamEtag: 'u', buffer: Buffer.from([9]), extension: 'png' },
    null,
  ]
  for (const [index, value] of values.entries()) {
    await request().set(`/page-${index}`, value, lasting(60, HOUR))
    const found = await request().get(`/page-${index}`, APP_PAGE)
    assert.deepEqual(found, { lastModified: time.now, value, ...lasting(60, HOUR) })
    if (value?.rscData) assert.ok(Buffer.isBuffer(found.value.rscData) && found.value.segmentData instanceof Map)
  }
  await request().set('fetch', fetched('{}', 'a'), { fetchCache: true, tags: ['a'] })
  assert.deepEqual((await request().get('fetch', { ...FETCH, tags: ['a'] })).value, fetched('{}', 'a'))
  assert.equal(await request().get('/absent', APP_PAGE), null)
})

test('no reader is handed what another may have changed', async () => {
  const { request } = frozen()
  await request().set('/', page('<p>'), lasting(60, HOUR))
  const first = await request().get('/', APP_PAGE)
  first.value.html = 'changed'
  first.value.segmentData.clear()
  assert.deepEqual((await request().get('/', APP_PAGE)).value, page('<p>'))
})

test('how old a page is, is for Next to weigh; once its expire is over it is gone', async () => {
  const { time, request } = frozen()
  const stored = time.now
  await request().set('/', page('<p>'), lasting(60, HOUR))
  time.now += HOUR * 1000 - 1
  assert.deepEqual(await request().get('/', APP_PAGE), {
    lastModified: stored,
    value: page('<p>'),
    ...lasting(60, HOUR),
  })
  time.now += 1
  assert.equal(await request().get('/', APP_PAGE), null)
  await request().set('/for-ever', page('<p>'), lasting(false))
  time.now += 3_000 * 86_400_000
  assert.equal((await request().get('/for-ever', APP_PAGE)).value.html, '<p>')
})

test('what a revalidated tag concerns is gone at once: by its header, by its own tags, by those its reader names', async () => {
  const { request } = frozen()
  const stored = async () => {
    await request().set('/', page('<p>', '_N_T_/layout', 'news'), lasting(false))
    await request().set('own', fetched('1', 'news'), { fetchCache: true })
    await request().set('told', fetched('2'), { fetchCache: true, tags: ['news'] })
    await request().set('read', fetched('3'), { fetchCache: true })
    await request().set('/other', page('<p>', 'other', 'new'), lasting(false))
  }
  const left = async () => {
    const found = {
      '/': await request().get('/', APP_PAGE),
      own: await request().get('own', FETCH),
      told: await request().get('told', FETCH),
      read: await request().get('read', { ...FETCH, tags: ['a'], softTags: ['news'] }),
      '/other': await request().get('/other', APP_PAGE),
    }
    return Object.keys(found).filter((key) => found[key] !== null)
  }
  for (const tags of ['news', ['x', 'news']]) {
    await stored()
    assert.deepEqual(await left(), ['/', 'own', 'told', 'read', '/other'])
    await request().revalidateTag(tags)
    assert.deepEqual(await left(), ['/other'])
  }
  assert.notEqual(await request().get('read', FETCH), null, 'for a reader without that tag it is what it was')
})

test('with a profile a page is served once more, as one that is due, until it is made anew', async () => {
  const { time, request } = frozen()
  await request().set('/', page('old', 'news'), lasting(false, undefined))
  time.now += 50
  await request().revalidateTag('news', { expire: 365 * 24 * HOUR })
  const due = await request().get('/', APP_PAGE)
  assert.equal(due.value.html, 'old')
  assert.ok(due.lastModified + due.cacheControl.revalidate * 1000 < time.now, 'Next compares these')
  assert.ok(due.cacheControl.revalidate >= 1, 'less is an error to Next')

  await request().set('/', page('new', 'news'), lasting(false, undefined))
  assert.deepEqual(await request().get('/', APP_PAGE), {
    lastModified: time.now,
    value: page('new', 'news'),
    ...lasting(false, undefined),
  })
})

test('with a profile a fetch is older than it may be, however long that is', async () => {
  const { time, request } = frozen()
  for (const [revalidate, asked] of [
    [HOUR, undefined],
    [0xfffffffe, undefined],
    [HOUR, 0xfffffffe],
    [0xfffffffe, false],
  ]) {
    await request().set('fetch', { ...fetched('1', 'news'), revalidate }, { fetchCache: true })
    await request().revalidateTag('news', { expire: undefined })
    const { lastModified } = await request().get('fetch', { ...FETCH, revalidate: asked })
    assert.ok((time.now - lastModified) / 1000 > (asked || revalidate))
  }
})

test('once the expire of the profile is over, the next one waits', async () => {
  const { time, request } = frozen()
  await request().set('/', page('old', 'news'), lasting(false))
  await request().revalidateTag('news', { expire: 60 })
  time.now += 59_999
  assert.equal((await request().get('/', APP_PAGE)).value.html, 'old')
  time.now += 1
  assert.equal(await request().get('/', APP_PAGE), null)
  await request().set('/', page('new', 'news'), lasting(false))
  time.now += 60_000
  assert.equal((await request().get('/', APP_PAGE)).value.html, 'new')
  await request().revalidateTag('news', { expire: 0 })
  await request().revalidateTag('news', { expire: 60 })
  assert.equal(await request().get('/', APP_PAGE), null, 'what was gone does not come back')
})

test('what was made while its tag was revalidated is not kept; what was begun afterwards is', async () => {
  const { request } = frozen()
  const early = request()
  assert.equal(await early.get('/', APP_PAGE), null)
  await request().revalidateTag('news')
  await early.set('/', page('from before', 'news'), lasting(false))
  assert.equal(await request().get('/', APP_PAGE), null)

  const action = request()
  await action.revalidateTag('news')
  assert.equal(await action.get('fetch', { ...FETCH, tags: ['news'] }), null)
  await action.set('fetch', fetched('from after', 'news'), { fetchCache: true })
  assert.equal((await request().get('fetch', { ...FETCH, tags: ['news'] })).value.data.body, 'from after')

  const late = request()
  await request().revalidateTag('news', { expire: 60 })
  await late.set('/', page('from before', 'news'), lasting(false))
  assert.equal((await request().get('/', APP_PAGE)).cacheControl.revalidate, 1, 'with a profile it is due')
})

test('of two looks of one request the first counts: what it stores may come from either', async () => {
  const { request } = frozen()
  const asked = { ...FETCH, tags: ['news'] }
  const both = request()
  assert.equal(await both.get('fetch', asked), null)
  await request().revalidateTag('news')
  assert.equal(await both.get('fetch', asked), null)
  for (const body of ['from before', 'from after']) {
    await both.set('fetch', fetched(body, 'news'), { fetchCache: true })
    const found = await request().get('fetch', asked)
    assert.notEqual(found?.value.data.body, 'from before')
  }
})

test('tags that a request was told of count for its fetches', async () => {
  const { request } = frozen()
  await request().set('fetch', fetched('1', 'news'), { fetchCache: true })
  const told = request({ revalidatedTags: ['news'] })
  assert.equal(await told.get('fetch', { ...FETCH, softTags: ['news'] }), null)
  assert.notEqual(await told.get('fetch', { ...FETCH, tags: ['other'] }), null)
})

test('a page may have any number of tags, and a tag any length', async () => {
  const { request } = frozen()
  const long = `_N_T_/${'very-'.repeat(100)}long`
  const tags = Array.from({ length: 300 }, (_, index) => `item-${index}`)
  for (const tag of ['item-0', 'item-127', 'item-128', 'item-299', long]) {
    await request().set('/', page('<p>', ...tags, long, '', 'item-0'), lasting(false))
    assert.notEqual(await request().get('/', APP_PAGE), null)
    await request().revalidateTag('item-300')
    await request().revalidateTag(`${long}er`)
    assert.notEqual(await request().get('/', APP_PAGE), null)
    await request().revalidateTag(tag, { expire: 60 })
    assert.equal((await request().get('/', APP_PAGE)).cacheControl.revalidate, 1, tag)
    await request().revalidateTag(tag)
    assert.equal(await request().get('/', APP_PAGE), null, tag)
  }
  await request().set('fetch', fetched('1'), { fetchCache: true })
  await request().revalidateTag(tags)
  assert.equal(await request().get('fetch', { ...FETCH, tags: ['x'], softTags: [...tags].reverse() }), null)
})

test('a page that is too large is not kept, and neither is the one before it', async () => {
  const { request } = frozen({ maxBytes: '1mb', maxValueBytes: '10kb' })
  await request().set('/', page('<p>'), lasting(60, HOUR))
  const large = page('x'.repeat(20_000))
  await assert.rejects(request().set('/', large, lasting(60, HOUR)), { code: 'E_VALUE_TOO_LARGE' })
  assert.equal(await request().get('/', APP_PAGE), null)
})

test('revalidating looks at no page, and keeps no list of tags in JavaScript', async () => {
  const { request, cache } = frozen({ maxBytes: '256mb' })
  for (let index = 0; index < 2_000; index++) await request().set(`/${index}`, page('<p>', 'news'), lasting(false))
  await request().revalidateTag('news')
  assert.equal(cache.stats().entries, 2_000, 'they are found gone when they are asked for')
  assert.equal(await request().get('/7', APP_PAGE), null)

  const handler = request()
  await collectGarbage()
  const before = process.memoryUsage().heapUsed
  for (let index = 0; index < 50_000; index++) await handler.revalidateTag(`tag-${index}`)
  await collectGarbage()
  const grown = process.memoryUsage().heapUsed - before
  assert.ok(grown < 1024 ** 2, `${grown} bytes`)
})

/** What a build has left: a folder, and in place of the application's own Next what reads it: `made` is told, and answers. */
function built(t, made) {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'spillway-built-'))
  t.after(() => fs.rmSync(root, { recursive: true }))
  const folder = path.join(root, '.next', 'server')
  const library = path.join(root, 'node_modules/next/dist/server/lib/incremental-cache')
  fs.mkdirSync(folder, { recursive: true })
  fs.mkdirSync(library, { recursive: true })
  fs.writeFileSync(
    path.join(library, 'file-system-cache.js'),
    `exports.default = class {
      constructor(context) { Object.assign(this, context) }
      async get(key) {
        const { made } = this.fs
        made.asked.push([key, this.flushToDisk, this.maxMemoryCacheSize])
        await made.meanwhile?.()
        return made.pages[key] ?? null
      }
    }`,
  )
  return { serverDistDir: folder, fs: { made }, flushToDisk: true, maxMemoryCacheSize: 50_000_000 }
}

test('what the build has made is read when it is first asked for, unless a tag of it was revalidated', async (t) => {
  const { time, request } = frozen()
  const early = { lastModified: time.now - 5_000, value: page('built', 'news'), ...lasting(60, HOUR) }
  const made = { asked: [], pages: { '/a': early, '/b': early, '/c': early } }
  const context = built(t, made)

  assert.deepEqual(await request(context).get('/a', APP_PAGE), early)
  assert.deepEqual(await request(context).get('/a', APP_PAGE), early)
  assert.deepEqual(made.asked, [['/a', false, 0]], 'only to read it, and once')
  assert.equal(await request(context).get('/none', APP_PAGE), null)
  assert.equal(await request(context).get('/a-fetch', FETCH), null)
  assert.equal(made.asked.length, 2)

  await request(context).revalidateTag('news', { expire: 60 })
  assert.equal(
    (await request(context).get('/b', APP_PAGE)).cacheControl.revalidate,
    1,
    'due, as it would be had it been read',
  )
  await request(context).revalidateTag('news')
  for (const key of ['/a', '/b', '/c']) assert.equal(await request(context).get(key, APP_PAGE), null)

  const elsewhere = { ...context, serverDistDir: path.join(os.tmpdir(), 'no-next-here') }
  assert.equal(await request(elsewhere).get('/d', APP_PAGE), null)
})

test('a page that was made anew while its file was read is not replaced by what the build has made', async (t) => {
  const { request } = frozen()
  const early = { lastModified: 0, value: page('built', 'news'), ...lasting(60, HOUR) }
  const meanwhile = () => request().set('/a', page('new', 'news'), lasting(60, HOUR))
  const context = built(t, { asked: [], pages: { '/a': early }, meanwhile })
  assert.equal((await request(context).get('/a', APP_PAGE)).value.html, 'new')
  assert.equal((await request(context).get('/a', APP_PAGE)).value.html, 'new')
})

test('what one process has dumped is served by the next, as due, and goes by its tags as ever', async (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'spillway-dump-'))
  t.after(() => fs.rmSync(folder, { recursive: true }))
  const file = path.join(folder, 'pages')
  const before = frozen()
  await before.request().set('/kept', page('<p>', 'news'), lasting(60, HOUR))
  await before.request().set('/gone', page('<p>', 'old'), lasting(60, HOUR))
  await before.request().revalidateTag('old')
  assert.equal(await before.cache.dump(file), 1)

  const { time, request, cache } = frozen()
  time.now += 1_000
  assert.equal(await cache.restore(file), 1)
  const kept = await request().get('/kept', APP_PAGE)
  assert.deepEqual([kept.value, kept.cacheControl], [page('<p>', 'news'), { revalidate: 1, expire: HOUR }])
  assert.ok(kept.lastModified < time.now - 1_000)
  await request().revalidateTag('news')
  assert.equal(await request().get('/kept', APP_PAGE), null)
})

test('two classes of one name are one cache, with its own name for operators', async (t) => {
  const [one, two] = [nextCache({ name: 'twice' }), nextCache({ name: 'twice' })]
  t.after(() => one.cache.dispose())
  await new one().set('/', page('<p>', 'news'), lasting(60, HOUR))
  assert.equal((await new two().get('/', APP_PAGE)).value.html, '<p>')
  await new two().revalidateTag('news')
  assert.equal(await new one().get('/', APP_PAGE), null)
  assert.equal(one.cache.name, 'twice')
})

test('wrong options throw where they are written', () => {
  const wrong = [
    [{ ttl: '5m' }, 'E_OPTION', /`ttl` is not an option of nextCache\(\)/],
    [{ maxBytes: 'much' }, 'E_SIZE', /`maxBytes` of nextCache\(\)/],
    [{ maxBytes: '1mb', maxValueBytes: '1mb' }, 'E_SIZE', /`maxValueBytes` of nextCache\(\)/],
    [{ name: 7 }, 'E_NAME', /the name of a cache/],
    [{ clock: 7 }, 'E_OPTION', /`clock` of nextCache\(\)/],
  ]
  for (const [options, code, message] of wrong) assert.throws(() => nextCache(options), { code, message })
})

test('importing the adapters of caches, and making what they make, loads no native code and nobody else', () => {
  const script = `
    process.dlopen = () => { throw new Error('native code was loaded') }
    require('spillway/next-cache').nextCache()
    require('spillway/next-use-cache').nextUseCache()
    new (require('spillway/keyv').KeyvSpillway)()
    require('spillway/bentocache').spillwayDriver().factory({ prefix: 'p' })
    const others = Object.keys(require.cache).filter((path) => /\\.node$|node_modules/.test(path))
    if (others.length > 0) throw new Error(others.join())`
  const { status, stderr } = spawnSync(process.execPath, ['-e', script], { cwd: __dirname, encoding: 'utf8' })
  assert.equal(status, 0, stderr)
})

test('docs/next-cache.md quotes the example that is built and run', () => {
  const quoted = quotations('next-cache.md', 'examples/next-cache')
  assert.equal(quoted.length, 6)
  for (const { name, quoted: block, code } of quoted) assert.equal(block, code, name)
})
