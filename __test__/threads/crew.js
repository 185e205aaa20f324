// The worker threads of one test of the cache: begun together, ended with the test. Owns what they say and that a test ends when one of
// them breaks. Never says what they do: that is cache-jobs.js.
'use strict'

const path = require('node:path')
const { Worker } = require('node:worker_threads')

const JOBS = path.join(__dirname, 'cache-jobs.js')

const turn = () => new Promise((resolve) => setImmediate(resolve))

/** Whole numbers that all threads see. */
const numbers = (length) => new Int32Array(new SharedArrayBuffer(4 * length))

let names = 0
/** A name no other test has: these tests share the process's registry on purpose. */
const fresh = (what) => `${what}-${++names}-${process.pid}`

/** A worker doing `job`: the first thing it says, and its answer, or null when it ended without one. */
function work(t, job, data = {}) {
  const worker = new Worker(JOBS, { workerData: { job, ...data } })
  t.after(() => worker.terminate())
  const broken = new Promise((_, reject) => worker.on('error', reject))
  broken.catch(() => {})
  const said = Promise.race([broken, new Promise((resolve) => worker.once('message', resolve))])
  const answer = Promise.race([
    broken,
    new Promise((resolve) => {
      worker.on('message', (message) => message.answer !== undefined && resolve(message.answer))
      worker.on('exit', () => resolve(null))
    }),
  ])
  answer.catch(() => {})
  return { worker, said, answer, broken }
}

/** Let `count` workers begin in the same moment. */
async function together(t, count, job, dataOf) {
  const gate = numbers(2)
  const workers = Array.from({ length: count }, (_, index) => work(t, job, { gate, ...dataOf(index) }))
  const broken = Promise.race(workers.map((each) => each.broken))
  while (Atomics.load(gate, 0) < count) await Promise.race([broken, turn()])
  Atomics.store(gate, 1, 1)
  Atomics.notify(gate, 1)
  return workers
}

const answersOf = (workers) => Promise.all(workers.map(({ answer }) => answer))

module.exports = { answersOf, fresh, numbers, together, turn, work }
