// Owns the types of spillway/client-ip, written by hand.
// Never names a framework: structural types fit node:http, Express, Fastify, Koa, the Web's Request and Hono's context.

/** A request of node:http or of a framework on it. */
export interface NodeRequestLike {
  readonly headers: { readonly [name: string]: string | string[] | undefined }
  readonly socket?: { readonly remoteAddress?: string | undefined } | null | undefined
}

/** A request as Next, Bun and Deno have it. */
export interface WebRequestLike {
  readonly headers: { get(name: string): string | null }
}

/** Hono's context. */
export interface WebContextLike {
  readonly req: { readonly raw: WebRequestLike }
}

export type ClientRequest = NodeRequestLike | WebRequestLike | WebContextLike

export interface ClientIpOptions<Req = ClientRequest, Context = any> {
  /**
   * Whose word about the client is believed. Default 0: nobody's, and the connection's address is the client's.
   *
   * - A whole number from 0 to 16: so many proxies stand in front, one behind the other. The client is that many entries from
   *   the right of the header. Right only as long as nobody can reach the server past them.
   * - Addresses and ranges of the proxies: from the connection on, each one in the list vouches for the next entry to the left;
   *   the first one that is not in it is the client. An empty list is nobody.
   *
   * The entries to the left of that are whatever the client wrote, and are never looked at. Where an entry is no address,
   * the last one before it counts.
   *
   * @throws `E_OPTION` for `true`, `Infinity`, and lists that hold an eighth or more of all addresses: to believe everybody
   * is to let each client choose the address it is charged to
   */
  trust?: number | readonly string[] | IpList | undefined
  /**
   * The header that the proxies write. Default `x-forwarded-for`, to which each proxy adds an entry, as to `forwarded`
   * (RFC 7239). Any other one, such as `cf-connecting-ip`, `fly-client-ip` or `x-real-ip`, is a single
   * address, taken from the nearest proxy if it is trusted. Name only one that your platform **overwrites**: where a client's own
   * comes through, each client chooses its address.
   *
   * @throws `E_OPTION` where `trust` is not given as well
   */
  header?: string | undefined
  /**
   * How many bits of an IPv6 address are the key: 1 to 128, default 64. One subscriber has at least 2^64 addresses to change
   * between, and some have 2^72 or 2^80: 56 or 48 take all of those together, and their neighbours with less. 128 is the address
   * itself, for lists and logs.
   */
  ipv6Prefix?: number | undefined
  /**
   * The connection's address, where the request does not say it as `socket.remoteAddress`: a Web `Request` does not. A string,
   * or a function of the request and of what the framework passes after it.
   *
   * @example
   * clientKey({ address: (c) => getConnInfo(c).remote.address })                      // Hono
   * clientKey({ address: (request, server) => server.requestIP(request)?.address })   // Bun
   * clientKey({ address: (request, info) => info.remoteAddr.hostname })               // Deno
   */
  address?: string | null | ((request: Req, context: Context) => string | null | undefined) | undefined
}

/**
 * The key of a request's client: its IPv4 address (`192.0.2.7`), or the network of its IPv6 address (`2001:db8:1:2::/64`).
 *
 * One client has one key, however its address is written: IPv4-mapped IPv6 is IPv4. A request whose address is missing or
 * cannot be read has the key `'unknown'`, which all such requests share, so that hiding the address gains nothing; the first one
 * causes a warning of the process with the code `SPILLWAY_NO_ADDRESS`. Never throws because of what is in a request.
 *
 * NAT64 addresses (64:ff9b::/96, 64:ff9b:1::/48) and those in ::/64, such as the loopback ::1, are keys as a whole: their
 * prefix says nothing about who it is.
 *
 * Reads its options at every call; `clientKey` reads them once.
 *
 * @param context what the framework passes after the request, for `address`
 * @throws `E_OPTION` for options that are wrong
 * @example
 * uploads.consume(clientIp(req, { trust: 1 }))
 */
export function clientIp<Req extends ClientRequest, Context = any>(
  request: Req,
  options?: ClientIpOptions<Req, Context>,
  context?: Context,
): string

/**
 * `clientIp` with its options read once: what `key` of an adapter wants.
 *
 * @throws `E_OPTION` for options that are wrong
 * @example
 * app.use(limit(chat, { key: clientKey({ trust: ['10.0.0.0/8', '127.0.0.1'] }) }))
 */
export function clientKey<Req extends ClientRequest = any, Context = any>(
  options?: ClientIpOptions<Req, Context>,
): (request: Req, context?: Context) => string

/**
 * The one text of an IP address, or null for what is none. Never throws.
 *
 * Reads IPv4 and IPv6 in every notation, with brackets, zone and port, which are left out; IPv4-mapped IPv6 becomes IPv4.
 * IPv6 is written as RFC 5952 has it. What one program reads so and another otherwise is no address: leading zeros
 * (`010.0.0.1`), fewer than four parts (`127.1`), hexadecimal IPv4, spaces around it. IPv4-compatible (`::1.2.3.4`), NAT64
 * and 6to4 addresses stay IPv6: they are other addresses, which not everybody may hold.
 *
 * @example
 * parseAddress('[::FFFF:0102:0304]:443')   // '1.2.3.4'
 */
export function parseAddress(text: unknown): string | null

/** Addresses and ranges, to be asked whether one is among them. */
export interface IpList {
  readonly kind: 'ip-list'
  /**
   * Whether `address` is in the list, in whatever notation; false for what is no address. A range, such as the key of an IPv6
   * client, is in the list when one entry holds all of it. Never throws.
   */
  has(address: unknown): boolean
}

/**
 * A list of addresses (`'192.0.2.7'`) and ranges (`'10.0.0.0/8'`, `'2001:db8::/32'`). Asking it takes a binary search.
 *
 * IPv4 addresses are only in IPv4 ranges, written so or as IPv4-mapped ones: `::/0` is all of IPv6.
 *
 * @throws `E_OPTION`, naming the entry, for one that cannot be read or has bits set after its prefix (`'10.0.0.1/8'`)
 * @example
 * const office = ipList(['192.0.2.0/24', '2001:db8:7::/48'])
 * office.has(clientIp(req, { trust: 1, ipv6Prefix: 128 }))
 */
export function ipList(entries: readonly string[] | IpList): IpList
