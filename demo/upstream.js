// Owns the upstream, a process of its own: search and a chat model, each with workers and a queue before them.
// Never helps either side: it does not know which service is calling.
'use strict'

const http = require('node:http')
const { randomOf } = require('./arrivals.js')
const { phaseAt } = require('./schedule.js')
const { childOf } = require('./child.js')

/** What cannot be worked on at once waits, first come first served; who has hung up is not worked on any more. */
class Workers {
  #free
  /** @type {{ ms: number, done: () => void, gone: () => boolean }[]} */
  #queue = []
  calls = 0
  abandoned = 0
  mostWaiting = 0

  /** @param {number} count */
  constructor(count) {
    this.#free = count
  }

  /**
   * @param {number} ms how long the work takes
   * @param {() => void} done
   * @param {() => boolean} gone
   */
  take(ms, done, gone) {
    this.calls += 1
    this.#queue.push({ ms, done, gone })
    this.#next()
    this.mostWaiting = Math.max(this.mostWaiting, this.#queue.length)
  }

  #next() {
    while (this.#free > 0 && this.#queue.length > 0) {
      const job = /** @type {{ ms: number, done: () => void, gone: () => boolean }} */ (this.#queue.shift())
      if (job.gone()) {
        this.abandoned += 1
        continue
      }
      this.#free -= 1
      setTimeout(() => {
        this.#free += 1
        job.done()
        this.#next()
      }, job.ms)
    }
  }
}

childOf(async ({ schedule }, { serve, started }) => {
  const { searchWorkers, searchMs, slowMs, chatWorkers, chatMs } = schedule.upstream
  const search = new Workers(searchWorkers)
  const chat = new Workers(chatWorkers)
  const random = randomOf(1)
  const around = (/** @type {number} */ ms) => ms * (0.5 + random())

  await serve(
    http.createServer((req, res) => {
      const { pathname, searchParams } = new URL(req.url ?? '/', 'http://upstream')
      const gone = () => res.destroyed
      const answer = (/** @type {object} */ body) => {
        res.setHeader('Content-Type', 'application/json')
        res.end(JSON.stringify(body))
      }
      // A service that warms up, before anybody counts.
      if (started() < 0) {
        answer({ results: [] })
        return
      }
      if (pathname === '/chat') {
        req.resume()
        chat.take(around(chatMs), () => answer({ reply: 'Yes.' }), gone)
        return
      }
      const phase = phaseAt(schedule, started())
      if (phase === 'failing') {
        search.calls += 1
        // Some failures are answers, some are not.
        if (random() < 0.7) res.writeHead(500).end()
        else req.socket.destroy()
        return
      }
      const query = searchParams.get('q')
      const results = Array.from({ length: 10 }, (_, rank) => ({
        title: `${query}, result ${rank}`,
        score: 1 / (rank + 1),
      }))
      search.take(around(phase === 'slow' ? slowMs : searchMs), () => answer({ query, results }), gone)
    }),
  )

  return () => {
    const told = (/** @type {Workers} */ { calls, abandoned, mostWaiting }) => ({ calls, abandoned, mostWaiting })
    return { search: told(search), chat: told(chat) }
  }
})
