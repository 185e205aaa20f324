// The options of a client, and of one call of it. Owns which requests are repeated and which answers count as failures by default.
// Never reads a request.
'use strict'

const { Options } = require('../../lib/options.js')

/** Those that RFC 9110 §9.2.2 calls idempotent: to be sent twice means what it means to be sent once. */
const RETRY_METHODS = ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE']

/** Answers that may be another one next time: 408, 425 and 429 say so, the others are those of servers in trouble. */
const RETRY_STATUS = [408, 425, 429, 500, 502, 503, 504]

const TOO_MANY_REQUESTS = 429

/**
 * @typedef {object} Call what is said of single calls
 * @property {string} [key]
 * @property {number} [cost]
 * @property {import('../../index').Priority} [priority]
 * @property {import('../../index').Duration} [timeout]
 */

/**
 * @typedef {object} Terms
 * @property {typeof fetch | undefined} fetch
 * @property {any} dispatcher of undici
 * @property {ReadonlySet<string>} retryMethods
 * @property {ReadonlySet<number>} retryStatus
 * @property {(status: number) => import('../../index').Outcome} outcomeOf
 * @property {boolean} idempotencyKey
 * @property {boolean | undefined} idempotent of this call, whatever its method
 * @property {Call} call for the policy
 */

/**
 * @param {unknown} given
 * @returns {Terms}
 */
function clientTerms(given) {
  const known = ['fetch', 'dispatcher', 'retryMethods', 'retryStatus', 'failStatus', 'idempotencyKey']
  const options = new Options('fetchClient()', given, known)
  const fail = statuses(options, 'failStatus')
  return {
    fetch: options.callback('fetch'),
    dispatcher: dispatcherOf(options),
    retryMethods: methods(options),
    retryStatus: statuses(options, 'retryStatus') ?? new Set(RETRY_STATUS),
    outcomeOf: (status) => {
      if (fail?.has(status) ?? status >= 500) return 'fail'
      // It tells of a quota, not of health: it neither opens a breaker nor closes one.
      return status === TOO_MANY_REQUESTS ? 'ignore' : 'ok'
    },
    idempotencyKey: options.flag('idempotencyKey'),
    idempotent: undefined,
    call: {},
  }
}

/**
 * The same with what `with()` was given; what it leaves out stays. The policy looks at what is its own when it is called.
 * @param {Terms} terms
 * @param {unknown} given
 * @returns {Terms}
 */
function callTerms(terms, given) {
  const options = new Options('with()', given, ['key', 'cost', 'priority', 'timeout', 'idempotent'])
  const said = options.get('idempotent') === undefined ? terms.idempotent : options.flag('idempotent')
  const { idempotent: _, ...call } = /** @type {Call & { idempotent?: boolean }} */ ({ ...Object(given) })
  return { ...terms, idempotent: said, call: { ...terms.call, ...call } }
}

/** @param {InstanceType<typeof Options>} options */
function methods(options) {
  const given = options.get('retryMethods') ?? RETRY_METHODS
  if (!Array.isArray(given) || !given.every((method) => typeof method === 'string')) {
    throw options.wrong('retryMethods', "of fetchClient() must be an array of methods, like ['GET', 'HEAD']")
  }
  return new Set(given.map((method) => method.toUpperCase()))
}

/**
 * @param {InstanceType<typeof Options>} options
 * @param {string} name
 * @returns {ReadonlySet<number> | undefined}
 */
function statuses(options, name) {
  const given = options.get(name)
  if (given === undefined) return undefined
  const isStatus = (/** @type {unknown} */ each) => Number.isInteger(each) && Number(each) >= 200 && Number(each) <= 599
  if (!Array.isArray(given) || !given.every(isStatus)) {
    throw options.wrong(name, 'of fetchClient() must be an array of statuses from 200 to 599')
  }
  return new Set(given)
}

/** @param {InstanceType<typeof Options>} options */
function dispatcherOf(options) {
  const dispatcher = /** @type {any} */ (options.get('dispatcher'))
  if (dispatcher !== undefined && typeof dispatcher?.dispatch !== 'function') {
    throw options.wrong('dispatcher', 'of fetchClient() must be a dispatcher of undici')
  }
  return dispatcher
}

module.exports = { clientTerms, callTerms }
