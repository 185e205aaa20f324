// Holds together what is said in more than one place: names, versions, platforms, exports. Owns no behaviour.
// Never needs the native side.
'use strict'

const assert = require('node:assert/strict')
const { execFile } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { test } = require('node:test')

const ROOT = path.join(__dirname, '..')
const own = require('../package.json')
const read = (...names) => fs.readFileSync(path.join(ROOT, ...names), 'utf8')

test('the package exports what index.d.ts declares, natively and elsewhere', () => {
  const declared = [...read('index.d.ts').matchAll(/^export (?:declare )?(?:function|class|const) (\w+)/gm)]
  const names = [...new Set(declared.map(([, name]) => name))].sort()
  assert.ok(names.includes('spillway') && names.includes('Refusal'))
  assert.deepEqual(Object.keys(require('..')).sort(), names)
  assert.deepEqual(Object.keys(require('../elsewhere.js')).sort(), names)
})

test('each path of the exports map leads to a file that is published', () => {
  const targets = (entry) => (typeof entry === 'string' ? [entry] : Object.values(entry).flatMap(targets))
  for (const target of targets(own.exports)) {
    assert.ok(fs.existsSync(path.join(ROOT, target)), target)
    const inner = target.slice(2)
    const published = inner === 'package.json' || own.files.includes(target) || own.files.includes(path.dirname(inner))
    assert.ok(published, `${target} is not among the files`)
  }
})

test('each conditional entry names its types first, or TypeScript would take another one', () => {
  const { '.': root, './package.json': _itself, ...others } = own.exports
  for (const entry of [root.import, root.default, ...Object.values(others)]) {
    assert.equal(Object.keys(entry)[0], 'types')
    assert.equal(Object.keys(entry).at(-1), 'default')
  }
})

test('there is one platform package for each target, and it says which machines it is for', () => {
  const words = { x86_64: 'x64', aarch64: 'arm64', linux: 'linux', apple: 'darwin', gnu: 'gnu', musl: 'musl' }
  const named = own.napi.targets.map((triple) => {
    const [cpu, vendor, system, libc] = triple.split('-')
    const os = words[vendor === 'apple' ? vendor : system]
    return { os, cpu: words[cpu], libc: libc && words[libc] }
  })
  const folders = fs.readdirSync(path.join(ROOT, 'npm'), { withFileTypes: true }).filter((entry) => entry.isDirectory())
  assert.equal(folders.length, named.length)
  for (const { os, cpu, libc } of named) {
    const platform = [os, cpu, libc].filter(Boolean).join('-')
    const about = JSON.parse(read('npm', platform, 'package.json'))
    const binary = `${own.napi.binaryName}.${platform}.node`
    assert.equal(about.name, `${own.napi.packageName}-${platform}`)
    assert.equal(about.version, own.version)
    assert.equal(about.license, own.license)
    assert.deepEqual(about.engines, own.engines)
    assert.deepEqual([about.main, about.files], [`./${binary}`, [binary]])
    assert.deepEqual([about.os, about.cpu], [[os], [cpu]])
    assert.deepEqual(about.libc, libc && [libc === 'gnu' ? 'glibc' : 'musl'])
    assert.equal(about.scripts, undefined)
  }
})

test('the crates have the version of the package', () => {
  assert.equal(/^\[workspace\.package\]\nversion = "([^"]+)"/m.exec(read('Cargo.toml'))?.[1], own.version)
})

test('the package installs nobody else and runs nothing when it is installed', () => {
  assert.equal(own.dependencies, undefined)
  assert.equal(
    own.optionalDependencies,
    undefined,
    'scripts/release.mjs adds them: they are not there to be installed in a clone',
  )
  for (const name of ['preinstall', 'install', 'postinstall', 'prepare', 'prepublish', 'prepack']) {
    assert.equal(own.scripts[name], undefined)
  }
})

test('lockfiles name no registry, so that everybody installs from their own', () => {
  const examples = fs.readdirSync(path.join(ROOT, 'examples')).map((name) => path.join('examples', name))
  const locked = (folder) => fs.existsSync(path.join(ROOT, folder, 'package-lock.json'))
  for (const folder of ['.', 'bench', 'scoreboard', 'traces', ...examples.filter(locked)]) {
    const { packages } = JSON.parse(read(folder, 'package-lock.json'))
    const resolved = Object.entries(packages).filter(([, { resolved: from, link }]) => from !== undefined && !link)
    assert.deepEqual(resolved, [], folder)
  }
})

test('the lockfile holds the packages of every platform, not only of the one it was written on', () => {
  const { packages } = JSON.parse(read('package-lock.json'))
  const optional = Object.values(packages).flatMap(({ optionalDependencies = {} }) => Object.keys(optionalDependencies))
  assert.ok(optional.length > 0)
  const locked = new Set(
    Object.keys(packages).map((at) => at.slice(at.lastIndexOf('node_modules/') + 'node_modules/'.length)),
  )
  assert.deepEqual(
    optional.filter((name) => !locked.has(name)),
    [],
  )
})

const CARGO = `
running 2 tests
test a ... ok
test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s

   Doc-tests spillway_engine
test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.41s
`

const NODE = `
✔ pass 99
ℹ tests 9
ℹ suites 0
ℹ pass 4
ℹ fail 1
ℹ cancelled 2
ℹ skipped 1
ℹ todo 1
ℹ duration_ms 117.7
`

test('the totals of all binaries of cargo test are added up', async () => {
  const { cargoTotals } = await import('../scripts/tally.mjs')
  assert.deepEqual(cargoTotals(CARGO), { passed: 15, failed: 2, skipped: 1 })
  assert.deepEqual(cargoTotals('error: could not compile'), { passed: 0, failed: 0, skipped: 0 })
})

test('of node:test, the totals count and not the names of tests; what was cancelled has failed', async () => {
  const { nodeTotals } = await import('../scripts/tally.mjs')
  assert.deepEqual(nodeTotals(NODE), { passed: 4, failed: 3, skipped: 2 })
  assert.deepEqual(nodeTotals(NODE.replaceAll('ℹ', '#')), { passed: 4, failed: 3, skipped: 2 })
})

test('asking the runner for a step it does not have runs nothing and lists the steps', async () => {
  const { code, stdout, stderr } = await runner(['--only', 'prettier,pretty'])
  assert.equal(code, 2)
  assert.equal(stdout, '')
  assert.match(stderr, /^steps: install, .*prettier.*, examples$/m)
})

test('a step whose command is missing fails the run, and the closing line counts it', async () => {
  const { code, stdout } = await runner(['--only', 'rustfmt,clippy'], { ...process.env, PATH: __dirname })
  assert.equal(code, 1)
  assert.match(stdout, /── rustfmt: FAILED, .* cargo: not found\. .*Rust/)
  assert.doesNotMatch(stdout, /── clippy/, 'what comes after it is not run')
  assert.match(stdout, /\n0 passed, 1 failed, 0 skipped\n$/)
})

/**
 * @param {string[]} args
 * @param {Record<string, string | undefined>} [env]
 * @returns {Promise<{ code: number, stdout: string, stderr: string }>}
 */
function runner(args, env = process.env) {
  return new Promise((resolve) => {
    execFile(process.execPath, ['scripts/test.mjs', ...args], { cwd: ROOT, env }, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr })
    })
  })
}
