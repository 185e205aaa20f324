// Owns the load generator, a process of its own: sends each request when it is due, whatever became of the ones before.
// Never waits for an answer before it sends, and counts every latency from the moment the request was due, so that a
// service that stalls cannot hide it by holding the generator up (coordinated omission).
'use strict'

const http = require('node:http')
const { NOISY, arrivals } = require('./arrivals.js')
const { childOf } = require('./child.js')
const { percentile } = require('./tally.js')

/** @typedef {import('./tally.js').Answer} Answer */

const TICK_MS = 250

childOf(async ({ schedule, seed, origin }, { ready, begun, started, tick }) => {
  const due = arrivals(schedule, seed)
  const agent = new http.Agent({ keepAlive: true, scheduling: 'lifo' })
  const { hostname, port } = new URL(origin)
  /** @type {Answer[]} */
  const answers = []
  /** @type {number[]} */
  const lateness = []
  let sent = 0
  /** @type {() => void} */
  let finished = () => {}
  /** @type {Promise<void>} */
  const all = new Promise((resolve) => (finished = resolve))

  function send(/** @type {import('./arrivals.js').Arrival} */ arrival) {
    lateness.push(started() - arrival.at)
    const chat = arrival.route === 'chat'
    const request = http.request({
      agent,
      host: hostname,
      port,
      method: chat ? 'POST' : 'GET',
      path: chat ? '/api/chat' : `/api/search?q=${encodeURIComponent(arrival.query)}`,
      headers: chat ? { 'x-tenant': arrival.tenant, 'Content-Length': 0 } : {},
      signal: AbortSignal.timeout(schedule.patienceMs),
    })
    const who = chat ? (arrival.tenant === NOISY ? 'noisy' : 'others') : 'search'
    const answered = (/** @type {number} */ status, /** @type {string} */ code, /** @type {boolean} */ retry) => {
      const now = started()
      answers.push({ who, at: arrival.at, ms: now - arrival.at, status, code, retry })
      if (answers.length === due.length) finished()
    }
    request.on('response', (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (text) => (body += text))
      response.on('end', () => {
        const status = response.statusCode ?? 0
        const code = status === 200 ? 'ok' : (JSON.parse(body).code ?? String(status))
        answered(status, code, 'retry-after' in response.headers)
      })
      response.on('error', () => answered(0, 'connection_lost', false))
    })
    request.on('error', (error) =>
      answered(0, error.name === 'AbortError' ? 'client_gave_up' : 'connection_lost', false),
    )
    request.end()
  }

  function sendWhatIsDue() {
    const now = started()
    while (sent < due.length && due[sent].at <= now) send(due[sent++])
    if (sent < due.length) setTimeout(sendWhatIsDue, Math.max(1, due[sent].at - started()))
  }

  let told = 0
  function news() {
    const lately = answers.slice(told)
    told = answers.length
    tick({
      ms: started(),
      sent,
      inFlight: sent - answers.length,
      everyMs: TICK_MS,
      p99: percentile(
        lately.map((answer) => answer.ms),
        0.99,
      ),
      ok: lately.filter((answer) => answer.status === 200).length,
      refused: lately.filter((answer) => answer.code.startsWith('E_')).length,
      of: lately.length,
    })
  }

  begun.then(() => {
    sendWhatIsDue()
    const ticking = setInterval(news, TICK_MS)
    all.then(() => {
      clearInterval(ticking)
      agent.destroy()
      tick({ allAnswered: true })
    })
  })

  ready({ requests: due.length })
  return () => ({ answers, lateMs: percentile(lateness, 0.99) })
})
