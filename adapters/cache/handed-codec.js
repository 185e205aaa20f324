// Owns how a value is kept that its library may have made into text already. Never makes text of text again.
'use strict'

const v8 = require('node:v8')

/**
 * Well-formed text is stored as it is, anything else as `structuredClone` would carry it: kept as text, half of a surrogate pair
 * would come back as another character.
 */
const handedCodec = {
  /** @param {unknown} value */
  encode: (value) => (typeof value === 'string' && isWellFormed(value) ? value : v8.serialize(value)),
  /** @param {string | Uint8Array} encoded */
  decode: (encoded) => (typeof encoded === 'string' ? encoded : v8.deserialize(encoded)),
}

/** @param {any} text whose types do not know this method of Node 20 */
function isWellFormed(text) {
  return text.isWellFormed()
}

module.exports = { handedCodec }
