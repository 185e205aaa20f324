// How much a call matters, in four words. Owns their order, and the error for what is none of them.
// Never knows what follows from it.
'use strict'

const { misuse, shown } = require('./misuse.js')

/** @typedef {'low' | 'normal' | 'high' | 'critical'} Priority */

/** By rank. @type {readonly Priority[]} */
const PRIORITIES = ['low', 'normal', 'high', 'critical']
const NORMAL = PRIORITIES.indexOf('normal')

/**
 * The rank of a call; that of `normal` where nothing is said.
 * @param {{ kind: string, name: string }} called
 * @param {unknown} priority
 */
function rankOf({ kind, name }, priority) {
  if (priority === undefined) return NORMAL
  const rank = PRIORITIES.indexOf(/** @type {Priority} */ (priority))
  if (rank >= 0) return rank
  const rule = "must be 'low', 'normal', 'high' or 'critical'"
  throw misuse('E_OPTION', `\`priority\` of a call to the ${kind} "${name}" ${rule}; got ${shown(priority)}`, {
    option: 'priority',
  })
}

module.exports = { PRIORITIES, NORMAL, rankOf }
