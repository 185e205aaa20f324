// npm test: every check there is, on a clone with nothing but Node, npm and Rust. Owns the list of steps and the closing
// line. Never goes on after a step that failed, and never lets a runner that ran nothing count as one that passed.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { build } from './build.mjs'
import { install } from './install.mjs'
import { redis } from './redis.mjs'
import { CommandFailed, root, run } from './run.mjs'
import { cargoTotals, nodeTotals, sum } from './tally.mjs'

/**
 * A step either checks and answers nothing, or runs tests and answers how many.
 * @typedef {() => Promise<void>} Check
 * @typedef {() => Promise<import('./tally.mjs').Totals>} Tests
 */

/** In the order they run: what is quick to fail comes first, what needs the binary after `build`. */
const steps = /** @type {Record<string, Check | Tests>} */ ({
  install: () => install(),
  prettier: () => run('node_modules/.bin/prettier', ['--check', '--log-level', 'warn', '.']),
  eslint: () => run('node_modules/.bin/eslint', ['--max-warnings', '0', '.']),
  rustfmt: async () => {
    await run('cargo', ['fmt', '--all', '--check'])
    await run('cargo', ['fmt', '--manifest-path', 'traces/Cargo.toml', '--check'])
  },
  build: () => build(),
  types: async () => {
    for (const project of ['tsconfig.json', '__test__/types/nodenext.json', '__test__/types/bundler.json']) {
      await run('node_modules/.bin/tsc', ['--project', project])
    }
  },
  clippy: async () => {
    // Not the bridge as a test: it has none, and there napi's macros register nothing, so that all of it looks unused.
    await run('cargo', ['clippy', '-p', 'spillway-node', '--lib', '--', '-D', 'warnings'])
    await run('cargo', ['clippy', '-p', 'spillway-engine', '--all-targets', '--', '-D', 'warnings'])
  },
  redis: () => redis(),
  engine: () => cargo([]),
  loom: () => cargo(['--test', 'loom_kernels'], 'loom'),
  shuttle: () => cargo(['--test', 'shuttle_kernels'], 'shuttle'),
  node: () => node(tests().filter((file) => !GUESTS.test(file) && !ALONE.test(file))),
  faults: () => node(tests().filter((file) => ALONE.test(file))),
  consumers: () => node(tests().filter((file) => file.endsWith('consumers.test.js'))),
  traces: () => node(tests().filter((file) => file.endsWith('traces.test.js'))),
  examples: () => node(tests().filter((file) => file.endsWith('examples.test.js'))),
})

/** These start servers of their own, which takes the program. */
const WITH_REDIS = ['engine', 'node', 'faults']

/**
 * Optimised, so that a hundred thousand cases take a second, but with the assertions and overflow checks a release leaves
 * out, and without the link-time optimisation that would make every test binary take a minute to link.
 */
const ASSERTING = {
  CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS: 'true',
  CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS: 'true',
  CARGO_PROFILE_RELEASE_LTO: 'off',
  CARGO_PROFILE_RELEASE_CODEGEN_UNITS: '16',
}

/** These install other people's packages, so they have steps of their own. */
const GUESTS = /(?:consumers|examples|traces)\.test\.js$/

/** What it measures must not be disturbed by other tests. */
const ALONE = /\/faults\.test\.js$/

/** A test that hangs is a test that failed; the longest one builds a Next.js application. */
const HUNG_AFTER_MS = 900_000

/** Every test file, by name. Node 20 takes no globs. */
function tests() {
  return readdirSync(join(root, '__test__'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.js') && !/(?:^|\/)(?:node_modules|consumers)\//.test(file))
    .sort()
    .map((file) => join('__test__', file))
}

/**
 * Tests of the engine, as they are or under a model checker.
 * @param {string[]} which
 * @param {'loom' | 'shuttle'} [checker]
 */
async function cargo(which, checker) {
  // Other flags mean other artefacts: in one folder each of the builds would undo the others.
  const model = checker && { RUSTFLAGS: `--cfg ${checker}`, CARGO_TARGET_DIR: join(root, 'target', checker) }
  let output = ''
  const onText = (/** @type {string} */ text) => (output += text)
  const args = ['test', '-p', 'spillway-engine', '--release', ...which]
  return counted(cargoTotals, () => output, run('cargo', args, { env: { ...ASSERTING, ...model }, onText }))
}

/** @param {string[]} files */
async function node(files) {
  if (files.length === 0) throw new CommandFailed('node --test', 'there is no such test file')
  let output = ''
  const onText = (/** @type {string} */ text) => (output += text)
  const args = ['--test', '--test-reporter=spec', `--test-timeout=${HUNG_AFTER_MS}`, ...files]
  return counted(nodeTotals, () => output, run(process.execPath, args, { onText }))
}

/**
 * @param {(output: string) => import('./tally.mjs').Totals} totalsOf
 * @param {() => string} output
 * @param {Promise<void>} ended
 */
async function counted(totalsOf, output, ended) {
  try {
    await ended
  } catch (error) {
    throw Object.assign(/** @type {Error} */ (error), { totals: totalsOf(output()) })
  }
  const totals = totalsOf(output())
  if (totals.passed === 0) throw new CommandFailed('the runner', 'ended well and ran no test')
  return totals
}

/** @param {string[]} args */
function chosen(args) {
  if (args.length === 0) return Object.keys(steps)
  const [flag, list = '', ...rest] = args
  const only = list.split(',')
  const unknown = only.filter((name) => !Object.hasOwn(steps, name))
  if (flag !== '--only' || unknown.length > 0 || rest.length > 0) {
    console.error(`usage: node scripts/test.mjs [--only step,step]\nsteps: ${Object.keys(steps).join(', ')}`)
    process.exit(2)
  }
  // Whatever was asked for, it takes the tools.
  const tools = ['install', ...(only.some((name) => WITH_REDIS.includes(name)) ? ['redis'] : [])]
  return Object.keys(steps).filter((name) => tools.includes(name) || only.includes(name))
}

/** @param {number} since */
function seconds(since) {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`
}

let totals = { passed: 0, failed: 0, skipped: 0 }
const began = performance.now()

for (const name of chosen(process.argv.slice(2))) {
  console.log(`\n── ${name}`)
  const since = performance.now()
  try {
    const found = await steps[name]()
    if (found) totals = sum(totals, found)
    console.log(`── ${name}: ok, ${seconds(since)}`)
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error
    const found = /** @type {{ totals?: import('./tally.mjs').Totals }} */ (error).totals
    if (found) totals = sum(totals, found)
    // A step that fails without a failed test, for example because it did not compile, is still a failure.
    if (!found?.failed) totals.failed += 1
    console.log(`\n── ${name}: FAILED, ${seconds(since)}. ${error.message}`)
    process.exitCode = 1
    break
  }
}

console.log(`\nall in all ${seconds(began)}`)
console.log(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`)
