// Run as a process of its own: the addon is loaded by workers only, which come and go. Never loads it in the main thread.
'use strict'

const { Worker } = require('node:worker_threads')

const ROUNDS = 40
const AT_ONCE = 5

const source = `
  const { parentPort } = require('node:worker_threads')
  const { limiter, cache } = require(${JSON.stringify(require.resolve('../../index.js'))})
  const ok = limiter('come-and-go', { limit: 100, window: '365d' }).consume('key').ok
  const visits = cache('come-and-go', { ttl: '1h' })
  visits.set('last', { at: 1 + (visits.get('last')?.at ?? 0) })
  parentPort.postMessage({ ok, visits: visits.get('last').at })
`

/** One worker, from its start to its end. */
function visit() {
  return new Promise((resolve, reject) => {
    let answer
    const worker = new Worker(source, { eval: true })
    worker.on('message', (message) => (answer = message))
    worker.on('error', reject)
    worker.on('exit', () => resolve(answer))
  })
}

async function main() {
  let admitted = 0
  let visits = 0
  for (let round = 0; round < ROUNDS; round++) {
    // None is left when the next round begins: an addon that were unloaded would start again from nothing.
    for (const answer of await Promise.all(Array.from({ length: AT_ONCE }, visit))) {
      if (answer.ok) admitted++
      visits = Math.max(visits, answer.visits)
    }
  }
  console.log(JSON.stringify({ workers: ROUNDS * AT_ONCE, admitted, visits }))
}

main()
