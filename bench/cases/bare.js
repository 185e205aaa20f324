// Owns the baseline under every guard: the same function, awaited with nothing around it.
// Must never grow a guard of its own.
'use strict'

const sink = require('../sink.js')
const { guarded } = require('../workload.js')

/** @returns {import('../measure.js').Contestant} */
module.exports = function bare() {
  return {
    name: 'bare await',
    async run(calls) {
      let sum = 0
      for (let call = 0; call < calls; call++) sum += await guarded()
      sink.sum = sum
      return sum
    },
  }
}
