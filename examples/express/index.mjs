// A small Express 5 service in front of a weather service that sometimes fails: what Spillway looks like in a real one.
// Never a template for errors: besides refusals it has none of its own.
import express from 'express'
import { spillway, timeout } from 'spillway'
import { limit, refusals } from 'spillway/express'
import { forecast } from './weather.mjs'

const sp = spillway({ prefix: 'example' })
const messages = sp.limiter('messages', { limit: 5, window: '1m' })
const forecasts = sp.cache('forecasts', { ttl: '5m' })
const breaker = sp.breaker('weather', { consecutive: 3, open: '10s' })
const calls = sp.bulkhead('weather', { limit: 10, queue: 20, queueTimeout: '1s' })
const weather = sp.policy('weather', breaker, calls, timeout('2s'))

const app = express()
const tenant = (req) => req.get('x-tenant') ?? 'anonymous'

// Five messages at once, then one every twelve seconds, for each tenant. The answers say so in RateLimit fields.
app.post('/messages', limit(messages, { key: tenant }), (_req, res) => {
  res.status(201).json({ sent: true })
})

// A city asked for before is answered from memory. One load per city, whoever asks meanwhile waits for it. At most ten
// calls at a time, two seconds each. After three failures in a row nobody waits for the weather service, for ten seconds.
app.get('/weather/:city', async (req, res) => {
  const { city } = req.params
  res.json(await forecasts.getOrSet(city, () => weather.run(({ signal }) => forecast(city, signal))))
})

app.get('/health', (_req, res) => {
  res.json(sp.snapshot())
})

// Behind the routes: whatever was not let through becomes 429, 503 or 504 with Retry-After and problem details.
app.use(refusals())

const server = app.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => {
  const origin = `http://127.0.0.1:${server.address().port}`
  console.log(`Listening on ${origin}. Try:

  curl -i -X POST ${origin}/messages        six times
  curl -i ${origin}/weather/Paris           twice: the first takes its time
  curl -i ${origin}/weather/Atlantis        four times: the fourth is refused at once
  curl ${origin}/health`)
})

process.once('SIGTERM', () => server.close(() => sp.close()))
