// Owns the starting of a process and the asking of questions over its channel, one answer per question.
// Must never leave one behind: whoever starts it ends it.
'use strict'

const { fork } = require('node:child_process')
const path = require('node:path')

/**
 * @param {string} file in this folder
 * @param {{ args?: string[], execArgv?: string[], env?: Record<string, string> }} [options]
 */
function start(file, { args = [], execArgv = [], env: more = {} } = {}) {
  const env = { ...process.env, ...more, NODE_ENV: 'production' }
  const child = fork(path.join(__dirname, file), args, { execArgv, env, serialization: 'advanced' })
  return {
    /** @param {unknown} question @returns {Promise<any>} */
    ask: (question) =>
      new Promise((resolve, reject) => {
        const gone = (/** @type {number} */ code, /** @type {string} */ signal) =>
          reject(new Error(`${file} ${args.join(' ')} ended with ${signal ?? code}`))
        child.once('exit', gone)
        child.once('message', (answer) => {
          child.off('exit', gone)
          resolve(answer)
        })
        child.send(/** @type {any} */ (question))
      }),
    end: () => child.kill(),
  }
}

module.exports = { start }
