// Every fault of faults/, in its short form. Owns nothing else: what must be seen stands with each scenario.
// Never run beside other tests: they would be in the figures.
'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')
const { about, names, play } = require('../faults/run.js')
const { table } = require('../faults/table.js')

for (const name of names()) {
  const { fault, must } = about(name)
  test(`${fault}: ${must}`, async () => {
    const row = await play(name, { short: true })
    assert.ok(row.ok, `${table([row])}\n${row.broken ?? ''}`)
  })
}
