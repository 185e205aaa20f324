// What a limiter is made of: one limit or several, read once where they come in. Owns their names, ranges and defaults.
// Never asks anything native.
'use strict'

const { blamed, knobsOf } = require('./knobs.js')
const { misuse, shown } = require('./misuse.js')
const { Options, nameOf, DAY } = require('./options.js')

const BILLION = 1_000_000_000
/** What the word of a sliding window can hold. */
const SLIDING_LIMIT = 2 ** 20 - 1
/** Limits of one limiter, and charges made together. */
const TOGETHER = 8

/** What a limiter over Redis is told beside. In memory they are read too, and mean nothing: the same options fit both. */
const REMOTE = ['failMode', 'mode', 'share', 'rememberDenials']
const OPTIONS = ['limit', 'window', 'burst', 'algorithm', 'maxKeys', 'shadow', 'env', ...REMOTE]
const FAIL_MODES = /** @type {const} */ (['open', 'closed', 'local'])
const MODES = /** @type {const} */ (['strict', 'lease'])
const ALGORITHMS = /** @type {const} */ (['token-bucket', 'fixed-window', 'sliding-window'])

/**
 * One limit, as native code takes it.
 * @typedef {object} LimitShape
 * @property {string} name
 * @property {typeof ALGORITHMS[number]} algorithm
 * @property {number} limit
 * @property {number} windowMs
 * @property {number} burst
 * @property {number} maxKeys
 * @property {boolean} shadow
 * @property {string} provenance
 */

/**
 * A limiter over Redis, as native code takes it.
 * @typedef {object} RemoteShape
 * @property {LimitShape[]} limits
 * @property {typeof FAIL_MODES[number]} failMode
 * @property {typeof MODES[number]} mode
 * @property {number} [share]
 * @property {boolean} rememberDenials
 */

/**
 * @param {unknown} given options, or an array of them
 * @param {string} name
 * @param {Record<string, string | undefined> | false} env
 * @returns {LimitShape[]}
 */
function limitsOf(given, name, env) {
  if (!Array.isArray(given)) return [limitOf(given, 'a limiter', name, env, OPTIONS)]
  if (given.length < 1 || given.length > TOGETHER) {
    throw misuse('E_OPTION', `a limiter takes 1 to ${TOGETHER} limits; got ${given.length}`, { Base: RangeError })
  }
  const known = [...OPTIONS, 'name']
  const shapes = given.map((each, index) => {
    const of = `limit ${index} of the limiter ${shown(name)}`
    const limitName = given.length === 1 ? name : `${name}/${ownName(new Options(of, each, known))}`
    return limitOf(each, of, limitName, env, known)
  })
  const names = shapes.map((shape) => shape.name)
  const twice = names.find((each, index) => names.indexOf(each) !== index)
  if (twice !== undefined) {
    const advice = 'give each a `name`, or another `window`: answers and environment variables go by it'
    throw misuse('E_OPTION', `two limits of the limiter ${shown(name)} are called ${shown(twice)}; ${advice}`, {
      option: 'name',
    })
  }
  return shapes
}

/**
 * The same of a limiter over Redis. Of several limits the first to say so says it for all.
 * @param {unknown} given
 * @param {string} name
 * @param {Record<string, string | undefined> | false} env
 * @returns {RemoteShape}
 */
function remoteLimitsOf(given, name, env) {
  const limits = limitsOf(given, name, env)
  const { failMode, options, ...modes } = modesOf(given, name)
  if (failMode !== undefined) return { limits, failMode, ...modes }
  const whether = 'whether to admit, to refuse or to count in this process'
  throw options.wrong(
    'failMode',
    `of a limiter over Redis must be 'open', 'closed' or 'local': ${whether} while Redis is not there`,
  )
}

/**
 * The same of a limiter in memory, where what is said of Redis has to be right and means nothing.
 * @param {unknown} given
 * @param {string} name
 * @param {Record<string, string | undefined> | false} env
 */
function localLimitsOf(given, name, env) {
  const limits = limitsOf(given, name, env)
  modesOf(given, name)
  return limits
}

/**
 * How a limiter over Redis decides.
 * @param {unknown} given
 * @param {string} name
 */
function modesOf(given, name) {
  const several = /** @type {object[]} */ (Array.isArray(given) ? given : [given])
  const told = Object.fromEntries(REMOTE.map((option) => [option, saidOf(several, option, name)]))
  const options = new Options('a limiter over Redis', told, REMOTE)
  const mode = options.word('mode', MODES, 'strict')
  if (mode === 'strict' && told.share !== undefined) {
    throw options.wrong('share', "is how many units are taken ahead, which only `mode: 'lease'` does")
  }
  return {
    options,
    failMode: told.failMode === undefined ? undefined : options.word('failMode', FAIL_MODES, 'closed'),
    mode,
    share: told.share === undefined ? undefined : Number(options.whole('share', { min: 1, max: BILLION })),
    rememberDenials: told.rememberDenials === undefined ? mode === 'lease' : options.flag('rememberDenials'),
  }
}

/**
 * What limits of one limiter say alike.
 * @param {object[]} limits
 * @param {string} option
 * @param {string} name
 */
function saidOf(limits, option, name) {
  const said = new Set(
    limits
      .map((limit) => (Object.hasOwn(limit, option) ? Reflect.get(limit, option) : undefined))
      .filter((each) => each !== undefined),
  )
  if (said.size > 1) {
    const rule = 'is one for all its limits: say it once, or alike'
    throw misuse('E_OPTION', `\`${option}\` of the limiter ${shown(name)} ${rule}`, { option })
  }
  return [...said][0]
}

/**
 * What a limiter tells of its limits.
 * @param {LimitShape[]} shapes
 */
function infoOf(shapes) {
  return Object.freeze(
    shapes.map(({ name, algorithm, limit, windowMs, burst, shadow }) =>
      Object.freeze({ name, algorithm, limit, windowMs, burst, shadow }),
    ),
  )
}

/**
 * What tells one of several limits from the others.
 * @param {InstanceType<typeof Options>} options
 */
function ownName(options) {
  const name = options.get('name')
  return name === undefined ? spelled(options.duration('window', { max: 3650 * DAY })) : nameOf('limit', name)
}

/** @param {number} ms */
function spelled(ms) {
  for (const [unit, length] of /** @type {const} */ ([
    ['d', DAY],
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1000],
  ])) {
    if (ms % length === 0) return `${ms / length}${unit}`
  }
  return `${ms}ms`
}

/**
 * @param {unknown} given
 * @param {string} of
 * @param {string} name
 * @param {Record<string, string | undefined> | false} env
 * @param {readonly string[]} known
 * @returns {LimitShape}
 */
function limitOf(given, of, name, env, known) {
  // First as they were given, so that what is wrong in them is told before what is wrong in the environment.
  new Options(of, given, known)
  const { options: overridden, provenance } = knobsOf('limiter', name, given, env)
  try {
    const shape = shapeOf(new Options(of, overridden, known), of, name, JSON.stringify(provenance))
    // Out of sight of who compares two openings: the same values from elsewhere are the same limit, and one handle.
    return Object.defineProperty(shape, 'provenance', { enumerable: false })
  } catch (fault) {
    throw blamed(fault, provenance)
  }
}

/**
 * @param {InstanceType<typeof Options>} options
 * @param {string} of
 * @param {string} name
 * @param {string} provenance
 * @returns {LimitShape}
 */
function shapeOf(options, of, name, provenance) {
  const algorithm = options.word('algorithm', ALGORITHMS, 'token-bucket')
  const limit = options.whole('limit', { min: 1, max: BILLION })
  const isBucket = algorithm === 'token-bucket'
  if (algorithm === 'sliding-window' && limit > SLIDING_LIMIT) {
    throw options.wrong(
      'limit',
      `of ${of} with a sliding window must be up to ${SLIDING_LIMIT.toLocaleString('en-US')}; for more take a token bucket or ` +
        'a fixed window, or count larger units',
      { Base: RangeError },
    )
  }
  if (!isBucket && options.get('burst') !== undefined) {
    throw options.wrong('burst', `of ${of} is for the token bucket; a ${algorithm} allows its limit at once`)
  }
  return {
    name,
    algorithm,
    limit,
    windowMs: options.duration('window', { max: 3650 * DAY }),
    burst: options.whole('burst', { min: 1, max: BILLION, fallback: limit }),
    maxKeys: options.whole('maxKeys', { min: 1, max: 100_000_000, fallback: 1_000_000 }),
    shadow: options.flag('shadow'),
    provenance,
  }
}

/**
 * What native code said of these limits, told to who set one of their values from outside.
 * @param {unknown} error
 * @param {LimitShape[]} shapes
 */
function limitsBlamed(error, shapes) {
  const together = ['E_RATE_TOO_FINE', 'E_OPTION']
  return shapes.reduce((told, { provenance }) => blamed(told, JSON.parse(provenance), together), error)
}

/**
 * Another rate than the limiter's own, for one call.
 * @param {unknown} given
 * @param {LimitShape} shape of the one limit
 * @returns {import('./decision.js').Plan}
 */
function planOf(given, { algorithm }) {
  const options = new Options('an override', given, ['limit', 'window', 'burst'])
  const has = (/** @type {string} */ name) => options.get(name) !== undefined
  const max = algorithm === 'sliding-window' ? SLIDING_LIMIT : BILLION
  if (has('burst') && algorithm !== 'token-bucket') {
    throw options.wrong('burst', `of an override is for the token bucket; a ${algorithm} allows its limit at once`)
  }
  /** @type {(name: string, max: number) => number | undefined} */
  const whole = (name, max) => (has(name) ? Number(options.whole(name, { min: 1, max })) : undefined)
  return {
    limit: whole('limit', max),
    windowMs: has('window') ? options.duration('window', { max: 3650 * DAY }) : undefined,
    burst: whole('burst', BILLION),
  }
}

module.exports = { limitsOf: localLimitsOf, remoteLimitsOf, limitsBlamed, infoOf, planOf, TOGETHER }
