// Owns the service, a process of its own: an Express application with the routes of without.js or of with.js.
// Never treats the two differently.
'use strict'

const http = require('node:http')
const { monitorEventLoopDelay } = require('node:perf_hooks')
const express = require('express')
const { backendAt } = require('./backend.js')
const { childOf } = require('./child.js')

childOf(async ({ schedule, variant, upstream }, { serve, tick, begun }) => {
  const backend = backendAt(upstream)
  // The first calls of a process take longer, here as anywhere; both services make theirs before anybody counts.
  await Promise.all(Array.from({ length: 20 }, () => backend.search('warming up', AbortSignal.timeout(10_000))))

  const app = express()
  const { routes } = variant === 'with' ? require('./with.js') : require('./without.js')
  const sp = routes(app, backend, schedule)

  app.use(answerFailure)

  await serve(http.createServer(app))
  await begun
  const cpu = process.cpuUsage()
  const loop = monitorEventLoopDelay({ resolution: 10 })
  loop.enable()
  const ticking = setInterval(() => tick({ breaker: sp.snapshot()?.breakers.upstream.state }), 100)

  return () => {
    clearInterval(ticking)
    const { user, system } = process.cpuUsage(cpu)
    return {
      snapshot: sp.snapshot(),
      cpuMs: (user + system) / 1000,
      peakBytes: process.resourceUsage().maxRSS * 1024,
      loopDelayP99Ms: loop.percentile(99) / 1e6,
    }
  }
})

/** The same in both services: what the upstream did wrong is a 502 or 504, and never an unclassified 500. */
function answerFailure(
  /** @type {any} */ error,
  /** @type {import('express').Request} */ _req,
  /** @type {import('express').Response} */ res,
  /** @type {import('express').NextFunction} */ _next,
) {
  if (error.name === 'TimeoutError') res.status(504).json({ code: 'upstream_timeout' })
  else if (error.status === 502 || error.cause?.code) res.status(502).json({ code: 'upstream_failed' })
  else {
    console.error(error)
    res.status(500).json({ code: 'internal_error' })
  }
}
