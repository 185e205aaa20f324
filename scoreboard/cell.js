// Owns the process of one cell: one fault, one contestant, and nobody else's timers or errors. Never prints.
'use strict'

const { faults } = require('./faults/index.js')
const { Trial } = require('./trial.js')

/**
 * Asks one contestant about one fault.
 * @param {import('./faults/index.js').Fault} fault
 * @param {import('./contestants/index.js').Contestant} contestant
 * @returns {Promise<import('./judge.js').Cell>}
 */
async function ask(fault, contestant) {
  const lacking = fault.needs.find((need) => contestant.lacks[need] !== undefined)
  if (lacking) return { verdict: 'none', said: String(contestant.lacks[lacking]) }
  // Loaded before time is faked: whoever looks whether it is has to see the difference.
  const guards = await contestant.load()
  const trial = new Trial(!fault.realTime)
  try {
    const observed = await fault.scenario(/** @type {any} */ (guards), trial)
    if (fault.isRight(observed)) return { verdict: 'right', said: fault.tell(observed) }
    // Who passes a listener's error on to the process, as it may, is right; who loses a caller's error there adds to the wrong.
    const besides = trial.uncaught.length > 0 ? ', and an error nobody caught' : ''
    return { verdict: 'wrong', said: `${fault.tell(observed)}${besides}` }
  } catch (error) {
    return { verdict: 'failed', said: `could not be run: ${error instanceof Error ? error.message : String(error)}` }
  }
}

const [name, file] = process.argv.slice(2)
// How a library warns is no part of how it behaves.
process.removeAllListeners('warning')
ask(faults[name](), require(file)).then((cell) => process.send?.(cell, () => process.exit(0)))
