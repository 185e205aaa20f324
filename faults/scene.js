// What a scenario works with: servers, a proxy, clients, a form that is full or short, and the checks it makes. Owns their end and the
// list of checks. Never decides what must be seen: scenarios do.
'use strict'

const { setTimeout: sleep } = require('node:timers/promises')
const { startProxy } = require('../__test__/redis/proxy.js')
const { startCluster, startSentinels, startServer, until } = require('../__test__/redis/servers.js')
const { END_MS } = require('./budgets.js')
const { hire } = require('./crew.js')
const { now } = require('./moment.js')

/** A figure as people read it. */
const shown = (number) =>
  number >= 100 || Number.isInteger(number) ? Math.round(number).toLocaleString('en') : number.toFixed(1)

class Scene {
  /** @type {{ seen: string, ok: boolean, isTime: boolean }[]} */
  checks = []
  #short
  /** @type {{ close(): Promise<unknown> }[]} */
  #open = []

  /** @param {{ short: boolean }} form */
  constructor({ short }) {
    this.#short = short
  }

  get isShort() {
    return this.#short
  }

  /** A figure of the full form, or the one that stands for it in the short. */
  length(full, short) {
    return this.#short ? short : full
  }

  now() {
    return now()
  }

  sleep(ms) {
    return sleep(ms)
  }

  until(what, look, withinMs) {
    return until(what, look, withinMs)
  }

  server(options) {
    return this.#keep(startServer(options))
  }

  sentinels(options) {
    return this.#keep(startSentinels(options))
  }

  cluster(options) {
    return this.#keep(startCluster(options))
  }

  proxy(to) {
    return this.#keep(startProxy(to))
  }

  /** A process that does `job`, one of jobs/. */
  client(job, data, options) {
    return this.#keep(hire(job, data, options))
  }

  async #keep(starting) {
    const started = await starting
    this.#open.push(started)
    return started
  }

  /**
   * Something that must be seen. `seen` says in words and figures what was.
   * @param {boolean} ok
   * @param {string} seen
   * @param {boolean} [isTime] whether it is the machine's doing as well: one that is busy is late
   */
  check(ok, seen, isTime = false) {
    this.checks.push({ seen, ok, isTime })
  }

  /** At most so much of something. */
  most(what, number, limit, unit = '') {
    const isTime = unit === ' ms' || unit === ' calls'
    this.check(number <= limit, `${what} ${shown(number)}${unit} (≤ ${shown(limit)}${unit})`, isTime)
  }

  /** Exactly so many. */
  exactly(what, number, wanted) {
    this.check(
      number === wanted,
      number === wanted ? `${what} ${shown(number)}` : `${what} ${shown(number)} (not ${shown(wanted)})`,
    )
  }

  /** A client that has nothing left to do is gone at once, with 0. */
  async leaves(client) {
    const { code, signal, tookMs } = await client.leave()
    this.check(code === 0, code === 0 ? 'exit 0' : `exit ${code ?? signal}`)
    this.most('end', tookMs, END_MS, ' ms')
  }

  async close() {
    for (const each of this.#open.reverse()) await each.close()
  }
}

module.exports = { Scene, shown }
