// Owns the look at what our own client sends for one decision, so that others can send the same.
// Must never be on the way of a measurement: it is over before one begins.
'use strict'

const { start } = require('./children/start.js')

/**
 * The command of one decision of a strict token bucket, with its arguments.
 * @param {{ url: string, connect: (options?: any) => Promise<any> }} server
 * @returns {Promise<string[]>}
 */
async function sent(server) {
  const watcher = await server.connect()
  const client = start('redis.js')
  try {
    await client.ask({ open: { kind: 'bucket', url: server.url } })
    // Once before, so that Redis has the script.
    await client.ask({ calls: 1, atOnce: 1 })
    await watcher.call('MONITOR')
    let text = ''
    /** @type {Promise<string[]>} */
    const seen = new Promise((resolve) => {
      watcher.onBytes = (/** @type {Buffer} */ bytes) => {
        text += bytes.toString('latin1')
        const line = text.split('\r\n').find((each) => /"EVALSHA"/i.test(each) && each.endsWith('"'))
        if (line !== undefined) resolve([...line.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, word]) => word))
      }
    })
    await client.ask({ calls: 1, atOnce: 1 })
    return await seen
  } finally {
    client.end()
    await watcher.close()
  }
}

module.exports = { sent }
