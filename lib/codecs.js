// How a cache's values become text or bytes, and come back. Owns what each codec takes; never keeps a value.
'use strict'

const v8 = require('node:v8')
const { isUint8Array } = require('node:util').types
const json = require('./json.js')
const { misuse, shown } = require('./misuse.js')

/**
 * @typedef {object} Codec
 * @property {'json' | 'bytes' | 'v8' | 'custom'} name
 * @property {boolean} shared whether what it decodes may be handed to more than one caller
 * @property {(cache: string, value: any, key: unknown) => string | Uint8Array} encode with the key for messages
 * @property {(encoded: any) => any} decode bytes are nobody else's, and may become part of the value
 */

/** @type {Record<'json' | 'bytes' | 'v8', Codec>} */
const CODECS = {
  json: { name: 'json', shared: true, encode: json.encode, decode: json.decode },
  bytes: { name: 'bytes', shared: false, encode: bytesOf, decode: (bytes) => bytes },
  v8: { name: 'v8', shared: false, encode: serialized, decode: (bytes) => v8.deserialize(bytes) },
}

/**
 * @param {string} cache
 * @param {unknown} value
 * @param {unknown} key
 * @returns {Uint8Array}
 */
function bytesOf(cache, value, key) {
  if (isUint8Array(value)) return value
  const what = `the value of ${shown(key)} for the cache "${cache}", whose codec is 'bytes', must be a Uint8Array`
  throw misuse('E_VALUE_ENCODE', `${what}, such as a Buffer; got ${shown(value)}`)
}

/**
 * @param {string} cache
 * @param {unknown} value
 * @param {unknown} key
 * @returns {Uint8Array}
 */
function serialized(cache, value, key) {
  try {
    return v8.serialize(value)
  } catch (cause) {
    throw notEncoded(cache, key, cause, "by the codec 'v8'")
  }
}

/**
 * A codec of the user's.
 * @param {{ encode: (value: any) => unknown, decode: (encoded: any) => any, shared?: boolean }} given
 * @returns {Codec}
 */
function customCodec(given) {
  return {
    name: 'custom',
    shared: given.shared === true,
    encode(cache, value, key) {
      let encoded
      try {
        encoded = given.encode(value)
      } catch (cause) {
        throw notEncoded(cache, key, cause, 'by its codec')
      }
      if (isUint8Array(encoded)) return encoded
      if (typeof encoded === 'string') {
        if (isWellFormed(encoded)) return encoded
        const what = `\`codec.encode\` of the cache "${cache}" answered a string with half a surrogate pair in it`
        throw misuse('E_VALUE_ENCODE', `${what}, which does not survive as UTF-8; answer a Uint8Array for such text`)
      }
      const rule = `\`codec.encode\` of the cache "${cache}" must answer a string or a Uint8Array`
      throw misuse('E_VALUE_ENCODE', `${rule}; it answered ${shown(encoded)}`)
    },
    decode: (encoded) => given.decode(encoded),
  }
}

/**
 * Whether it can be written as UTF-8 and be read again.
 * @param {string} text
 * @returns {boolean}
 */
function isWellFormed(text) {
  return /** @type {any} */ (text).isWellFormed()
}

/**
 * @param {string} cache
 * @param {unknown} key
 * @param {unknown} cause
 * @param {string} how
 */
function notEncoded(cache, key, cause, how) {
  const why = cause instanceof Error ? cause.message.split('\n', 1)[0] : shown(cause)
  return misuse(
    'E_VALUE_ENCODE',
    `the value of ${shown(key)} for the cache "${cache}" cannot be encoded ${how}: ${why}`,
    { cause },
  )
}

module.exports = { CODECS, customCodec }
