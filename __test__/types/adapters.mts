// Owns what the types promise of the adapters inside the frameworks they are for. Each @ts-expect-error fails by compiling.
// Never runs.

import express from 'express'
import { createServer } from 'node:http'
import { limiter, spillway } from 'spillway'
import { limit, refusals } from 'spillway/express'
import { limited, refusals as answered } from 'spillway/fetch'
import { same, type Equal } from './equal.mjs'

const chat = limiter('chat', { limit: 30, window: '5m' })
const remote = spillway({ redis: 'redis://127.0.0.1' }).limiter('chat', { limit: 30, window: '5m' })

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
