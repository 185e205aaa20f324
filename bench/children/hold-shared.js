// Owns one process with two worker threads on one working set, and tells how much memory it came to hold and how many loads it took.
// Must never cache anything in the main thread.
'use strict'

const { once } = require('node:events')
const path = require('node:path')
const { Worker } = require('node:worker_threads')
const { held } = require('./held.js')

const THREADS = 2

process.once('message', async (/** @type {{ kind: string, count: number }} */ { kind, count }) => {
  const file = path.join(__dirname, 'hold-thread.js')
  const workers = Array.from(
    { length: THREADS },
    (_, thread) => new Worker(file, { workerData: { kind, count, seed: thread + 1 } }),
  )
  /** @param {'rehearse' | 'work' | 'weigh'} order */
  const all = async (order) => {
    const answers = workers.map((worker) => once(worker, 'message'))
    for (const worker of workers) worker.postMessage(order)
    return (await Promise.all(answers)).map(([answer]) => answer)
  }
  /** @param {{ unused: number }[]} threads */
  const resident = async (threads) => threads.reduce((rss, { unused }) => rss - unused, (await held()).rss)

  await all('rehearse')
  const before = await resident(await all('weigh'))
  const worked = await all('work')
  const after = await resident(await all('weigh'))
  const loads = worked.reduce((sum, thread) => sum + thread.loads, 0)
  process.send?.({ bytes: after - before, loads }, () => process.exit(0))
})
