// Owns an HTTP server on this machine that answers as a scenario says, and ends with it. Never counts anything itself.
'use strict'

const http = require('node:http')

/**
 * @template T
 * @param {http.RequestListener} answer
 * @param {(url: string) => Promise<T>} body
 * @returns {Promise<T>}
 */
async function served(answer, body) {
  const server = http.createServer(answer)
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)))
  try {
    const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
    return await body(`http://127.0.0.1:${port}/`)
  } finally {
    server.close()
    server.closeAllConnections()
  }
}

module.exports = { served }
