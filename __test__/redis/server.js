// One real Redis (or Valkey) on a free port of 127.0.0.1, in a folder of its own, keeping nothing. Owns the process: its start, its end
// and what is done to it in between. Never uses a server that was there before.
'use strict'

const { spawn, spawnSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { setTimeout: sleep } = require('node:timers/promises')
const { certificates } = require('./certificates.js')
const { connect } = require('./client.js')
const { freePort } = require('./ports.js')
const { unwatch, watch, watchFolder } = require('./reaper.js')

const READY_WITHIN_MS = 15_000
const POLL_MS = 10
const ATTEMPTS = 10
/** Of one that is up, to who may or may not ask. */
const ANSWERS = ['PONG', 'NOAUTH', 'NOPERM']

/** The first of these programs that there is. */
function program(...names) {
  const found = names.find((name) => name && spawnSync(name, ['--version']).status === 0)
  if (found === undefined)
    throw new Error(`there is no ${names.filter(Boolean).join(' and no ')} here: node scripts/redis.mjs installs it`)
  return found
}

let binary
/** What is started: the system's redis-server, else its valkey-server. */
const serverBinary = () => (binary ??= program(process.env.REDIS_SERVER, 'redis-server', 'valkey-server'))

/**
 * @typedef {object} ServerOptions
 * @property {string} [password] of the default user (`requirepass`)
 * @property {string[]} [users] ACL lines without the word `user`: `'ada on >secret ~* +@all'`
 * @property {boolean} [tls] its port speaks TLS only; `server.tls` has what a client needs
 * @property {boolean} [socket] listens on a unix socket as well, `server.path`
 * @property {Record<string, string | number>} [config] further lines of its configuration: `{ maxmemory: '10mb' }`
 * @property {boolean} [sentinel]
 * @property {number} [port] rather than a free one
 * @property {Record<string, string>} [env] beside the environment of the tests
 */

/** A line of a configuration file, quoted so that empty and spaced values stay what they are. */
const line = ([name, value]) => `${name} ${/^\S+$/.test(String(value)) ? value : JSON.stringify(String(value))}`

class Server {
  host = '127.0.0.1'
  /** @type {number} */
  port
  /** @type {string | undefined} */
  path
  /** @type {number | undefined} */
  pid
  /** @type {ReturnType<typeof certificates> | undefined} */
  tls
  /** Lines of its configuration, read anew at each start. @type {Record<string, string | number>} */
  settings
  #options
  #child
  /** @type {Promise<void>} */
  #exit = Promise.resolve()
  /** @type {import('./client.js').Client | undefined} */
  #own
  #closed = false

  /** @param {ServerOptions} options */
  constructor(options) {
    this.#options = options
    this.settings = { ...options.config }
    this.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'spillway-redis-'))
    watchFolder(this.folder)
    if (options.tls) this.tls = certificates(this.folder)
    if (options.socket) this.path = path.join(this.folder, 'socket')
  }

  get password() {
    return this.#options.password
  }

  /** Where a client finds it, with the password of the default user. */
  get url() {
    const user = this.#options.password === undefined ? '' : `:${encodeURIComponent(this.#options.password)}@`
    return `${this.tls ? 'rediss' : 'redis'}://${user}${this.tls ? 'localhost' : this.host}:${this.port}`
  }

  get isRunning() {
    return this.#child !== undefined
  }

  /** A connection of the caller's own, who closes it. */
  connect(options = {}) {
    const tls = this.tls && { ca: this.tls.ca, cert: this.tls.cert, key: this.tls.key, servername: 'localhost' }
    return connect({ port: this.port, tls, password: this.#options.password, ...options })
  }

  /** One command over a connection that is kept for this. */
  async call(...words) {
    try {
      this.#own ??= await this.connect()
      return await this.#own.call(...words)
    } catch (error) {
      if (error.constructor.name !== 'ReplyError') this.#forget()
      throw error
    }
  }

  /** Everything in INFO, or in one section, by name. */
  async info(section = 'all') {
    const text = await this.call('INFO', section)
    return Object.fromEntries(text.split('\r\n').flatMap((row) => (row.includes(':') ? [row.split(/:(.*)/s, 2)] : [])))
  }

  /** What it has written about itself. */
  log() {
    return fs.readFileSync(path.join(this.folder, 'log'), 'utf8')
  }

  /**
   * Resolves when it answers. On a port given once it stays: who restarts it is found where it was.
   * @param {{ loaded?: boolean }} [when] `loaded: false`: when it answers that it is still loading, too
   */
  async start({ loaded = true } = {}) {
    for (let attempt = 1; ; attempt++) {
      this.port ??= this.#options.port ?? (await freePort())
      this.#spawn()
      const up = await this.#ready(loaded ? ANSWERS : [...ANSWERS, 'LOADING'])
      if (up) return this
      await this.#exit
      const text = this.log()
      if (attempt === ATTEMPTS || !/in use|bind/i.test(text)) throw new Error(`it did not start:\n${text}`)
      if (this.#options.port === undefined && attempt > 1) this.port = await freePort()
      else await sleep(100)
    }
  }

  /** kill -9; resolves when it is gone. Its folder stays. */
  async kill9() {
    this.#forget()
    // Otherwise a process with nothing else to do would not wait for this.
    this.#child?.ref()
    this.#child?.kill('SIGKILL')
    await this.#exit
  }

  /** SIGSTOP: connections are still accepted by the system, and nothing answers. */
  freeze() {
    this.#child.kill('SIGSTOP')
  }

  /** SIGCONT. */
  thaw() {
    this.#child.kill('SIGCONT')
  }

  /** Killed, and started again on the same port, with nothing in it but what it was told to keep. */
  async restart(when) {
    await this.kill9()
    return this.start(when)
  }

  flushScripts() {
    return this.call('SCRIPT', 'FLUSH')
  }

  /** Ends it for good. */
  async close() {
    this.#closed = true
    await this.kill9()
    fs.rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 })
  }

  #forget() {
    this.#own?.close()
    this.#own = undefined
  }

  #lines() {
    const { users = [], password, sentinel } = this.#options
    const ports = this.tls
      ? {
          port: 0,
          'tls-port': this.port,
          'tls-cert-file': this.tls.files.cert,
          'tls-key-file': this.tls.files.key,
          'tls-ca-cert-file': this.tls.files.ca,
          'tls-auth-clients': 'optional',
        }
      : { port: this.port }
    const shared = { bind: this.host, ...ports, dir: this.folder, loglevel: 'notice' }
    const store = { save: '', appendonly: 'no', 'repl-diskless-sync-delay': 0, 'tcp-backlog': 511 }
    const given = { ...shared, ...(sentinel ? {} : store), ...this.settings }
    if (this.path !== undefined) given.unixsocket = this.path
    if (password !== undefined)
      Object.assign(given, { requirepass: password, ...(sentinel ? {} : { masterauth: password }) })
    const save = given.save === '' ? ['save ""'] : []
    const rows = Object.entries(given).filter(([name, value]) => name !== 'save' || value !== '')
    return [...rows.map(line), ...save, ...users.map((user) => `user ${user}`), ...(this.#options.lines ?? [])]
  }

  #spawn() {
    const file = path.join(this.folder, 'conf')
    // A sentinel keeps what it has learned in its file, and finds it there after a restart.
    if (!this.#options.sentinel || !fs.existsSync(file)) fs.writeFileSync(file, `${this.#lines().join('\n')}\n`)
    const log = fs.openSync(path.join(this.folder, 'log'), 'w')
    const args = [file, ...(this.#options.sentinel ? ['--sentinel'] : [])]
    const env = { ...process.env, ...this.#options.env }
    const child = spawn(serverBinary(), args, { stdio: ['ignore', log, log], env })
    fs.closeSync(log)
    const { pid } = child
    if (pid !== undefined) watch(pid)
    this.pid = pid
    this.#child = child
    child.unref()
    this.#exit = new Promise((resolve) => {
      const ended = () => {
        if (pid !== undefined) unwatch(pid)
        if (this.#child === child) this.#child = undefined
        resolve()
      }
      child.once('exit', ended)
      child.once('error', ended)
    })
  }

  /** Whether it came to answer; false when it ended instead. */
  async #ready(answers) {
    const over = performance.now() + READY_WITHIN_MS
    while (this.#child !== undefined) {
      try {
        const client = await this.connect({ password: undefined })
        const said = await client.call('PING').catch((error) => error.code)
        client.close()
        // Another's server may have had the port first; ours says so and ends.
        if (answers.includes(said) && this.#child !== undefined && !/in use/.test(this.log())) return true
      } catch (error) {
        if (error.code !== 'ECONNREFUSED' && error.code !== 'ECONNRESET') throw error
      }
      if (this.#closed || performance.now() > over) throw new Error(`it does not answer:\n${this.log()}`)
      await sleep(POLL_MS)
    }
    return false
  }
}

/** @param {ServerOptions} [options] @returns {Promise<Server>} */
async function startServer(options = {}) {
  const server = new Server(options)
  try {
    return await server.start()
  } catch (error) {
    await server.close()
    throw error
  }
}

module.exports = { Server, program, serverBinary, startServer }
