// What the calls of a cache take beside keys and values, wherever it holds them. Owns the errors for what they do not take.
// Never asks anything native.
'use strict'

const { versionOf } = require('./cache-shape.js')
const { isKey } = require('./keys.js')
const { misuse, shown } = require('./misuse.js')
const { Options, DAY } = require('./options.js')
const { LONGEST_TAG, assertTags, tagsOf } = require('./tags.js')

/**
 * @param {string} name of the cache
 * @param {unknown} prefix
 */
function assertPrefix(name, prefix) {
  if (isKey(prefix)) return
  const rule = `\`prefix\` of deletePrefix() of the cache "${name}" must be a non-empty string`
  throw misuse('E_KEY', `${rule}; got ${shown(prefix)}. To forget everything there is clear()`, { option: 'prefix' })
}

/**
 * @param {string} name
 * @param {string[]} tags
 */
function assertInvalidated(name, tags) {
  assertTags(tagRule(name, 'invalidateTag'), tags)
}

/**
 * Which tags expire, and how much grace that leaves: true for all there is, or milliseconds.
 * @param {string} name
 * @param {readonly any[]} given
 * @returns {{ tags: string[], graced: true | number }}
 */
function expiryOf(name, given) {
  const last = given.at(-1)
  const limited = typeof last === 'object' && last !== null
  const options = limited ? new Options(`expireTag() of the cache "${name}"`, last, ['grace']) : undefined
  const tags = limited ? given.slice(0, -1) : given
  assertTags(tagRule(name, 'expireTag'), tags)
  const graced = options?.get('grace') === undefined ? true : options.duration('grace', { min: 0, max: 3650 * DAY })
  return { tags: /** @type {string[]} */ (tags), graced }
}

/**
 * @param {string} name
 * @param {unknown} version
 * @returns {string}
 */
function versionGiven(name, version) {
  const what = `\`version\` of setVersion() of the cache "${name}"`
  const text = versionOf(version, (rule) => {
    return misuse('E_OPTION', `${what} ${rule}; got ${shown(version)}`, { option: 'version' })
  })
  if (text !== undefined) return text
  const rule = 'must be a string of 1 to 128 characters, or a number; got undefined'
  throw misuse('E_OPTION', `${what} ${rule}`, { option: 'version' })
}

/**
 * The tags that an entry is looked at with, beside its own.
 * @param {unknown} options
 */
function lookOf(options) {
  const given = options === undefined ? undefined : new Options('a look into a cache', options, ['tags']).get('tags')
  return tagsOf('a look into a cache', given)
}

/**
 * A moment that is not over yet would be before no invalidation to come.
 * @param {string} name
 * @param {number} since
 * @param {number} moment of now
 */
function assertPast(name, since, moment) {
  if (since <= moment) return
  const rule = `\`since\` of a cached value must be what moment() of the cache "${name}" has answered, so at most ${moment}`
  throw misuse('E_OPTION', `${rule}; got ${shown(since)}`, { option: 'since', Base: RangeError })
}

/**
 * What a call on a file answers, with errors that name the cache.
 * @template T
 * @param {string} name
 * @param {string} what
 * @param {unknown} path
 * @param {(path: string) => Promise<T>} call
 * @returns {Promise<T>}
 */
async function filed(name, what, path, call) {
  if (typeof path !== 'string' || path === '') {
    const rule = `\`path\` of a file for the cache "${name}" must be a non-empty string`
    throw misuse('E_OPTION', `${rule}; got ${shown(path)}`, { option: 'path' })
  }
  try {
    return await call(path)
  } catch (/** @type {any} */ error) {
    if (error?.code !== 'E_DUMP_FILE') throw error
    const message = `the cache "${name}" cannot be ${what} ${shown(path)}: ${error.message}`
    throw misuse('E_DUMP_FILE', message, { Base: Error, cause: error })
  }
}

/**
 * @param {string} name
 * @param {string} call
 */
function tagRule(name, call) {
  return `each tag of ${call}() of the cache "${name}" must be a string of 1 to ${LONGEST_TAG} characters`
}

module.exports = { assertPrefix, assertInvalidated, expiryOf, versionGiven, lookOf, assertPast, filed }
