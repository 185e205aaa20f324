// How a spillway over Redis lives and ends: processes, worker threads, several environments, promises after close. Owns that nothing
// hangs, nothing is left behind and nothing rejects unheard. Never tests what is decided.
'use strict'

const assert = require('node:assert/strict')
const { spawn } = require('node:child_process')
const path = require('node:path')
const { before, after, test } = require('node:test')
const { Worker } = require('node:worker_threads')
const { spillway } = require('../index.js')
const { startServer, redis, until } = require('./redis/servers.js')

const ROOT = path.join(__dirname, '..')
const LIMIT = "{ limit: 1_000_000, window: '1h', failMode: 'open' }"

let server
before(async () => {
  server = await startServer({})
})
after(() => server.close())

/**
 * Runs a script that says "done" when its last work is, and resolves with what it wrote and how long it lived thereafter.
 * @param {string} text
 */
function lived(text) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--unhandled-rejections=strict', '-e', text], { cwd: ROOT })
    let [stdout, stderr, done] = ['', '', 0]
    child.stdout.on('data', (data) => {
      stdout += data
      if (done === 0 && stdout.includes('done')) done = performance.now()
    })
    child.stderr.on('data', (data) => (stderr += data))
    child.on('error', reject)
    child.on('exit', (code) => resolve({ code, stdout, stderr, afterMs: performance.now() - done }))
  })
}

for (const [how, close] of [
  ['closed', 'await sp.close()'],
  ['not closed', ''],
]) {
  test(`a process ends within 200 ms of its last work, its spillway ${how}`, async () => {
    const { code, stderr, afterMs } = await lived(`
      const { spillway } = require('./index.js')
      async function main() {
        const sp = spillway({ redis: '${server.url}', prefix: 'ends' })
        const limiter = sp.limiter('chat', ${LIMIT})
        for (let call = 0; call < 50; call++) await limiter.consume('k' + call)
        ${close}
        console.log('done')
      }
      main()
    `)
    assert.deepEqual([code, stderr], [0, ''])
    assert.ok(afterMs < 200, `${afterMs} ms`)
  })
}

test('a process that waits for nothing but a decision gets it', async () => {
  const { code, stdout } = await lived(`
    const { spillway } = require('./index.js')
    const limiter = spillway({ redis: { url: '${server.url}', deadline: '5s' } }).limiter('chat', ${LIMIT})
    limiter.consume('a').then(({ decidedBy }) => console.log('done', decidedBy))
  `)
  assert.equal(code, 0)
  assert.match(stdout, /done redis/)
})

test('a process that never asked does not wait for Redis, there or not', async (t) => {
  const dead = await redis(t)
  await dead.kill9()
  for (const url of [server.url, dead.url]) {
    const { code, afterMs } = await lived(`
      const { spillway } = require('./index.js')
      const sp = spillway({ redis: { url: '${url}', connectTimeout: '10s' } })
      sp.limiter('chat', ${LIMIT})
      console.log('done')
    `)
    assert.equal(code, 0)
    assert.ok(afterMs < 300, `${afterMs} ms`)
  }
})

test('what was asked before a close is answered, and nothing rejects unheard', async () => {
  const { code, stdout, stderr } = await lived(`
    const { spillway } = require('./index.js')
    async function main() {
      const sp = spillway({ redis: { url: '${server.url}', deadline: '5s' } })
      const limiter = sp.limiter('chat', ${LIMIT})
      await limiter.consume('warm')
      const asked = Array.from({ length: 500 }, (_, index) => limiter.consume('k' + index))
      const many = limiter.consumeMany(['a', 'b'])
      const reset = limiter.reset('a').catch(() => {})
      const closing = sp.close()
      if (sp.close() !== closing) throw new Error('the second close does not wait for the first')
      const decisions = await Promise.all(asked)
      await Promise.all([many, reset, closing])
      console.log(decisions.length, decisions.every(({ decidedBy }) => decidedBy === 'redis'), 'done')
    }
    main()
  `)
  assert.deepEqual([code, stderr], [0, ''])
  assert.match(stdout, /500 true done/)
})

test('promises that nobody looks at, and a Redis that dies meanwhile, leave no rejection', async (t) => {
  const mortal = await redis(t)
  const child = lived(`
    const { spillway } = require('./index.js')
    const sp = spillway({ redis: '${mortal.url}' })
    const limiter = sp.limiter('chat', ${LIMIT})
    const timer = setInterval(() => {
      for (let call = 0; call < 20; call++) limiter.consume('k' + call)
      limiter.consumeMany(['a', 'b'])
      limiter.consume('a').then((decision) => limiter.refund('a', decision))
    }, 1)
    setTimeout(() => {
      clearInterval(timer)
      sp.close().then(() => console.log('done'))
    }, 1_500)
  `)
  await new Promise((resolve) => setTimeout(resolve, 700))
  await mortal.kill9()
  const { code, stderr } = await child
  assert.equal(code, 0, stderr)
  assert.equal(stderr, '')
})

test('worker threads share the connection, the limits and the names of a process', async (t) => {
  const clientName = `workers-${process.pid}`
  const script = `
    const { parentPort, workerData } = require('node:worker_threads')
    const { spillway } = require(${JSON.stringify(path.join(ROOT, 'index.js'))})
    const sp = spillway({ redis: workerData.redis, prefix: workerData.prefix })
    const limiter = sp.limiter('chat', { limit: 400, window: '365d', failMode: 'closed' })
    async function main() {
      let admitted = 0
      for (let call = 0; call < 200; call++) admitted += Number((await limiter.consume('all')).ok)
      parentPort.postMessage(admitted)
      if (workerData.closes) await sp.close()
    }
    main()
  `
  const options = { url: server.url, clientName, deadline: '5s' }
  const sp = spillway({ redis: options, prefix: clientName })
  t.after(() => sp.close())
  await sp.ready()
  const workers = [true, false, true, false].map(
    (closes) => new Worker(script, { eval: true, workerData: { redis: options, prefix: clientName, closes } }),
  )
  const counts = await Promise.all(
    workers.map((worker) => new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))),
  )
  assert.equal(
    counts.reduce((sum, count) => sum + count),
    400,
  )
  const clients = (await server.call('CLIENT', 'LIST')).split(`name=${clientName} `).length - 1
  assert.ok(clients <= 2, `${clients} connections`)
  await Promise.all(workers.map((worker) => worker.terminate()))
  const limiter = sp.limiter('chat', { limit: 400, window: '365d', failMode: 'closed' })
  assert.equal((await limiter.consume('all')).ok, false, 'it goes on after the workers')
})

test('a worker that is terminated with asks on their way harms nobody', async () => {
  const script = `
    const { workerData, parentPort } = require('node:worker_threads')
    const { spillway } = require(${JSON.stringify(path.join(ROOT, 'index.js'))})
    const sp = spillway({ redis: workerData })
    const limiter = sp.limiter('chat', ${LIMIT})
    const turn = () => {
      for (let call = 0; call < 100; call++) limiter.consume('k' + call)
      setImmediate(turn)
    }
    limiter.consume('a').then(() => parentPort.postMessage('on'))
    turn()
  `
  for (let round = 0; round < 5; round++) {
    const worker = new Worker(script, { eval: true, workerData: server.url })
    await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
    await worker.terminate()
  }
})

test('the module loaded twice is two faces of one connection', async (t) => {
  const clientName = `twice-${process.pid}`
  const open = () => {
    for (const file of Object.keys(require.cache)) {
      if (file.startsWith(path.join(ROOT, 'lib')) || file === path.join(ROOT, 'index.js')) delete require.cache[file]
    }
    const sp = require('../index.js').spillway({
      redis: { url: server.url, clientName, deadline: '5s' },
      prefix: clientName,
    })
    t.after(() => sp.close())
    return sp
  }
  const options = { limit: 2, window: '1h', failMode: 'closed' }
  const [one, two] = [open().limiter('chat', options), open().limiter('chat', options)]
  assert.deepEqual(
    (await Promise.all([one.consume('a'), two.consume('a'), one.consume('a')])).map(({ ok }) => ok).sort(),
    [false, true, true],
  )
})

test('spillways that are opened and closed leave no connection and no handle behind', async () => {
  const clientName = `churn-${process.pid}`
  for (let round = 0; round < 50; round++) {
    const sp = spillway({ redis: { url: server.url, clientName, deadline: '5s' }, isolated: round % 2 === 0 })
    const limiter = sp.limiter('chat', { limit: 1_000, window: '1h', failMode: 'closed' })
    assert.equal((await limiter.consume('a')).reason, 'allowed')
    await sp.close()
  }
  await until('all are closed', async () => !(await server.call('CLIENT', 'LIST')).includes(`name=${clientName} `))
})
