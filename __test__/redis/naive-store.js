// A limiter over Redis as one writes it in an afternoon, in the place of Spillway when it is loaded first: it believes whatever comes back,
// counts only errors in a row, and keeps the process alive. Owns these faults, so that the scenarios can be seen to find them.
// Never used by anything but the harness's own tests.
'use strict'

const { connect } = require('./client.js')

const DEADLINE_MS = 50
const FAILURES = 10
const AGAIN_MS = 100
const SCRIPT = `
  local spent, cost, limit = tonumber(redis.call('GET', KEYS[1]) or '0'), tonumber(ARGV[1]), tonumber(ARGV[2])
  if spent + cost > limit then return {0, spent} end
  if cost > 0 then spent = redis.call('INCRBY', KEYS[1], cost) end
  return {1, spent}`

const within = (promise, ms) => {
  let timer
  const late = new Promise((_, reject) => (timer = setTimeout(reject, ms, new Error('late'))))
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

class NaiveLimiter {
  #target
  #options
  #client
  #failures = 0

  constructor(url, options) {
    this.#target = { port: Number(new URL(url).port) }
    this.#options = options
    this.#dial()
  }

  get isUp() {
    return this.#client !== undefined
  }

  async #dial() {
    this.#client?.close()
    this.#client = undefined
    try {
      const client = await within(connect(this.#target), AGAIN_MS)
      await within(client.call('PING'), AGAIN_MS)
      this.#failures = 0
      this.#client = client
    } catch {
      setTimeout(() => this.#dial(), AGAIN_MS)
    }
  }

  async consume(key, cost = 1) {
    const { limit, failMode } = this.#options
    try {
      const [ok, spent] = await within(this.#client.call('EVAL', SCRIPT, 1, key, cost, limit), DEADLINE_MS)
      this.#failures = 0
      return { ok: ok === 1, decidedBy: 'redis', reason: ok ? 'allowed' : 'limited', remaining: limit - spent }
    } catch {
      if (++this.#failures === FAILURES) this.#dial()
      return { ok: failMode === 'open', decidedBy: 'fail-mode', reason: 'store-unavailable', remaining: 0 }
    }
  }

  peek(key) {
    return this.consume(key, 0)
  }
}

function spillway({ redis }) {
  let limiter
  const up = async () => {
    while (!limiter?.isUp) await new Promise((resolve) => setTimeout(resolve, 5))
  }
  return {
    limiter: (_, options) => (limiter = new NaiveLimiter(redis.url ?? redis, options)),
    cache: () => ({}),
    ready: up,
    snapshot: () => ({}),
  }
}

const filename = require.resolve('../../index.js')
require.cache[filename] = Object.assign(new module.constructor(filename), {
  filename,
  loaded: true,
  exports: { spillway },
})
