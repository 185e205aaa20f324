// What an operator sets from outside: environment variables that override options, and where each value came from.
// Never reads process.env by itself: what is the environment is said by who calls.
'use strict'

const durations = require('./durations.js')
const { misuse, shown } = require('./misuse.js')
const { Options, DAY } = require('./options.js')
const { presets, PRESET } = require('./presets.js')

/** @typedef {'limit' | 'window' | 'burst'} Knob */
/** @typedef {Record<string, string | undefined>} Environment */
/** @typedef {Record<string, string>} Provenance option name → 'option', 'default', 'preset otp' or 'env SPILLWAY_LIMITER_CHAT_LIMIT' */

const BILLION = 1_000_000_000

/** What an overriding value may be: the ranges of the options themselves. */
const RANGES = {
  limit: { min: 1, max: BILLION },
  window: { min: 1, max: 3650 * DAY },
  burst: { min: 1, max: BILLION },
}

/** @type {Knob[]} */
const KNOBS = ['limit', 'window', 'burst']
/** The options whose origin is told. */
const TOLD = ['limit', 'window', 'burst', 'algorithm', 'maxKeys', 'shadow']

/**
 * The options of one limit as the environment leaves them, and where each value came from.
 *
 * For each value the variable named in `options.env` counts first, then `SPILLWAY_<KIND>_<NAME>_<OPTION>`; an empty one counts as
 * not set, and with `options.env` false none counts. What is returned is a new object if anything was overridden; `options` itself
 * is not changed.
 * @template T
 * @param {'limiter'} kind
 * @param {string} name of the limit itself, which among several is not the limiter's
 * @param {T} options as the user gave them; what is wrong in them is left to who reads them next
 * @param {Environment | false | undefined} env
 * @returns {{ options: T, provenance: Provenance }}
 */
function knobsOf(kind, name, options, env) {
  const provenance = provenanceOf(options)
  if (typeof options !== 'object' || options === null) return { options, provenance }
  const mapped = mappedOf(kind, name, options)
  if (env === false || env === undefined || own(options, 'env') === false) return { options, provenance }
  /** @type {Partial<Record<Knob, number>>} */
  const overrides = {}
  for (const knob of KNOBS) {
    const variable = [mapped[knob], variableOf(kind, name, knob)].find((each) => isSet(env, each))
    if (variable === undefined) continue
    const owner = `\`${knob}\` of the ${kind} ${shown(name)}`
    if (knob === 'burst') assertBucket(options, variable, owner, env[variable])
    overrides[knob] = valueOf(knob, variable, owner, env[variable])
    provenance[knob] = `env ${variable}`
  }
  return Object.keys(overrides).length === 0
    ? { options, provenance }
    : { options: { ...options, ...overrides }, provenance }
}

/**
 * Where each value of these options comes from when nothing overrides them.
 * @param {unknown} options
 * @returns {Provenance}
 */
function provenanceOf(options) {
  const given = /** @type {Record<PropertyKey, unknown>} */ (
    typeof options === 'object' && options !== null ? options : {}
  )
  const tag = own(given, PRESET)
  const preset = typeof tag === 'string' && Object.hasOwn(presets, tag) ? presets[tag] : {}
  /** @type {Provenance} */
  const provenance = {}
  for (const option of TOLD) {
    const value = own(given, option)
    if (value === undefined) provenance[option] = 'default'
    else provenance[option] = value === own(preset, option) ? `preset ${String(tag)}` : 'option'
  }
  return provenance
}

/**
 * An error about values that are fine each and not together, such as a rate too fine, told to who set one of them from outside.
 * @param {any} error
 * @param {Provenance} provenance
 * @param {readonly string[]} [together] codes of errors that are about all values, where they name none
 * @returns {unknown} the same error, or an `E_ENV` with it as its cause
 */
function blamed(error, provenance, together = ['E_RATE_TOO_FINE']) {
  const code = error?.code
  const concerned = error?.option === undefined ? (together.includes(code) ? KNOBS : []) : [error.option]
  const culprits = concerned.filter((/** @type {string} */ option) => provenance[option]?.startsWith('env '))
  if (typeof code !== 'string' || code === 'E_ENV' || culprits.length === 0) return error
  const blame = culprits.map((/** @type {string} */ option) => `\`${option}\` is from ${provenance[option].slice(4)}`)
  const sentence = String(error.message).replace(` [${code}]`, '')
  const Base = error instanceof RangeError ? RangeError : TypeError
  return misuse('E_ENV', `${sentence}; ${blame.join(' and ')}`, { Base, option: culprits[0], cause: error })
}

/**
 * The name of the variable that overrides an option: `link-code` and `limit` make `SPILLWAY_LIMITER_LINK_CODE_LIMIT`. A name without
 * a letter or digit of ASCII has none: all such names would have the same.
 * @param {string} kind
 * @param {string} name
 * @param {string} option
 */
function variableOf(kind, name, option) {
  if (!/[A-Za-z0-9]/.test(name)) return undefined
  return `SPILLWAY_${kind.toUpperCase()}_${name.toUpperCase().replace(/[^A-Z0-9]+/g, '_')}_${option.toUpperCase()}`
}

/**
 * @param {string} kind
 * @param {string} name
 * @param {object} options
 * @returns {Partial<Record<Knob, string>>}
 */
function mappedOf(kind, name, options) {
  const names = own(options, 'env')
  if (names === undefined || names === false) return {}
  const given = new Options(`the ${kind} ${shown(name)}`, { env: names }, ['env']).nested('env', KNOBS)
  /** @type {Partial<Record<Knob, string>>} */
  const mapped = {}
  for (const knob of KNOBS) {
    const variable = given.get(knob)
    if (variable === undefined) continue
    // Neither can stand in a name on any system, so such a variable could never be set.
    if (typeof variable !== 'string' || variable === '' || /[=\0]/.test(variable)) {
      const rule = `must be the name of an environment variable, a non-empty string without '='`
      const option = `env.${knob}`
      throw misuse('E_OPTION', `\`${option}\` of the ${kind} ${shown(name)} ${rule}; got ${shown(variable)}`, {
        option,
      })
    }
    mapped[knob] = variable
  }
  return mapped
}

/**
 * @param {Environment} env
 * @param {string | undefined} variable
 */
function isSet(env, variable) {
  if (variable === undefined) return false
  const value = own(env, variable)
  // A variable that is there and empty is how a shell, a compose file or a CI form says "none".
  return value !== undefined && !(typeof value === 'string' && value.trim() === '')
}

/**
 * @param {Knob} knob
 * @param {string} variable
 * @param {string} owner
 * @param {unknown} given
 * @returns {number}
 */
function valueOf(knob, variable, owner, given) {
  const { min, max } = RANGES[knob]
  const range = `from ${grouped(min)} to ${grouped(max)}`
  const isWindow = knob === 'window'
  const rule = isWindow
    ? `milliseconds in digits, or a number with ms, s, m, h or d, like 10m; ${range} ms`
    : `a whole number ${range}, in decimal digits alone`
  const text = typeof given === 'string' ? given.trim() : ''
  const value = /^\d+$/.test(text) ? Number(text) : isWindow ? durations.milliseconds(text) : NaN
  if (Number.isNaN(value) || value < min || value > max) {
    const Base = Number.isNaN(value) ? TypeError : RangeError
    throw misuse('E_ENV', `${variable}, which overrides ${owner}, must be ${rule}; got ${shown(given)}`, {
      Base,
      option: knob,
    })
  }
  return value
}

/**
 * @param {object} options
 * @param {string} variable
 * @param {string} owner
 * @param {unknown} given
 */
function assertBucket(options, variable, owner, given) {
  const algorithm = own(options, 'algorithm')
  if (algorithm !== 'fixed-window' && algorithm !== 'sliding-window') return
  const rule = `cannot: a burst is for the token bucket, and this one is a ${algorithm}; unset it`
  throw misuse('E_ENV', `${variable} would override ${owner}, and ${rule}; got ${shown(given)}`, { option: 'burst' })
}

/** Only what the object itself has: a knob must not come from a prototype somebody has polluted. */
function own(/** @type {object} */ object, /** @type {PropertyKey} */ name) {
  return Object.hasOwn(object, name) ? /** @type {Record<PropertyKey, unknown>} */ (object)[name] : undefined
}

/** @param {number} number */
function grouped(number) {
  return number.toLocaleString('en-US')
}

module.exports = { knobsOf, provenanceOf, blamed, variableOf }
