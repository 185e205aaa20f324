// Owns the Redis of the demo: a server of its own on a free port, which can be killed and started again.
// Never writes anything to the disk that outlives it.
'use strict'

const { spawn, spawnSync } = require('node:child_process')
const { once } = require('node:events')
const { mkdtempSync, rmSync } = require('node:fs')
const net = require('node:net')
const { tmpdir } = require('node:os')
const { join } = require('node:path')

const SERVERS = ['redis-server', 'valkey-server']

class Redis {
  #command
  #folder = mkdtempSync(join(tmpdir(), 'spillway-demo-redis-'))
  #port
  /** @type {import('node:child_process').ChildProcess | undefined} */
  #server

  /** @param {string} command @param {number} port */
  constructor(command, port) {
    this.#command = command
    this.#port = port
    this.url = `redis://127.0.0.1:${port}`
  }

  static async start() {
    const command = SERVERS.find((name) => spawnSync(name, ['--version']).status === 0)
    if (command === undefined)
      throw new Error(`there is no ${SERVERS.join(' or ')} here; \`npm run demo -- --redis\` installs one`)
    const redis = new Redis(command, await freePort())
    await redis.start()
    return redis
  }

  async start() {
    const about = ['--port', String(this.#port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no']
    this.#server = spawn(this.#command, [...about, '--dir', this.#folder], { stdio: 'ignore' })
    while (!(await answers(this.#port))) {
      if (this.#server.exitCode !== null) throw new Error(`${this.#command} ended with ${this.#server.exitCode}`)
    }
  }

  /** As when its machine is switched off: nothing is said to anybody. */
  async kill() {
    const server = this.#server
    if (server === undefined || server.exitCode !== null || server.signalCode !== null) return
    const gone = once(server, 'exit')
    server.kill('SIGKILL')
    await gone
  }

  end() {
    this.#server?.kill('SIGKILL')
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

/** @returns {Promise<number>} */
async function freePort() {
  const server = net.createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  server.close()
  await once(server, 'close')
  return port
}

/**
 * Whether a server says that it is ready; a little later each time it is not.
 * @param {number} port
 */
function answers(port) {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => socket.write('PING\r\n'))
    const over = (/** @type {boolean} */ yes) => {
      socket.destroy()
      if (yes) resolve(true)
      else setTimeout(resolve, 20, false)
    }
    socket.once('data', (data) => over(data.toString('latin1').startsWith('+PONG')))
    socket.once('error', () => over(false))
  })
}

module.exports = { Redis }
