// Waiting for what another process does in its own time. Owns the waiting. Never judges what it waits for.
'use strict'

const { setTimeout: sleep } = require('node:timers/promises')

const POLL_MS = 10
const WITHIN_MS = 30_000

/**
 * Resolves with what `look` answers once it is not falsy. What it throws counts as "not yet".
 * @template T
 * @param {string} what it is waited for, for the error
 * @param {() => T | Promise<T>} look
 * @param {number} [withinMs]
 * @returns {Promise<T>}
 */
async function until(what, look, withinMs = WITHIN_MS) {
  const over = performance.now() + withinMs
  for (let last; ; await sleep(POLL_MS)) {
    try {
      const seen = await look()
      if (seen) return seen
    } catch (error) {
      last = error
    }
    if (performance.now() > over) throw new Error(`not within ${withinMs} ms: ${what}`, { cause: last })
  }
}

module.exports = { until }
