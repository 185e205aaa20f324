// Installs the packed tarball into one temporary folder for each kind of consumer and runs what they wrote. Owns what a user
// gets, as against what lies in the repository. Never lets a consumer see the repository itself.
'use strict'

const assert = require('node:assert/strict')
const { execFile } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { after, before, test } = require('node:test')
const { promisify } = require('node:util')

const ROOT = path.join(__dirname, '..')
const own = require('../package.json')
const { blocksOf } = require('./pages.js')

/** Where packages and consumers are put; away from the repository, or its node_modules would be found from there. */
const grounds = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'spillway-consumers-')))
after(() => fs.rmSync(grounds, { recursive: true }))

/** @type {string} */
let tarball
/** @type {string} */
let commonjs
before(async () => {
  tarball = await packed(ROOT, 'clone')
  commonjs = await guest('commonjs')
})

test('the tarball holds what is needed to run and nothing else', async () => {
  const { stdout } = await run('tar', ['-tzf', tarball], grounds)
  const files = stdout.trim().split('\n')
  const wanted = [
    /^(?:index|elsewhere)\.(?:js|mjs)$/,
    /^index\.d\.m?ts$/,
    /^lib\/[a-z-]+\.js$/,
    /^adapters\/(?:[a-z-]+\/)?[a-z-]+\.(?:js|d\.ts)$/,
    /^kit\/[a-z-]+\.(?:js|d\.ts)$/,
    /^native\/index\.js$/,
    /^native\/spillway\.[a-z0-9-]+\.node$/,
    /^(?:package\.json|README\.md|LICENSE)$/,
  ]
  const names = files.map((file) => file.replace(/^package\//, ''))
  assert.deepEqual(
    names.filter((name) => !wanted.some((pattern) => pattern.test(name))),
    [],
  )
  for (const pattern of wanted)
    assert.ok(
      names.some((name) => pattern.test(name)),
      `nothing matches ${pattern}`,
    )
  assert.equal(own.dependencies, undefined, 'it brings nobody else along')
  assert.deepEqual(fs.readdirSync(path.join(commonjs, 'node_modules')).filter(visible), ['spillway'])
})

test('a CommonJS consumer runs', async () => {
  await satisfied(process.execPath, ['index.js'], commonjs)
})

test('an ESM consumer runs, and what it imports is what others require', async () => {
  await satisfied(process.execPath, ['index.js'], await guest('esm'))
})

test('a TypeScript consumer with nodenext resolution compiles and runs', async () => {
  const folder = await guest('nodenext')
  await run('node_modules/.bin/tsc', [], folder)
  await satisfied(process.execPath, ['out/index.js'], folder)
})

test('a TypeScript consumer with bundler resolution type-checks without the types of Node', async () => {
  const folder = await guest('bundler')
  await run('node_modules/.bin/tsc', [], folder)
  fs.appendFileSync(path.join(folder, 'route.ts'), "limiter('typo', { limt: 1, window: '5m' })\n")
  await assert.rejects(run('node_modules/.bin/tsc', [], folder), /limt/)
})

test('a Jest consumer runs, with four files in one process and a module registry emptied between tests', async () => {
  const folder = await guest('jest')
  fs.writeFileSync(path.join(folder, 'page.test.js'), example('jest.useFakeTimers()'))
  const { stderr } = await run('node_modules/.bin/jest', ['--runInBand'], folder)
  assert.match(stderr, /Test Suites: 4 passed, 4 total/)
})

test('a Vitest consumer runs, in processes and in threads of one', async () => {
  const folder = await guest('vitest')
  fs.writeFileSync(path.join(folder, 'page.test.mjs'), example("from 'vitest'"))
  for (const pool of ['forks', 'threads']) {
    const { stdout } = await run('node_modules/.bin/vitest', ['run', `--pool=${pool}`, '--reporter=json'], folder)
    const { success, numPassedTests, numTotalTests } = JSON.parse(stdout)
    assert.deepEqual([success, numPassedTests, numTotalTests], [true, 10, 10], pool)
  }
})

test('Keyv, cache-manager, cacheable and bentocache run on our cache, and the suites of Keyv and of bentocache pass', async () => {
  const folder = await guest('caches')
  const vitest = await run('node_modules/.bin/vitest', ['run', '--reporter=json'], folder)
  const { success, numPassedTests, numTotalTests } = JSON.parse(vitest.stdout)
  assert.deepEqual([success, numPassedTests, numTotalTests], [true, 49, 49])
  const japa = await run(process.execPath, ['bentocache.mjs'], folder)
  assert.match(japa.stdout, /PASSED[^]*Tests\s+48 passed \(48\)/)

  const blocks = blocksOf('docs/keyv.md').filter(({ language }) => language === 'js')
  assert.equal(blocks.length, 4)
  for (const { line, code } of blocks) {
    const said = code.replace(/^(?! *\/\/)(.*?) *\/\/ → (.+)$/gm, 'deepStrictEqual(($1), ($2))')
    assert.ok(said.includes('deepStrictEqual'), `line ${line} says what comes of it`)
    const program = `import { deepStrictEqual } from 'node:assert/strict'\n${said}\nconsole.log('satisfied')\n`
    fs.writeFileSync(path.join(folder, `page-${line}.mjs`), program)
    await satisfied(process.execPath, [`page-${line}.mjs`], folder)
  }
})

test('what a release lays out finds its binary in the package of the platform', async () => {
  const release = path.join(grounds, 'release')
  await run(process.execPath, ['scripts/release.mjs', release, '--partial'], ROOT)
  const [platform] = fs.readdirSync(release).filter((name) => name !== 'spillway')
  const face = JSON.parse(fs.readFileSync(path.join(release, 'spillway', 'package.json'), 'utf8'))
  const binding = `@spillway/binding-${platform}`
  assert.deepEqual(face.optionalDependencies, { [binding]: own.version })
  assert.equal(face.scripts, undefined, 'npm is asked to run nothing')

  const tarballs = [
    await packed(path.join(release, 'spillway'), 'face'),
    await packed(path.join(release, platform), 'binding'),
  ]
  const folder = await guest('commonjs', 'released', tarballs)
  assert.deepEqual(fs.readdirSync(path.join(folder, 'node_modules', 'spillway', 'native')), ['index.js'])
  await satisfied(process.execPath, ['index.js'], folder)

  fs.rmSync(path.join(folder, 'node_modules', binding), { recursive: true })
  await missingBinary(folder)
})

test('without the binary importing works, and the first use names the package to install and the command', async () => {
  const folder = copied('binaryless')
  const native = path.join(folder, 'node_modules', 'spillway', 'native')
  for (const name of fs.readdirSync(native)) if (name.endsWith('.node')) fs.rmSync(path.join(native, name))
  await missingBinary(folder)
})

for (const condition of ['edge-light', 'workerd', 'worker', 'browser', 'convex']) {
  test(`under the ${condition} condition importing works, and the first use says where to run it instead`, async () => {
    const native = require('..')
    const names = Object.keys(native).sort()
    const needy = names.filter((name) => typeof native[name] === 'function' && !/refusal/i.test(name))
    const program = (load) => `
      ${load}
      const said = {}
      for (const name of Object.keys(face).filter((name) => typeof face[name] === 'function' && !/refusal/i.test(name))) {
        try { face[name]('name', {}) } catch ({ code, message }) { said[name] = { code, message } }
      }
      const refusal = new face.Refusal({ code: 'E_OPEN', primitive: 'upstream' })
      const known = refusal instanceof face.Refusal && face.isRefusal(refusal) && refusal.status === 503
      console.log(JSON.stringify({ names: Object.keys(face).filter((name) => name !== 'default').sort(), said, known }))`
    const flags = [`--conditions=${condition}`]
    const programs = [
      [...flags, '--input-type=module', '-e', program("const face = await import('spillway')")],
      [...flags, '--input-type=commonjs', '-e', program("const face = require('spillway')")],
    ]
    for (const args of programs) {
      const { stdout } = await run(process.execPath, args, commonjs)
      const { names: found, said, known } = JSON.parse(stdout)
      assert.deepEqual(found, names)
      assert.ok(known, 'refusals need nothing native')
      assert.deepEqual(Object.keys(said).sort(), needy)
      for (const [name, { code, message }] of Object.entries(said)) {
        assert.equal(code, 'E_RUNTIME')
        assert.match(message, new RegExp(`^${name}\\(\\) .*nodejs.*serverExternalPackages.*use node.*externalPackages`))
      }
    }
  })
}

test('a refusal of one installed copy is a refusal to another', async () => {
  const folder = copied('twins')
  const at = (name) => path.join(folder, 'node_modules', name)
  fs.cpSync(at('spillway'), at('twin'), { recursive: true })
  const program = `
    const one = require('spillway')
    const two = require('twin')
    const breaker = one.breaker('upstream')
    breaker.isolate()
    breaker.run(() => 7).catch((error) => console.log(
      one.Refusal !== two.Refusal, error instanceof two.Refusal, two.isRefusal(error), error.code))`
  const { stdout } = await run(process.execPath, ['-e', program], folder)
  assert.equal(stdout, 'true true true E_OPEN\n')
})

/**
 * The example of docs/testing.md that has these words.
 * @param {string} words
 */
function example(words) {
  const page = fs.readFileSync(path.join(ROOT, 'docs', 'testing.md'), 'utf8')
  const blocks = [...page.matchAll(/^```js\n([^]*?)^```$/gm)].map(([, block]) => block)
  const [found, ...others] = blocks.filter((block) => block.includes(words))
  assert.ok(found)
  assert.deepEqual(others, [])
  return found
}

/**
 * The folder of a consumer with the package installed, as its user would have done.
 * @param {string} kind a folder of __test__/consumers
 * @param {string} [name]
 * @param {string[]} [tarballs]
 */
async function guest(kind, name = kind, tarballs = [tarball]) {
  const folder = path.join(grounds, name)
  fs.cpSync(path.join(__dirname, 'consumers', kind), folder, { recursive: true })
  await npm(['install', '--no-audit', '--no-fund', '--prefer-offline', ...tarballs], folder)
  return folder
}

/**
 * The CommonJS consumer again, to take something away from.
 * @param {string} name
 */
function copied(name) {
  const folder = path.join(grounds, name)
  fs.cpSync(commonjs, folder, { recursive: true })
  return folder
}

/**
 * @param {string} folder of a package
 * @param {string} name for the folder its tarball is put in
 */
async function packed(folder, name) {
  const to = path.join(grounds, 'packed', name)
  fs.mkdirSync(to, { recursive: true })
  await npm(['pack', '--ignore-scripts', '--pack-destination', to], folder)
  const [file] = fs.readdirSync(to)
  return path.join(to, file)
}

/** @param {string} folder */
async function missingBinary(folder) {
  const program = `
    const { limiter, Refusal, isRefusal } = require('spillway')
    console.log(isRefusal(new Refusal({ code: 'E_OPEN', primitive: 'upstream' })))
    try { limiter('door', { limit: 1, window: '5m' }) } catch ({ code, message }) { console.log(code, message) }`
  const { stdout } = await run(process.execPath, ['-e', program], folder)
  const [known, said] = stdout.split('\n')
  assert.equal(known, 'true')
  const libc = process.report.getReport().header.glibcVersionRuntime ? 'gnu' : 'musl'
  const platform = [process.platform, process.arch, ...(process.platform === 'linux' ? [libc] : [])].join('-')
  assert.match(said, new RegExp(`^E_BINARY .*@spillway/binding-${platform}.*npm install`))
}

/**
 * A consumer ends with this word when all it asserts held; exit code 0 alone would also be had by doing nothing.
 * @param {string} command @param {string[]} args @param {string} folder
 */
async function satisfied(command, args, folder) {
  const { stdout } = await run(command, args, folder)
  assert.equal(stdout, 'satisfied\n')
}

/** @param {string[]} args @param {string} folder */
function npm(args, folder) {
  return run('npm', args, folder)
}

/**
 * Rejects with all the command said when it does not end well.
 * @param {string} command @param {string[]} args @param {string} folder
 */
async function run(command, args, folder) {
  try {
    return await promisify(execFile)(command, args, { cwd: folder, env: outside(), maxBuffer: 2 ** 26 })
  } catch (error) {
    throw new Error(`${command} ${args.join(' ')}\n${error.stdout}\n${error.stderr}`, { cause: error })
  }
}

/** The environment without what npm and node:test say about the run this is part of: a user's shell has none of that. */
function outside() {
  const about =
    /^(?:npm_(?:package|lifecycle|command|execpath|config_local_prefix)|INIT_CWD$|NODE_(?:TEST_CONTEXT|ENV|OPTIONS)$)/
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !about.test(name)))
}

/** @param {string} name */
function visible(name) {
  return !name.startsWith('.')
}
