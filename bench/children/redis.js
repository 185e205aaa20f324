// Owns one client of Redis in a process of its own: so many calls, so many at a time, each one's latency, and the processor time of
// all threads of the process. Must never be asked anything while it is at it.
'use strict'

const { monitorEventLoopDelay } = require('node:perf_hooks')
const { quantile } = require('../spread.js')
const { keys, value } = require('../workload.js')

/** More than any case spends, and what a fixed window counts by plain commands. */
const LIMIT = 50_000_000
const WINDOW_S = 3600
/** A bucket that is not full again before it is asked again: its cell stays, as a window's does. */
const BUCKET = { limit: 10, window: '1s', burst: LIMIT }
/** Keys that are worth a share. */
const HOT = 16
/** Of a cache whose memory holds next to none of them. */
const SPREAD = 20_000
const TTL_S = 3600

/** @type {Record<string, (url: string, about: any) => Promise<(call: number) => Promise<boolean>>>} */
const KINDS = {
  bucket: (url) => limiter(url, { mode: 'strict', ...BUCKET }),
  window: (url) => limiter(url, { mode: 'strict', algorithm: 'fixed-window' }),
  lease: (url) => limiter(url, { mode: 'lease' }, HOT),
  flexible,
  script,
  cache,
  bento,
}

/** @param {string} url */
async function opened(url) {
  const sp = require('../..').spillway({ redis: { url, deadline: '5s' } })
  await sp.ready()
  return sp
}

/** @param {string} url @param {object} how @param {number} [many] keys */
async function limiter(url, how, many = keys.length) {
  const sp = await opened(url)
  const hot = sp.limiter('hot', { limit: LIMIT, window: `${WINDOW_S}s`, failMode: 'closed', ...how })
  return async (/** @type {number} */ call) => (await hot.consume(keys[call % many])).ok
}

/** @param {string} url */
async function flexible(url) {
  const { RateLimiterRedis } = require('rate-limiter-flexible')
  const client = ioredis(url)
  const hot = new RateLimiterRedis({ storeClient: client, points: LIMIT, duration: WINDOW_S, keyPrefix: 'flexible' })
  return async (/** @type {number} */ call) => (await hot.consume(keys[call % keys.length])).remainingPoints > 0
}

/** What our own client was seen to send, sent by ioredis. @param {string} url @param {{ command: string[] }} about */
async function script(url, { command: [name, ...args] }) {
  const client = ioredis(url)
  return async () => (await client.call(name, ...args)) !== null
}

/** @param {string} url */
async function cache(url) {
  const sp = await opened(url)
  // A memory that keeps next to nothing, so that every read is one of Redis.
  const kept = sp.cache('kept', { ttl: `${TTL_S}s`, jitter: 0, maxBytes: 65_536 })
  for (let at = 0; at < SPREAD; at++) await kept.set(spread(at), value(spread(at)))
  return async (/** @type {number} */ call) => (await kept.get(spread(call)))?.plan === 'team'
}

/** @param {string} url */
async function bento(url) {
  const { BentoCache, bentostore } = await import('bentocache')
  const { redisDriver } = await import('bentocache/drivers/redis')
  const store = bentostore().useL2Layer(redisDriver({ connection: /** @type {any} */ (ioredis(url)) }))
  const kept = new BentoCache({ default: 'far', stores: { far: store } })
  for (let at = 0; at < SPREAD; at++) {
    await kept.set({ key: spread(at), value: value(spread(at)), ttl: `${TTL_S}s` })
  }
  return async (/** @type {number} */ call) =>
    /** @type {any} */ (await kept.get({ key: spread(call) }))?.plan === 'team'
}

/** Neighbours in time are far apart. @param {number} call */
function spread(call) {
  return `object:${(call * 7919) % SPREAD}`
}

/** @param {string} url */
function ioredis(url) {
  const { Redis } = require('ioredis')
  return new Redis(url, { enableAutoPipelining: process.env.AUTO_PIPELINING === '1' })
}

/** @type {((call: number) => Promise<boolean>) | undefined} */
let ask
let made = 0

/** @param {{ calls: number, atOnce: number }} question */
async function run({ calls, atOnce }) {
  const latencies = new Float64Array(calls)
  const loop = monitorEventLoopDelay({ resolution: 1 })
  let right = 0
  let next = 0
  const one = async () => {
    while (next < calls) {
      const call = next++
      const began = process.hrtime.bigint()
      if (await /** @type {NonNullable<typeof ask>} */ (ask)(made + call)) right++
      latencies[call] = Number(process.hrtime.bigint() - began)
    }
  }
  loop.enable()
  const before = process.cpuUsage()
  const began = process.hrtime.bigint()
  await Promise.all(Array.from({ length: atOnce }, one))
  const ns = Number(process.hrtime.bigint() - began)
  const { user, system } = process.cpuUsage(before)
  loop.disable()
  made += calls
  const times = Array.from(latencies)
  return {
    right,
    ns: ns / calls,
    cpuNs: ((user + system) * 1000) / calls,
    p50: quantile(times, 0.5),
    p99: quantile(times, 0.99),
    // What the sampling timer itself waits for is not a delay.
    loopP99Ms: Math.max(0, loop.percentile(99) / 1e6 - 1),
  }
}

process.on('message', async (/** @type {any} */ { open, ...question }) => {
  if (open) ask = await KINDS[open.kind](open.url, open)
  process.send?.(open ? true : await run(question))
})
