// The processes of a scenario that use Spillway. Owns their start and their end, and what is asked of them in between.
// Never lets one outlive the scenario.
'use strict'

const { fork } = require('node:child_process')
const path = require('node:path')
const { unwatch, watch } = require('../__test__/redis/reaper.js')
const { now } = require('./moment.js')

const ANSWER_WITHIN_MS = 120_000
const END_WITHIN_MS = 3000

class Client {
  /** Warnings of the process, as they came. @type {{ name: string, code?: string, message: string }[]} */
  warnings = []
  #child
  #asked = new Map()
  #last = 0
  #exit
  #ready

  constructor(job, { env = {}, execArgv = [] } = {}) {
    const child = fork(path.join(__dirname, 'client.js'), [job], {
      env: { ...process.env, ...env },
      execArgv: ['--expose-gc', ...execArgv],
    })
    this.#child = child
    this.pid = child.pid
    watch(child.pid)
    this.#exit = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        unwatch(child.pid)
        for (const { reject } of this.#asked.values()) reject(new Error(`the client ended: ${code ?? signal}`))
        this.#asked.clear()
        resolve({ code, signal, at: now() })
      })
    })
    this.#ready = new Promise((resolve) => this.#asked.set('ready', { resolve, reject: resolve }))
    child.on('message', (message) => this.#hear(message))
  }

  #hear({ ready, warning, id, value, error }) {
    if (warning) {
      this.warnings.push(warning)
      return
    }
    const key = ready ? 'ready' : id
    const asked = this.#asked.get(key)
    this.#asked.delete(key)
    if (error) asked?.reject(Object.assign(new Error(error.message), { code: error.code }))
    else asked?.resolve(value)
  }

  /** Lets the client do something of its job, and resolves with what came of it. */
  async ask(doing, ...given) {
    await this.#ready
    if (!this.#child.connected) throw new Error('the client has ended')
    const id = ++this.#last
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`no answer of the client to ${doing}`)), ANSWER_WITHIN_MS)
      const ended = (settle) => (what) => {
        clearTimeout(late)
        settle(what)
      }
      this.#asked.set(id, { resolve: ended(resolve), reject: ended(reject) })
      this.#child.send({ id, doing, given }, (error) => error && this.#asked.get(id)?.reject(error))
    })
  }

  kill(signal = 'SIGKILL') {
    this.#child.kill(signal)
  }

  /** Resolves when the process has ended. */
  ended() {
    return this.#exit
  }

  /** It has nothing to do any more: how it ended, and how long that took. */
  async leave() {
    const left = now()
    this.ask('leave').catch(() => {})
    const late = setTimeout(() => this.kill('SIGKILL'), END_WITHIN_MS)
    const { code, signal, at } = await this.#exit
    clearTimeout(late)
    return { code, signal, tookMs: at - left }
  }

  async close() {
    // A stopped process is killed as well.
    this.#child.kill('SIGKILL')
    await this.#exit
  }
}

/** A process doing `job`, opened with `data`. */
async function hire(job, data, options) {
  const client = new Client(job, options)
  try {
    await client.ask('open', data)
  } catch (error) {
    await client.close()
    throw error
  }
  return client
}

module.exports = { hire }
