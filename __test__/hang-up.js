// Owns a client that goes away: it waits for the first bytes of an answer, or for nothing, and breaks the connection.
// Never asserts anything.
'use strict'

const { once } = require('node:events')
const http = require('node:http')

/**
 * Asks `url`, reads the first bytes of the body and hangs up.
 * @param {string} url
 * @param {http.RequestOptions} [options]
 */
async function hungUp(url, options = {}) {
  const request = http.get(url, { agent: false, ...options })
  request.on('error', () => {})
  const [response] = await once(request, 'response')
  response.on('error', () => {})
  await once(response, 'data')
  request.destroy()
}

/**
 * Asks `url` and hands back how to hang up before there is an answer.
 * @param {string} url
 * @param {http.RequestOptions} [options]
 */
function hangingUp(url, options = {}) {
  const request = http.get(url, { agent: false, ...options })
  request.on('error', () => {})
  return () => request.destroy()
}

module.exports = { hungUp, hangingUp }
