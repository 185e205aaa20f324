// Owns one Express server that says hello behind the limiter it was told to use, and its own processor time when asked.
// Must never differ from the next one in anything but the limiter.
'use strict'

const express = require('express')
const { MapLimiter } = require('../baselines/map-limiter.js')

const LIMIT = 1_000_000_000
const WINDOW_MS = 3_600_000

/** @type {Record<string, () => import('express').RequestHandler | null>} */
const middleware = {
  bare: () => null,
  spillway() {
    const { limit } = require('../../adapters/express.js')
    const limiter = require('../..').spillway().limiter('default', { limit: LIMIT, window: WINDOW_MS })
    return limit(limiter, { key: (/** @type {any} */ req) => req.ip })
  },
  expressRateLimit() {
    const { rateLimit } = require('express-rate-limit')
    return rateLimit({ limit: LIMIT, windowMs: WINDOW_MS })
  },
  map() {
    const limiter = new MapLimiter('default', { limit: LIMIT, windowMs: WINDOW_MS })
    const policy = `"default";q=${LIMIT};w=${WINDOW_MS / 1000}`
    return function byHand(req, res, next) {
      const decision = limiter.consume(String(req.ip))
      res.setHeader('RateLimit-Policy', policy)
      res.setHeader('RateLimit', `"default";r=${decision.remaining};t=${Math.ceil(decision.resetMs / 1000)}`)
      if (decision.ok) next()
      else res.status(429).end()
    }
  },
}

const app = express()
const guard = middleware[process.argv[2]]()
if (guard) app.use(guard)
app.get('/', (_req, res) => {
  res.send('hello')
})

const server = app.listen(0, '127.0.0.1')
// Connections live as long as the comparison: closing idle ones would bill a reconnect to whoever waited longest for its turn.
server.keepAliveTimeout = 0
const listening = new Promise((resolve) => server.once('listening', resolve))

process.on('message', async (/** @type {string} */ question) => {
  await listening
  if (question === 'port') process.send?.(/** @type {import('node:net').AddressInfo} */ (server.address()).port)
  if (question === 'cpu') {
    const { user, system } = process.cpuUsage()
    process.send?.(user + system)
  }
})
