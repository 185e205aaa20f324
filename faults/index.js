// Every fault in turn, and one table of what was seen. Owns the command line, the file the table is written to, and the exit code.
// Never stops at a row that failed: the rest is worth knowing.
'use strict'

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { parseArgs } = require('node:util')
const { about, names, play } = require('./run.js')
const { table } = require('./table.js')

const FILE = path.join(__dirname, '..', '.output', 'faults.md')

/** @param {import('./run.js').Row[]} rows @param {boolean} [short] */
function write(rows, short) {
  const form = `${short ? 'Short' : 'Full'} form, Node ${process.version}, ${os.availableParallelism()} cores.`
  fs.mkdirSync(path.dirname(FILE), { recursive: true })
  fs.writeFileSync(FILE, `# Faults\n\n${form}\n\n${table(rows)}\n`)
}

async function main() {
  const { values } = parseArgs({ options: { only: { type: 'string' }, short: { type: 'boolean' } } })
  const wanted = values.only?.split(',')
  const unknown = wanted?.filter((name) => !names().includes(name)) ?? []
  if (unknown.length > 0) {
    console.error(`usage: npm run faults -- [--only NAME,NAME] [--short]\nnames: ${names().join(', ')}`)
    process.exitCode = 2
    return
  }
  const chosen = names().filter((name) => wanted?.includes(name) ?? true)
  /** Takes ten minutes and no work: it goes on beside the others. @param {string} name */
  const isIdle = (name) => about(name).isIdle === true && !values.short
  const beside = chosen.filter(isIdle).map((name) => play(name, values))
  const rows = []
  const waiting = chosen.filter((name) => !isIdle(name))
  for (const next of [...waiting.map((name) => () => play(name, values)), ...beside.map((row) => () => row)]) {
    const row = await next()
    console.error(`${row.ok ? 'ok ' : 'NOT'} ${row.name} ${row.seconds.toFixed(1)} s`)
    if (row.broken) console.error(row.broken)
    rows.push(row)
    rows.sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }))
    // After each, so that whoever ends a run has what was seen by then.
    write(rows, values.short)
  }
  console.log(`\n${fs.readFileSync(FILE, 'utf8')}`)
  const failed = rows.filter(({ ok }) => !ok)
  console.log(
    `${rows.length - failed.length} ok, ${failed.length} not${failed.length > 0 ? `: ${failed.map(({ name }) => name).join(', ')}` : ''}`,
  )
  if (failed.length > 0) process.exitCode = 1
}

main()
