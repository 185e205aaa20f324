// A function with a cache in front of it. Owns the keys its calls have, and nothing of the cache.
// Never takes two calls for one unless their arguments are alike to the last leaf.
'use strict'

const { assertFunction } = require('./call.js')
const { misuse, shown } = require('./misuse.js')
const { Options, DAY } = require('./options.js')
const { tagsOf } = require('./tags.js')

/** @typedef {{ name: string, getOrSet(key: string, load: (call: any) => any, options: any): Promise<any> }} Cache */

/** Whoever nests deeper than this in an argument has a circle in it, most likely. */
const DEEPEST = 100

/**
 * @template {(...args: any[]) => any} F
 * @param {Cache} cache
 * @param {F} fn
 * @param {unknown} given
 * @returns {(...args: Parameters<F>) => Promise<Awaited<ReturnType<F>>>}
 */
function memoized(cache, fn, given) {
  assertFunction(`memoize() of the cache "${cache.name}"`, fn)
  const options = new Options('memoize()', given, ['key', 'name', 'ttl', 'tags', 'waitUntil'])
  const prefix = `${nameOf(fn, options)}:`
  const keyGiven = options.callback('key')
  const tags = options.get('tags')
  const tagsGiven = typeof tags === 'function' ? tags : undefined
  const asked = {
    ttl: options.get('ttl') === undefined ? undefined : options.duration('ttl', { max: 3650 * DAY }),
    tags: tagsGiven === undefined ? tagsOf('memoize()', tags) : undefined,
    waitUntil: options.callback('waitUntil'),
  }
  const keyOf = (/** @type {any[]} */ args) => {
    if (keyGiven === undefined) return prefix + textOf(args, fn)
    const key = keyGiven(...args)
    if (typeof key === 'string') return prefix + key
    throw misuse('E_KEY', `\`key\` of memoize() must answer a string; it answered ${shown(key)}`, { option: 'key' })
  }
  /** @type {any} */
  const memo = {
    /** @param {any[]} args */
    [fn.name](...args) {
      let key
      try {
        key = keyOf(args)
      } catch (error) {
        return Promise.reject(error)
      }
      const load = (/** @type {import('../index').LoadContext} */ call) => {
        if (tagsGiven !== undefined) call.tags(...(tagsOf('memoize()', tagsGiven(...args)) ?? []))
        return fn.apply(this, args)
      }
      return cache.getOrSet(key, load, asked)
    },
  }[fn.name]
  return Object.defineProperty(memo, 'length', { value: fn.length, configurable: true })
}

/**
 * What the keys of a function begin with. Two functions of one name are told apart by their text.
 * @param {Function} fn
 * @param {InstanceType<typeof Options>} options
 */
function nameOf(fn, options) {
  const given = options.get('name')
  if (given !== undefined) {
    if (typeof given === 'string' && given !== '') return given
    throw options.wrong('name', 'of memoize() must be a non-empty string')
  }
  const text = String(fn)
  // A bound function has the name of what it was bound of, and no text.
  if (fn.name !== '' && !text.endsWith('{ [native code] }')) return `${fn.name}#${sumOf(text)}`
  const rule = 'of memoize() is needed for a function that has no name or no text of its own, such as a bound one'
  throw options.wrong('name', rule)
}

/**
 * A sum of a text: FNV-1a, 32 bits.
 * @param {string} text
 */
function sumOf(text) {
  let sum = 0x811c9dc5
  for (let index = 0; index < text.length; index++) sum = Math.imul(sum ^ text.charCodeAt(index), 0x01000193)
  return (sum >>> 0).toString(36)
}

/**
 * Arguments as a text that only the same ones have.
 * @param {unknown[]} args
 * @param {Function} fn
 */
function textOf(args, fn) {
  // An argument that was left out, and one that is undefined, are the same to nearly every function.
  let count = args.length
  while (count > 0 && args[count - 1] === undefined) count--
  const parts = new Array(count)
  for (let index = 0; index < count; index++) parts[index] = partOf(args[index], DEEPEST, index, fn)
  return parts.join(',')
}

/**
 * @param {any} value
 * @param {number} left how deep it may go on
 * @param {number} index of the argument
 * @param {Function} fn
 * @returns {string}
 */
function partOf(value, left, index, fn) {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value)
    case 'number':
      return Object.is(value, -0) ? '-0' : String(value)
    case 'boolean':
    case 'undefined':
      return String(value)
    case 'bigint':
      return `${value}n`
    case 'object':
      if (value === null) return 'null'
      if (left > 0 && Array.isArray(value)) {
        return `[${Array.from(value, (each) => partOf(each, left - 1, index, fn)).join(',')}]`
      }
      if (left > 0 && isPlain(value)) {
        const named = Object.keys(value).sort()
        return `{${named.map((name) => `${JSON.stringify(name)}:${partOf(value[name], left - 1, index, fn)}`).join(',')}}`
      }
  }
  const why = left === 0 ? 'goes too deep, or round in a circle' : `holds ${shown(value)}`
  const rule = 'only primitives, arrays and plain objects tell calls apart by themselves: give memoize() a `key`'
  throw misuse('E_KEY', `argument ${index + 1} of ${shown(fn)} ${why}; ${rule}`, { option: 'key' })
}

/** @param {object} value */
function isPlain(value) {
  // What goes by a symbol has no name that could stand in a text.
  if (Object.getOwnPropertySymbols(value).length > 0) return false
  const parent = Object.getPrototypeOf(value)
  return parent === null || parent === Object.prototype || Object.getPrototypeOf(parent) === null
}

module.exports = { memoized }
