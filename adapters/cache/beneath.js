// Owns the cache that an adapter puts its face on: which options it has, and that it is opened when it is first used.
// Never opens one where a module is merely imported: frameworks do that while they build, and where native code cannot run.
'use strict'

const { versionOf } = require('../../lib/cache-shape.js')
const { knobsOf } = require('../../lib/knobs.js')
const { Options, nameOf } = require('../../lib/options.js')
const { targetOf } = require('../../lib/redis-options.js')
const { Spillway } = require('../../lib/spillway.js')

/** @typedef {import('../../index').Cache<any, import('../../index').Mode>} Cache */

/** What each of these adapters has. */
const OPTIONS = ['name', 'maxBytes', 'maxValueBytes', 'version', 'redis', 'clock']
const MIB = 1024 ** 2
/** Of one value. More would leave a cache in fewer parts, and threads waiting for each other. */
const LARGEST = 4 * MIB
const SIZES = { min: 64 * 1024, max: 1024 ** 4, fallback: 64 * MIB }

/** How long what never expires is fresh, and how long one value may be at most: ten years. */
const FOREVER_MS = 3650 * 86_400_000

class Beneath {
  #prefix
  #kept
  #maxBytes
  /** @type {number | undefined} */
  #maxValueBytes
  #version
  /** @type {any} */
  #redis
  #clock
  /** @type {Cache | undefined} */
  #cache

  /**
   * @param {string} of whose options they are, as messages name it
   * @param {unknown} given
   * @param {object} own
   * @param {string} own.prefix in the identity of every such cache, so that one of the application's may have the same name
   * @param {readonly string[]} [own.others] options that the adapter adds
   * @param {import('../../index').CacheOptions} own.kept how the adapter keeps values, whatever its user says
   */
  constructor(of, given, { prefix, others = [], kept }) {
    const options = new Options(of, given, [...OPTIONS, ...others])
    this.#prefix = prefix
    this.#kept = kept
    this.name = nameOf('cache', options.get('name') ?? prefix)
    this.#maxBytes = options.size('maxBytes', SIZES)
    const isGiven = options.get('maxValueBytes') !== undefined
    this.#maxValueBytes = isGiven
      ? options.size('maxValueBytes', { min: 1, max: this.#maxBytes / 8, fallback: 1 })
      : undefined
    this.#version = versionOf(options.get('version'), (rule) => options.wrong('version', `of ${of} ${rule}`))
    this.#redis = options.get('redis')
    // What is wrong in it is told here, and not when the first request opens the cache.
    if (this.#redis !== undefined) targetOf(this.#redis)
    this.#clock = options.callback('clock')
    if (this.#redis !== undefined && this.#clock !== undefined) {
      throw options.wrong('clock', `and \`redis\` of ${of} exclude each other: over Redis time is that of Redis`)
    }
    this.options = options
  }

  /** Whether it is the cache of many processes, which answers with promises. */
  get isRemote() {
    return this.#redis !== undefined
  }

  /** The cache; opened now, if this is its first use. */
  get cache() {
    return (this.#cache ??= this.#open())
  }

  #open() {
    const store = this.#redis === undefined ? {} : { redis: this.#redis }
    const spillway = new Spillway({ prefix: this.#prefix, ...store, ...(this.#clock && { clock: this.#clock }) })
    const maxValueBytes = this.#maxValueBytes ?? Math.min(LARGEST, Math.floor(this.#size() / 8))
    const [maxBytes, version] = [this.#maxBytes, this.#version]
    const cache = spillway.cache(this.name, { ...this.#kept, jitter: 0, maxBytes, maxValueBytes, version })
    return /** @type {any} */ (cache)
  }

  /** What `maxBytes` comes to with the environment: the largest value is a part of that. */
  #size() {
    const { options } = knobsOf('cache', this.name, { maxBytes: this.#maxBytes }, process.env)
    return new Options('a cache', options, ['maxBytes']).size('maxBytes', SIZES)
  }
}

module.exports = { Beneath, FOREVER_MS }
