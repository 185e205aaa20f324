// Holds docs/errors.md to the code: every E_* code has a section, and every example is what is really thrown. Owns that page.
// Never tests when an error is thrown: that is each primitive's own file.
'use strict'

const assert = require('node:assert/strict')
const { execFile } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { test } = require('node:test')
const { promisify } = require('node:util')
const { chaos } = require('../adapters/testing.js')
const { retry, spillway, timeout, Refusal } = require('../index.js')

const ROOT = path.join(__dirname, '..')
const read = (...names) => fs.readFileSync(path.join(ROOT, ...names), 'utf8')
const filesIn = (folder) =>
  fs
    .readdirSync(path.join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.[jt]s$/.test(name))
    .map((name) => path.join(folder, name))

const PAGE = read('docs', 'errors.md')

/** Code → text of its section. */
const sections = new Map(
  PAGE.split(/^#{1,6} /m)
    .slice(1)
    .map((section) => /^(.*)\n([^]*)$/.exec(section).slice(1))
    .filter(([heading]) => /^`?E_/.test(heading)),
)

/** Code → files it stands in, of everything that is published or speaks to who uses it. */
function codesInSource() {
  const files = [...filesIn('lib'), ...filesIn('adapters'), 'elsewhere.js', 'elsewhere.mjs', 'index.js', 'index.d.ts']
  const found = new Map()
  for (const file of [...files, 'engine/src/error.rs']) {
    for (const [code] of read(file).matchAll(/(?<![A-Za-z0-9_])E_[A-Z][A-Z_]*/g)) {
      found.set(code, [...(found.get(code) ?? []), file])
    }
  }
  return found
}

/** The lines of a section's example, or none. */
function examplesOf(code) {
  const [, block] = /```text\n([^]*?)\n```/.exec(sections.get(code) ?? '') ?? []
  return block === undefined ? [] : block.split('\n')
}

/** How an error would be printed, but for its stack. */
async function thrownBy(call) {
  try {
    await call()
  } catch (error) {
    return { error, line: `${error.name}: ${error.message}` }
  }
  return assert.fail('nothing was thrown')
}

test('every code there is has a section, and every section is of a code there is', () => {
  const found = codesInSource()
  assert.ok(found.size >= 20, `only ${[...found.keys()]}`)
  const missing = [...found].filter(([code]) => !sections.has(code)).map(([code, files]) => `${code} in ${files[0]}`)
  assert.deepEqual(missing, [])
  assert.deepEqual(
    [...sections.keys()].filter((code) => !found.has(code)),
    [],
  )
})

test('every code stands once, as a heading of its own and nothing else', () => {
  const headings = [...PAGE.matchAll(/^#+ .*E_.*$/gm)].map(([heading]) => heading)
  assert.equal(headings.length, sections.size)
  for (const heading of headings) assert.match(heading, /^## E_[A-Z_]+$/)
})

test('every section says what happened, shows a message and says what to do', () => {
  for (const [code, text] of sections) {
    const [before, after] = text.split(/```text\n[^]*?\n```/)
    assert.ok(before?.trim().length > 10, `${code} does not say what happened`)
    assert.ok(examplesOf(code).length > 0, `${code} shows no message`)
    assert.ok(after?.trim().length > 10, `${code} does not say what to do`)
  }
})

test('the page links to files that are there', () => {
  for (const [, target] of PAGE.matchAll(/\]\(([^)]+)\)/g))
    assert.ok(fs.existsSync(path.join(ROOT, 'docs', target.split('#')[0])), target)
})

test('every example is what is really thrown, with its code and the option in question', async (t) => {
  const sp = spillway({ isolated: true })
  t.after(() => sp.close())
  const chat = sp.limiter('chat', { limit: 30, window: '5m' })
  const payments = sp.breaker('payments')
  const products = sp.cache('products', { maxValueBytes: '64kb' })
  const decode = () => {
    throw new Error('it is of schema 2')
  }
  const unreadable = sp.cache('prices', { codec: { encode: String, decode } })
  unreadable.set('7', 1)
  const gone = sp.limiter('gone', { limit: 30, window: '5m' })
  gone.dispose()
  const daily = sp.limiter('daily', { limit: 5, window: '1d', algorithm: 'fixed-window' })
  const full = spillway({ isolated: true })
  t.after(() => full.close())
  const crowded = full.limiter('chat', { limit: 30, window: '5m', maxKeys: 1 })
  const shards = full.breaker('shards', { perKey: true, maxKeys: 1 })
  const crowd = Array.from({ length: 10_000 }, (_, index) => `stranger-${index}`)
  const storm = chaos({ seed: 7, schedule: [{ for: { calls: 12 } }, { failure: 1 }] })
  for (let call = 0; call < 12; call++) await storm.wrap(() => {})()
  const thrown = [
    ['E_OPTION', () => sp.limiter('chat', { limit: 30, windwo: '5m' }), 'windwo'],
    ['E_OPTION', () => sp.limiter('chat', { limit: 0, window: '5m' }), 'limit'],
    ['E_DURATION', () => sp.limiter('chat', { limit: 30, window: '5 minutes' }), 'window'],
    ['E_SIZE', () => sp.cache('products', { maxBytes: '64 MB' }), 'maxBytes'],
    ['E_NAME', () => sp.limiter('', { limit: 30, window: '5m' })],
    ['E_RATE_TOO_FINE', () => sp.limiter('bytes', { limit: 50_000_000, window: '1s' })],
    ['E_MISMATCH', () => sp.limiter('chat', { limit: 60, window: '5m', burst: 30 })],
    ['E_REDIS_URL', () => spillway({ redis: 'localhost:6379' }), 'redis'],
    ['E_UNSUPPORTED', () => daily.reserve('tenant-7', 1, { maxWait: '2s' })],
    ['E_BLOCKS_FULL', () => crowd.forEach((key) => crowded.block(key, '1h'))],
    ['E_KEYS_FULL', () => crowd.forEach((key) => shards.isolate(key))],
    ['E_KEY', () => chat.consume(undefined)],
    ['E_COST', () => chat.consume('tenant-7', -1)],
    ['E_FUNCTION', () => payments.run(Promise.resolve())],
    ['E_PERMIT', () => payments.exit({ generation: 0 }, 'ok')],
    ['E_OUTCOME', () => payments.exit(payments.enter(), 'failed')],
    ['E_CHAOS', storm.wrap(assert.fail)],
    ['E_VALUE_ENCODE', () => products.set('7', { tags: new Set(['new']) })],
    ['E_VALUE_ENCODE', () => products.set('7', { owner: new (class User {})() })],
    ['E_VALUE_DECODE', () => unreadable.get('7')],
    ['E_VALUE_TOO_LARGE', () => products.set('7', 'x'.repeat(70_000))],
    ['E_TAGS', () => products.set('7', 1, { tags: crowd }), 'tags'],
    ['E_DUMP_FILE', () => products.restore('none.dump')],
    ['E_RUNTIME', () => require('../elsewhere.js').limiter('chat', { limit: 30, window: '5m' })],
  ]
  for (const [code, call, option] of thrown) {
    const { error, line } = await thrownBy(call)
    assert.equal(error.code, code)
    assert.equal(error.option, option)
    assert.ok(examplesOf(code).includes(line), `docs/errors.md does not show under ${code}:\n${line}`)
  }
  const { error, line } = await thrownBy(() => gone.consume('a'))
  assert.equal(error.code, 'E_DISPOSED')
  assert.deepEqual(examplesOf('E_DISPOSED'), [line.replace('"gone"', '"chat"')])
})

test('every refusal that is shown reads so, and its status is the one the page names', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] })
  const sp = spillway({ isolated: true })
  t.after(() => sp.close())
  const chat = sp.limiter('chat', { limit: 1, window: '5m' })
  const payments = sp.breaker('payments')
  payments.isolate()
  const reports = sp.bulkhead('reports', { limit: 1 })
  const held = reports.tryAcquire()
  chat.consume('a')
  const load = () => {
    const value = sp.cache('products').getOrSet('7', () => new Promise(() => {}))
    t.mock.timers.tick(30_000)
    return value
  }
  const hang = () => {
    const end = sp.policy('calendar', timeout('5s')).run(() => new Promise(() => {}))
    t.mock.timers.tick(5000)
    return end
  }
  const poor = sp.policy('chat', retry({ budget: { ratio: 0, floor: 0 } }))
  const refuse = (code) => () => {
    throw new Refusal({ code, primitive: 'chat' })
  }
  const thrown = [
    ['E_LIMITED', () => Promise.reject(Refusal.of(chat.consume('a')))],
    ['E_OPEN', () => payments.run(() => {})],
    ['E_FULL', () => reports.run(() => {})],
    ['E_TIMEOUT', hang],
    ['E_TIMEOUT', load],
    ['E_RETRY_BUDGET', () => poor.run(() => Promise.reject(new Error('down')))],
    ...['E_SHED', 'E_SATURATED', 'E_STORE_UNAVAILABLE'].map((code) => [code, refuse(code)]),
  ]
  /** @type {Map<string, string[]>} */
  const lines = new Map()
  for (const [code, call] of thrown) {
    const { error, line } = await thrownBy(call)
    assert.ok(error instanceof Refusal)
    assert.equal(error.code, code)
    lines.set(code, [...(lines.get(code) ?? []), line])
    assert.deepEqual(examplesOf(code).slice(0, lines.get(code).length), lines.get(code))
    assert.match(sections.get(code), new RegExp(`: ${error.status}[.,]`), `${code} is not said to be ${error.status}`)
  }
  held.release()
  for (const [code, shown] of lines) assert.equal(examplesOf(code).length, shown.length, code)
})

test('every warning there is has a section, and those that are shown read so', async () => {
  const files = [...filesIn('lib'), ...filesIn('adapters')]
  const codes = files.flatMap((file) => [...read(file).matchAll(/code: '(SPILLWAY_\w+)'/g)].map(([, code]) => code))
  const shown = [...PAGE.matchAll(/^## (SPILLWAY_\w+)$/gm)].map(([, code]) => code)
  assert.deepEqual(shown.sort(), [...new Set(codes)].sort())
  const script = `
    const { spillway, timeout } = require('./index.js')
    const sp = spillway({ isolated: true, env: { SPILLWAY_LIMITER_CHAT_LIMT: '60' } })
    sp.policy('stripe', timeout('5s'), timeout('10s'))
    sp.limiter('chat', { limit: 30, window: '5m' })
    let now = 0
    const waitUntil = () => {
      throw new Error('there is no request')
    }
    const pages = spillway({ clock: () => now }).cache('pages', { ttl: 1000, jitter: 0, stale: 1000, waitUntil })
    pages.set('/', 'old')
    now += 1000
    pages.getOrSet('/', () => 'new')
    // The first to be refused is told last: nobody waits for it.
    const far = spillway({ redis: { url: 'redis://127.0.0.1:1', connectTimeout: 10 } })
    setTimeout(() => far.close(), 1000)
  `
  const { stderr } = await promisify(execFile)(process.execPath, ['-e', script], { cwd: ROOT })
  const told = [...stderr.matchAll(/^\(node:\d+\) (.*)$/gm)].map(([, warning]) => `(node:4711) ${warning}`)
  assert.deepEqual(
    told,
    // What another application has in a Redis is told where there is one: in cache-redis-hostile.test.js.
    [...PAGE.matchAll(/^\(node:4711\) (?!\[SPILLWAY_FOREIGN_DATA\]).*$/gm)].map(([line]) => line),
  )
})

/** What a script finds out in a process whose native binary is not what it should be. */
async function told(binary) {
  const script = `
    const Module = require('node:module')
    const { _load } = Module
    Module._load = (request, ...rest) => {
      if (!request.endsWith('native/index.js')) return _load(request, ...rest)
      ${binary}
    }
    const face = require('./index.js')
    try {
      face.limiter('chat', { limit: 30, window: '5m' }).consume('tenant-7')
    } catch ({ name, code, message, cause }) {
      console.log(JSON.stringify({ name, code, message, cause: cause?.message }))
    }
  `
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', script], { cwd: ROOT })
  return JSON.parse(stdout)
}

test('without its binary the package can be imported, and the first use says which one is missing and how to get it', async () => {
  const { name, code, message, cause } = await told("throw new Error('no such file')")
  assert.deepEqual([name, code, cause], ['Error', 'E_BINARY', 'no such file'])
  const [, platform] = /^the native binary for (\S+) is missing/.exec(message)
  assert.ok(platform.startsWith(`${process.platform}-${process.arch}`))
  assert.deepEqual(examplesOf('E_BINARY'), [`Error: ${message.replaceAll(platform, 'linux-x64-gnu')}`])
})

test('a defect on the native side is E_INTERNAL, and nothing worse', async () => {
  const { name, code, message } = await told(`
    const native = _load(request, ...rest)
    const { attach } = native
    native.attach = (details, ...more) => {
      native.limiterConsume = () => { details[7] = 5 }
      return attach(details, ...more)
    }
    return native
  `)
  assert.deepEqual([name, code], ['Error', 'E_INTERNAL'])
  assert.deepEqual(examplesOf('E_INTERNAL'), [`${name}: ${message}`])
})
