// A TCP proxy that does to bytes what networks and broken servers do. Owns connections and the passing on; what is done to the bytes of
// one direction stands in direction.js. Never reconnects by itself, and holds nobody's data longer than it was told to.
'use strict'

const net = require('node:net')
const { Direction } = require('./direction.js')
const { freePort } = require('./ports.js')

/**
 * `up` is what the client sends, `down` what the server answers; each has its faults, which may change at any time and hold for
 * connections that are there as well as for new ones. `proxy.down.set({ delayMs: 50 })`, `proxy.down.set()` for none.
 */
class Proxy {
  /** Connections accepted so far, open now, and those the server behind could not be reached for. */
  counts = { accepted: 0, open: 0, unreached: 0 }
  up = new Direction()
  down = new Direction()
  #server
  #to
  #refuses = false
  /** @type {Set<{ client: net.Socket, server: net.Socket, silent: boolean }>} */
  #pairs = new Set()

  /** @param {{ host?: string, port: number }} to what is behind; read anew for each connection, so it may move */
  constructor(to) {
    this.#to = to
    // Half of a connection may end before the other, as in life.
    this.#server = net.createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.#accept(client))
  }

  async listen() {
    this.host = '127.0.0.1'
    for (;;) {
      this.port = await freePort()
      const failed = await new Promise((resolve) => {
        this.#server.once('error', resolve)
        this.#server.listen(this.port, this.host, resolve)
      })
      if (failed === undefined) return this
    }
  }

  get url() {
    return `redis://${this.host}:${this.port}`
  }

  /** Both directions at once. */
  set(faults) {
    this.up.set(faults)
    this.down.set(faults)
  }

  /** No faults any more, and new connections are taken. What was swallowed stays lost. */
  heal() {
    this.#refuses = false
    this.set()
  }

  /** Resets every connection (RST), as a server does that has lost them. */
  reset() {
    for (const { client, server } of this.#pairs) {
      client.resetAndDestroy()
      server.destroy()
    }
  }

  /**
   * The server's side of every connection goes, and the client is not told: its half stays open and silent.
   * @param {(at: number) => boolean} [which] of the connections that are open, by their age
   */
  halfOpen(which = () => true) {
    for (const pair of [...this.#pairs].filter((_, at) => which(at))) {
      pair.silent = true
      pair.server.destroy()
    }
  }

  /** From now on a connection is reset as soon as it was accepted, until `heal()`. */
  refuse() {
    this.#refuses = true
    this.reset()
  }

  async close() {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    for (const { client, server } of this.#pairs) {
      client.destroy()
      server.destroy()
    }
    await closed
  }

  #accept(client) {
    this.counts.accepted++
    client.on('error', () => {})
    if (this.#refuses) return client.resetAndDestroy()
    const { host = '127.0.0.1', port } = this.#to
    const server = net.connect({ host, port, allowHalfOpen: true, noDelay: true })
    const pair = { client, server, silent: false }
    this.#pairs.add(pair)
    this.counts.open++
    server.on('error', () => {
      if (server.connecting || server.pending) this.counts.unreached++
    })
    const gone = () => {
      if (pair.silent && !client.destroyed) return
      client.destroy()
      server.destroy()
      if (this.#pairs.delete(pair)) this.counts.open--
    }
    client.on('close', gone)
    server.on('close', () => {
      // Who hears nothing from there does not hear of its end either.
      if (this.down.faults.swallow) pair.silent = true
      gone()
    })
    this.up.join(client, server, pair)
    this.down.join(server, client, pair)
    return undefined
  }
}

/**
 * A proxy before a server of the tests, or any `{ host, port }`.
 * @param {{ host?: string, port: number }} to
 */
const startProxy = (to) => new Proxy(to).listen()

/** The same, ended with the test. */
async function proxy(t, to) {
  const started = await startProxy(to)
  t.after(() => started.close())
  return started
}

module.exports = { proxy, startProxy }
