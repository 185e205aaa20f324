// Owns a process of the demo: its first word, its start, its report, and that it never outlives the conductor.
// Never knows what the process is for.
'use strict'

const { once } = require('node:events')

/**
 * @typedef {object} Self
 * @property {(words: object) => void} ready
 * @property {(server: import('node:http').Server) => Promise<void>} serve listens, then says `ready` with the origin
 * @property {Promise<void>} begun
 * @property {() => number} started milliseconds since the common start; negative before it
 * @property {(news: object) => void} tick
 */

/**
 * The conductor's side is run.js. A child hears its task, says `ready`, hears `start` with the common first moment,
 * says `tick` as often as it likes, hears `finish`, and says `report`.
 * @param {(task: any, self: Self) => Promise<() => object>} work answers how to report
 */
function childOf(work) {
  let startAt = Infinity
  /** @type {() => object} */
  let report = () => ({})
  /** @type {() => void} */
  let begin = () => {}
  /** @type {Promise<void>} */
  const begun = new Promise((resolve) => (begin = resolve))
  const say = (/** @type {object} */ message) => {
    if (process.connected) process.send?.(message)
  }

  /** @type {Self} */
  const self = {
    ready: (words) => say({ ready: words }),
    begun,
    started: () => performance.timeOrigin + performance.now() - startAt,
    tick: (news) => say({ tick: news }),
    async serve(server) {
      // Longer than any pause in the load: a connection closed while it is being reused would look like a failure.
      server.keepAliveTimeout = 65_000
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
      self.ready({ origin: `http://127.0.0.1:${port}` })
    },
  }

  process.on('message', async (/** @type {any} */ message) => {
    if (message.task) report = await work(message.task, self)
    if (message.start) {
      startAt = message.start.at
      begin()
    }
    if (message.finish) {
      const words = { report: report() }
      process.send?.(words, () => process.exit(0))
    }
  })
  // Ctrl-C reaches every process of the terminal; the conductor decides, and without it there is nothing to do.
  process.on('SIGINT', () => {})
  process.on('disconnect', () => process.exit(0))
}

module.exports = { childOf }
