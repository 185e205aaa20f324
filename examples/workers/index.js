// Four worker threads share one limiter, one bulkhead and one cache, and the sums come out exactly.
// Never coordinates the threads itself: what they share, they share through Spillway.
'use strict'

const { once } = require('node:events')
const { setImmediate: turn } = require('node:timers/promises')
const { Worker, isMainThread, parentPort, workerData } = require('node:worker_threads')
const { spillway } = require('spillway')

const WORKERS = 4
const ATTEMPTS = 25_000
const JOBS = 50
const ASKS = 1_000

// The same names in every thread: the same limiter, bulkhead and cache.
const sp = spillway({ prefix: 'example' })
const budget = sp.limiter('budget', { limit: 1_000, window: '365d' })
const connections = sp.bulkhead('connections', { limit: 3, queue: WORKERS * JOBS })
const prices = sp.cache('prices', { ttl: '5m' })

if (isMainThread) main()
else work(new Int32Array(workerData))

async function main() {
  // Plain counters to check with: [at work now, most at work, loads, workers that are ready].
  const counters = new SharedArrayBuffer(4 * Int32Array.BYTES_PER_ELEMENT)
  const workers = Array.from({ length: WORKERS }, () => new Worker(__filename, { workerData: counters }))
  const admitted = (await Promise.all(workers.map((worker) => once(worker, 'message')))).map(([count]) => count)
  const [, most, loads] = new Int32Array(counters)
  const sum = admitted.reduce((total, count) => total + count, 0)

  console.log(`limiter   ${WORKERS} × ${ATTEMPTS} attempts, admitted ${admitted.join(' + ')} = ${sum}`)
  console.log(`bulkhead  ${WORKERS} × ${JOBS} jobs, at most ${most} at a time`)
  console.log(`cache     ${WORKERS} × ${ASKS} asked at once, loaded ${loads} time${loads === 1 ? '' : 's'}`)
  process.exitCode = sum === 1_000 && most === 3 && loads === 1 ? 0 : 1
  await sp.close()
}

async function work(counters) {
  startTogether(counters)
  let admitted = 0
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    if (budget.consume('everybody').ok) admitted += 1
    if (attempt % 10 === 0) await turn()
  }

  await Promise.all(Array.from({ length: JOBS }, () => connections.run(() => job(counters))))

  const load = async () => {
    Atomics.add(counters, 2, 1)
    await turn()
    return { apple: 1.2 }
  }
  await Promise.all(Array.from({ length: ASKS }, () => prices.getOrSet('today', load)))

  parentPort.postMessage(admitted)
}

/** Or the first worker would have spent the budget before the second is there. */
function startTogether(counters) {
  const ready = Atomics.add(counters, 3, 1) + 1
  Atomics.notify(counters, 3)
  for (let seen = ready; seen < WORKERS; seen = Atomics.load(counters, 3)) Atomics.wait(counters, 3, seen)
}

async function job(counters) {
  const atWork = Atomics.add(counters, 0, 1) + 1
  for (let most = Atomics.load(counters, 1); atWork > most; most = Atomics.load(counters, 1)) {
    if (Atomics.compareExchange(counters, 1, most, atWork) === most) break
  }
  for (let turns = 0; turns < 20; turns += 1) await turn()
  Atomics.sub(counters, 0, 1)
}
