// What a call to a bulkhead asks for: whose permit, in which rank, until when it waits. Owns the errors for what such a call does not
// take. Never asks for it.
'use strict'

const { signalOf } = require('./call.js')
const { isKey, keyTrouble } = require('./keys.js')
const { misuse, shown } = require('./misuse.js')
const { NORMAL, rankOf } = require('./priorities.js')

/** @typedef {{ rank: number, key: string, readonly signal: AbortSignal | undefined }} Asking */
/** @typedef {{ kind: string, name: string, perKey: boolean }} Asked */

/** What a call without options asks for. @type {Asking} */
const USUAL = Object.freeze({ rank: NORMAL, key: '', signal: undefined })

/**
 * @param {Asked} bulkhead
 * @param {import('../index').BulkheadCall | undefined} options
 * @returns {Asking}
 */
function askingOf(bulkhead, options) {
  if (options === undefined && !bulkhead.perKey) return USUAL
  const signal = options === undefined ? undefined : signalOf(options)
  return { rank: rankOf(bulkhead, options?.priority), key: partitionOf(bulkhead, options?.key), signal }
}

/**
 * The key whose permits are asked for; of a bulkhead without keys, an empty one.
 * @param {Asked} bulkhead
 * @param {unknown} key
 * @returns {string}
 */
function partitionOf(bulkhead, key) {
  if (bulkhead.perKey) {
    if (isKey(key)) return key
    throw keyTrouble(bulkhead, key)
  }
  if (key === undefined) return ''
  const rule = 'is for a bulkhead with `perKey: true`, where each key has permits of its own'
  throw misuse('E_OPTION', `\`key\` of a call to the bulkhead "${bulkhead.name}" ${rule}; got ${shown(key)}`, {
    option: 'key',
  })
}

module.exports = { askingOf, partitionOf }
