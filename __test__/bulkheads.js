// Bulkheads for tests: one of an isolated spillway, and what to look at them with. Never a test itself.
'use strict'

const { spillway } = require('../index.js')
const { fate, turn } = require('./staged.js')

/**
 * @param {import('node:test').TestContext} t
 * @param {object} options
 * @param {object} [more] of the spillway
 */
function opened(t, options, more = {}) {
  const sp = spillway({ isolated: true, env: false, ...more })
  t.after(() => sp.close())
  const bulkhead = sp.bulkhead('slots', options)
  const report = () => sp.snapshot().bulkheads.slots
  /** Permits out and waiters in the queue. */
  const load = () => [report().inUse, report().waiting]
  return { sp, bulkhead, report, load }
}

/** The same on the time that a test fakes for timers, too. */
function timed(t, options) {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] })
  return { tick: (ms) => t.mock.timers.tick(ms), ...opened(t, options, { clock: () => Date.now() }) }
}

/** A promise to be settled by hand, and a function that answers it. */
function pending() {
  let resolve, reject
  const promise = new Promise((...settle) => ([resolve, reject] = settle))
  return { fn: () => promise, resolve, reject }
}

module.exports = { opened, timed, pending, turn, fate }
