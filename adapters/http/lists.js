// Owns who is let by and who is turned away before anything is charged: addresses in CIDR notation, and predicates.
// Never limits: whoever stands on no list is charged like everybody.
'use strict'

const { misuse, shown } = require('../../lib/misuse.js')
const { ipList } = require('../address/ip-list.js')

/**
 * @typedef {(...args: any[]) => any} Asked
 * @typedef {(request: any, rest?: readonly unknown[]) => 'allow' | 'deny' | undefined} Listed
 * @typedef {(request: any, rest: readonly unknown[]) => boolean} On
 */

/** @type {readonly unknown[]} */
const NOTHING = []

/**
 * Reads `allow` and `deny`. Who stands on both is turned away.
 * @param {string} caller
 * @param {{ allow?: unknown, deny?: unknown, address?: unknown }} given
 * @param {Asked | undefined} addressOf
 * @returns {Listed | undefined} undefined where there is no list
 */
function listsOf(caller, { allow, deny }, addressOf) {
  const allowed = listOf(caller, 'allow', allow, addressOf)
  const denied = listOf(caller, 'deny', deny, addressOf)
  if (allowed === undefined && denied === undefined) return undefined
  return (request, rest = NOTHING) => {
    if (denied?.(request, rest)) return 'deny'
    return allowed?.(request, rest) ? 'allow' : undefined
  }
}

/**
 * @param {string} caller
 * @param {'allow' | 'deny'} option
 * @param {unknown} entries
 * @param {Asked | undefined} addressOf
 * @returns {On | undefined}
 */
function listOf(caller, option, entries, addressOf) {
  if (entries === undefined) return undefined
  const rule = "must be an array of addresses ('10.0.0.0/8', '::1') and functions of the request"
  const wrong = (/** @type {unknown} */ given) =>
    misuse('E_OPTION', `${caller}: ${option} ${rule}; got ${shown(given)}`, { option })
  if (!Array.isArray(entries)) throw wrong(entries)
  /** @type {string[]} */
  const addresses = []
  /** @type {Asked[]} */
  const predicates = []
  for (const entry of entries) {
    if (typeof entry === 'string') addresses.push(entry)
    else if (typeof entry === 'function') predicates.push(entry)
    else throw wrong(entry)
  }
  if (addresses.length > 0 && addressOf === undefined) {
    throw misuse(
      'E_OPTION',
      `${caller}: ${option} has addresses, so it must be told whose a request is: address: (request) => '…'`,
      { option: 'address' },
    )
  }
  const network = addresses.length > 0 ? ipList(addresses, option) : undefined
  if (network === undefined && predicates.length === 0) return undefined
  return (request, rest) => {
    if (network !== undefined) {
      const address = /** @type {Asked} */ (addressOf)(request, ...rest)
      // A request without an address, as on a Unix socket, stands on no list of addresses.
      if (network.has(address)) return true
    }
    return predicates.some((predicate) => yes(caller, option, predicate(request, ...rest)))
  }
}

/** A promise is truthy: taken for an answer, it would let by, or turn away, everybody. */
function yes(/** @type {string} */ caller, /** @type {string} */ option, /** @type {any} */ answer) {
  if (typeof answer === 'object' && typeof answer?.then === 'function') {
    throw misuse('E_OPTION', `${caller}: a function in ${option} must answer at once; got ${shown(answer)}`, { option })
  }
  return Boolean(answer)
}

module.exports = { listsOf }
