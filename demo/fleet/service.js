// Owns one of three processes of the same service: a limited route, a cached one, and what to change and to look at.
// Never knows that there are others: what they share is in Redis.
'use strict'

const http = require('node:http')
const express = require('express')
const { spillway } = require('spillway')
const { limit, refusals } = require('spillway/express')
const { childOf } = require('../child.js')

childOf(async ({ redis, upstream, perHour }, { serve }) => {
  // All of this runs on one machine: Redis is given longer than the usual 50 ms before somebody decides without it.
  const sp = spillway({ redis: { url: redis, deadline: '400ms' } })
  await sp.ready()

  const orders = sp.limiter('orders', { limit: perHour, window: '1h', failMode: 'local' })
  const products = sp.cache('products', { ttl: '5m' })

  const app = express()
  app.post('/orders', limit(orders, { key: (req) => req.get('x-tenant') ?? 'anonymous' }), (_req, res) => {
    res.json({ accepted: true })
  })
  app.get('/products/:id', async (req, res) => {
    const load = async () => (await fetch(`${upstream}/products/${req.params.id}`)).json()
    res.json(await products.getOrSet(req.params.id, load, { tags: ['catalogue'] }))
  })
  app.post('/catalogue/changed', async (_req, res) => {
    await products.invalidateTag('catalogue')
    res.json({ forgotten: true })
  })
  app.use(refusals())

  await serve(http.createServer(app))
  return () => ({ limiter: sp.snapshot().limiters.orders, cache: sp.snapshot().caches.products })
})
