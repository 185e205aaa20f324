// Owns an upstream that is trouble, for the length of one test: it answers each request as its script says, and tells what came over
// the wire and which sockets are open. Never asserts anything, and never waits but where the script says so.
'use strict'

const { createServer } = require('node:http')
const { once } = require('node:events')

/** @typedef {import('node:http').IncomingMessage} Incoming */
/** @typedef {import('node:http').ServerResponse} Outgoing */
/** @typedef {(req: Incoming, res: Outgoing) => unknown} Behaviour */

/**
 * Serves until the test ends. The first request is answered by the first behaviour, and so on; all further ones by the last.
 * @param {import('node:test').TestContext} t
 * @param {...Behaviour} script
 */
async function upstream(t, ...script) {
  const server = createServer({ keepAliveTimeout: 60_000 })
  const sockets = new Set()
  const seen = {
    origin: '',
    /** What has arrived, once all of it has. @type {{ method?: string, url?: string, headers: Incoming['headers'], body: string }[]} */
    requests: [],
    /** How many requests have begun to arrive. */
    begun: 0,
    /** How many answers the client did not wait for, or not to their end. */
    hungUp: 0,
    /** How many connections there have been, and how many there are. */
    connections: 0,
    get open() {
      return sockets.size
    },
    /** Resolves when it is so: looked at after whatever happens on the wire. @param {() => boolean} isSo */
    async until(isSo) {
      while (!isSo()) await once(server, 'happened')
    },
  }
  server.on('connection', (socket) => {
    seen.connections++
    sockets.add(socket)
    server.emit('happened')
    socket.on('close', () => {
      sockets.delete(socket)
      server.emit('happened')
    })
  })
  server.on('request', async (req, res) => {
    const behaviour = script[Math.min(seen.begun, script.length - 1)]
    seen.begun++
    server.emit('happened')
    res.on('close', () => {
      if (!res.writableFinished) seen.hungUp++
      server.emit('happened')
    })
    try {
      const body = (await req.setEncoding('utf8').toArray()).join('')
      seen.requests.push({ method: req.method, url: req.url, headers: req.headers, body })
      server.emit('happened')
    } catch {
      // The client has gone in the middle of it.
      return
    }
    behaviour(req, res)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  seen.origin = `http://127.0.0.1:${server.address().port}`
  return seen
}

/**
 * @param {number} status
 * @param {Record<string, string>} [fields]
 * @param {string | Buffer} [body]
 * @returns {Behaviour}
 */
function answering(status, fields = {}, body = `${status}`) {
  return (_req, res) => res.writeHead(status, fields).end(body)
}

/** No answer, as long as the client waits. @type {Behaviour} */
function hanging() {}

/**
 * An answer whose body begins and does not end.
 * @param {number} status
 * @param {string} [begin]
 * @returns {Behaviour}
 */
function hangingInBody(status, begin = 'begin') {
  return (_req, res) => res.writeHead(status).write(begin)
}

/**
 * More of a body than anybody wants, as fast as it is taken.
 * @param {number} status
 * @returns {Behaviour}
 */
function flooding(status) {
  return (_req, res) => {
    res.writeHead(status)
    const more = () => {
      while (!res.destroyed && res.write(Buffer.alloc(16_384)));
    }
    res.on('drain', more)
    more()
  }
}

/** The connection is reset in place of an answer. @type {Behaviour} */
function resetting(req) {
  req.socket.resetAndDestroy()
}

/**
 * The connection is reset after the beginning of the body.
 * @param {number} status
 * @returns {Behaviour}
 */
function resettingInBody(status) {
  return (req, res) => {
    res.writeHead(status, { 'content-length': '1000' })
    res.write('begin', () => req.socket.resetAndDestroy())
  }
}

/**
 * @param {number} milliseconds
 * @param {Behaviour} behaviour
 * @returns {Behaviour}
 */
function late(milliseconds, behaviour) {
  return (req, res) => setTimeout(() => behaviour(req, res), milliseconds)
}

module.exports = { upstream, answering, flooding, hanging, hangingInBody, late, resetting, resettingInBody }
