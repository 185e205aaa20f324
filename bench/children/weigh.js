// Owns the weighing of one kind of limiter: a process of its own, bytes resident over its start at each mark, and what else it tells.
// Must never let a change of the JavaScript heap pass for a change of native memory.
'use strict'

const { start } = require('./start.js')

/**
 * V8's young generation grows by up to 48 MB while a program runs, whoever runs in it: more than a million of our cells. One
 * megabyte keeps it still. And it collects alone: a thread that waits for helpers, which wait for a processor, pauses for as long as
 * the machine likes.
 */
const FLAGS = ['--expose-gc', '--max-semi-space-size=1', '--single-threaded-gc']

/** One heap that gives back what is free: else glibc keeps megabytes of it, more or less of them each time one looks. */
const ALLOCATOR = {
  MALLOC_ARENA_MAX: '1',
  MALLOC_MMAP_THRESHOLD_: '131072',
  MALLOC_TOP_PAD_: '4096',
  MALLOC_TRIM_THRESHOLD_: '65536',
}

/**
 * @typedef {object} Weight
 * @property {number[]} bytes resident at each mark; where the heap shrank, that is added back
 * @property {number} held keys with a place of their own
 * @property {number} longestMs how long the loop stood still at most
 * @property {number} astray keys asked for all the while that were counted otherwise than without the others
 * @property {number} admitted units that one of these keys was given
 */

/**
 * @param {string} kind one of fill.js
 * @param {number[]} marks keys offered
 * @returns {Promise<Weight>}
 */
async function weigh(kind, marks) {
  const child = start('keys.js', { execArgv: FLAGS })
  try {
    const { seen, ...told } = await child.ask({ kind, marks })
    const [first, ...rest] = seen
    const bytes = rest.map(
      (/** @type {import('./keys.js').Mark} */ mark) => mark.rss - first.rss + Math.max(0, first.heap - mark.heap),
    )
    return { bytes, ...told }
  } finally {
    child.end()
  }
}

module.exports = { weigh, ALLOCATOR, FLAGS }
