// Owns the demo of many machines: three processes of one Express service, one limit and one cache, and a Redis that is killed meanwhile.
// Never says a figure that it has not just counted.
'use strict'

const http = require('node:http')
const { once } = require('node:events')
const { fork } = require('node:child_process')
const { join } = require('node:path')
const { Redis } = require('./redis.js')

const PROCESSES = 3
const PER_HOUR = 50
const ORDERS = 120
const PRODUCTS = 20
const READS = 300
/** How long Redis is away. */
const OUTAGE_MS = 1500
const OUTAGE_REQUESTS = 300
/** So long does it take at most until what Redis says counts again. */
const PATIENCE_MS = 5000

/** @typedef {{ says: string, ok: boolean }} Claim */
/** @typedef {{ origin: string, child: import('node:child_process').ChildProcess }} Service */

/** Whatever has to end when this process does. @type {(() => void)[]} */
const ends = []

/**
 * @param {(...lines: string[]) => void} print
 * @param {(claim: Claim) => string} told
 * @returns {Promise<boolean>} whether everything was as it must be
 */
async function fleet(print, told) {
  const redis = await Redis.start()
  ends.push(() => redis.end())
  const upstream = await catalogue()
  const services = await Promise.all(Array.from({ length: PROCESSES }, () => started(redis.url, upstream.origin)))
  /** @type {Claim[]} */
  const claims = []
  const claim = (/** @type {string} */ says, /** @type {boolean} */ ok) => {
    claims.push({ says, ok })
    print(told({ says, ok }))
  }

  print(`  ${PROCESSES} processes of one Express service on one Redis`, '', '  One limit')
  const orders = await spread(services, ORDERS, order)
  const accepted = orders.filter(({ status }) => status === 200).length
  claim(
    `${ORDERS} orders of one tenant at once, ${PER_HOUR} an hour allowed: ${accepted} accepted`,
    accepted === PER_HOUR,
  )
  const others = orders.filter(({ status }) => status === 429).length
  claim(`${others} answered with 429`, others === ORDERS - PER_HOUR)

  print('', '  One cache')
  const first = await spread(services, READS, product)
  claim(
    `${READS} reads of ${PRODUCTS} products, nothing cached before: the catalogue was asked ${upstream.asked()} times`,
    upstream.asked() === PRODUCTS && first.every(({ status }) => status === 200),
  )
  upstream.change()
  await post(services[0], '/catalogue/changed')
  const changed = performance.now()
  const seenMs = await until(async () => (await versions(services)).every((version) => version === 2), changed)
  claim(`the catalogue changed, one process was told: all three answer with it ${said(seenMs)} later`, seenMs < 1000)

  print('', `  Redis is killed, for ${OUTAGE_MS / 1000} s`)
  for (const service of services) await spread([service], PRODUCTS, product)
  const asked = upstream.asked()
  await redis.kill()
  const outage = await during(OUTAGE_MS, services)
  const failed = outage.filter(({ status }) => status !== 200 && status !== 429)
  claim(`${outage.length} requests were answered, ${failed.length} with an error`, failed.length === 0)
  const slowest = Math.max(...outage.map(({ ms }) => ms))
  claim(`the slowest took ${said(slowest)}; orders were counted in each process`, slowest < 1000)
  claim(
    `products came from memory: the catalogue was asked ${upstream.asked() - asked} times`,
    upstream.asked() === asked,
  )

  print('', '  Redis is back, and empty')
  await redis.start()
  const back = performance.now()
  const backMs = await until(async () => remote(await order(services[0], `after-${performance.now()}`)), back)
  claim(`the first order counted over all processes again: ${said(backMs)} later`, backMs < PATIENCE_MS)

  end()
  upstream.end()
  return claims.every(({ ok }) => ok)
}

/** What the services ask when their cache has nothing. */
async function catalogue() {
  let asked = 0
  let version = 1
  const server = http.createServer((req, res) => {
    asked++
    const body = JSON.stringify({ id: req.url?.split('/').at(-1), version })
    // A catalogue that takes its time, so that many ask before the first is answered.
    setTimeout(() => res.setHeader('content-type', 'application/json').end(body), 30)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  return {
    origin: `http://127.0.0.1:${port}`,
    asked: () => asked,
    change: () => version++,
    end: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}

/** @param {string} redis @param {string} upstream @returns {Promise<Service>} */
async function started(redis, upstream) {
  const child = fork(join(__dirname, 'service.js'))
  ends.push(() => child.kill())
  child.send({ task: { redis, upstream, perHour: PER_HOUR } })
  const [{ ready }] = await once(child, 'message')
  return { child, origin: ready.origin }
}

/**
 * So many requests at once, in turn to each of the services.
 * @param {Service[]} services
 * @param {number} many
 * @param {(service: Service, index: number) => Promise<{ status: number }>} ask
 */
function spread(services, many, ask) {
  return Promise.all(Array.from({ length: many }, (_, index) => ask(services[index % services.length], index)))
}

/** @param {Service} service @param {number | string} [tenant] */
async function order(service, tenant) {
  const headers = { 'x-tenant': typeof tenant === 'string' ? tenant : 'acme' }
  const response = await timed(`${service.origin}/orders`, { method: 'POST', headers })
  return response
}

/** @param {Service} service @param {number} index */
function product(service, index) {
  return timed(`${service.origin}/products/${index % PRODUCTS}`)
}

/** @param {Service} service @param {string} path */
function post(service, path) {
  return timed(service.origin + path, { method: 'POST' })
}

/** @param {string} url @param {RequestInit} [init] */
async function timed(url, init) {
  const began = performance.now()
  const response = await fetch(url, init)
  const body = await response.json().catch(() => undefined)
  return { status: response.status, body, ms: performance.now() - began, policy: response.headers.get('ratelimit') }
}

/** @param {Service[]} services */
async function versions(services) {
  const answers = await Promise.all(services.map((service) => product(service, 0)))
  return answers.map(({ body }) => /** @type {any} */ (body).version)
}

/**
 * Requests spread over some time.
 * @param {number} ms
 * @param {Service[]} services
 */
async function during(ms, services) {
  const answers = []
  for (let index = 0; index < OUTAGE_REQUESTS; index++) {
    const service = services[index % services.length]
    answers.push(index % 2 === 0 ? order(service, `tenant-${index}`) : product(service, index))
    await new Promise((resolve) => setTimeout(resolve, ms / OUTAGE_REQUESTS))
  }
  return Promise.all(answers)
}

/**
 * Whether it was counted in Redis: in each process alone a tenant has only its share of the hour's orders.
 * @param {{ status: number, policy: string | null }} answer
 */
function remote({ status, policy }) {
  return status === 200 && new RegExp(`r=${PER_HOUR - 1}\\b`).test(policy ?? '')
}

/**
 * Milliseconds from `began` until it is so; too many if it never is.
 * @param {() => Promise<boolean>} isSo
 * @param {number} began
 */
async function until(isSo, began) {
  while (!(await isSo())) {
    if (performance.now() - began > PATIENCE_MS) return Infinity
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  return performance.now() - began
}

/** @param {number} ms */
const said = (ms) => (ms < 1000 ? `${Math.ceil(ms)} ms` : `${(ms / 1000).toFixed(1)} s`)

function end() {
  for (const each of ends.splice(0).reverse()) each()
}

module.exports = { fleet, end }
