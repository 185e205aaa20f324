// Owns the weighing of one kind of limiter: a process of its own, and bytes resident over its start at each mark.
// Must never let a change of the JavaScript heap pass for a change of native memory.
'use strict'

const { start } = require('./start.js')

/**
 * V8's young generation grows by up to 48 MB while a program runs, whoever runs in it: more than a million of our cells. One
 * megabyte keeps it still.
 */
const FLAGS = ['--expose-gc', '--max-semi-space-size=1']

/**
 * @param {string} kind one of fill.js
 * @param {number[]} marks keys offered
 * @returns {Promise<{ bytes: number[], held: number }>} resident bytes at each mark; where the heap shrank, that is added back
 */
async function weigh(kind, marks) {
  const child = start('keys.js', { execArgv: FLAGS })
  try {
    const { seen, held } = await child.ask({ kind, marks })
    const [first, ...rest] = seen
    const bytes = rest.map(
      (/** @type {import('./keys.js').Mark} */ mark) => mark.rss - first.rss + Math.max(0, first.heap - mark.heap),
    )
    return { bytes, held }
  } finally {
    child.end()
  }
}

module.exports = { weigh }
