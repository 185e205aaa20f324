// What a cache is made of, read once where it comes in. Owns ranges, defaults and which knobs count.
// Never asks anything native.
'use strict'

const { CODECS, customCodec } = require('./codecs.js')
const { blamed, knobsOf } = require('./knobs.js')
const { misuse, shown } = require('./misuse.js')
const { Options, DAY } = require('./options.js')
const { tagsOf } = require('./tags.js')

/** @typedef {import('./codecs.js').Codec} Codec */
/** @typedef {ReturnType<typeof shapeOf> & { provenance: string }} CacheShape */
/** @typedef {{ codec: Codec, bulkhead: import('../index').Bulkhead | undefined, waitUntil: ((promise: Promise<unknown>) => void) | undefined }} CacheFunctions */
/** @typedef {{ ttlMs: number | undefined, tags: string[] | undefined }} Kept how a value is kept */

const OPTIONS = [
  'ttl',
  'jitter',
  'stale',
  'grace',
  'negativeTtl',
  'maxBytes',
  'maxValueBytes',
  'loadTimeout',
  'softTimeout',
  'version',
  'codec',
  'bulkhead',
  'waitUntil',
  'env',
]
const MIB = 1024 ** 2
const LONG = 3650 * DAY
const OF = 'a cached value'

/**
 * @param {unknown} given
 * @param {string} name
 * @param {Record<string, string | undefined> | false} env
 * @returns {CacheShape}
 */
function cacheShape(given, name, env) {
  // First as they were given, so that what is wrong in them is told before what is wrong in the environment.
  new Options('a cache', given, OPTIONS)
  const { options: overridden, provenance } = knobsOf('cache', name, given, env)
  try {
    const shape = { ...shapeOf(new Options('a cache', overridden, OPTIONS)), provenance: JSON.stringify(provenance) }
    // Out of sight of who compares two openings: the same values from elsewhere are the same cache, and one handle.
    return Object.defineProperty(shape, 'provenance', { enumerable: false })
  } catch (fault) {
    throw blamed(fault, provenance, [], { maxValueBytes: 'maxBytes' })
  }
}

/** @param {InstanceType<typeof Options>} options */
function shapeOf(options) {
  const maxBytes = options.size('maxBytes', { min: 64 * 1024, max: 1024 ** 4, fallback: 64 * MIB })
  const soft = options.get('softTimeout') === undefined ? undefined : options.duration('softTimeout', {})
  return {
    ttlMs: options.duration('ttl', { max: LONG, fallback: 300_000 }),
    jitter: options.share('jitter', { fallback: 0.1 }),
    staleMs: options.duration('stale', { min: 0, max: LONG, fallback: 0 }),
    graceMs: options.duration('grace', { min: 0, max: LONG, fallback: 0 }),
    negativeTtlMs: options.duration('negativeTtl', { min: 0, max: LONG, fallback: 0 }),
    maxBytes,
    maxValueBytes: options.size('maxValueBytes', { min: 1, max: maxBytes / 8, fallback: Math.min(MIB, maxBytes / 8) }),
    loadTimeoutMs: options.duration('loadTimeout', { fallback: 30_000 }),
    softTimeoutMs: soft,
    version: versionOf(options.get('version'), (rule) => options.wrong('version', `of a cache ${rule}`)),
    codec: codecOf(options).name,
  }
}

/**
 * What belongs to the handle of this thread: functions, which no other thread can see.
 * @param {unknown} given options that have been read as a shape
 * @returns {CacheFunctions}
 */
function cacheFunctions(given) {
  const options = new Options('a cache', given, OPTIONS)
  const bulkhead = /** @type {any} */ (options.get('bulkhead'))
  if (bulkhead !== undefined && (bulkhead?.kind !== 'bulkhead' || typeof bulkhead.run !== 'function')) {
    throw options.wrong('bulkhead', 'of a cache must be a bulkhead, as bulkhead(name, …) answers one')
  }
  return { codec: codecOf(options), bulkhead, waitUntil: options.callback('waitUntil') }
}

/**
 * @param {InstanceType<typeof Options>} options
 * @returns {Codec}
 */
function codecOf(options) {
  const given = options.get('codec')
  if (given === undefined) return CODECS.json
  if (typeof given === 'string' && Object.hasOwn(CODECS, given)) return CODECS[/** @type {'json'} */ (given)]
  const codec = /** @type {any} */ (given)
  if (typeof codec?.encode !== 'function' || typeof codec.decode !== 'function') {
    const rule = "of a cache must be 'json', 'bytes', 'v8' or an object with the functions encode and decode"
    throw options.wrong('codec', rule)
  }
  if (codec.shared !== undefined && typeof codec.shared !== 'boolean') {
    const rule = '`codec.shared` of a cache must be true or false'
    throw misuse('E_OPTION', `${rule}; got ${shown(codec.shared)}`, { option: 'codec.shared' })
  }
  return customCodec(codec)
}

/**
 * A version as text: whether it was written as a number is nobody's business.
 * @param {unknown} given
 * @param {(rule: string) => Error} wrong
 * @returns {string | undefined}
 */
function versionOf(given, wrong) {
  if (given === undefined) return undefined
  if (typeof given === 'number' && Number.isFinite(given)) return String(given)
  if (typeof given === 'string' && given.length > 0 && given.length <= 128) return given
  throw wrong('must be a string of 1 to 128 characters, or a number')
}

/**
 * How one value is kept, beside what the cache says.
 * @param {unknown} given
 * @returns {Kept}
 */
function keptOf(given) {
  if (given === undefined) return USUAL
  return keptIn(new Options(OF, given, ['ttl', 'tags']))
}

/**
 * The same of a value that is set, which may have been made before.
 * @param {unknown} given
 * @returns {Kept & { since: number | undefined }}
 */
function settingOf(given) {
  if (given === undefined) return USUAL
  const options = new Options(OF, given, ['ttl', 'tags', 'since'])
  const since = options.whole('since', { min: 0, max: Number.MAX_SAFE_INTEGER, fallback: null })
  return { ...keptIn(options), since: since ?? undefined }
}

/**
 * @param {InstanceType<typeof Options>} options
 * @returns {Kept}
 */
function keptIn(options) {
  return { ttlMs: ttlIn(options), tags: tagsOf(OF, options.get('tags')) }
}

/** @param {InstanceType<typeof Options>} options */
function ttlIn(options) {
  return options.get('ttl') === undefined ? undefined : options.duration('ttl', { max: LONG })
}

/** The ttl that a loader sets. @param {unknown} ttl */
function ttlOf(ttl) {
  return new Options(OF, { ttl }, ['ttl']).duration('ttl', { max: LONG })
}

/** @type {Kept & { since: undefined }} */
const USUAL = Object.freeze({ ttlMs: undefined, tags: undefined, since: undefined })

module.exports = { cacheShape, cacheFunctions, versionOf, keptOf, keptIn, settingOf, ttlOf, OF }
