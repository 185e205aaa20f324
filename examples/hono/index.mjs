// A small Hono service on its Node server: a limit for a path, a download that is charged only when it arrived, a breaker.
// Never a template for errors: besides refusals it has one answer to all.
import { serve } from '@hono/node-server'
import { getConnInfo } from '@hono/node-server/conninfo'
import { Hono } from 'hono'
import { spillway } from 'spillway'
import { limit, refusals } from 'spillway/hono'

const sp = spillway({ prefix: 'example' })
const api = sp.limiter('api', { limit: 5, window: '1m' })
const downloads = sp.limiter('downloads', { limit: 20, window: '1h', algorithm: 'fixed-window' })
const upstream = sp.breaker('upstream', { consecutive: 3, open: '10s' })

const app = new Hono()
const address = (c) => getConnInfo(c).remote.address ?? 'unknown'

// Five requests a minute for each address. The answers say so in RateLimit fields.
app.use('/api/*', limit(api, { key: address }))
app.get('/api/hello', (c) => c.json({ hello: 'world' }))

// Twenty downloads an hour; one that breaks off is not counted. Told as GitHub does.
app.use('/files/*', limit(downloads, { key: address, refund: 'failed', headers: 'legacy' }))
app.get('/files/:name', (c) =>
  c.req.param('name') === 'water.txt' ? c.text('drip\n'.repeat(1_000)) : c.text('no such file', 404),
)

// After three failures in a row nobody waits for the upstream, for ten seconds.
app.get('/upstream', async (c) => {
  const answer = await upstream.run(() => Promise.reject(new Error('the upstream answered 500')))
  return c.json(answer)
})

app.get('/health', (c) => c.json(sp.snapshot()))

// A refusal becomes 429, 503 or 504 with Retry-After and problem details; other errors are answered here.
app.onError(refusals((error, c) => c.text(error.message, 500)))

const server = serve(
  { fetch: app.fetch, port: Number(process.env.PORT ?? 3000), hostname: '127.0.0.1' },
  ({ port }) => {
    const origin = `http://127.0.0.1:${port}`
    console.log(`Listening on ${origin}. Try:

  curl -i ${origin}/api/hello           six times
  curl -i ${origin}/files/water.txt     and look at X-RateLimit-Remaining
  curl -i ${origin}/files/wine.txt      which is not counted
  curl -i ${origin}/upstream            four times: the fourth is refused at once
  curl ${origin}/health`)
  },
)

process.once('SIGTERM', () => server.close(() => sp.close()))
