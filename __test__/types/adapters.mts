// Owns what the types promise of the adapters inside the frameworks they are for. Each @ts-expect-error fails by compiling.
// Never runs.

import express from 'express'
import fastify from 'fastify'
import { Hono } from 'hono'
import { createServer } from 'node:http'
import { consumeAll, limiter, spillway, type Decision } from 'spillway'
import { limit, refusals, shed } from 'spillway/express'
import {
  limit as fastifyLimit,
  refusals as fastifyRefusals,
  shed as fastifyShed,
  spillwayFastify,
  type RouteLimit,
} from 'spillway/fastify'
import { limited, refusals as answered, shedding } from 'spillway/fetch'
import { limit as honoLimit, refusals as honoRefusals, shed as honoShed } from 'spillway/hono'
import { together } from 'spillway/together'
import { same, type Equal } from './equal.mjs'

const chat = limiter('chat', { limit: 30, window: '5m' })
const remote = spillway({ redis: 'redis://127.0.0.1' }).limiter('chat', { limit: 30, window: '5m', failMode: 'open' })

// Express gives the request its own type, so that `key` may use all of it.
const app = express()
app.use(limit(chat, { key: (req) => req.get('x-tenant') ?? 'anonymous', cost: 2, headers: false }))
app.post('/chat/:room', limit(chat, { key: (req) => req.params['room'] }), (_req, res) => void res.json({}))
app.get('/far', limit(remote, { key: (req: express.Request) => req.ip ?? 'unknown', cost: (req) => req.url.length }))
app.use(refusals())
// @ts-expect-error who is charged?
app.use(limit(chat, {}))
// @ts-expect-error a request is not a key
app.use(limit(chat, { key: (req) => req.headers }))
// @ts-expect-error a name is not a limiter
app.use(limit('chat', { key: () => 'all' }))

// Plain node:http
const charge = limit(chat, { key: (req) => String(req.headers['x-tenant']) })
createServer((req, res) => charge(req, res, () => res.end()))

// A Web handler keeps its arguments.
const GET = limited(
  async (request: Request, context: { params: Promise<{ id: string }> }) =>
    new Response(request.method + (await context.params).id),
  chat,
  { key: async (request, context) => request.headers.get('x-tenant') ?? (await context.params).id },
)
same<Equal<typeof GET, (request: Request, context: { params: Promise<{ id: string }> }) => Promise<Response>>>()
limited((request: Request) => Response.json(request.url), remote, { key: (request) => request.url })
// @ts-expect-error who is charged?
limited(() => new Response(), chat, {})
// @ts-expect-error a handler answers with a Response
limited(() => 'hello', chat, { key: () => 'all' })

const POST = answered((request: Request) => new Response(request.body))
same<Equal<ReturnType<typeof POST>, Promise<Response>>>()
// @ts-expect-error the handler's request is not optional
void POST()

// Every option that all adapters have, and what each of Express is given.
app.use(
  limit(chat, {
    key: async (req) => req.get('x-tenant') ?? 'anonymous',
    cost: async (req) => req.url.length,
    override: (req) => (req.path.startsWith('/pro') ? { limit: 300, window: '1m', burst: 30 } : undefined),
    headers: 'draft-7',
    refund: ({ status, aborted }) => aborted || status === 304,
    allow: ['10.0.0.0/8', '::1', (req) => req.method === 'OPTIONS'],
    deny: [(req) => req.get('user-agent') === undefined],
    address: (req) => req.ip,
    onLimited: (req, res, next, decision) => {
      same<Equal<typeof decision, Decision>>()
      if (req.accepts('html')) res.status(429).send('slow down')
      else next()
    },
  }),
)
app.use(limit(chat, { key: () => 'all', headers: 'legacy', refund: 'successful' }))
app.use(limit(chat, { key: () => 'all', headers: true, refund: 'failed' }))
// @ts-expect-error not a format
app.use(limit(chat, { key: () => 'all', headers: 'draft-6' }))
// @ts-expect-error not an outcome
app.use(limit(chat, { key: () => 'all', refund: 'aborted' }))
// @ts-expect-error a plan has limit, window and burst
app.use(limit(chat, { key: () => 'all', override: () => ({ max: 3 }) }))
// @ts-expect-error mistyped
app.use(limit(chat, { key: () => 'all', onLimit: () => {} }))

// Limiters that are charged together have keys of their own, and everything else in common.
const users = limiter('users', { limit: 60, window: '1m' })
const both = together({ consumeAll }, [
  { limiter: users, key: (req: express.Request) => req.get('x-user') ?? 'anonymous' },
  { limiter: chat, key: async (req: express.Request) => req.path, cost: (req: express.Request) => req.url.length },
])
app.use(limit(both))
app.use(limit(both, { headers: 'draft-7', refund: 'failed', onLimited: (_req, res) => res.end() }))
// @ts-expect-error a key for each, not for all
app.use(limit(both, { key: () => 'all' }))
// @ts-expect-error who is charged?
together(spillway(), [{ limiter: users }])
limited(() => new Response(), both, { allow: [(request) => request.method === 'OPTIONS'] })

// What sheds load by a priority of its own
declare const guard: {
  admit(priority?: 'low' | 'high'): { code: 'E_SHED'; primitive: string; status: 503; retryAfterMs: number } | null
}
app.use(shed(guard))
app.use(shed(guard, { priority: (req: express.Request) => (req.path === '/checkout' ? 'high' : 'low') }))
// @ts-expect-error not a priority of this guard
app.use(shed(guard, { priority: () => 'middling' }))
// @ts-expect-error a limiter sheds nothing
app.use(shed(chat))
shedding((request: Request) => new Response(request.body), guard, {
  priority: (request) => (request.url === '/' ? 'high' : 'low'),
})

// More of the Web handler: the rest of its arguments comes last, after the decision.
limited((_request: Request, context: { id: string }) => new Response(context.id), chat, {
  key: (_request, context) => context.id,
  override: async (_request, context) => ({ limit: context.id.length }),
  refund: 'successful',
  allow: ['::1', (_request, context) => context.id === 'root'],
  address: (_request, context) => context.id,
  onLimited: (request, decision, context) => Response.json([request.url, decision.limiter, context.id]),
})
// @ts-expect-error a custom answer is a Response
limited(() => new Response(), chat, { key: () => 'all', onLimited: () => 'slow down' })

// Fastify gives the request its own type, so that `key` may use all of it.
const server = fastify()
await server.register(spillwayFastify, { limiter: chat, key: (request) => request.ip, hook: 'preHandler' })
await server.register(spillwayFastify, {})
server.get('/free', { config: { limit: false satisfies RouteLimit } }, async () => 'free')
server.get('/both', { config: { limit: [chat, { limiter: chat, cost: 5 }] satisfies RouteLimit } }, async () => 'both')
server.post(
  '/login',
  {
    preHandler: fastifyLimit(chat, {
      key: (request) => request.ip,
      refund: 'successful',
      onLimited: (request, reply, decision) => reply.send({ id: request.id, seconds: decision.retryAfterMs / 1000 }),
    }),
  },
  async (request) => request.body,
)
server.addHook('onRequest', fastifyShed(guard, { priority: () => 'low' }))
server.setErrorHandler(fastifyRefusals())
server.setErrorHandler(fastifyRefusals((error, _request, reply) => reply.send(error)))
// @ts-expect-error who is charged?
server.addHook('onRequest', fastifyLimit(chat, {}))
// @ts-expect-error not a hook a limit can be asked in
await server.register(spillwayFastify, { limiter: chat, key: () => 'all', hook: 'onSend' })
// @ts-expect-error true does not say which limiter
const _all: RouteLimit = true

// Hono hands its context to all of them.
const hono = new Hono<{ Variables: { user: string } }>()
hono.use(honoLimit(chat, { key: (c) => c.req.header('x-tenant') ?? 'anonymous' }))
hono.use('/api/*', honoLimit(chat, { key: (c) => c.get('user'), onLimited: (c) => c.text('slow down', 429) }))
hono.use(honoShed(guard, { priority: () => 'low' }))
hono.onError(honoRefusals((error, c) => c.text(error.message, 500)))
// @ts-expect-error what becomes of other errors?
hono.onError(honoRefusals())
// @ts-expect-error a context is not a key
hono.use(honoLimit(chat, { key: (c) => c.req }))
