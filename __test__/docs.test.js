// Holds README.md and the pages under docs/ to the package: their examples run, their values are right, their links lead somewhere.
// Never says what a page has to be about.
'use strict'

const assert = require('node:assert/strict')
const { execFile } = require('node:child_process')
const fs = require('node:fs')
const { createRequire } = require('node:module')
const os = require('node:os')
const path = require('node:path')
const { after, before, test } = require('node:test')
const { promisify } = require('node:util')
const { ROOT, anchorsOf, blocksOf, linksOf, pages, textOf } = require('./pages.js')
const { startServer } = require('./redis/servers.js')

const run = promisify(execFile)
const MINUTE = 60_000
const TSC = path.join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc')

/** Loaded before each example: what a claim becomes. */
const ASSERT = `
  const { deepStrictEqual } = require('node:assert/strict')
  const plain = (value) => typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : value
  globalThis.exampleSays = (where, got, said) => deepStrictEqual(plain(got), said, where + ' does not answer what it says: ' +
    require('node:util').inspect(got))
`

/** A project of a reader's: the package and those it is used with are installed, as links. */
let project
/** The Redis of whoever has REDIS_URL in his environment. */
let redis

before(async () => {
  redis = await startServer({})
  const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'spillway-docs-')))
  project = path.join(folder, 'project')
  fs.mkdirSync(path.join(folder, 'node_modules'))
  fs.symlinkSync(ROOT, path.join(folder, 'node_modules', 'spillway'), 'dir')
  fs.mkdirSync(project)
  fs.symlinkSync(path.join(ROOT, 'node_modules'), path.join(project, 'node_modules'), 'dir')
  fs.writeFileSync(path.join(project, 'package.json'), '{ "type": "module" }')
  fs.writeFileSync(path.join(project, 'asserting.cjs'), ASSERT)
})

after(async () => {
  fs.rmSync(path.dirname(project), { recursive: true, force: true })
  await redis.close()
})

/**
 * What makes a line of an example a claim: `expression // → value`. Both are JavaScript.
 * @param {string} code
 */
const claimsIn = (code) => [...code.matchAll(/^(?! *\/\/)(.*?) *\/\/ → (.+)$/gm)]

/**
 * The same example, with its claims as assertions on the lines they stand on.
 * @param {import('./pages.js').Block} block
 */
function asserting({ page, line, code }) {
  const lines = code.split('\n').map((text, at) => {
    const [, expression, value] = /^(?! *\/\/)(.*?) *\/\/ → (.+)$/.exec(text) ?? []
    if (expression === undefined) return text
    const where = `${page}:${line + at}`
    return `;exampleSays(${JSON.stringify(where)}, (${expression}), (${value}));`
  })
  return lines.join('\n')
}

/**
 * Why a block is not run here, if it is not.
 * @param {import('./pages.js').Block} block
 */
function reasonNotToRun({ notRun, code, page }) {
  if (notRun !== undefined) return notRun
  if (/\bjest\.|from 'vitest'/.test(code)) return 'of another test runner: consumers.test.js has it run'
  const quoted = /^\/\/ (\S+\.jsx?)\n/.exec(code)?.[1]
  const example = path.posix.join('examples', path.basename(page, '.md'), quoted ?? '')
  if (quoted !== undefined && fs.existsSync(path.join(ROOT, example))) return `quoted from ${example}, which is run`
  return undefined
}

/** @param {string} code */
const isModule = (code) => /^(?:import|export)\b/m.test(code)

/**
 * Runs an example in a process of its own, on the lines it has in its page.
 * @param {import('./pages.js').Block} block
 */
async function ran(block) {
  const name = `${block.page.replace(/\W/g, '-')}-${block.line}.${isModule(block.code) ? 'mjs' : 'cjs'}`
  const file = path.join(project, name)
  const code = asserting(block)
  const down = '\n'.repeat(block.line - 2)
  fs.writeFileSync(
    file,
    isModule(block.code)
      ? `${down}\n${code}\n;exampleEnded();`
      : `'use strict';${down};(async () => {\n${code}\n})().then(exampleEnded)`,
  )
  const env = { ...process.env, PAGE: block.page, REDIS_URL: redis.url, NODE_OPTIONS: '', NODE_TEST_CONTEXT: '' }
  const args = [
    '--require',
    path.join(__dirname, 'stand-ins.js'),
    '--require',
    path.join(project, 'asserting.cjs'),
    file,
  ]
  try {
    await run(process.execPath, args, { cwd: project, env, timeout: MINUTE })
  } catch (error) {
    const { stdout = '', stderr = '', message } = /** @type {any} */ (error)
    const told = `${block.page}:${block.line}\n${block.code}\n${stderr || message}\n${stdout}`
    throw new Error(told, { cause: error })
  }
}

/**
 * All of them, as many at a time as there are processors.
 * @template T
 * @param {readonly T[]} items
 * @param {(item: T) => Promise<unknown>} one
 */
async function each(items, one) {
  const left = [...items]
  const errors = []
  const work = async () => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) {
      await one(item).catch((error) => errors.push(error))
    }
  }
  await Promise.all(Array.from({ length: os.availableParallelism() }, work))
  assert.equal(errors.length, 0, errors.map((error) => error.message).join('\n\n'))
}

for (const page of pages()) {
  const blocks = blocksOf(page).filter(({ language }) => language === 'js')
  if (blocks.length === 0) continue
  test(`the examples of ${page} run, and answer what they say`, async (t) => {
    for (const block of blocks) {
      const reason = reasonNotToRun(block)
      if (reason !== undefined) t.diagnostic(`${page}:${block.line} is not run: ${reason}`)
    }
    await each(
      blocks.filter((block) => reasonNotToRun(block) === undefined),
      ran,
    )
  })
}

test('every name an example takes from the package is there', () => {
  const consumer = createRequire(path.join(project, 'index.js'))
  let taken = 0
  for (const { page, line, code } of pages().flatMap((each) => blocksOf(each))) {
    const imports = [
      ...code.matchAll(/import \{([^}]+)\} from '(spillway[^']*)'/g),
      ...code.matchAll(/(?:const|let) \{([^}]+)\} = require\('(spillway[^']*)'\)/g),
    ]
    for (const [, names, specifier] of imports) {
      const exported = consumer(specifier)
      for (const name of names.split(',').map((each) =>
        each
          .trim()
          .split(/:| as /)[0]
          .trim(),
      )) {
        if (name === '' || name.startsWith('type ')) continue
        assert.ok(name in exported, `${page}:${line} takes \`${name}\` from ${specifier}, which has no such export`)
        taken++
      }
    }
  }
  assert.ok(taken > 0)
})

test('a page says values only behind expressions, and docs/limiter.md says many', () => {
  for (const { page, line, code, language } of pages().flatMap((each) => blocksOf(each))) {
    if (language !== 'js') continue
    for (const [text, expression] of claimsIn(code)) {
      assert.doesNotMatch(expression, /^\s*(?:const|let|return|import|export)\b/, `${page}:${line}: ${text}`)
    }
  }
  const claims = blocksOf('docs/limiter.md').flatMap(({ code }) => claimsIn(code))
  assert.ok(claims.length > 30, String(claims.length))
})

test('an example that throws, hangs, or says a wrong value is found', async () => {
  const page = 'docs/limiter.md'
  const wrong = (/** @type {string} */ code) => ran({ page, line: 7000, language: 'js', code, notRun: undefined })
  const head = `const { limiter } = require('spillway')\nconst api = limiter('api', { limit: 2, window: '1m' })\n`
  await wrong(`${head}api.consume('ada').ok // → true`)
  await assert.rejects(
    wrong(`${head}api.consume('ada').ok // → false`),
    /limiter\.md:7002 does not answer what it says: true/,
  )
  await assert.rejects(wrong(`${head}api.consume(undefined)`), /E_KEY/)
  await assert.rejects(wrong(`${head}absent(api)`), /absent is not defined/)
  await assert.rejects(wrong('await new Promise(() => {})'), /did not come to its end/)
  await assert.rejects(wrong(`import { absent } from 'spillway'`), /absent/)
  await assert.rejects(wrong(`import 'spillway'\nawait new Promise(() => {})`), /7000/)
})

test('typed examples fit the types', async (t) => {
  const blocks = pages()
    .flatMap((page) => blocksOf(page))
    .filter(({ language, code, notRun }) => language === 'ts' && notRun === undefined && !code.includes('…'))
  const folder = path.join(project, 'typed')
  fs.mkdirSync(folder)
  const names = new Map(blocks.map((block, at) => [`example-${at}.ts`, block]))
  const probe = `import { limiter } from 'spillway'\nlimiter('api', { limit: 'ten', window: '1m' })`
  fs.writeFileSync(path.join(folder, 'probe.ts'), probe)
  for (const [name, { code }] of names) fs.writeFileSync(path.join(folder, name), `${code}\nexport {}\n`)
  const options =
    '--noEmit --strict --target es2023 --lib es2023,dom,esnext.disposable --module nodenext --types node --skipLibCheck'
  const args = [TSC, ...options.split(' '), ...['probe.ts', ...names.keys()].map((name) => path.join('typed', name))]
  const { stdout } = await run(process.execPath, args, { cwd: project }).catch((error) => error)
  const complaints = String(stdout)
    .split('\n')
    .filter((text) => /error TS/.test(text))
  assert.ok(
    complaints.some((text) => /probe\.ts\(2,.*TS2322/.test(text)),
    stdout,
  )
  // A name that a page leaves to its reader has no type here.
  const LEFT_TO_THE_READER = /error TS(?:2304|2552|18004)\b/
  const wrong = complaints.filter((text) => !/probe\.ts/.test(text) && !LEFT_TO_THE_READER.test(text))
  const placed = wrong.map((text) =>
    text.replace(/^.*?(example-\d+\.ts)\((\d+)/, (_, name, at) => {
      const { page, line } = /** @type {import('./pages.js').Block} */ (names.get(name))
      return `${page}:${line + Number(at) - 1} (`
    }),
  )
  assert.deepEqual(placed, [])
  t.diagnostic(`${blocks.length} typed examples`)
})

test('every link between pages leads to a file, and every anchor to a heading', () => {
  const others = ['CONTRIBUTING.md', 'ARCHITECTURE.md', 'CHANGELOG.md', 'bench/README.md'].filter((page) =>
    fs.existsSync(path.join(ROOT, page)),
  )
  const dead = []
  let followed = 0
  for (const page of [...pages(), ...others]) {
    for (const { target, file, anchor } of linksOf(page)) {
      followed++
      if (!fs.existsSync(path.join(ROOT, file))) dead.push(`${page}: ${target}: there is no ${file}`)
      else if (anchor !== undefined && !anchorsOf(textOf(file)).has(anchor)) {
        dead.push(`${page}: ${target}: ${file} has no such heading`)
      }
    }
  }
  assert.ok(followed > 10, String(followed))
  assert.deepEqual(dead, [])
})

test('headings become anchors as GitHub makes them', () => {
  const text =
    '# A `code` word, and more: 2·L\n\n## Twice\n\n## Twice\n\n```sh\n# no heading\n```\n\n## See [there](x.md)\n'
  assert.deepEqual([...anchorsOf(text)], ['a-code-word-and-more-2l', 'twice', 'twice-1', 'see-there'])
  assert.deepEqual(
    linksOf('docs/a.md', 'See [b](b.md#c), [up](../README.md), `[no](none.md)` and [out](https://example.com/d.md).'),
    [
      { target: 'b.md#c', file: 'docs/b.md', anchor: 'c' },
      { target: '../README.md', file: 'README.md', anchor: undefined },
    ],
  )
})
