// Caches over one Redis as several hosts have them: spillways with memory and connections of their own, and processes. Owns what a test
// needs of either. Never asserts anything.
'use strict'

const { fork } = require('node:child_process')
const path = require('node:path')
const { spillway } = require('../index.js')

/** On a busy machine an answer may take longer than whoever asks is to wait for it: not here, unless a test says so. */
const PATIENT = '5s'
let prefixes = 0

/** A prefix that no other test has, in whatever process. */
const ownPrefix = () => `hosts-${process.pid}-${++prefixes}`

/**
 * So many caches of one name, each with memory of its own, as hosts have them. `url` may be all of the option `redis`.
 * @returns {{ sp: any, cache: any }[]} of one prefix
 */
function hosts(t, url, count, options = {}, prefix = ownPrefix()) {
  return Array.from({ length: count }, () => {
    const redis = typeof url === 'string' ? { url, deadline: PATIENT } : url
    const sp = spillway({ redis, prefix, isolated: true, env: false })
    t.after(() => sp.close())
    return { sp, prefix, cache: sp.cache('shared', { jitter: 0, ...options }) }
  })
}

/** The same, once Redis is there for each of them. */
async function liveHosts(t, url, count, options, prefix) {
  const all = hosts(t, url, count, options, prefix)
  await Promise.all(all.map(({ sp }) => sp.ready()))
  for (const { cache } of all) await soon(isLive(cache), 5_000)
  return all
}

/** Whether Redis is asked, so nothing is owed to it and nothing was missed. */
const isLive = (cache) => () => cache.stats().redis.state === 'live'

/**
 * Whether it is in memory, so that Redis is not asked. What has just been set elsewhere may be read twice: the message of that comes
 * after the value, and cannot know it.
 */
const isInMemory = (cache, key) => async () => {
  const before = cache.stats().redis
  const value = await cache.get(key)
  const after = cache.stats().redis
  return value !== undefined && after.hits + after.misses === before.hits + before.misses
}

/** A process with such a cache, or with an adapter over one; see host-process.js for what it can be told to do. */
async function host(t, setup) {
  const child = fork(path.join(__dirname, 'host-process.js'), { serialization: 'advanced' })
  const waiting = new Map()
  let asked = 0
  child.on('message', ({ id, value, error }) => {
    const { resolve, reject } = waiting.get(id)
    waiting.delete(id)
    if (error === undefined) resolve(value)
    else reject(Object.assign(new Error(error.message), { code: error.code }))
  })
  const exited = new Promise((resolve) => child.once('exit', resolve))
  exited.then(() => waiting.forEach(({ reject }) => reject(new Error('the process has ended'))))
  const tell = (call, ...given) =>
    new Promise((resolve, reject) => {
      const id = asked++
      waiting.set(id, { resolve, reject })
      child.send({ id, call, given })
    })
  const kill9 = () => {
    child.kill('SIGKILL')
    return exited
  }
  t.after(kill9)
  await tell('open', setup)
  return {
    pid: child.pid,
    tell,
    kill9,
    /** A call of the cache, or of the adapter. */
    call: (method, ...given) => tell('call', method, ...given),
  }
}

/** Waits until `check` answers true; how long that took, in milliseconds, and no longer than `mostMs`. */
async function soon(check, mostMs = 2_000) {
  const began = performance.now()
  for (;;) {
    if (await check()) return performance.now() - began
    const took = performance.now() - began
    if (took > mostMs) throw new Error(`not within ${mostMs} ms`)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

module.exports = { PATIENT, host, hosts, isInMemory, isLive, liveHosts, ownPrefix, soon }
