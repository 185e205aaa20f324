// The whole JavaScript face of caches against the oracle of cache-oracle.js, over random timelines. Owns how many there are.
// Never compares anything: threads/cache-timelines.js does.
'use strict'

const assert = require('node:assert/strict')
const { fork } = require('node:child_process')
const { once } = require('node:events')
const path = require('node:path')
const { test } = require('node:test')

const TIMELINES = 20_000
const STEPS = 30
const PROCESSES = 2

/** How often each thing must at least have been seen for the timelines to say anything. */
const ENOUGH = {
  whole: 19_500,
  load: 45_000,
  previous: 7000,
  value: 25_000,
  fresh: 20_000,
  stale: 1000,
  grace: 800,
  negative: 2500,
  loadError: 900,
  error: 12_000,
  E_TIMEOUT: 3000,
}

test(`every call answers as the naive cache does, over ${TIMELINES.toLocaleString('en-US')} timelines of ${STEPS} steps`, async (t) => {
  const share = TIMELINES / PROCESSES
  const answers = Array.from({ length: PROCESSES }, async (_, index) => {
    const range = { first: index * share, last: (index + 1) * share, steps: STEPS }
    const child = fork(path.join(__dirname, 'threads', 'cache-timelines.js'), [JSON.stringify(range)])
    t.after(() => child.kill())
    const ended = once(child, 'exit').then(([code]) => [{ failure: `it ended with ${code} and said nothing` }])
    const [{ seen, failure }] = await Promise.race([once(child, 'message'), ended])
    if (failure !== undefined) assert.fail(failure)
    return seen
  })
  const seen = {}
  for (const some of await Promise.all(answers)) {
    for (const [what, count] of Object.entries(some)) seen[what] = (seen[what] ?? 0) + count
  }
  for (const [what, least] of Object.entries(ENOUGH)) assert.ok(seen[what] >= least, `${what}: ${JSON.stringify(seen)}`)
})
