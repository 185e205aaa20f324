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

/** Kinds of objects that stand for a primitive. */
const BOXED = new Set(['Number', 'String', 'Boolean'])

const { prototype } = Object

/**
 * @param {string} cache
 * @param {unknown} value
 * @param {unknown} key whose value it is
 * @returns {string}
 */
function encode(cache, value, key) {
  let text, lost
  try {
    text = JSON.stringify(value)
    // Looked through only now: whatever is circular has been refused. It may be deeper than can be walked, all the same.
    lost = findLost(value, 'value')
  } catch (cause) {
    throw misuse(
      'E_VALUE_ENCODE',
      `the value of ${shown(key)} for the cache "${cache}" cannot be encoded as JSON: ${whyOf(cause, value)}`,
      {
        cause,
      },
    )
  }
  if (text === undefined || lost !== null) {
    const what = lost ?? `value is ${shown(value)}`
    throw misuse(
      'E_VALUE_ENCODE',
      `the value of ${shown(key)} for the cache "${cache}" cannot be encoded as JSON without loss: ${what}`,
    )
  }
  return text
}

/**
 * @param {unknown} cause
 * @param {unknown} value
 */
function whyOf(cause, value) {
  if (!(cause instanceof Error)) return String(cause)
  const why = cause.message.split('\n', 1)[0]
  if (cause instanceof RangeError) return `it is nested too deep (${why})`
  if (why.includes('BigInt')) return `${bigintIn(value) ?? why}; write it as a string, or use the codec 'v8'`
  return why.includes('circular') ? `${why}; leave the reference out, or use the codec 'v8'` : why
}

/**
 * Where the BigInt is that JSON has come upon, unless something it has not come to yet is in the way.
 * @param {unknown} value
 */
function bigintIn(value) {
  try {
    const found = findLost(value, 'value')
    return found?.endsWith('a BigInt') ? found : undefined
  } catch {
    return undefined
  }
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
    case 'bigint':
      return `${path} is ${value}n, a BigInt`
    case 'function':
      return `${path} is ${shown(value)}; a cache holds data: call it first, or leave it out`
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
  const parent = Object.getPrototypeOf(value)
  if (parent !== prototype && parent !== null) {
    const answer = findLostOfKind(value, path, parent)
    if (answer !== undefined) return answer
  }
  // What an object says of itself is its own affair.
  if (typeof (/** @type {any} */ (value).toJSON) === 'function') return null
  for (const key of Object.keys(value)) {
    const inner = /** @type {any} */ (value)[key]
    // JSON leaves out a property that is undefined; reading it gives undefined again.
    const lost = inner === undefined ? null : findLost(inner, `${path}.${key}`)
    if (lost !== null) return lost
  }
  return null
}

/**
 * Of an object that is no plain one of this realm: undefined if it is one of another, as in a test runner's.
 * @param {object} value
 * @param {string} path
 * @param {object} parent
 */
function findLostOfKind(value, path, parent) {
  const kind = prototype.toString.call(value).slice(8, -1)
  if (ArrayBuffer.isView(value)) return `${path} is ${shown(value)}; use the codec 'v8', or 'bytes' for bytes alone`
  if (LOST.has(kind)) return `${path} is ${shown(value)}${ADVICE[kind] ?? ''}`
  if (typeof (/** @type {any} */ (value).toJSON) === 'function' || BOXED.has(kind)) return null
  if (kind !== 'Object') return `${path} is ${shown(value)}; take what is needed out of it first`
  if (Object.getPrototypeOf(parent) === null && Object.hasOwn(parent, 'hasOwnProperty')) return undefined
  const maker = Object.getOwnPropertyDescriptor(parent, 'constructor')?.value
  const name = typeof maker === 'function' && maker !== Object ? maker.name : ''
  const what = name === '' ? 'has a prototype of its own' : `is an instance of ${name}`
  return `${path} ${what}, and would be read as a plain object; give a plain object, a \`toJSON\`, or a codec of your own`
}

const V8 = "; use the codec 'v8'"
/** @type {Record<string, string>} */
const ADVICE = { Map: V8, Set: V8, RegExp: V8, Error: V8, ArrayBuffer: V8, Promise: '; await it first' }

/**
 * @param {string} text
 * @returns {any}
 */
function decode(text) {
  const value = JSON.parse(text)
  if (typeof value !== 'object' || value === null) return value
  try {
    freeze(value)
  } catch (error) {
    // It was encoded where the stack had more room than here.
    if (!(error instanceof RangeError)) throw error
    freezeAll(value)
  }
  return value
}

/**
 * Frozen to the last leaf: the copy is shared by everybody who reads the key.
 * @param {any} value
 */
function freeze(value) {
  // As few calls as can be: freezing would cost as much as parsing does.
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) {
      const inner = value[index]
      if (typeof inner === 'object' && inner !== null) freeze(inner)
    }
  } else {
    const keys = Object.keys(value)
    for (let index = 0; index < keys.length; index++) {
      const inner = value[keys[index]]
      if (typeof inner === 'object' && inner !== null) freeze(inner)
    }
  }
  Object.freeze(value)
}

/**
 * The same, however deep.
 * @param {any} value
 */
function freezeAll(value) {
  const left = [value]
  for (let object = left.pop(); object !== undefined; object = left.pop()) {
    for (const key of Object.keys(object)) {
      const inner = object[key]
      if (typeof inner === 'object' && inner !== null) left.push(inner)
    }
    Object.freeze(object)
  }
}

module.exports = { encode, decode }
