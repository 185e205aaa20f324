// Owns the same routes behind Spillway: a limiter before the chat, and a cache and a policy (breaker, bulkhead, timeout) before the search.
// Never more than a user of the package would write.
'use strict'

const { spillway, timeout } = require('spillway')
const { limit, refusals } = require('spillway/express')

/**
 * @param {import('express').Express} app
 * @param {ReturnType<typeof import('./backend.js').backendAt>} backend
 * @param {import('./schedule.js').Schedule} schedule
 */
function routes(app, backend, { with: { timeoutMs, openMs, maxOpenMs } }) {
  const sp = spillway()
  const chat = sp.limiter('chat', { limit: 30, window: '5m' })
  const found = sp.cache('search', { ttl: '5m' })
  const breaker = sp.breaker('upstream', {
    failureRate: 0.5,
    consecutive: 10,
    // In production '5s' or '30s'; here the whole outage is over by then.
    open: { for: openMs, max: maxOpenMs },
  })
  const calls = sp.bulkhead('upstream', { limit: 32, queue: 32, queueTimeout: '250ms' })
  const upstream = sp.policy('upstream', breaker, calls, timeout(timeoutMs))

  app.post('/api/chat', limit(chat, { key: (req) => req.get('x-tenant') ?? 'anonymous' }), async (_req, res) => {
    res.json(await backend.chat(AbortSignal.timeout(timeoutMs)))
  })

  app.get('/api/search', async (req, res) => {
    const query = String(req.query.q)
    res.json(await found.getOrSet(query, () => upstream.run(({ signal }) => backend.search(query, signal))))
  })

  app.use(refusals())

  return sp
}

module.exports = { routes }
