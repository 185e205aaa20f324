// What a tag may be, and how many an entry may have. Owns E_TAGS. Never knows what has which tag: that is native.
'use strict'

const { misuse, shown } = require('./misuse.js')

const MOST_TAGS = 128
const LONGEST_TAG = 256

/**
 * Tags as they were given, each once.
 * @param {string} what they are for, as messages name it
 * @param {unknown} given
 * @returns {string[] | undefined} undefined for none
 */
function tagsOf(what, given) {
  if (given === undefined) return undefined
  if (!Array.isArray(given)) throw wrong(what, `got ${shown(given)}`)
  if (given.length === 0) return undefined
  assertTags(ruleOf(what), given)
  const tags = given.length === 1 ? given.slice() : [...new Set(given)]
  if (tags.length > MOST_TAGS) throw tooMany(what, tags.length)
  return tags
}

/**
 * The same for those that a loader adds, with those there are.
 * @param {string} what
 * @param {readonly string[] | undefined} there
 * @param {readonly unknown[]} added
 * @returns {string[] | undefined}
 */
function moreTags(what, there, added) {
  assertTags(ruleOf(what), added)
  const tags = new Set([...(there ?? []), .../** @type {string[]} */ (added)])
  if (tags.size > MOST_TAGS) throw tooMany(what, tags.size)
  return tags.size === 0 ? undefined : [...tags]
}

/**
 * @param {string} rule
 * @param {readonly unknown[]} tags however many
 */
function assertTags(rule, tags) {
  for (let index = 0; index < tags.length; index++) {
    const tag = tags[index]
    if (typeof tag === 'string' && tag.length > 0 && tag.length <= LONGEST_TAG) continue
    const got = typeof tag === 'string' && tag !== '' ? `a string of ${tag.length} characters` : shown(tag)
    const Base = typeof tag === 'string' ? RangeError : TypeError
    throw misuse('E_TAGS', `${rule}; number ${index + 1} is ${got}`, { Base, option: 'tags' })
  }
}

/**
 * @param {string} what
 * @param {number} count
 */
function tooMany(what, count) {
  return wrong(what, `got ${count.toLocaleString('en-US')}: tag by what changes, not by all that is in it`, RangeError)
}

/**
 * @param {string} what
 * @param {string} got
 * @param {TypeErrorConstructor | RangeErrorConstructor} [Base]
 */
function wrong(what, got, Base = TypeError) {
  return misuse('E_TAGS', `${ruleOf(what)}; ${got}`, { Base, option: 'tags' })
}

/** @param {string} what */
function ruleOf(what) {
  return `\`tags\` of ${what} must be up to ${MOST_TAGS} strings of 1 to ${LONGEST_TAG} characters`
}

module.exports = { LONGEST_TAG, MOST_TAGS, tagsOf, moreTags, assertTags }
