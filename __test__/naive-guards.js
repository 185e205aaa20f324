// Owns a contestant of the scoreboard that has every fault on it, each as an honest first attempt would have it.
// Never imported by anything but the scoreboard's own test.
'use strict'

const settle = (call) => {
  const result = call()
  return typeof result.then === 'function' ? result : Promise.resolve(result)
}
const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** Counts every call from its beginning, forgets nothing, and lets whoever ends decide. */
class NaiveBreaker {
  begun = 0
  failed = 0
  durations = []
  listeners = []
  current = 'closed'

  constructor({ minCalls, openMs }) {
    this.minCalls = minCalls
    this.openMs = openMs
  }

  async run(call, signal) {
    this.begun++
    if (this.current === 'half-open' || (this.current === 'open' && Date.now() < this.until)) throw new Error('open')
    if (this.current === 'open') this.current = 'half-open'
    let value
    try {
      const result = call(signal)
      value = await result.then((answer) => answer)
    } catch (error) {
      this.fail()
      throw error
    }
    this.durations.push(Math.random())
    this.current = 'closed'
    return value
  }

  fail() {
    this.failed++
    this.durations = [...this.durations, Math.random()].sort(() => Math.random() - 0.5)
    const over = this.begun >= this.minCalls && this.failed / this.begun >= 0.5
    if (this.current !== 'half-open' && !over) return
    this.current = 'open'
    this.until = Date.now() + this.openMs
    for (const listener of this.listeners) listener()
  }

  state = () => this.current
  onOpen = (listener) => this.listeners.push(listener)
  save = () => '{}'
}

/** Forgets whom it has refused, whom it has told, and what it holds. */
class NaiveBulkhead {
  running = 0
  queue = []

  constructor({ limit, queue }) {
    this.limit = limit
    this.places = queue
  }

  run(call, signal) {
    signal?.addEventListener('abort', () => {})
    if (this.running >= this.limit) {
      if (this.queue.length >= this.places) return Promise.reject(new Error('full'))
      return new Promise((resolve, reject) => this.queue.push({ call, signal, resolve, reject }))
    }
    this.running++
    return settle(() => call(signal)).finally(() => {
      this.running--
      const next = this.queue.shift()
      if (next) queueMicrotask(() => this.run(next.call, next.signal).then(next.resolve, next.reject))
    })
  }

  end() {
    this.queue = []
  }
}

const naiveRetry = ({ max, waitMs = 1000 }) => ({
  async run(call, signal) {
    signal?.addEventListener('abort', () => {})
    for (let attempt = 0; ; attempt++) {
      let error
      const ended = await settle(() => call(signal)).then(
        (value) => ({ value }),
        (reason) => void (error = reason),
      )
      if (ended) return ended.value
      if (!(error instanceof Error)) throw new TypeError('only errors should be thrown')
      if (attempt === max) throw error
      await later(waitMs)
    }
  },
})

const within = (ms, running) =>
  Promise.race([
    running,
    later(ms).then(() => {
      throw new Error('timed out')
    }),
  ])

/** Sends whatever it is again, as long as the answer says to wait, and then for so long. */
const naiveClient =
  ({ max, waitMs }) =>
  async (url, { signal: _, ...init } = {}) => {
    for (let attempt = 0; ; attempt++) {
      const response = await fetch(url, init).catch(() => undefined)
      if (attempt === max || response?.ok) return response
      const seconds = Number(response?.headers.get('retry-after') ?? 0)
      await later(seconds > 60 ? seconds * 1000 : waitMs)
    }
  }

module.exports = {
  name: 'naive',
  about: ['breaker', 'timeout', 'retry', 'bulkhead', 'fetch'],
  lacks: {},
  load: async () => ({
    breaker: (wish) => new NaiveBreaker(wish),
    restored: (_saved, wish) => new NaiveBreaker(wish),
    capped(wish) {
      const breaker = new NaiveBreaker(wish)
      const bulkhead = new NaiveBulkhead({ limit: wish.limit, queue: 0 })
      return { run: (call) => breaker.run(() => bulkhead.run(call)), state: breaker.state }
    },
    cached(wish) {
      const breaker = new NaiveBreaker(wish)
      const answers = new Map()
      const answered = (key, call) => {
        if (!answers.has(key)) answers.set(key, call())
        return answers.get(key)
      }
      return { run: (key, call) => breaker.run(() => answered(key, call)) }
    },
    timed({ timeoutMs }) {
      const all = new AbortController()
      const run = (call) => {
        const running = within(timeoutMs, call(all.signal))
        running.catch(() => all.abort())
        return running
      }
      return { run }
    },
    retry: naiveRetry,
    retryWithin: (wish) => ({ run: (call) => within(wish.timeoutMs, naiveRetry(wish).run(call)) }),
    retryAround(wish) {
      const breaker = new NaiveBreaker(wish)
      return { run: (call) => naiveRetry(wish).run(() => breaker.run(call)), state: breaker.state }
    },
    bulkhead: (wish) => new NaiveBulkhead(wish),
    timedBulkhead({ limit, timeoutMs }) {
      const bulkhead = new NaiveBulkhead({ limit, queue: 0 })
      return { run: (call) => bulkhead.run(() => within(timeoutMs, call())) }
    },
    client: naiveClient,
  }),
}
