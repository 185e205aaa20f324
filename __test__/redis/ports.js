// Ports nobody listens on. Owns the choice. Never promises that they stay free: who starts a server there tries again elsewhere.
'use strict'

const net = require('node:net')

/** Below what systems give to connections going out, with room for a cluster's second port above it. */
const LOWEST = 11_000
const HIGHEST = 21_999
/** Where a node of a cluster talks to the others. */
const BUS = 10_000

const isFree = (port) =>
  new Promise((resolve) => {
    const server = net.createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })

/** @returns {Promise<number>} */
async function freePort() {
  for (;;) {
    const port = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST + 1))
    if ((await isFree(port)) && (await isFree(port + BUS))) return port
  }
}

module.exports = { BUS, freePort }
