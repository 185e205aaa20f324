// Owns the examples of a page under docs/: every ```js block is run, each in a process of its own. Never asserts what they say.
'use strict'

const { execFile } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { promisify } = require('node:util')

const ROOT = path.join(__dirname, '..')

/**
 * Runs the examples of `docs/<name>`; one that throws is thrown.
 * @param {string} name
 * @returns {Promise<{ block: string, stdout: string }[]>}
 */
async function runExamples(name) {
  const page = fs.readFileSync(path.join(ROOT, 'docs', name), 'utf8')
  const blocks = [...page.matchAll(/^```js\n([^]*?)^```$/gm)].map(([, block]) => block)
  return Promise.all(
    blocks.map(async (block) => {
      const { stdout } = await promisify(execFile)(process.execPath, ['-e', `'use strict';${block}`], { cwd: ROOT })
      return { block, stdout }
    }),
  )
}

module.exports = { runExamples }
