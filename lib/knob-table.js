// Which options an operator may set from outside, kind by kind, and what their variables may hold. Owns both.
// Never reads an environment, and never knows which variable a value came from.
'use strict'

const durations = require('./durations.js')
const { DAY } = require('./options.js')

/** @typedef {'limiter' | 'breaker' | 'bulkhead' | 'cache'} Kind */
/**
 * @typedef {object} Knob
 * @property {number} min
 * @property {number} max
 * @property {string} rule what its variable must be, as a message says it
 * @property {(text: string) => number | string} read NaN for what is no such value
 */
/**
 * @typedef {object} Table
 * @property {Record<string, Knob>} knobs by option, in the order they are read and told
 * @property {readonly string[]} told the options whose origin is told
 * @property {boolean} optional whether it is opened without options too
 * @property {(option: string, options: object) => string | undefined} hindrance why these options leave nothing to override
 * @property {(option: string, given: unknown, value: number | string) => unknown} placed the option with the value in it
 */

const MILLION = 1_000_000
const BILLION = 1_000_000_000
const LONG = 3650 * DAY

const DIGITS = /^\d+$/
const DECIMAL = /^\d+(?:\.\d+)?$/

/** The ranges are those of the options themselves. @type {Record<Kind, Table>} */
const TABLES = {
  limiter: {
    knobs: { limit: whole(1, BILLION), window: duration(1, LONG), burst: whole(1, BILLION) },
    told: ['limit', 'window', 'burst', 'algorithm', 'maxKeys', 'shadow'],
    optional: false,
    hindrance(option, options) {
      const algorithm = own(options, 'algorithm')
      if (option !== 'burst' || (algorithm !== 'fixed-window' && algorithm !== 'sliding-window')) return undefined
      return `a burst is for the token bucket, and this one is a ${algorithm}`
    },
    placed: (_option, _given, value) => value,
  },
  breaker: {
    knobs: {
      window: duration(10, DAY),
      failureRate: shareAboveZero(),
      minCalls: whole(1, MILLION),
      consecutive: whole(1, MILLION),
      open: duration(1, DAY),
      probes: whole(1, 65_535),
      probeTimeout: duration(1, DAY),
    },
    told: [
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
    ],
    optional: true,
    // Whoever writes 100 there could mean calls as well as milliseconds, and minCalls was chosen for the one in the code.
    hindrance(option, options) {
      const counted = option === 'window' && isPlain(own(options, 'window'))
      return counted ? 'a window from outside is a duration, and this one is a number of calls' : undefined
    },
    // How far the open time grows, and its jitter, are the code's.
    placed: (option, given, value) => (option === 'open' && isPlain(given) ? { ...given, for: value } : value),
  },
  bulkhead: {
    knobs: {
      limit: whole(1, MILLION),
      queue: whole(0, MILLION),
      queueTimeout: duration(1, DAY),
      lease: duration(1, DAY),
    },
    told: ['limit', 'queue', 'queueTimeout', 'perKey', 'lease'],
    optional: false,
    hindrance: () => undefined,
    placed: (_option, _given, value) => value,
  },
  cache: {
    knobs: {
      ttl: duration(1, LONG),
      stale: duration(0, LONG),
      grace: duration(0, LONG),
      negativeTtl: duration(0, LONG),
      maxBytes: size(64 * 1024, 1024 ** 4),
      maxValueBytes: size(1, 1024 ** 4 / 8),
      loadTimeout: duration(1, DAY),
      softTimeout: duration(1, DAY),
      version: text(128),
    },
    told: [
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
    ],
    optional: true,
    hindrance: () => undefined,
    placed: (_option, _given, value) => value,
  },
}

/**
 * @param {number} min
 * @param {number} max
 * @returns {Knob}
 */
function whole(min, max) {
  const rule = `a whole number from ${grouped(min)} to ${grouped(max)}, in decimal digits alone`
  return { min, max, rule, read: (text) => (DIGITS.test(text) ? Number(text) : NaN) }
}

/** @returns {Knob} */
function shareAboveZero() {
  const rule = 'a number above 0 and up to 1, in decimal digits, like 0.5'
  return { min: Number.MIN_VALUE, max: 1, rule, read: (text) => (DECIMAL.test(text) ? Number(text) : NaN) }
}

/**
 * @param {number} min milliseconds
 * @param {number} max
 * @returns {Knob}
 */
function duration(min, max) {
  const rule =
    'milliseconds in digits, or a number with ms, s, m, h or d, like 10m; ' +
    `from ${grouped(min)} to ${grouped(max)} ms`
  return { min, max, rule, read: (text) => (DIGITS.test(text) ? Number(text) : durations.milliseconds(text)) }
}

/**
 * @param {number} min bytes
 * @param {number} max
 * @returns {Knob}
 */
function size(min, max) {
  const rule = `bytes in digits, or a number with b, kb, mb or gb, like 64mb; from ${grouped(min)} to ${grouped(max)} bytes`
  return { min, max, rule, read: (text) => (DIGITS.test(text) ? Number(text) : durations.bytes(text)) }
}

/**
 * @param {number} longest
 * @returns {Knob}
 */
function text(longest) {
  const rule = `up to ${longest} characters`
  return { min: -Infinity, max: Infinity, rule, read: (text) => (text.length <= longest ? text : NaN) }
}

/**
 * @param {unknown} value
 * @returns {value is object}
 */
function isPlain(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Only what the object itself has: a knob must not come from a prototype somebody has polluted. */
function own(/** @type {object} */ object, /** @type {PropertyKey} */ name) {
  return Object.hasOwn(object, name) ? /** @type {Record<PropertyKey, unknown>} */ (object)[name] : undefined
}

/** @param {number} number */
function grouped(number) {
  return number.toLocaleString('en-US')
}

module.exports = { TABLES, own }
