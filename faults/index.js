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
  for (const name of chosen.filter((each) => !isIdle(each))) {
    const row = await play(name, values)
    console.error(`${row.ok ? 'ok ' : 'NOT'} ${name} ${row.seconds.toFixed(1)} s`)
    if (row.broken) console.error(row.broken)
    rows.push(row)
  }
  rows.push(...(await Promise.all(beside)))
  rows.sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }))

  const form = `${values.short ? 'Short' : 'Full'} form, Node ${process.version}, ${os.availableParallelism()} cores.`
  const text = `# Faults\n\n${form}\n\n${table(rows)}\n`
  fs.mkdirSync(path.dirname(FILE), { recursive: true })
  fs.writeFileSync(FILE, text)
  console.log(`\n${text}`)
  const failed = rows.filter(({ ok }) => !ok)
  console.log(
    `${rows.length - failed.length} ok, ${failed.length} not${failed.length > 0 ? `: ${failed.map(({ name }) => name).join(', ')}` : ''}`,
  )
  if (failed.length > 0) process.exitCode = 1
}

main()
