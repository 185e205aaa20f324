// Owns the key of a client: the address that the nearest proxies vouch for, and for IPv6 the network it is in.
// Never believes a header further than `trust` goes, and never throws at a request, whatever is in it.
'use strict'

const { addressText, clip, emptyGroups, parseAddress } = require('./address/addresses.js')
const { readAddress } = require('./address/notations.js')
const { NO_HOP } = require('./address/hops.js')
const { IpList, ipList } = require('./address/ip-list.js')
const { trustOf } = require('./address/trust.js')

/** @typedef {import('./address/trust.js').Trust} Trust */

/** In the place of an address, and never one: all who come without share what it may have. */
const UNKNOWN = 'unknown'

/**
 * The key of the client of `request`.
 * @param {any} request
 * @param {any} [options]
 * @param {unknown} [context]
 */
function clientIp(request, options, context) {
  return keyOf(trustOf('clientIp(request, options)', options), request, context)
}

/**
 * `clientIp` with its options read once: a function for the `key` of an adapter.
 * @param {any} [options]
 */
function clientKey(options) {
  const trust = trustOf('clientKey(options)', options)
  /** @type {(request: any, context?: unknown) => string} */
  return function spillwayClientKey(request, context) {
    return keyOf(trust, request, context)
  }
}

// The address that is believed so far, and the one that is being read. No request is looked at while another one is.
let client = emptyGroups()
let hop = emptyGroups()

/** @type {(trust: Trust, request: any, context: unknown) => string} */
function keyOf(trust, request, context) {
  const connection = connectionOf(trust, request, context)
  const header = trust.hops > 0 ? headerOf(request, trust.header) : ''
  let known = typeof connection === 'string' && readAddress(client, connection)
  if (header !== '') known = followed(trust, header, known)
  return known ? written(trust.ipv6Prefix) : unknown()
}

/**
 * Goes from hop to hop to the left and ends at the last one that was believed: at whom nobody vouches for, or right of what
 * is no address, so that nothing beyond it can be chosen by who wrote that.
 * @type {(trust: Trust, text: string, known: boolean) => boolean}
 */
function followed({ hops, proxies, readHop }, text, known) {
  let end = text.length
  for (let i = 0; i < hops && end >= 0; i++) {
    if (proxies !== undefined && !(known && IpList.holds(proxies, client))) break
    end = readHop(hop, text, end)
    if (end === NO_HOP) break
    const before = client
    client = hop
    hop = before
    known = true
  }
  return known
}

/** @type {(trust: Trust, request: any, context: unknown) => unknown} */
function connectionOf({ address }, request, context) {
  if (typeof address === 'function') return address(request, context)
  return address ?? request?.socket?.remoteAddress
}

/** A header of Node's or of the Web's request, or of the request in Hono's context. @type {(request: any, name: string) => string} */
function headerOf(request, name) {
  const headers = request?.headers ?? request?.req?.raw?.headers
  const value = typeof headers?.get === 'function' ? headers.get(name) : headers?.[name]
  if (typeof value === 'string') return value
  return Array.isArray(value) && value.every((line) => typeof line === 'string') ? value.join(',') : ''
}

/** @param {number} ipv6Prefix */
function written(ipv6Prefix) {
  const prefix = isKeyedWhole(client) ? 128 : ipv6Prefix
  clip(client, prefix)
  return prefix === 128 ? addressText(client) : `${addressText(client)}/${prefix}`
}

/**
 * Where the first half is zeros (IPv4 is ::ffff:0:0/96) and in 64:ff9b::/96 and 64:ff9b:1::/48 (NAT64), it is the last bits that
 * tell one client from another, and a prefix would put all of them into one bucket. NAT64's are not taken for the IPv4 address
 * in them, since only a translator may say so.
 * @param {import('./address/addresses.js').Groups} groups
 */
function isKeyedWhole(groups) {
  if ((groups[0] | groups[1] | groups[2] | groups[3]) === 0) return true
  if (groups[0] !== 0x64 || groups[1] !== 0xff9b) return false
  return groups[2] === 1 || (groups[2] | groups[3] | groups[4] | groups[5]) === 0
}

let isTold = false

function unknown() {
  if (!isTold) {
    isTold = true
    // Not by its name alone: bundlers for the edge would find fault with it there.
    globalThis.process?.emitWarning?.(
      `a request has no client address that can be believed, and all such requests share the key '${UNKNOWN}'. Behind ` +
        'a proxy set `trust`; for a Web Request or behind a unix socket also `address` or a number for `trust`. A client that has ' +
        'already gone has no address either',
      { code: 'SPILLWAY_NO_ADDRESS' },
    )
  }
  return UNKNOWN
}

module.exports = { clientIp, clientKey, ipList, parseAddress }
