// Values as JSON text and back. Owns what JSON would silently lose: that is an error here. Never returns anything mutable.
'use strict'

const { misuse, shown } = require('./misuse.js')

/** Kinds of objects that JSON would turn into something else without a word. */
const LOST = new Set([
  'Map',
  'Set',
  'WeakMap',
  'WeakSet',
  'WeakRef',
  'Promise',
  'RegExp',
  'Error',
  'ArrayBuffer',
  'SharedArrayBuffer',
])

/** Kinds of objects that may be empty. */
const CARRIED = new Set(['Object', 'Number', 'String', 'Boolean'])

/**
 * @param {string} cache
 * @param {unknown} value
 * @returns {string}
 */
function encode(cache, value) {
  let text, lost
  try {
    text = JSON.stringify(value)
    // Looked through only now: whatever is circular has been refused. It may be deeper than can be walked, all the same.
    lost = findLost(value, 'value')
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.split('\n', 1)[0] : String(cause)
    throw misuse('E_VALUE_ENCODE', `a value for the cache "${cache}" cannot be encoded as JSON: ${why}`, { cause })
  }
  if (text === undefined || lost !== null) {
    const what = lost ?? `value is ${shown(value)}`
    throw misuse('E_VALUE_ENCODE', `a value for the cache "${cache}" cannot be encoded as JSON without loss: ${what}`)
  }
  return text
}

/**
 * @param {unknown} value
 * @param {string} path
 * @returns {string | null}
 */
function findLost(value, path) {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return null
    case 'number':
      return Number.isFinite(value) ? null : `${path} is ${value}`
    case 'object':
      return value === null ? null : findLostInside(value, path)
    default:
      return `${path} is ${shown(value)}`
  }
}

/**
 * @param {object} value
 * @param {string} path
 */
function findLostInside(value, path) {
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) {
      const lost = findLost(value[index], `${path}[${index}]`)
      if (lost !== null) return lost
    }
    return null
  }
  const kind = Object.prototype.toString.call(value).slice(8, -1)
  if (LOST.has(kind) || ArrayBuffer.isView(value)) return `${path} is ${shown(value)}`
  // What an object says of itself is its own affair.
  if (typeof (/** @type {any} */ (value).toJSON) === 'function') return null
  const keys = Object.keys(value)
  // A Response, Headers or a generator: all that is in them, JSON does not see.
  if (keys.length === 0 && !CARRIED.has(kind)) return `${path} is ${shown(value)}`
  for (const key of keys) {
    const inner = /** @type {any} */ (value)[key]
    // JSON leaves out a property that is undefined; reading it gives undefined again.
    const lost = inner === undefined ? null : findLost(inner, `${path}.${key}`)
    if (lost !== null) return lost
  }
  return null
}

/**
 * @param {string} text
 * @returns {any}
 */
function decode(text) {
  return freeze(JSON.parse(text))
}

/**
 * Frozen to the last leaf: the copy is shared by everybody who reads the key.
 * @param {any} value
 */
function freeze(value) {
  if (typeof value === 'object' && value !== null) {
    for (const key of Object.keys(value)) freeze(value[key])
    Object.freeze(value)
  }
  return value
}

module.exports = { encode, decode }
