// A driver for bentocache, as its first or its second layer. Owns what a prefix and a namespace mean there.
// Never imports bentocache, and never makes text of a value: bentocache has done so, if it was to be done.
'use strict'

const { misuse, shown } = require('../lib/misuse.js')
const { Beneath, FOREVER_MS } = require('./cache/beneath.js')
const { handedCodec } = require('./cache/handed-codec.js')
const { named } = require('./cache/names.js')

/** @typedef {InstanceType<typeof Beneath>} Under */

/** Namespaces within namespaces: each is a tag of all that is in it. */
const DEEPEST = 32

/**
 * What `useL1Layer` takes, and with `layer: 'l2'` what `useL2Layer` takes.
 * @param {import('./bentocache').SpillwayDriverOptions} [given]
 */
function spillwayDriver(given) {
  const of = 'spillwayDriver()'
  const kept = { ttl: FOREVER_MS, codec: handedCodec }
  const others = ['layer', 'prefix', 'serialize']
  const beneath = new Beneath(of, given, { prefix: 'bentocache', others, kept })
  const Driver = beneath.options.word('layer', ['l1', 'l2'], 'l1') === 'l1' ? FirstLayer : SecondLayer
  if (Driver === FirstLayer && beneath.isRemote) {
    const rule =
      "`redis` of spillwayDriver() is for a second layer, `layer: 'l2'`: bentocache's first one answers at once"
    throw misuse('E_OPTION', rule, { option: 'redis' })
  }
  // Bentocache hands these on to whoever looks: no place for a password.
  const { redis: _, ...told } = given ?? {}
  return {
    options: told,
    /** @param {{ prefix?: string }} [config] the options with what bentocache adds, its prefix */
    factory: (config) => new Driver(beneath, trimmed(config?.prefix ?? '')),
  }
}

/** What both layers have: a cache, and a prefix of all their keys in it. */
class Layer {
  #beneath

  /**
   * @param {Under} beneath
   * @param {string} prefix
   */
  constructor(beneath, prefix) {
    this.#beneath = beneath
    this.prefix = prefix
    if (partsOf(`${this.prefix}:`).length > DEEPEST) {
      const rule = `a namespace of spillwayDriver() may be ${DEEPEST} deep`
      throw misuse('E_OPTION', `${rule}; got ${shown(this.prefix)}`, { Base: RangeError, option: 'prefix' })
    }
  }

  /** @returns {any} */
  get cache() {
    return this.#beneath.cache
  }

  /** @param {string} name */
  namespace(name) {
    const Driver = /** @type {any} */ (this.constructor)
    return new Driver(this.#beneath, this.prefix === '' ? trimmed(name) : `${this.prefix}:${trimmed(name)}`)
  }

  /** Nothing to do: the cache is the process's, and other drivers may be at it. */
  async disconnect() {}

  /**
   * @param {string} key
   * @protected
   */
  inner(key) {
    return this.prefix === '' ? key : `${this.prefix}:${key}`
  }
}

/** What answers at once. */
class FirstLayer extends Layer {
  /** @type {'l1'} */
  type = 'l1'

  /** @param {string} key */
  get(key) {
    return this.cache.get(this.inner(key))
  }

  /** @param {string} key */
  pull(key) {
    const value = this.get(key)
    // Whoever has taken it out has it, and nobody else.
    return this.delete(key) ? value : undefined
  }

  /**
   * False for what is larger than the cache takes: the old value is gone then.
   * @param {string} key
   * @param {unknown} value
   * @param {number | null} [ttl] milliseconds; none for a value that does not expire
   */
  set(key, value, ttl) {
    const inner = this.inner(key)
    if (isOver(ttl)) {
      this.cache.delete(inner)
      return true
    }
    try {
      this.cache.set(inner, value, keptOf(inner, ttl))
      return true
    } catch (error) {
      if (!isTooLarge(error)) throw error
      this.cache.delete(inner)
      return false
    }
  }

  /** @param {string} key */
  getRemainingTtl(key) {
    return this.cache.entry(this.inner(key))?.freshForMs
  }

  /** @param {string} key */
  delete(key) {
    return this.cache.delete(this.inner(key))
  }

  /** @param {readonly string[]} keys */
  deleteMany(keys) {
    for (const key of keys) this.delete(key)
    return true
  }

  /** What begins with this prefix, at once, however much it is. */
  clear() {
    if (this.prefix === '') this.cache.clear()
    else this.cache.invalidateTag(named(this.prefix))
  }
}

/** The same with promises, as bentocache has a layer behind the first; over Redis it is one for many processes. */
class SecondLayer extends Layer {
  /** @type {'l2'} */
  type = 'l2'

  /** @param {string} key */
  async get(key) {
    return this.cache.get(this.inner(key))
  }

  /** @param {string} key */
  async pull(key) {
    const value = await this.get(key)
    return (await this.delete(key)) ? value : undefined
  }

  /**
   * @param {string} key
   * @param {unknown} value
   * @param {number | null} [ttl] milliseconds
   */
  async set(key, value, ttl) {
    const inner = this.inner(key)
    if (isOver(ttl)) {
      await this.cache.delete(inner)
      return true
    }
    try {
      await this.cache.set(inner, value, keptOf(inner, ttl))
      return true
    } catch (error) {
      if (!isTooLarge(error)) throw error
      await this.cache.delete(inner)
      return false
    }
  }

  /** @param {string} key */
  async delete(key) {
    return this.cache.delete(this.inner(key))
  }

  /** @param {readonly string[]} keys */
  async deleteMany(keys) {
    await Promise.all(keys.map((key) => this.delete(key)))
    return true
  }

  async clear() {
    if (this.prefix === '') await this.cache.clear()
    else await this.cache.invalidateTag(named(this.prefix))
  }
}

/**
 * How a value is kept under a key: forgotten with each of its prefixes.
 * @param {string} inner
 * @param {number | null | undefined} ttl
 */
function keptOf(inner, ttl) {
  const tags = partsOf(inner).map(named)
  return ttl == null ? { tags } : { ttl: Math.min(Math.max(ttl, 1), FOREVER_MS), tags }
}

/** @param {number | null | undefined} ttl */
function isOver(ttl) {
  return ttl != null && ttl <= 0
}

/** @param {any} error */
function isTooLarge(error) {
  return error?.code === 'E_VALUE_TOO_LARGE'
}

/**
 * What may be a prefix of this key: each part that ends before a colon.
 * @param {string} key
 */
function partsOf(key) {
  const parts = []
  for (let end = key.indexOf(':'); end !== -1 && parts.length <= DEEPEST; end = key.indexOf(':', end + 1)) {
    if (end > 0) parts.push(key.slice(0, end))
  }
  return parts
}

/** As bentocache has prefixes: without colons at their end. @param {string} prefix */
function trimmed(prefix) {
  return prefix.replace(/:+$/, '')
}

module.exports = { spillwayDriver }
