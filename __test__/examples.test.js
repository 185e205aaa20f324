// Owns the proof that every example runs, installed from the packed tarball into a folder of its own.
// Never installs into this repository, and never leaves a server running.
'use strict'

const assert = require('node:assert/strict')
const { spawn } = require('node:child_process')
const { once } = require('node:events')
const { cp, mkdtemp, readFile, readdir, rm, writeFile } = require('node:fs/promises')
const { createServer } = require('node:net')
const { tmpdir } = require('node:os')
const { join } = require('node:path')
const { after, before, test } = require('node:test')

const ROOT = join(__dirname, '..')
const EXAMPLES = join(ROOT, 'examples')
const MINUTE = 60_000
const QUIET = { NEXT_TELEMETRY_DISABLED: '1', npm_config_audit: 'false', npm_config_fund: 'false' }

let folder
let tarball

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spillway-examples-'))
  await ran('npm', ['pack', '--pack-destination', folder], ROOT)
  const [packed, ...others] = (await readdir(folder)).filter((name) => name.endsWith('.tgz'))
  assert.deepEqual(others, [])
  tarball = join(folder, packed)
})

after(() => rm(folder, { recursive: true, force: true }))

/** A copy of the example with the tarball in place of the repository, installed. */
async function installed(name) {
  const copy = join(folder, name)
  const foreign = /(?:^|[\\/])(?:node_modules|\.next|package-lock\.json)(?:[\\/]|$)/
  await cp(join(EXAMPLES, name), copy, {
    recursive: true,
    filter: (path) => !foreign.test(path.slice(EXAMPLES.length)),
  })
  const path = join(copy, 'package.json')
  const manifest = JSON.parse(await readFile(path, 'utf8'))
  assert.equal(manifest.dependencies.spillway, 'file:../..')
  manifest.dependencies.spillway = `file:${tarball}`
  await writeFile(path, JSON.stringify(manifest, null, 2))
  await ran('npm', ['install'], copy)
  return copy
}

/** Runs a command to its end; what it printed is in the error when it fails. */
async function ran(command, args, cwd) {
  const child = started(command, args, cwd)
  const [code] = await once(child.process, 'close')
  assert.equal(code, 0, `${command} ${args.join(' ')} ended with ${code}\n${child.output()}`)
  return child.output()
}

function started(command, args, cwd, env = {}) {
  const process_ = spawn(command, args, { cwd, env: { ...process.env, ...QUIET, ...env }, detached: true })
  let output = ''
  for (const stream of [process_.stdout, process_.stderr])
    stream.setEncoding('utf8').on('data', (text) => (output += text))
  return { process: process_, output: () => output }
}

/** Starts a server, waits for what it says when it listens, and ends it and whatever it started with the test. */
async function listening(t, command, args, cwd, env, says) {
  const child = started(command, args, cwd, env)
  const closed = once(child.process, 'close')
  t.after(async () => {
    try {
      process.kill(-child.process.pid, 'SIGTERM')
    } catch (error) {
      if (error.code !== 'ESRCH') throw error
    }
    await closed
  })
  const heard = new Promise((resolve) => {
    child.process.stdout.on('data', () => {
      const match = says.exec(child.output())
      if (match) resolve(match)
    })
  })
  const early = closed.then(([code]) =>
    assert.fail(`${command} ${args.join(' ')} ended with ${code}\n${child.output()}`),
  )
  return { match: await Promise.race([heard, early]), output: child.output }
}

/** A server that takes no port 0 gets one that was free a moment ago. */
async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return String(port)
}

const post = (url, tenant) => fetch(url, { method: 'POST', headers: { 'x-tenant': tenant } })

test('every example pins its versions and says how to start it', async () => {
  const names = await readdir(EXAMPLES)
  assert.deepEqual(names.sort(), ['express', 'next', 'workers'])
  for (const name of names) {
    const manifest = JSON.parse(await readFile(join(EXAMPLES, name, 'package.json'), 'utf8'))
    const { spillway, ...others } = manifest.dependencies
    assert.equal(spillway, 'file:../..')
    for (const version of Object.values(others)) assert.match(version, /^\d+\.\d+\.\d+$/)
    assert.ok(manifest.scripts.start)
    assert.match(await readFile(join(EXAMPLES, name, 'README.md'), 'utf8'), /npm start/)
  }
})

test('workers: four threads share one limit exactly, one bulkhead and one load', { timeout: 5 * MINUTE }, async () => {
  const output = await ran('npm', ['start'], await installed('workers'))
  assert.match(output, /^limiter {3}4 × 25000 attempts, admitted \d+ \+ \d+ \+ \d+ \+ \d+ = 1000$/m, output)
  assert.match(output, /^bulkhead {2}4 × 50 jobs, at most 3 at a time$/m, output)
  assert.match(output, /^cache {5}4 × 1000 asked at once, loaded 1 time$/m, output)
})

test('express: limits, caches, and stops asking a service that fails', { timeout: 5 * MINUTE }, async (t) => {
  const copy = await installed('express')
  const { match, output } = await listening(t, 'npm', ['start'], copy, { PORT: '0' }, /Listening on (http:\S+)\./)
  const origin = match[1]

  const statuses = []
  for (let message = 0; message < 5; message += 1) statuses.push((await post(`${origin}/messages`, 'a')).status)
  assert.deepEqual(statuses, [201, 201, 201, 201, 201], output())
  const denied = await post(`${origin}/messages`, 'a')
  assert.equal(denied.status, 429)
  assert.equal(denied.headers.get('retry-after'), '12')
  assert.equal(denied.headers.get('ratelimit-policy'), '"messages";q=5;w=60')
  assert.equal((await post(`${origin}/messages`, 'b')).status, 201)

  const first = await (await fetch(`${origin}/weather/Paris`)).json()
  assert.deepEqual(await (await fetch(`${origin}/weather/Paris`)).json(), first, 'the second comes from the cache')

  const failures = []
  for (let ask = 0; ask < 4; ask += 1) failures.push((await fetch(`${origin}/weather/Atlantis`)).status)
  assert.deepEqual(failures, [500, 500, 500, 503])
  const { breakers, caches } = await (await fetch(`${origin}/health`)).json()
  assert.equal(Object.values(breakers)[0].state, 'open')
  assert.equal(Object.values(caches)[0].hits, 1)
})

test('next: built for real, the standalone server answers 200 and then 429', { timeout: 14 * MINUTE }, async (t) => {
  const copy = await installed('next')
  const built = await ran('npm', ['run', 'build'], copy)
  assert.match(built, /ƒ \/api\/chat/, built)
  const env = { PORT: await freePort(), HOSTNAME: '127.0.0.1' }
  const { output } = await listening(t, process.execPath, ['.next/standalone/server.js'], copy, env, /Ready in/)
  const origin = `http://127.0.0.1:${env.PORT}`

  const statuses = []
  for (let message = 0; message < 4; message += 1) statuses.push((await post(`${origin}/api/chat`, 'a')).status)
  assert.deepEqual(statuses, [200, 200, 200, 429], output())
  const denied = await post(`${origin}/api/chat`, 'a')
  assert.match(denied.headers.get('retry-after'), /^(?:20|19)$/)
  assert.equal(denied.headers.get('ratelimit-policy'), '"messages";q=3;w=60')
  assert.equal(denied.headers.get('content-type'), 'application/problem+json')
  assert.equal((await denied.json()).code, 'E_LIMITED')
  const other = await post(`${origin}/api/chat`, 'b')
  assert.deepEqual([other.status, other.headers.get('ratelimit')], [200, '"messages";r=2;t=20'])

  const first = await (await fetch(`${origin}/api/search?q=spillway`)).json()
  assert.equal(first.found, 8)
  assert.deepEqual(
    await (await fetch(`${origin}/api/search?q=spillway`)).json(),
    first,
    'the second comes from the cache',
  )
  assert.equal((await fetch(origin)).status, 200)
})
