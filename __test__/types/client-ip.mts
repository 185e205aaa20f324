// Owns what the types promise of client addresses and lists of them. Each @ts-expect-error fails by compiling.
// Never runs.

import { getConnInfo } from '@hono/node-server/conninfo'
import express from 'express'
import type { FastifyRequest } from 'fastify'
import type { Context } from 'hono'
import { createServer } from 'node:http'
import { limiter } from 'spillway'
import { clientIp, clientKey, ipList, parseAddress, type ClientIpOptions, type IpList } from 'spillway/client-ip'
import { limit } from 'spillway/express'
import { limited } from 'spillway/fetch'
import { same, type Equal } from './equal.mjs'

const chat = limiter('chat', { limit: 30, window: '5m' })

// One key function fits every adapter, and the request keeps the framework's own type.
const app = express()
app.use(limit(chat, { key: clientKey({ trust: 1 }) }))
app.use(limit(chat, { key: (req: express.Request) => clientIp(req, { trust: ['10.0.0.0/8'], ipv6Prefix: 56 }) }))
app.get('/:id', limit(chat, { key: clientKey({ address: (req: express.Request) => req.ip }) }), (_req, res) => {
  res.json({})
})
createServer((req) => void clientIp(req))
limited(() => new Response(), chat, { key: clientKey({ trust: 1, header: 'x-real-ip' }) })
limited((request: Request, _context: { params: Promise<{ id: string }> }) => new Response(request.url), chat, {
  key: (request) => clientIp(request, { trust: 1 }),
})

// What knows the connection is handed on: Bun's server, Deno's info, Hono's context.
interface Server {
  requestIP(request: Request): { address: string } | null
}
const ofBun = clientKey({ address: (request: Request, server: Server) => server.requestIP(request)?.address })
same<Equal<typeof ofBun, (request: Request, context?: Server) => string>>()
const ofHono = clientKey({ trust: 2, address: (c: Context) => getConnInfo(c).remote.address })
same<Equal<ReturnType<typeof ofHono>, string>>()
const ofFastify: (request: FastifyRequest) => string = clientKey({ trust: 1 })
void ofFastify
const text: string = clientIp(new Request('http://localhost'), { address: '192.0.2.7' })
clientIp({ headers: {} }, { address: undefined, trust: undefined })

// @ts-expect-error nobody is to trust everybody
clientKey({ trust: true })
// @ts-expect-error a list is an array
clientKey({ trust: '10.0.0.0/8' })
// @ts-expect-error there is no such option
clientKey({ trustProxy: 1 })
// @ts-expect-error a set is not a list of addresses
clientKey({ trust: new Set(['10.0.0.1']) })
// @ts-expect-error bits are counted
clientKey({ ipv6Prefix: '/64' })
// @ts-expect-error this has no headers
clientIp({ url: '/' })

const options: ClientIpOptions = { trust: ipList(['2001:db8::/32']), header: 'forwarded' }
clientKey(options)
same<Equal<ReturnType<typeof parseAddress>, string | null>>()
const list: IpList = ipList(ipList(['10.0.0.0/8', '::1'] as const))
same<Equal<ReturnType<typeof list.has>, boolean>>()
list.has(parseAddress(text))
// @ts-expect-error an address is not a list
ipList('10.0.0.1')
