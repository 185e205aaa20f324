// Owns the options that say whose word about a client counts, and refuses those that would make it anybody's.
// Never looks at a request.
'use strict'

const { misuse, shown } = require('../../lib/misuse.js')
const { Options } = require('../../lib/options.js')
const { forwarded, forwardedFor, single } = require('./hops.js')
const { IpList, ipList } = require('./ip-list.js')

/**
 * @typedef {object} Trust
 * @property {number} hops how many entries of the header may be read, from the right
 * @property {InstanceType<typeof IpList> | undefined} proxies who must have written each of them, if not just anybody
 * @property {string} header
 * @property {import('./hops.js').ReadHop} readHop
 * @property {number} ipv6Prefix
 * @property {unknown} address the connection's, or a function that answers it
 */

/** Nobody has as many proxies in a row; more would be another way to write "trust everybody". */
const MAX_HOPS = 16

const X_FORWARDED_FOR = 'x-forwarded-for'

/** The headers that every proxy adds to; any other is one address that the nearest proxy has written. */
const LISTS = new Map([
  [X_FORWARDED_FOR, forwardedFor],
  ['forwarded', forwarded],
])

/** @type {(of: string, given: unknown) => Trust} */
function trustOf(of, given) {
  const options = new Options(of, given, ['trust', 'header', 'ipv6Prefix', 'address'])
  const trust = options.get('trust')
  const name = options.get('header')
  if (name !== undefined && trust === undefined) {
    throw misuse(
      'E_OPTION',
      `\`header\` of ${of} is read only from proxies that \`trust\` names: set it to their number or addresses; it is missing`,
      { option: 'trust' },
    )
  }
  const { hops, proxies } = proxiesOf(of, trust)
  const header = headerOf(of, name)
  const address = options.get('address') ?? undefined
  if (address !== undefined && typeof address !== 'string' && typeof address !== 'function') {
    throw misuse(
      'E_OPTION',
      `\`address\` of ${of} must be the connection's address, or a function of the request that answers it; got ${shown(address)}`,
      { option: 'address' },
    )
  }
  const ipv6Prefix = options.whole('ipv6Prefix', { min: 1, max: 128, fallback: 64 })
  return { hops, proxies, header, readHop: LISTS.get(header) ?? single, ipv6Prefix, address }
}

/** @type {(of: string, trust: unknown) => Pick<Trust, 'hops' | 'proxies'>} */
function proxiesOf(of, trust) {
  if (trust === undefined) return { hops: 0, proxies: undefined }
  if (typeof trust === 'number' && Number.isInteger(trust) && trust >= 0 && trust <= MAX_HOPS) {
    return { hops: trust, proxies: undefined }
  }
  if (!Array.isArray(trust) && !IpList.is(trust)) {
    const believed = trust === true || trust === Infinity
    const why = believed ? '; to trust everybody is to let each client choose the address it is charged to' : ''
    throw misuse(
      'E_OPTION',
      `\`trust\` of ${of} must be the number of proxies in front, from 0 to ${MAX_HOPS}, or a list of their addresses and ` +
        `ranges; got ${shown(trust)}${why}`,
      { Base: typeof trust === 'number' ? RangeError : TypeError, option: 'trust' },
    )
  }
  const proxies = ipList(trust, 'trust')
  if (IpList.holdsEverybody(proxies)) {
    throw misuse(
      'E_OPTION',
      `\`trust\` of ${of} lists an eighth or more of all addresses as proxies; to trust everybody is to let each client ` +
        'choose the address it is charged to. List the addresses of the proxies, or say how many there are in a row',
      { Base: RangeError, option: 'trust' },
    )
  }
  return { hops: IpList.isEmpty(proxies) ? 0 : MAX_HOPS, proxies }
}

/** @type {(of: string, name: unknown) => string} */
function headerOf(of, name) {
  if (name === undefined) return X_FORWARDED_FOR
  if (typeof name !== 'string' || !/^[!#$%&'*+.^_`|~\w-]+$/.test(name)) {
    throw misuse(
      'E_OPTION',
      `\`header\` of ${of} must be the name of a header, like 'cf-connecting-ip'; got ${shown(name)}`,
      {
        option: 'header',
      },
    )
  }
  return name.toLowerCase()
}

module.exports = { trustOf }
