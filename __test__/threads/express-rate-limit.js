// A worker thread of express-rate-limit.test.js: an application with a limit of its own making, served. Never asserts.
'use strict'

const { parentPort, workerData } = require('node:worker_threads')
const express = require('express')
const { rateLimit } = require('express-rate-limit')
const { SpillwayStore } = require('../../adapters/express-rate-limit.js')

const { name, windowMs, limit } = workerData
const store = new SpillwayStore({ name })
const app = express()
app.use(rateLimit({ windowMs, limit, store, keyGenerator: (req) => req.get('x-client') }))
app.get('/', (req, res) => res.json(req.rateLimit.used))
app.delete('/', (_req, res) => {
  store.resetAll()
  res.end()
})
const server = app.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port))
