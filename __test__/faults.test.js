// Every fault of faults/, in its short form. Owns nothing else: what must be seen stands with each scenario.
// Never run beside other tests: they would be in the figures.
'use strict'

const assert = require('node:assert/strict')
const { describe, test } = require('node:test')
const { about, names, play } = require('../faults/run.js')
const { table } = require('../faults/table.js')

/** Whether its figures are counts, not milliseconds, so that another may run beside it. */
const isPatient = (name) => about(name).isPatient === true

/** Milliseconds are also the machine's, which may have been busy for a moment; counts are not. */
const isLate = ({ ok, broken, checks }) => !ok && broken === undefined && checks.every((each) => each.ok || each.isTime)

/** @param {string} name */
function played(name) {
  const { fault, must } = about(name)
  test(`${fault}: ${must}`, async () => {
    let row = await play(name, { short: true })
    if (isLate(row)) row = await play(name, { short: true })
    assert.ok(row.ok, `${table([row])}\n${row.broken ?? ''}`)
  })
}

describe('faults whose figures are counts', { concurrency: 3 }, () => names().filter(isPatient).forEach(played))
describe('faults whose figures are times', () => {
  for (const name of names()) if (!isPatient(name)) played(name)
})
