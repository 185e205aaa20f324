// Owns a server for the length of one test: on the loopback interface, on a port of the system's choice, always closed.
// Never asserts anything.
'use strict'

const { createServer } = require('node:http')
const { once } = require('node:events')

/**
 * Serves `listener` until the test ends.
 * @param {import('node:test').TestContext} t
 * @param {import('node:http').RequestListener} listener
 * @returns {Promise<string>} its origin
 */
async function served(t, listener) {
  const server = createServer(listener).listen(0, '127.0.0.1')
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  await once(server, 'listening')
  return `http://127.0.0.1:${server.address().port}`
}

module.exports = { served }
