// Loaded before an example of a page: what its reader has and the page does not say, such as an application or a database. Owns
// those names. Never stands in for anything of this package, or of another one that the page is about.
'use strict'

const net = require('node:net')

/** What an application of the reader's would answer with, whatever the arguments. */
const answered = async () => ({ id: 'p1', name: 'Dam' })
const request = () =>
  new Request('http://localhost/', { headers: { 'x-tenant': 'acme', 'x-forwarded-for': '192.0.2.7' } })

/** Names that mean the same on every page. */
const EVERYWHERE = {
  tenant: 'acme',
  userId: 'ada',
  id: 'p1',
  query: 'dam',
  order: { id: 'o1' },
  req: { signal: new AbortController().signal, get: () => 'acme', headers: {}, socket: { remoteAddress: '192.0.2.7' } },
  db: { product: answered, query: answered },
  callUpstream: answered,
  charge: answered,
  render: answered,
  tooManyRequests: () => 'too many',
  reply: () => 'replied',
}

/** Handles that a page has opened in one block and uses in another, by page. Opened when they are first read. */
const OF_PAGE = /** @type {Record<string, Record<string, () => unknown>>} */ ({
  'README.md': {
    app: () => require('express')(),
    handler: () => () => undefined,
    chat: () => require('spillway').limiter('chat', { limit: 30, window: '5m' }),
    uploads: () => require('spillway').limiter('uploads', { limit: 10, window: '1h', burst: 3 }),
    limiter: () => require('spillway').limiter,
    breaker: () => require('spillway').breaker,
    bulkhead: () => require('spillway').bulkhead,
    cache: () => require('spillway').cache,
  },
  'docs/fetch-client.md': {
    // Its examples ask servers that are not there.
    fetch: () => async () => Response.json({ id: 'ch_1', amount: 100 }),
  },
  'docs/errors.md': {
    upstream: () => require('spillway').breaker('upstream'),
  },
  'docs/keys.md': {
    app: () => require('express')(),
    api: () => require('spillway').limiter('api', { limit: 100, window: '1m' }),
    limit: () => require('spillway/express').limit,
    limited: () => require('spillway/fetch').limited,
    clientKey: () => require('spillway/client-ip').clientKey,
    clientIp: () => require('spillway/client-ip').clientIp,
    search: () => () => new Response('found'),
    headers: () => async () => request().headers,
  },
})

for (const [name, value] of Object.entries(EVERYWHERE)) globalThis[name] = value
for (const [name, make] of Object.entries(OF_PAGE[process.env.PAGE ?? ''] ?? {})) {
  let made
  const get = () => (made ??= make())
  Object.defineProperty(globalThis, name, { configurable: true, get })
}

// A page says `listen(3000)`; here it is a port that is free, and the server ends with the example.
/** @type {net.Server[]} */
const servers = []
const { listen } = net.Server.prototype
net.Server.prototype.listen = function listenOnFreePort(...args) {
  servers.push(this)
  const listening = args.find((arg) => typeof arg === 'function')
  return listen.call(this, 0, '127.0.0.1', listening)
}

let ended = false
/** Called when the last line of the example has been run. */
globalThis.exampleEnded = () => {
  ended = true
  setImmediate(() => servers.forEach((server) => server.close()))
  // Whatever else it has left open.
  setTimeout(() => process.exit(), 5000).unref()
}
process.on('exit', (code) => {
  if (ended || code !== 0) return
  console.error('the example did not come to its end: it waits for something that never happens')
  process.exitCode = 1
})
