// Owns the question put to one contestant about one fault, in a process of its own, and how long it may take.
// Must never know the answer: it is what the process saw.
'use strict'

const { fork } = require('node:child_process')
const path = require('node:path')

/** @typedef {{ verdict: 'right' | 'wrong' | 'none' | 'failed', said: string }} Cell which failed if the fault could not be looked for */

/** Of real time. A scenario that hangs is one that could not be run. */
const HUNG_AFTER_MS = 120_000

/**
 * @param {string} fault by its name
 * @param {string} contestant its file
 * @returns {Promise<Cell>}
 */
function judge(fault, contestant) {
  return new Promise((resolve) => {
    const cell = fork(path.join(__dirname, 'cell.js'), [fault, contestant], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    let stderr = ''
    cell.stderr?.setEncoding('utf8').on('data', (text) => (stderr += text))
    const hung = setTimeout(() => cell.kill('SIGKILL'), HUNG_AFTER_MS)
    let answered = false
    cell.once('message', (/** @type {Cell} */ answer) => {
      answered = true
      resolve(answer)
    })
    cell.once('close', (code, signal) => {
      clearTimeout(hung)
      const reason = reasonIn(stderr) ?? `ended with ${signal ?? code}`
      if (!answered) resolve({ verdict: 'failed', said: `could not be run: ${reason}` })
    })
  })
}

/** @param {string} text what a process that broke said last */
const reasonIn = (text) =>
  text
    .trim()
    .split('\n')
    .find((line) => /^\w*Error/.test(line))

module.exports = { judge }
