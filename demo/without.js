// Owns the routes as they are mostly written: a call to the upstream with a generous timeout around it.
// Never made worse than that, or the comparison would be worth nothing.
'use strict'

/**
 * @param {import('express').Express} app
 * @param {ReturnType<typeof import('./backend.js').backendAt>} backend
 * @param {import('./schedule.js').Schedule} schedule
 */
function routes(app, backend, { without: { timeoutMs } }) {
  app.post('/api/chat', async (_req, res) => {
    res.json(await backend.chat(AbortSignal.timeout(timeoutMs)))
  })

  app.get('/api/search', async (req, res) => {
    res.json(await backend.search(String(req.query.q), AbortSignal.timeout(timeoutMs)))
  })

  return { snapshot: () => null }
}

module.exports = { routes }
