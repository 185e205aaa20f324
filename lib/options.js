// Reads a user's options, once, where they come in. Owns ranges, defaults and the errors; never changes what it is given.
'use strict'

const { misuse, shown } = require('./misuse.js')
const durations = require('./durations.js')

const DAY = 86_400_000

/** What is called so may be worth hiding, also where it is not asked for. */
const SECRET = /pass|secret|user|auth|token|cred|key|cert|url|redis/i

/** @param {number} number */
const grouped = (number) => number.toLocaleString('en-US')

/** One options object: each value is read by the method of its type, under its name. */
class Options {
  #of
  /** @type {Record<string, unknown>} */
  #values
  #path

  /**
   * @param {string} of what the options are for, as messages name it
   * @param {unknown} values
   * @param {readonly string[]} known
   * @param {string} [path] where a nested object is found
   */
  constructor(of, values, known, path = '') {
    this.#of = of
    this.#path = path
    if (values === undefined) values = {}
    if (typeof values !== 'object' || values === null || Array.isArray(values)) {
      throw misuse('E_OPTION', `the options of ${of} must be an object with ${list(known)}; got ${shown(values)}`)
    }
    this.#values = /** @type {Record<string, unknown>} */ (values)
    for (const name of Object.keys(values)) {
      if (!known.includes(name)) {
        const rule = `is not an option of ${of}; there ${known.length === 1 ? 'is' : 'are'} ${list(known)}`
        if (!SECRET.test(name)) throw this.wrong(name, rule)
        throw misuse('E_OPTION', `\`${path + name}\` ${rule}`, { option: path + name })
      }
    }
  }

  /** @param {string} name */
  get(name) {
    // Only what the object itself has: an option must not come from a prototype somebody has polluted.
    return Object.hasOwn(this.#values, name) ? this.#values[name] : undefined
  }

  /**
   * @param {string} name
   * @param {string} rule
   * @param {{ code?: string, Base?: TypeErrorConstructor | RangeErrorConstructor }} [more]
   */
  wrong(name, rule, { code = 'E_OPTION', Base = TypeError } = {}) {
    const value = this.get(name)
    const option = this.#path + name
    const got = value === undefined ? 'it is missing' : `got ${shown(value)}`
    return misuse(code, `\`${option}\` ${rule}; ${got}`, { Base, option })
  }

  /**
   * A whole number.
   * @template {number | null} [F=number]
   * @param {string} name
   * @param {{ min: number, max: number, fallback?: F }} range
   * @returns {number | F}
   */
  whole(name, { min, max, fallback }) {
    const value = this.get(name)
    if (value === undefined && fallback !== undefined) return fallback
    if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
      const rule = `of ${this.#of} must be a whole number from ${grouped(min)} to ${grouped(max)}`
      throw this.wrong(name, rule, typeof value === 'number' ? { Base: RangeError } : {})
    }
    return value
  }

  /**
   * A share of one.
   * @param {string} name
   * @param {{ fallback?: number, aboveZero?: boolean }} range
   */
  share(name, { fallback, aboveZero = false }) {
    const value = this.get(name)
    if (value === undefined && fallback !== undefined) return fallback
    if (typeof value !== 'number' || !(value >= 0 && value <= 1) || (aboveZero && value === 0)) {
      const rule = `of ${this.#of} must be a number ${aboveZero ? 'above 0 and up to 1' : 'from 0 to 1'}`
      throw this.wrong(name, rule, typeof value === 'number' ? { Base: RangeError } : {})
    }
    return value
  }

  /**
   * A duration, in milliseconds.
   * @param {string} name
   * @param {{ min?: number, max?: number, fallback?: number }} range in milliseconds
   */
  duration(name, { min = 1, max = DAY, fallback }) {
    const value = this.get(name)
    if (value === undefined && fallback !== undefined) return fallback
    const milliseconds = durations.milliseconds(value)
    if (Number.isNaN(milliseconds)) {
      const rule = `of ${this.#of} must be milliseconds as a number, or a number with ms, s, m, h or d, like '30s'`
      throw this.wrong(name, rule, { code: 'E_DURATION' })
    }
    if (milliseconds < min || milliseconds > max) {
      const rule = `of ${this.#of} must be from ${grouped(min)} ms to ${grouped(max)} ms (${grouped(max / DAY)} ${max === DAY ? 'day' : 'days'})`
      throw this.wrong(name, rule, { code: 'E_DURATION', Base: RangeError })
    }
    return milliseconds
  }

  /**
   * A size, in bytes.
   * @param {string} name
   * @param {{ min: number, max: number, fallback: number }} range in bytes
   */
  size(name, { min, max, fallback }) {
    const value = this.get(name)
    if (value === undefined) return fallback
    const bytes = durations.bytes(value)
    if (Number.isNaN(bytes)) {
      const rule = `of ${this.#of} must be bytes as a number, or a number with b, kb, mb or gb, like '64mb'`
      throw this.wrong(name, rule, { code: 'E_SIZE' })
    }
    if (bytes < min || bytes > max) {
      const rule = `of ${this.#of} must be from ${grouped(min)} to ${grouped(max)} bytes`
      throw this.wrong(name, rule, { code: 'E_SIZE', Base: RangeError })
    }
    return Math.floor(bytes)
  }

  /**
   * One of a few words.
   * @template {string} W
   * @param {string} name
   * @param {readonly W[]} words
   * @param {W} fallback
   * @returns {W}
   */
  word(name, words, fallback) {
    const value = this.get(name)
    if (value === undefined) return fallback
    const word = words.find((allowed) => allowed === value)
    if (word === undefined)
      throw this.wrong(
        name,
        `of ${this.#of} must be ${list(
          words.map((w) => `'${w}'`),
          'or',
        )}`,
      )
    return word
  }

  /** @param {string} name */
  flag(name) {
    const value = this.get(name)
    if (value !== undefined && typeof value !== 'boolean')
      throw this.wrong(name, `of ${this.#of} must be true or false`)
    return value === true
  }

  /**
   * @param {string} name
   * @returns {((...args: any[]) => any) | undefined}
   */
  callback(name) {
    const value = this.get(name)
    if (value !== undefined && typeof value !== 'function') throw this.wrong(name, `of ${this.#of} must be a function`)
    return /** @type {any} */ (value)
  }

  /**
   * An object inside this one.
   * @param {string} name
   * @param {readonly string[]} known
   */
  nested(name, known) {
    const value = this.get(name)
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw this.wrong(name, `of ${this.#of} must be an object with ${list(known)}`)
    }
    return new Options(this.#of, value, known, `${this.#path}${name}.`)
  }
}

/**
 * @param {readonly string[]} words
 * @param {string} [last]
 */
function list(words, last = 'and') {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} ${last} ${words[words.length - 1]}`
}

/**
 * A name: what a primitive is known by in the process, in snapshots and in answers.
 * @param {string} kind
 * @param {unknown} name
 * @returns {string}
 */
function nameOf(kind, name) {
  if (typeof name !== 'string' || name.length === 0 || name.length > 128) {
    throw misuse('E_NAME', `the name of a ${kind} must be a string of 1 to 128 characters; got ${shown(name)}`)
  }
  return name
}

/**
 * What a user's function answers where it is asked for a yes or a no; nothing is a no. A promise would be a yes that nobody meant.
 * @param {string} of
 * @param {unknown} answer
 * @param {unknown} about the error it was asked about, which must not be lost
 * @returns {boolean}
 */
function yesOrNo(of, answer, about) {
  if (typeof answer === 'boolean' || answer === undefined) return answer === true
  const message = `${of} must answer true or false; it answered ${shown(answer)}`
  throw misuse('E_OPTION', message, { option: 'when', cause: about })
}

module.exports = { Options, nameOf, yesOrNo, DAY }
