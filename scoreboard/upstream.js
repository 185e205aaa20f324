// Owns a dependency that does as it is told. Never decides by itself when to answer.
'use strict'

/** What all breakers of the scoreboard are set to, where a scenario does not say otherwise. */
const WISH = { windowMs: 60_000, minCalls: 10, openMs: 1000 }

const failure = new Error('the dependency is down')
const fail = async () => {
  throw failure
}
const answer = async () => 1

/**
 * @typedef {object} Deferred
 * @property {() => Promise<any>} call the function to be guarded
 * @property {(value?: unknown) => void} resolve
 * @property {(error?: unknown) => void} reject
 */

/** A call whose end is in the hands of the scenario. @returns {Deferred} */
function deferred() {
  /** @type {any} */
  const ends = {}
  const promise = new Promise((resolve, reject) => Object.assign(ends, { resolve, reject }))
  return { ...ends, call: () => promise }
}

/**
 * Calls, one after the other, whatever becomes of them.
 * @param {{ run: (call: any) => Promise<unknown> }} guard
 * @param {number} times
 * @param {() => Promise<unknown>} call
 */
async function repeat(guard, times, call) {
  for (let time = 0; time < times; time++) await guard.run(call).then(ignore, ignore)
}

const ignore = () => {}

/**
 * Opens a breaker by failures, and waits until it lets a probe through.
 * @param {import('./contestants/index.js').BreakerGuard} breaker
 * @param {InstanceType<typeof import('./trial.js').Trial>} trial
 */
async function openAndWait(breaker, trial) {
  await repeat(breaker, WISH.minCalls, fail)
  if (breaker.state() !== 'open') throw new Error(`${WISH.minCalls} failures did not open it`)
  await trial.pass(WISH.openMs + 1)
}

module.exports = { WISH, failure, fail, answer, deferred, repeat, ignore, openAndWait }
