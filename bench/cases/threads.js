// Owns the question whether a second thread on the same limiter brings more decisions, or only more waiting.
// Must never measure one side while the other runs, nor on a machine with one processor.
'use strict'

const { once } = require('node:events')
const os = require('node:os')
const path = require('node:path')
const { Worker } = require('node:worker_threads')
const { judged, row } = require('../duel.js')
const { turns } = require('../interleave.js')
const ours = require('../ours.js')
const { overlap } = require('../overlap.js')
const { ratios } = require('../verdict.js')
const { keys } = require('../workload.js')

const THREADS = 2
/** A second thread has to bring half as much again. */
const AT_MOST = 1 / 1.5
/** A turn in which the threads did not run together is taken again, so many times at most; then it counts as it is. */
const TRIES = 12

const rate = { limit: 1_000_000_000, window: 3_600_000 }
const LIMITERS = { wide: rate, narrow: { ...rate, maxKeys: 1000 } }

/** Each thread's share of eight hundred keys, which the narrow limiter too has cells for. */
const share = (/** @type {number} */ thread) => keys.slice(thread * 400, (thread + 1) * 400)
const same = () => keys.slice(0, 1)

const WAYS = [
  { name: 'keys of their own', limiter: 'wide', keysOf: share },
  { name: 'keys of their own, maxKeys 1,000', limiter: 'narrow', keysOf: share },
  { name: 'the same key', limiter: 'wide', keysOf: same },
]
/** @typedef {typeof WAYS[number] & { threads: number }} Contestant */
const CONTESTANTS = WAYS.flatMap((way) => [1, THREADS].map((threads) => ({ ...way, threads })))

/** @param {{ name: string, threads: number }} contestant */
const called = ({ name, threads }) => `${threads === 1 ? 'one thread' : 'two threads'}, ${name}`

/** @param {import('./index.js').Arena} arena */
module.exports = async function threads({ plan, random }) {
  const missing =
    ours.spillway().missing ?? (os.availableParallelism() < THREADS ? 'it takes two processors' : undefined)
  const counts = { turns: 0, disturbed: 0 }
  const samples = missing ? new Map() : await measured(plan, random, counts)
  const [one, two] = [CONTESTANTS[0], CONTESTANTS[1]].map((contestant) => samples.get(called(contestant)))
  return {
    name: 'threads',
    title: 'limiter.consume from worker threads on one limiter, 400 hot keys each, all admitted',
    unit: 'ns/call',
    rows: CONTESTANTS.map((contestant) =>
      row({ name: called(contestant), skipped: missing }, samples.get(called(contestant))),
    ),
    targets: [judged('two threads / one, keys of their own', missing ? [] : ratios(two, one), AT_MOST)],
    notes: [
      'time from the first call to the last, divided by the calls of both threads',
      `in ${counts.disturbed} of ${counts.turns} turns other processes had one of the processors`,
    ],
  }
}

/**
 * Nanoseconds a call for every contestant, round by round.
 * @param {import('../plan.js').Plan} plan
 * @param {() => number} random
 * @param {{ turns: number, disturbed: number }} counts
 * @returns {Promise<Map<string, number[]>>}
 */
async function measured(plan, random, counts) {
  const gate = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)
  const workerData = { gate, limiters: LIMITERS }
  const file = path.join(__dirname, '..', 'children', 'thread.js')
  const workers = Array.from({ length: THREADS }, () => new Worker(file, { workerData }))
  try {
    /** So many calls of each thread. */
    const attempt = async (/** @type {Contestant} */ { limiter, keysOf, threads }, /** @type {number} */ calls) => {
      new Int32Array(gate)[0] = threads
      const taking = workers.slice(0, threads)
      const answers = taking.map((worker) => once(worker, 'message'))
      taking.forEach((worker, thread) => worker.postMessage({ limiter, keys: keysOf(thread), calls }))
      const ends = (await Promise.all(answers)).map(([answer]) => answer)
      if (ends.some(({ admitted }) => admitted !== calls)) throw new Error(`of ${calls} calls not all were admitted`)
      return overlap(ends)
    }
    const turn = async (/** @type {Contestant} */ contestant, /** @type {number} */ calls) => {
      for (let left = TRIES; ; left--) {
        const { ns, undisturbed } = await attempt(contestant, calls)
        if (undisturbed || left === 1) {
          counts.turns++
          if (!undisturbed) counts.disturbed++
          return ns
        }
      }
    }

    // The same number of calls for all: what it is does not matter, as long as it fills a turn.
    let calls = 10_000
    for (const contestant of CONTESTANTS) await turn(contestant, 10 * calls)
    calls = Math.ceil((calls * plan.batchMs * 1e6) / (await turn(CONTESTANTS[0], calls)))

    /** @type {Map<string, number[]>} */
    const samples = new Map(CONTESTANTS.map((contestant) => [called(contestant), []]))
    for (let round = 0; round < plan.rounds; round++) {
      const spent = CONTESTANTS.map(() => 0)
      for (let slice = 0; slice < plan.slices; slice++) {
        for (const place of turns(CONTESTANTS.length, random)) spent[place] += await turn(CONTESTANTS[place], calls)
      }
      CONTESTANTS.forEach((contestant, place) =>
        samples.get(called(contestant))?.push(spent[place] / (calls * contestant.threads * plan.slices)),
      )
    }
    return samples
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()))
  }
}
