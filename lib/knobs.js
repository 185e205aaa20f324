// What an operator sets from outside: environment variables that override options, and where each value came from.
// Never reads process.env by itself: what is the environment is said by who calls.
'use strict'

const { misuse, shown } = require('./misuse.js')
const { Options } = require('./options.js')
const { presets, PRESET } = require('./presets.js')
const { TABLES, own } = require('./knob-table.js')
const { warnOfStrays } = require('./stray-knobs.js')

/** @typedef {import('./knob-table.js').Kind} Kind */
/** @typedef {Record<string, string | undefined>} Environment */
/** @typedef {Record<string, string>} Provenance option name → 'option', 'default', 'preset otp' or 'env SPILLWAY_LIMITER_CHAT_LIMIT' */

/**
 * The options of one primitive, of a limiter of one of its limits, as the environment leaves them, and where each value came from.
 *
 * For each value the variable named in `options.env` counts first, then `SPILLWAY_<KIND>_<NAME>_<OPTION>`; an empty one counts as
 * not set, and with `options.env` false none counts. What is returned is a new object if anything was overridden; `options` itself
 * is not changed.
 * @template T
 * @param {Kind} kind
 * @param {string} name of the limit itself, which among several is not the limiter's
 * @param {T} options as the user gave them; what is wrong in them is left to who reads them next
 * @param {Environment | false | undefined} env
 * @returns {{ options: T, provenance: Provenance }}
 */
function knobsOf(kind, name, options, env) {
  const provenance = provenanceOf(options, kind)
  const { knobs, optional, hindrance, placed } = TABLES[kind]
  const given = options === undefined && optional ? {} : options
  if (typeof given !== 'object' || given === null) return { options, provenance }
  const mapped = mappedOf(kind, name, given)
  if (env === false || env === undefined || own(given, 'env') === false) return { options, provenance }
  /** @type {Record<string, unknown>} */
  const overrides = {}
  for (const option of Object.keys(knobs)) {
    const variable = [mapped[option], variableOf(kind, name, option)].find((each) => isSet(env, each))
    if (variable === undefined) continue
    const owner = `\`${option}\` of the ${kind} ${shown(name)}`
    const hindered = hindrance(option, given)
    if (hindered !== undefined) {
      const message = `${variable} would override ${owner}, and cannot: ${hindered}; unset it; got ${shown(env[variable])}`
      throw misuse('E_ENV', message, { option })
    }
    const value = valueOf(knobs[option], option, variable, owner, env[variable])
    overrides[option] = placed(option, own(given, option), value)
    provenance[option] = `env ${variable}`
  }
  warnOfMistyped(kind, name, env, mapped)
  return Object.keys(overrides).length === 0
    ? { options, provenance }
    : { options: { ...options, ...overrides }, provenance }
}

/**
 * Where each value of these options comes from when nothing overrides them.
 * @param {unknown} options
 * @param {Kind} [kind]
 * @returns {Provenance}
 */
function provenanceOf(options, kind = 'limiter') {
  const given = /** @type {Record<PropertyKey, unknown>} */ (
    typeof options === 'object' && options !== null ? options : {}
  )
  const tag = own(given, PRESET)
  const preset = typeof tag === 'string' && Object.hasOwn(presets, tag) ? presets[tag] : {}
  /** @type {Provenance} */
  const provenance = {}
  for (const option of TABLES[kind].told) {
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
 * @param {Record<string, string>} [bounds] option → the one that its range goes by
 * @returns {unknown} the same error, or an `E_ENV` with it as its cause
 */
function blamed(error, provenance, together = ['E_RATE_TOO_FINE'], bounds = {}) {
  const code = error?.code
  // A path such as open.max is about the option it begins with.
  const about = error?.option === undefined ? undefined : String(error.option).split('.')[0]
  const concerned =
    about === undefined && together.includes(code) ? Object.keys(provenance) : [about ?? '', bounds[about ?? ''] ?? '']
  const culprits = concerned.filter(
    (option) => Object.hasOwn(provenance, option) && provenance[option].startsWith('env '),
  )
  if (typeof code !== 'string' || code === 'E_ENV' || culprits.length === 0) return error
  const blame = culprits.map((option) => `\`${option}\` is from ${provenance[option].slice(4)}`)
  const sentence = String(error.message).replace(` [${code}]`, '')
  const Base = error instanceof RangeError ? RangeError : TypeError
  return misuse('E_ENV', `${sentence}; ${blame.join(' and ')}`, { Base, option: culprits[0], cause: error })
}

/**
 * The name of the variable that overrides an option: `link-code` and `minCalls` make `SPILLWAY_BREAKER_LINK_CODE_MIN_CALLS`. A name
 * without a letter or digit of ASCII has none: all such names would have the same.
 * @param {string} kind
 * @param {string} name
 * @param {string} option
 */
function variableOf(kind, name, option) {
  if (!/[A-Za-z0-9]/.test(name)) return undefined
  return `SPILLWAY_${kind.toUpperCase()}_${name.toUpperCase().replace(/[^A-Z0-9]+/g, '_')}_${snake(option)}`
}

/** @param {string} option */
function snake(option) {
  return option.replace(/[A-Z]/g, '_$&').toUpperCase()
}

/**
 * @param {Kind} kind
 * @param {string} name
 * @param {Environment} env
 * @param {Record<string, string>} mapped
 */
function warnOfMistyped(kind, name, env, mapped) {
  const prefix = variableOf(kind, name, '')
  if (prefix === undefined) return
  const suffixes = Object.keys(TABLES[kind].knobs).map(snake)
  warnOfStrays(env, `the ${kind} ${shown(name)}`, prefix, suffixes, Object.values(mapped))
}

/**
 * @param {Kind} kind
 * @param {string} name
 * @param {object} options
 * @returns {Record<string, string>} option → the variable the code names for it
 */
function mappedOf(kind, name, options) {
  const names = own(options, 'env')
  if (names === undefined || names === false) return {}
  const known = Object.keys(TABLES[kind].knobs)
  const given = new Options(`the ${kind} ${shown(name)}`, { env: names }, ['env']).nested('env', known)
  /** @type {Record<string, string>} */
  const mapped = {}
  for (const knob of known) {
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
 * @param {import('./knob-table.js').Knob} knob
 * @param {string} option
 * @param {string} variable
 * @param {string} owner
 * @param {unknown} given
 * @returns {number | string}
 */
function valueOf({ min, max, rule, read }, option, variable, owner, given) {
  const value = typeof given === 'string' ? read(given.trim()) : NaN
  if (typeof value === 'number' && !(value >= min && value <= max)) {
    const Base = Number.isNaN(value) ? TypeError : RangeError
    const message = `${variable}, which overrides ${owner}, must be ${rule}; got ${shown(given)}`
    throw misuse('E_ENV', message, { Base, option })
  }
  return value
}

module.exports = { knobsOf, provenanceOf, blamed, variableOf }
