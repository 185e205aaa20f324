// A thread, or a process, that holds a lease and then does what it is told: hang, or wait to be ended. Never releases by itself.
'use strict'

const { isMainThread, parentPort, workerData } = require('node:worker_threads')
const { spillway } = require('../../index.js')
const { lease } = require('../../kit/lease.js')

const task = isMainThread ? JSON.parse(process.argv[2]) : workerData
const say = isMainThread ? (message) => process.send(message) : (message) => parentPort.postMessage(message)

/** The event loop does not turn for so long. */
function hang(ms) {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

async function main() {
  const { redis, prefix, name, options, key, hangMs } = task
  const sp = spillway({ prefix, env: false, ...(redis && { redis }) })
  if (redis) await sp.ready()
  const held = await lease(sp, name, options).acquire({ key, wait: task.wait ?? 0 })
  const { signal } = held
  say({ fence: held.fence, tookOver: held.tookOver, token: held.token, at: Date.now() })
  // So that the message is out before.
  await new Promise((resolve) => setTimeout(resolve, 20))
  if (task.exits) process.exit(0)
  if (hangMs === undefined) return void setInterval(() => {}, 1_000)
  hang(hangMs)
  const within = held.expiresInMs
  await new Promise((resolve) => setTimeout(resolve, 50))
  say({ within, aborted: signal.aborted, code: signal.reason?.code, expiresInMs: held.expiresInMs })
  if (!signal.aborted) await held.release()
  say({ done: true })
  if (isMainThread) process.disconnect()
  await sp.close()
}

main().catch((error) => say({ error: error.code ?? error.message }))
