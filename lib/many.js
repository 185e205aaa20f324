// Many keys in one crossing to native code. Owns the order of answers, and that nothing is stored when something is wrong.
// Never answers otherwise than one call for each key would.
'use strict'

const { keptOf } = require('./cache-shape.js')
const { isKey, keyTrouble } = require('./keys.js')
const { misuse, shown } = require('./misuse.js')
const { details, TROUBLE } = require('./native.js')
const { numbersIn } = require('./values.js')

/** @typedef {InstanceType<typeof import('./values.js').Values>} Values */

/** Of what native code leaves for each key. */
const NUMBERS = 6

/**
 * @param {Values} values
 * @param {readonly string[]} keys
 * @param {number[]} [absent] is told which of them are not there or not fresh
 * @returns {any[]} with `undefined` for those
 */
function getMany(values, keys, absent) {
  if (!Array.isArray(keys)) {
    const rule = `\`keys\` of getMany() of the cache "${values.name}" must be an array of keys`
    throw misuse('E_OPTION', `${rule}; got ${shown(keys)}`, { option: 'keys' })
  }
  const answers = new Array(keys.length)
  /** @type {number[]} */
  const missing = []
  for (let index = 0; index < keys.length; index++) {
    if (!isKey(keys[index])) throw keyTrouble(values, keys[index])
    const copy = values.copies.current(keys[index])
    answers[index] = copy?.value
    if (copy === undefined) missing.push(index)
  }
  if (missing.length > 0) readMissing(values, keys, missing, answers, absent)
  return answers
}

/**
 * @param {Values} values
 * @param {readonly string[]} keys
 * @param {readonly number[]} missing which of them
 * @param {any[]} answers
 * @param {number[] | undefined} absent
 */
function readMissing(values, keys, missing, answers, absent) {
  const wanted = missing.map((index) => keys[index])
  const numbers = new Float64Array(NUMBERS * wanted.length)
  const found = values.native.cacheGetMany(values.id, wanted, numbers)
  if (found === undefined) throw values.trouble(undefined)
  const now = values.place.now()
  for (let index = 0; index < wanted.length; index++) {
    const [key, each] = [wanted[index], found[index]]
    if (each === null) {
      absent?.push(missing[index])
      continue
    }
    const value = each === false ? undefined : values.decoded(key, each)
    answers[missing[index]] = value
    if (each !== false && !values.codec.shared) continue
    const at = NUMBERS * index
    const [freshUntil, stamp] = [now + numbers[at + 4], numbers[at + 5]]
    values.copies.keep(key, value, numbersIn(numbers, at), freshUntil, stamp, each === false ? 0 : each.length)
  }
}

/**
 * @param {Values} values
 * @param {unknown} entries
 */
function setMany(values, entries) {
  const { keys, encoded, ttlsMs, tags } = settingsOf(values, entries)
  if (keys.length === 0) return
  if (values.native.cacheSetMany(values.id, keys, encoded, ttlsMs, tags) === undefined)
    throw culprit(values, keys, encoded)
}

/**
 * Entries as native code takes them: a list of each of their parts.
 * @param {Values} values
 * @param {unknown} entries
 */
function settingsOf(values, entries) {
  /** @type {string[]} */
  const keys = []
  /** @type {import('./values.js').Encoded[]} */
  const encoded = []
  /** @type {(number | undefined)[]} */
  const ttlsMs = []
  /** @type {(string[] | undefined)[]} */
  const tags = []
  for (const [key, value, options] of entriesOf(`setMany() of the cache "${values.name}"`, entries)) {
    try {
      if (!isKey(key)) throw keyTrouble(values, key)
      const kept = keptOf(options)
      const each = values.encoded(value, key)
      encoded.push(each)
      ttlsMs.push(values.ttlMsOf(each, kept.ttlMs))
      tags.push(kept.tags)
    } catch (error) {
      throw ofEntry(keys.length, error)
    }
    keys.push(key)
  }
  return { keys, encoded, ttlsMs, tags }
}

/**
 * Why native code has stored none of them.
 * @param {Values} values
 * @param {readonly string[]} keys
 * @param {readonly import('./values.js').Encoded[]} encoded
 */
function culprit(values, keys, encoded) {
  const index = details[0]
  const trouble = values.trouble(keys[index], encoded[index])
  return details[7] === TROUBLE.VALUE_TOO_LARGE ? ofEntry(index, trouble) : trouble
}

/**
 * The same error, with the entry it is about.
 * @param {number} index
 * @param {any} error
 */
function ofEntry(index, error) {
  const { code, message, option, cause } = error ?? {}
  // What a getter or a codec of the user's has thrown is his own.
  if (typeof code !== 'string' || !String(message).endsWith(` [${code}]`)) return error
  const Base = error instanceof RangeError ? RangeError : TypeError
  return misuse(code, `\`entries[${index}]\`: ${message.slice(0, -code.length - 3)}`, { Base, option, cause })
}

/**
 * @param {string} what
 * @param {any} entries
 * @returns {Iterable<any>}
 */
function* entriesOf(what, entries) {
  if (typeof entries?.[Symbol.iterator] !== 'function' || typeof entries === 'string') {
    const rule = `\`entries\` of ${what} must be iterable, like [[key, value]]`
    throw misuse('E_OPTION', `${rule}; got ${shown(entries)}`, { option: 'entries' })
  }
  let index = 0
  for (const entry of entries) {
    if (!Array.isArray(entry) || entry.length < 2 || entry.length > 3) {
      const option = `entries[${index}]`
      const rule = `\`${option}\` of ${what} must be [key, value] or [key, value, options]`
      throw misuse('E_OPTION', `${rule}; got ${shown(entry)}`, { option })
    }
    index++
    yield entry
  }
}

module.exports = { getMany, setMany, settingsOf, culprit }
