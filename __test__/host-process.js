// A process that has a cache over Redis, or one of the adapters for caches, and does what it is told by messages. Owns its loaders, which
// it counts. Never asserts anything.
'use strict'

const { spillway } = require('../index.js')
const { PATIENT, isLive, soon } = require('./hosts.js')

/** What a process can have in place of the cache itself. */
const ADAPTERS = {
  keyv: (options) => new (require('../adapters/keyv.js').KeyvSpillway)(options),
  bentocache: (options) => require('../adapters/bentocache.js').spillwayDriver(options).factory({ prefix: 'b' }),
  'next-cache': (options) => new (require('../adapters/next-cache.js').nextCache(options))(),
  'next-use-cache': (options) => useCache(require('../adapters/next-use-cache.js').nextUseCache(options)),
}

let sp
let target
let loads = 0

/** A handler of `use cache` with text in place of streams, which no message carries. */
function useCache(handler) {
  const { readable, text } = { readable: streamOf, text: (stream) => new Response(stream).text() }
  return {
    cache: handler.cache,
    async get(key, tags) {
      const entry = await handler.get(key, tags)
      return entry && { ...entry, value: await text(entry.value) }
    },
    set: (key, entry) => handler.set(key, Promise.resolve({ ...entry, value: readable(entry.value) })),
    updateTags: (...given) => handler.updateTags(...given),
  }
}

const streamOf = (text) => new Response(text).body

/**
 * @typedef {object} Loading how a loader ends
 * @property {unknown} [value] `'<pid>'` for the number of this process
 * @property {number} [afterMs]
 * @property {string} [error]
 * @property {boolean} [hang]
 * @property {string[]} [tags]
 */

/** @param {Loading} loading */
const loaderOf =
  ({ value, afterMs = 0, error, hang, tags }) =>
  async (call) => {
    loads++
    if (tags !== undefined) call.tags(...tags)
    if (hang) await new Promise(() => {})
    if (afterMs > 0) await new Promise((resolve) => setTimeout(resolve, afterMs))
    if (error !== undefined) throw new Error(error)
    return value === '<pid>' ? process.pid : value
  }

const CALLS = {
  async open({ url, prefix, name = 'shared', options, adapter, deadline = PATIENT }) {
    if (adapter !== undefined) {
      target = ADAPTERS[adapter]({ redis: { url, deadline }, name: prefix, ...options })
      await soon(isLive(target.cache ?? target.constructor.cache), 5_000)
      // Next makes one for each request; what began before Redis was there stores nothing.
      if (adapter === 'next-cache') target = new target.constructor()
      return
    }
    sp = spillway({ redis: { url, deadline }, prefix, env: false })
    target = sp.cache(name, { jitter: 0, ...options })
    await sp.ready()
    await soon(isLive(target), 5_000)
  },
  call: (method, ...given) => target[method](...given),
  /** So many callers of one key at once: what they were answered with, each value and error once. */
  async load(key, loading, { callers = 1, options } = {}) {
    const before = loads
    const settled = await Promise.allSettled(
      Array.from({ length: callers }, () => target.getOrSet(key, loaderOf(loading), options)),
    )
    const values = [...new Set(settled.filter(({ status }) => status === 'fulfilled').map(({ value }) => value))]
    const errors = [
      ...new Set(settled.filter(({ reason }) => reason).map(({ reason }) => reason.code ?? reason.message)),
    ]
    return { values, errors, loads: loads - before }
  },
  loads: () => loads,
  stats: () => target.stats(),
  /** Keeps the event loop from turning. */
  block(ms) {
    const end = performance.now() + ms
    while (performance.now() < end);
  },
  /** Reads a key again and again until it is not `old`, and says when that was, in milliseconds since 1970. */
  async gone(key, old, mostMs = 5_000) {
    const end = performance.now() + mostMs
    while (performance.now() < end) {
      if ((await target.get(key)) !== old) return performance.timeOrigin + performance.now()
      await new Promise((resolve) => setImmediate(resolve))
    }
    throw new Error(`${key} is ${old} still`)
  },
  close: () => sp.close(),
}

process.on('message', async ({ id, call, given }) => {
  try {
    process.send({ id, value: await CALLS[call](...given) })
  } catch (error) {
    process.send({ id, error: { message: String(error?.message ?? error), code: error?.code } })
  }
})
process.once('disconnect', () => process.exit())
