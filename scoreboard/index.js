// Owns the run: the command line, the table, and the exit code. Never holds a result of its own.
'use strict'

const fs = require('node:fs')
const { ask, ownFaults, tally, unasked } = require('./board.js')
const { faults } = require('./faults/index.js')
const { render } = require('./table.js')
const { wantsNewer } = require('./versions.js')

const USAGE = 'usage: node scoreboard/index.js [--only fault,…] [--json file]'
/** Where the output goes to no terminal. */
const WIDTH = 160

/**
 * @param {string[]} words the command line after the script
 * @throws Error that says what to write instead
 */
function order(words) {
  const known = Object.keys(faults)
  const wanted = { only: known, json: '' }
  for (let at = 0; at < words.length; at += 2) {
    const [option, value] = [words[at], words[at + 1]]
    if (value === undefined) throw new Error(USAGE)
    if (option === '--json') wanted.json = value
    else if (option === '--only' && value.split(',').every((name) => known.includes(name)))
      wanted.only = value.split(',')
    else throw new Error(`${USAGE}\nfaults: ${known.join(', ')}`)
  }
  return wanted
}

/** @param {{ name: string, right: number, asked: number }} one */
const shown = ({ name, right, asked }) => `${name} ${right} of ${asked}`

async function main() {
  const { only, json } = order(process.argv.slice(2))
  const sections = await ask(only)
  console.log(render(sections, process.stdout.columns ?? WIDTH))
  const counts = tally(sections)
  console.log(`right, of what was asked: ${counts.map(shown).join(', ')}\n`)
  for (const { name, version, wants } of wantsNewer(counts.map(({ name }) => name))) {
    console.log(`${name}@${version} asks for Node ${wants}, and ran on ${process.version}.`)
  }
  if (json) fs.writeFileSync(json, `${JSON.stringify({ node: process.version, sections }, null, 2)}\n`)

  const [wrong, failed] = [ownFaults(sections), unasked(sections)]
  console.log(wrong.length === 0 ? '\nours: right everywhere' : `\nours: wrong about ${wrong.join(', ')}`)
  if (failed.length > 0) console.log(`could not be asked of everybody: ${failed.join(', ')}`)
  if (wrong.length > 0 || failed.length > 0) process.exitCode = 1
}

main().catch((error) => {
  console.error(error.message)
  process.exitCode = 2
})
