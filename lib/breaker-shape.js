// What a breaker is made of, read once where it comes in. Owns ranges, defaults and which knobs count.
// Never asks anything native.
'use strict'

const { blamed, knobsOf } = require('./knobs.js')
const { Options, DAY } = require('./options.js')

/** @typedef {import('../index').BreakerOptions} BreakerOptions */
/** @typedef {ReturnType<typeof shapeOf> & { provenance: string }} BreakerShape */

const OPTIONS = [
  'window',
  'failureRate',
  'minCalls',
  'consecutive',
  'slow',
  'open',
  'probes',
  'probeTimeout',
  'perKey',
  'maxKeys',
  'classify',
  'onTransition',
  'env',
]
const MILLION = 1_000_000
/** Calls a window may hold: two bits each. */
const CALLS = 100_000

/**
 * @param {unknown} given
 * @param {string} name
 * @param {Record<string, string | undefined> | false} env
 * @returns {BreakerShape}
 */
function breakerShape(given, name, env) {
  // Read before anything is overridden: what the user wrote must be right by itself.
  new Options('a breaker', given, OPTIONS)
  const { options, provenance } = knobsOf('breaker', name, given, env)
  try {
    const shape = { ...shapeOf(options), provenance: JSON.stringify(provenance) }
    // Out of sight of who compares two openings: the same values from elsewhere are the same breaker, and one handle.
    return Object.defineProperty(shape, 'provenance', { enumerable: false })
  } catch (error) {
    throw blamed(error, provenance)
  }
}

/** @param {unknown} given */
function shapeOf(given) {
  const options = new Options('a breaker', given, OPTIONS)
  const slow = options.get('slow') === undefined ? undefined : options.nested('slow', ['over', 'rate'])
  const window = isObject(options.get('window')) ? options.nested('window', ['calls']) : undefined
  const isSpan = typeof options.get('open') !== 'object'
  const open = isSpan ? options : options.nested('open', ['for', 'max', 'jitter'])
  const openForMs = open.duration(isSpan ? 'open' : 'for', isSpan ? { fallback: 5_000 } : {})
  const openMaxMs = Math.max(openForMs, 60_000)
  const windowCalls = window?.whole('calls', { min: 1, max: CALLS })
  const perKey = options.flag('perKey')
  if (!perKey && options.get('maxKeys') !== undefined) {
    throw options.wrong('maxKeys', 'of a breaker is for one with `perKey`; without it there are no keys')
  }
  return {
    windowMs: window === undefined ? options.duration('window', { min: 10, fallback: 60_000 }) : undefined,
    windowCalls,
    failureRate: options.share('failureRate', { aboveZero: true, fallback: 0.5 }),
    minCalls: minCallsOf(options, windowCalls),
    consecutive: options.whole('consecutive', { min: 1, max: MILLION, fallback: null }) ?? undefined,
    slowOverMs: slow?.duration('over', { max: DAY }),
    slowRate: slow?.share('rate', { aboveZero: true }),
    openForMs,
    openMaxMs: isSpan ? openMaxMs : open.duration('max', { min: openForMs, fallback: openMaxMs }),
    openJitter: isSpan ? 0.2 : open.share('jitter', { fallback: 0.2 }),
    probes: options.whole('probes', { min: 1, max: 65_535, fallback: 3 }),
    probeTimeoutMs: options.duration('probeTimeout', { fallback: 15_000 }),
    maxKeys: perKey ? options.whole('maxKeys', { min: 1, max: MILLION, fallback: 1_000 }) : undefined,
  }
}

/**
 * Never more than the window ever holds: no rate would count, and the breaker would stay closed whatever fails.
 * @param {InstanceType<typeof Options>} options
 * @param {number | undefined} windowCalls
 */
function minCallsOf(options, windowCalls = MILLION) {
  const minCalls = options.whole('minCalls', { min: 1, max: MILLION, fallback: Math.min(10, windowCalls) })
  if (minCalls <= windowCalls) return minCalls
  const rule = `of a breaker must be up to the ${windowCalls.toLocaleString('en-US')} calls of its window, or no rate ever counts`
  throw options.wrong('minCalls', rule, { Base: RangeError })
}

/**
 * What of the options belongs to the handle of this thread.
 * @param {unknown} given
 * @returns {Pick<BreakerOptions, 'classify' | 'onTransition'>}
 */
function breakerFunctions(given) {
  const options = new Options('a breaker', given, OPTIONS)
  return { classify: options.callback('classify'), onTransition: options.callback('onTransition') }
}

/** @param {unknown} value */
function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

module.exports = { breakerFunctions, breakerShape, CALLS }
