// A worker that does random things with bulkheads until it is terminated, whatever it holds or waits for then. Never asserts: it
// says how much it did, and the test judges.
'use strict'

const { parentPort, workerData } = require('node:worker_threads')
const { spillway } = require('../../index.js')
const { randomOf } = require('../limiters.js')

const { prefix, bulkheads, keys, seed, batch } = workerData
const random = randomOf(seed)
const sp = spillway({ prefix })
const all = Object.entries(bulkheads).map(([name, options]) => [sp.bulkhead(name, options), options])
const PRIORITIES = ['low', 'normal', 'high', 'critical']
const held = []
/** What was given back before, and is tried again. */
const past = []
const controllers = []

const later = () => new Promise((resolve) => setImmediate(resolve))
const ends = [
  () => {},
  () => Promise.resolve(),
  later,
  () => Promise.reject(new Error('thrown')),
  () => {
    throw new Error('thrown')
  },
  // One that never comes back, but by the end of its thread or its lease.
  () => new Promise(() => {}),
]

function release() {
  if (held.length === 0) return
  const [permit] = held.splice(random(held.length), 1)
  permit.release()
  past[random(16)] = permit
}

const keep = (permit) => {
  if (permit !== null) held.push(permit)
}

function step() {
  const [bulkhead, { perKey, lease }] = all[random(all.length)]
  const key = perKey ? keys[random(keys.length)] : undefined
  const priority = PRIORITIES[random(4)]
  const controller = (controllers[random(4)] ??= new AbortController())
  const signal = random(4) === 0 && !controller.signal.aborted ? controller.signal : undefined
  const which = random(100)
  if (which < 20) keep(bulkhead.tryAcquire(key))
  else if (which < 55) release()
  else if (which < 60) past[random(16)]?.release()
  else if (which < 72) bulkhead.acquire({ key, priority, signal }).then(keep, () => {})
  else if (which < 95) {
    const end = ends[random(random(200) === 0 || lease !== undefined ? 6 : 5)]
    const call = which < 84 ? bulkhead.run(end, { key, priority, signal }) : bulkhead.attempt(end, { key, priority })
    call.catch(() => {})
  } else if (which < 97) {
    controllers.splice(random(4), 1)[0]?.abort()
  }
}

async function work() {
  for (;;) {
    for (let i = 0; i < batch; i++) {
      step()
      if (random(8) === 0) await null
      if (random(64) === 0) await later()
      // Nobody keeps everything: the others shall have their turn.
      while (held.length > 6) release()
    }
    parentPort.postMessage(batch)
  }
}

work()
