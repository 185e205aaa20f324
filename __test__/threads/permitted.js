// A thread, or a process, that holds permits over Redis and waits to be ended. Never gives one back by itself.
'use strict'

const { isMainThread, parentPort, workerData } = require('node:worker_threads')
const { spillway } = require('../../index.js')

const task = isMainThread ? JSON.parse(process.argv[2]) : workerData

async function main({ redis, prefix, name, options, count }) {
  const sp = spillway({ redis, prefix, env: false })
  await sp.ready()
  const slots = sp.bulkhead(name, options)
  const held = await Promise.all(Array.from({ length: count }, () => slots.acquire()))
  const fences = held.map(({ fence }) => fence)
  if (isMainThread) process.send({ fences })
  else parentPort.postMessage({ fences })
  setInterval(() => held, 1_000)
}

main(task)
