// What a spillway is made of. Owns how its options are read, and which exclude each other. Never opens anything.
'use strict'

const { Clock } = require('./clock.js')
const { misuse, shown } = require('./misuse.js')
const { Options } = require('./options.js')
const { targetOf } = require('./redis-options.js')

/** @typedef {import('./kinds.js').Environment} Environment */

const OPTIONS = ['prefix', 'env', 'onMismatch', 'isolated', 'clock', 'redis']

/** @param {import('../index').LocalOptions | undefined} given */
function spillwayShape(given) {
  const options = new Options('spillway()', given, OPTIONS)
  const prefix = prefixOf(options.get('prefix'))
  const mismatch = process.env.NODE_ENV === 'development' ? 'replace' : 'throw'
  const replace = options.word('onMismatch', ['throw', 'replace'], mismatch) === 'replace'
  const env = environmentOf(options)
  const read = options.callback('clock')
  const clock = read && new Clock(read)
  const target = given !== undefined && Object.hasOwn(given, 'redis') ? targetOf(options.get('redis')) : undefined
  if (target !== undefined && clock !== undefined) {
    throw options.wrong('clock', 'and `redis` of spillway() exclude each other: over Redis time is that of Redis')
  }
  return { prefix, replace, env, clock, target, isolated: options.flag('isolated') || clock !== undefined }
}

/** @param {unknown} prefix */
function prefixOf(prefix) {
  if (prefix === undefined) return ''
  if (typeof prefix !== 'string' || prefix.length > 64 || prefix.includes(':')) {
    throw misuse(
      'E_OPTION',
      `\`prefix\` of spillway() must be a string of up to 64 characters without ':'; got ${shown(prefix)}`,
      {
        option: 'prefix',
      },
    )
  }
  return prefix
}

/**
 * Where knobs are read.
 * @param {InstanceType<typeof Options>} options
 * @returns {Environment}
 */
function environmentOf(options) {
  const env = options.get('env')
  if (env === undefined) return process.env
  if (env === false) return false
  if (typeof env !== 'object' || env === null || Array.isArray(env)) {
    throw options.wrong('env', 'of spillway() must be an object of environment variables, or false')
  }
  return /** @type {Record<string, string | undefined>} */ (env)
}

module.exports = { spillwayShape }
