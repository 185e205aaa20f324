// Owns the question what it costs to stand behind a guard against overload while there is none.
// Must never overload anything: a batch is far shorter than the delay at which load is shed.
'use strict'

const { duel } = require('../duel.js')
const ours = require('../ours.js')
const sink = require('../sink.js')
const { guarded } = require('../workload.js')
const bare = require('./bare.js')

/** @param {import('./index.js').Arena} arena */
module.exports = function shed(arena) {
  return duel(
    {
      name: 'shed',
      title: 'shed while it is calm: asking alone, and around an async function that does nothing',
      contestants: [clock(), ...spillway(), bare()],
      wanted: [],
    },
    arena,
  )
}

/** @returns {import('../measure.js').Contestant} */
function clock() {
  return {
    name: 'performance.now',
    note: 'what asking cannot do without',
    run(calls) {
      let sum = 0
      for (let call = 0; call < calls; call++) sum += performance.now()
      sink.sum = sum
      return calls
    },
  }
}

/** @returns {import('../measure.js').Contestant[]} */
function spillway() {
  const { found, missing } = ours.spillway()
  const skipped = missing ?? (found.shed ? undefined : 'not exported by this build')
  if (skipped) return ['shed.admit', 'shed.run'].map((name) => ({ name, skipped }))
  const front = found.spillway().shed('calm')
  return [
    {
      name: 'shed.admit',
      run(calls) {
        let admitted = 0
        for (let call = 0; call < calls; call++) if (front.admit() === null) admitted++
        return admitted
      },
    },
    {
      name: 'shed.run',
      async run(calls) {
        let sum = 0
        for (let call = 0; call < calls; call++) sum += await front.run(guarded)
        sink.sum = sum
        return sum
      },
    },
  ]
}
