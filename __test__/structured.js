// Owns a strict reader of structured-field lists (RFC 9651, section 4.2): any character that should not be there is an error.
// Never knows what the members are for.
'use strict'

const assert = require('node:assert/strict')

/**
 * The members of a list of Strings with integer parameters.
 * @param {string} text
 * @returns {{ item: string, parameters: Record<string, number> }[]}
 */
function listOf(text) {
  let at = 0
  const fail = (/** @type {string} */ wanted) => assert.fail(`${wanted} expected at ${at} of ${JSON.stringify(text)}`)

  function string() {
    if (text[at++] !== '"') fail('a quote')
    let value = ''
    for (;;) {
      const sign = text[at++]
      if (sign === undefined) fail('a closing quote')
      if (sign === '"') return value
      if (sign === '\\') {
        const next = text[at++]
        if (next !== '"' && next !== '\\') fail('an escaped quote or backslash')
        value += next
      } else {
        if (sign < ' ' || sign > '~') fail('printable ASCII')
        value += sign
      }
    }
  }

  function matched(/** @type {RegExp} */ grammar, /** @type {string} */ wanted) {
    grammar.lastIndex = at
    const [found] = grammar.exec(text) ?? fail(wanted)
    at = grammar.lastIndex
    return found
  }

  const members = []
  for (;;) {
    const item = string()
    /** @type {Record<string, number>} */
    const parameters = Object.create(null)
    while (text[at] === ';') {
      at += 1
      matched(/ */y, 'spaces')
      const key = matched(/[a-z*][a-z0-9_.*-]*/y, 'a key')
      if (text[at++] !== '=') fail('an equals sign')
      parameters[key] = Number(matched(/-?\d{1,15}(?![\d.])/y, 'an integer'))
    }
    members.push({ item, parameters })
    if (at === text.length) return members
    matched(/[ \t]*,[ \t]*/y, 'a comma')
    if (at === text.length) fail('another member')
  }
}

module.exports = { listOf }
