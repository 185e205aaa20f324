// Owns the format of a trace: a key a line, a size in bytes after it or not, gzip or plain. Says which line is wrong, and why.
// Never keeps a key: they are numbered as they first come.
'use strict'

const fs = require('node:fs')
const path = require('node:path')
const { pipeline } = require('node:stream')
const zlib = require('node:zlib')

/**
 * @typedef {object} Trace
 * @property {string} name the file's, without its ending
 * @property {Uint32Array} keys each request's, numbered from 0
 * @property {Uint32Array} sizes each request's; 1 where the file has none
 * @property {boolean} sized whether it has sizes
 * @property {number} distinct how many keys there are
 */

/** The first two bytes. */
const GZIP = 0x1f8b
const LARGEST = 2 ** 32 - 1
const FORMAT = 'a trace has a key on each line, or a key and a size in bytes, and may be compressed by gzip'

/** What is wrong with a file, in words for whoever gave it. */
class BadTrace extends Error {}

/** Numbers that come one by one. */
class Column {
  #words = new Uint32Array(1 << 16)
  #length = 0

  /** @param {number} word */
  push(word) {
    if (this.#length === this.#words.length) {
      const more = new Uint32Array(this.#length * 2)
      more.set(this.#words)
      this.#words = more
    }
    this.#words[this.#length++] = word
  }

  done() {
    return this.#words.slice(0, this.#length)
  }
}

/**
 * @param {string} file
 * @throws BadTrace where the file is not there, or no trace
 * @returns {Promise<Trace>}
 */
async function read(file) {
  const [keys, sizes, numbers] = [new Column(), new Column(), new Map()]
  let sized = /** @type {boolean | undefined} */ (undefined)
  let line = 0
  const bad = (/** @type {string} */ what) => new BadTrace(`${file}:${line}: ${what}; ${FORMAT}`)

  const take = (/** @type {string} */ text) => {
    line += 1
    const words = text.split(/\s+/).filter((word) => word !== '')
    if (words.length === 0) return
    if (words.length > 2) throw bad(`there are ${words.length} words in ${JSON.stringify(text.slice(0, 60))}`)
    const [key, size] = words
    sized ??= size !== undefined
    if (sized && size === undefined) throw bad(`the key ${JSON.stringify(key)} has no size, and those before it have`)
    if (!sized && size !== undefined)
      throw bad(`the key ${JSON.stringify(key)} has a size, and those before it have none`)
    if (size !== undefined && !(/^\d+$/.test(size) && Number(size) >= 1 && Number(size) <= LARGEST)) {
      throw bad(`${JSON.stringify(size)} is no size: it must be a whole number from 1 to ${LARGEST}`)
    }
    let number = numbers.get(key)
    if (number === undefined) {
      number = numbers.size
      numbers.set(key, number)
    }
    keys.push(number)
    sizes.push(size === undefined ? 1 : Number(size))
  }

  for await (const some of lines(file)) some.forEach(take)
  if (numbers.size === 0) throw new BadTrace(`${file} is empty; ${FORMAT}`)
  const name = path.basename(file).replace(/(?:\.(?:gz|txt|trace|csv))+$/, '')
  return { name, keys: keys.done(), sizes: sizes.done(), sized: sized === true, distinct: numbers.size }
}

/**
 * @param {string} file
 * @returns {AsyncGenerator<string[]>} some of them at a time
 */
async function* lines(file) {
  let rest = ''
  const text = open(file)
  for (;;) {
    const { done, value } = await text.next().catch((/** @type {Error} */ { message }) => {
      throw new BadTrace(`${file} cannot be read: ${message}`)
    })
    if (done) break
    const parts = (rest + value).split('\n')
    rest = /** @type {string} */ (parts.pop())
    yield parts
  }
  if (rest !== '') yield [rest]
}

/**
 * The file's text in pieces, unpacked if it begins as gzip does, whatever its name.
 * @param {string} file
 * @returns {AsyncGenerator<string>}
 */
async function* open(file) {
  const handle = await fs.promises.open(file)
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(2), 0, 2, 0)
  const packed = bytesRead === 2 && buffer.readUInt16BE(0) === GZIP
  const raw = handle.createReadStream({ start: 0 })
  if (packed) {
    const gunzip = zlib.createGunzip()
    pipeline(raw, gunzip, () => {}) // whoever reads from it hears of the error
    yield* gunzip.setEncoding('utf8')
  } else yield* raw.setEncoding('utf8')
}

module.exports = { BadTrace, read }
