// Owns one worker thread that asks a limiter as often as it is told, from the moment all that take part are let go.
// Must never judge: it tells how long it took, and how much of that another process had the processor.
'use strict'

const { parentPort, workerData } = require('node:worker_threads')
const { waitedNs } = require('./processor.js')

/** @typedef {{ limiter: string, keys: string[], calls: number }} Order */

const { gate, limiters } = workerData
const word = new Int32Array(gate)
const api = require('../..').spillway({ prefix: 'threads' })
const opened = new Map(Object.entries(limiters).map(([name, options]) => [name, api.limiter(name, options)]))

/**
 * @param {any} limiter
 * @param {string[]} keys
 * @param {number} calls
 */
function ask(limiter, keys, calls) {
  let admitted = 0
  for (let call = 0, at = 0; call < calls; call++) {
    if (limiter.consume(keys[at]).ok) admitted++
    if (++at === keys.length) at = 0
  }
  return admitted
}

parentPort?.on('message', (/** @type {Order} */ { limiter, keys, calls }) => {
  // The last to arrive lets all go; until then each keeps its processor, so that none begins late for having slept.
  Atomics.sub(word, 0, 1)
  while (Atomics.load(word, 0) > 0);
  const waited = waitedNs()
  const began = process.hrtime.bigint()
  const admitted = ask(opened.get(limiter), keys, calls)
  const ended = process.hrtime.bigint()
  parentPort?.postMessage({ began, ended, waitedNs: waitedNs() - waited, admitted })
})
