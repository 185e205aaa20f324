// Scenarios, each in a process of its own, and what they have seen. Owns their names, their time and the reading of their last line.
// Never judges figures: a row is ok when every check of its scenario was.
'use strict'

const { spawn } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { unwatch, watch } = require('../__test__/redis/reaper.js')

const SCENARIOS = path.join(__dirname, 'scenarios')

/** Longer than the longest takes; whoever is not done then never will be. */
const HUNG_AFTER_MS = { full: 900_000, short: 60_000 }

/**
 * @typedef {object} Row
 * @property {string} name
 * @property {string} row of the fault matrix
 * @property {string} fault
 * @property {string} must be seen
 * @property {{ seen: string, ok: boolean }[]} checks
 * @property {string} [broken] why it did not come to its end
 * @property {number} seconds
 * @property {boolean} ok
 * @property {false} [isTried] there when it could not be tried here
 */

/** Every scenario there is, in the order of the matrix. */
function names() {
  return fs
    .readdirSync(SCENARIOS)
    .filter((file) => file.endsWith('.js'))
    .map((file) => file.slice(0, -3))
    .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
}

/** What a scenario says of itself. @param {string} name */
const about = (name, folder = SCENARIOS) => require(path.join(folder, `${name}.js`))

/**
 * @param {string} name
 * @param {{ short?: boolean, folder?: string, first?: string }} [form] `folder`: where else the scenario is; `first`: a file that every
 *   process of it loads before anything else
 * @returns {Promise<Row>}
 */
async function play(name, { short = false, folder = SCENARIOS, first } = {}) {
  const { row, fault, must, platform = process.platform } = about(name, folder)
  const head = { name, row: String(row), fault, must }
  if (platform !== process.platform) {
    const seen = `not tried: this is ${process.platform}, and it takes ${platform}`
    return { ...head, checks: [{ seen, ok: true }], seconds: 0, ok: true, isTried: false }
  }
  const args = [path.join(__dirname, 'cell.js'), path.join(folder, `${name}.js`), ...(short ? ['--short'] : [])]
  // What a runner of tests puts into the environment of its files is not for these.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  if (first !== undefined) env.NODE_OPTIONS = `--require ${JSON.stringify(first)}`
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], env })
  watch(child.pid)
  let [out, err] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text) => (out += text))
  child.stderr.setEncoding('utf8').on('data', (text) => (err += text))
  const late = setTimeout(() => child.kill('SIGKILL'), HUNG_AFTER_MS[short ? 'short' : 'full'])
  const [code, signal] = await new Promise((resolve) => child.once('close', (...ended) => resolve(ended)))
  clearTimeout(late)
  unwatch(child.pid)
  const last = out.trim().split('\n').at(-1)
  const told = last?.startsWith('{')
    ? JSON.parse(last)
    : { checks: [], broken: `ended with ${code ?? signal} and said nothing. ${err.slice(-2000)}`, seconds: NaN }
  if (told.broken !== undefined && last?.startsWith('{')) told.broken += `\n${err.slice(-2000)}`
  const ok = told.broken === undefined && told.checks.every((check) => check.ok)
  return { ...head, ...told, ok }
}

module.exports = { about, names, play }
