// Owns the process one comparison runs in: a fresh heap and a compiler that has seen none of the other comparisons.
// Must never print; the report goes to whoever started it.
'use strict'

const { cases } = require('./cases/index.js')
const { seeded } = require('./interleave.js')

process.once('message', async (/** @type {{ name: string, plan: import('./plan.js').Plan }} */ { name, plan }) => {
  try {
    const report = await cases[name]({ plan, random: seeded(plan.seed) })
    process.send?.({ report }, () => process.exit(0))
  } catch (error) {
    const failure = error instanceof Error ? (error.stack ?? error.message) : String(error)
    process.send?.({ failure }, () => process.exit(1))
  }
})
