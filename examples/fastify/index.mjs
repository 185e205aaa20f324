// A small Fastify 5 service: a limit for everybody, plans, a login that counts only failures, and load shed by priority.
// Never a template for accounts: who somebody is, is what they say.
import Fastify from 'fastify'
import { spillway } from 'spillway'
import { limit, refusals, spillwayFastify } from 'spillway/fastify'

const sp = spillway({ prefix: 'example' })
const api = sp.limiter('api', { limit: 10, window: '1m' })
const logins = sp.limiter('logins', { limit: 3, window: '15m' })
const reports = sp.bulkhead('reports', { limit: 1 })

const fastify = Fastify()
const tenant = (request) => request.headers['x-tenant'] ?? 'anonymous'

// Ten requests a minute for each tenant, a hundred for who pays. The answers say so in RateLimit fields.
await fastify.register(spillwayFastify, {
  limiter: api,
  key: tenant,
  override: (request) => (request.headers['x-plan'] === 'pro' ? { limit: 100 } : undefined),
})

// A refusal of a bulkhead, a breaker or a limiter becomes 429, 503 or 504 with Retry-After and problem details.
fastify.setErrorHandler(refusals())

fastify.get('/', async () => ({ hello: 'world' }))

// A search costs five. Everything else is as for all routes.
fastify.get('/search', { config: { limit: { limiter: api, cost: 5 } } }, async (request) => ({
  found: request.query.q,
}))

// Three wrong passwords in a quarter of an hour, and as many right ones as somebody likes.
fastify.post(
  '/login',
  {
    config: { limit: false },
    preHandler: limit(logins, { key: (request) => request.body.email, refund: 'successful' }),
  },
  async (request, reply) => {
    if (request.body.password !== 'open sesame') return reply.code(401).send({ ok: false })
    return { ok: true }
  },
)

// One report at a time: whoever comes meanwhile is refused at once.
fastify.get('/report', async () => reports.run(() => new Promise((done) => setTimeout(done, 500, { pages: 7 }))))

fastify.get('/health', { config: { limit: false } }, async () => sp.snapshot())

fastify.addHook('onClose', () => sp.close())
const origin = await fastify.listen({ port: Number(process.env.PORT ?? 3000), host: '127.0.0.1' })
console.log(`Listening on ${origin}. Try:

  curl -i ${origin}/search?q=dam                 three times
  curl -i -H 'x-plan: pro' -H 'x-tenant: a' ${origin}/
  curl -i --json '{"email":"ada","password":"?"}' ${origin}/login     four times
  curl -i ${origin}/report & curl -i ${origin}/report
  curl ${origin}/health`)

process.once('SIGTERM', () => fastify.close())
