// Owns how foreign keys and tags are named in a cache: any text becomes a name, and any number of tags lists of as many as fit.
// Never gives two texts one name.
'use strict'

const { createHash } = require('node:crypto')

/** What a cache takes: characters of a tag, and tags at a time. */
const LONGEST = 256
const MOST = 128

/** A text that begins like this is hashed too, or it could be the name of another. */
const HASHED = '\0sha256:'

/**
 * The text itself, or, where it is too long for that, a hash of it.
 * @param {string} text
 */
function named(text) {
  if (text.length <= LONGEST && !text.startsWith(HASHED)) return text
  // Of its UTF-16 units: in UTF-8 all halves of surrogate pairs are alike.
  return HASHED + createHash('sha256').update(Buffer.from(text, 'utf16le')).digest('hex')
}

/**
 * Tags as a framework has them, which may be empty, or there twice.
 * @param {Iterable<unknown>} texts
 * @returns {string[][]} lists of 1 to 128 names
 */
function tagLists(texts) {
  const names = new Set()
  for (const text of texts) if (typeof text === 'string' && text !== '') names.add(named(text))
  const all = [...names]
  const lists = []
  for (let start = 0; start < all.length; start += MOST) lists.push(all.slice(start, start + MOST))
  return lists
}

module.exports = { named, tagLists }
