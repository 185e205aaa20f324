// A small client of Redis for tests: commands in, replies out, in order, over one connection. Owns the reading of RESP2 and RESP3.
// Never reconnects, and never hides what a server says.
'use strict'

const net = require('node:net')
const tls = require('node:tls')

/** An error the server answered with; its first word is the code. */
class ReplyError extends Error {
  constructor(text) {
    super(text)
    this.code = text.split(' ', 1)[0]
  }
}

const CRLF = Buffer.from('\r\n')

/** One value from `at` on: [value, where the next one begins], or undefined while it is not there in full. */
function read(buffer, at) {
  const end = buffer.indexOf(CRLF, at)
  if (end < 0) return undefined
  const head = buffer.toString('latin1', at + 1, end)
  const rest = end + 2
  switch (String.fromCharCode(buffer[at])) {
    case '+':
      return [buffer.toString('utf8', at + 1, end), rest]
    case '-':
      return [new ReplyError(buffer.toString('utf8', at + 1, end)), rest]
    case ':':
      return [Number(head), rest]
    case ',':
      return [Number(head.replace('inf', 'Infinity')), rest]
    case '(':
      return [BigInt(head), rest]
    case '#':
      return [head === 't', rest]
    case '_':
      return [null, rest]
    case '$':
    case '=':
    case '!': {
      const length = Number(head)
      if (length < 0) return [null, rest]
      if (buffer.length < rest + length + 2) return undefined
      const text = buffer.toString('utf8', rest, rest + length)
      return [buffer[at] === 0x21 ? new ReplyError(text) : text, rest + length + 2]
    }
    case '*':
    case '~':
    case '>': {
      const count = Number(head)
      return count < 0 ? [null, rest] : several(buffer, rest, count)
    }
    case '%': {
      const all = several(buffer, rest, 2 * Number(head))
      if (all === undefined) return undefined
      const [flat, next] = all
      return [Object.fromEntries(flat.flatMap((key, i) => (i % 2 === 0 ? [[key, flat[i + 1]]] : []))), next]
    }
    default:
      throw new Error(`not RESP: ${JSON.stringify(buffer.toString('latin1', at, at + 40))}`)
  }
}

function several(buffer, at, count) {
  const values = []
  for (let next = at; ;) {
    if (values.length === count) return [values, next]
    const one = read(buffer, next)
    if (one === undefined) return undefined
    values.push(one[0])
    next = one[1]
  }
}

function packed(words) {
  const parts = words.map((word) => (Buffer.isBuffer(word) ? word : Buffer.from(String(word))))
  const chunks = parts.flatMap((part) => [Buffer.from(`$${part.length}\r\n`), part, CRLF])
  return Buffer.concat([Buffer.from(`*${words.length}\r\n`), ...chunks])
}

class Client {
  /** Called with each push message (RESP3 only). @type {(message: unknown[]) => void} */
  onPush = () => {}
  /** Called with bytes before they are read. @type {(bytes: Buffer) => void} */
  onBytes = () => {}
  #socket
  #waiting = []
  #buffer = Buffer.alloc(0)
  /** @type {Error | undefined} */
  #ended

  constructor(socket) {
    this.#socket = socket
    socket.on('data', (chunk) => this.#take(chunk))
    socket.on('error', (error) => this.#end(error))
    socket.on('close', () => this.#end(new Error('the connection was closed')))
  }

  /** The reply, or a rejection with what the server refused it with. */
  call(...words) {
    if (this.#ended) return Promise.reject(this.#ended)
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
      this.#socket.write(packed(words))
    })
  }

  close() {
    this.#socket.destroy()
    this.#end(new Error('the client was closed'))
  }

  #take(chunk) {
    this.onBytes(chunk)
    this.#buffer = this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk])
    let at = 0
    for (let one; at < this.#buffer.length && (one = this.#read(at)) !== undefined; at = one[1]) {
      if (this.#buffer[at] === 0x3e) {
        this.onPush(one[0])
        continue
      }
      // More answers than questions come from proxies that put some in.
      const asked = this.#waiting.shift()
      if (one[0] instanceof ReplyError) asked?.reject(one[0])
      else asked?.resolve(one[0])
    }
    this.#buffer = this.#buffer.subarray(at)
  }

  /** What is no reply at all is never answered to anybody. */
  #read(at) {
    try {
      return read(this.#buffer, at)
    } catch (error) {
      this.#end(error)
      return undefined
    }
  }

  #end(error) {
    this.#ended ??= error
    for (const { reject } of this.#waiting.splice(0)) reject(error)
  }
}

/**
 * Connected, and signed on where there is something to sign on with.
 * @param {{ host?: string, port?: number, path?: string, username?: string, password?: string, tls?: object, resp3?: boolean, timeoutMs?: number }} target
 * @returns {Promise<Client>}
 */
async function connect({ host = '127.0.0.1', port, path, username, password, tls: secure, resp3, timeoutMs = 5000 }) {
  const to = path === undefined ? { host, port } : { path }
  const socket = secure ? tls.connect({ ...to, ...secure }) : net.connect(to)
  await new Promise((resolve, reject) => {
    const late = setTimeout(() => socket.destroy(new Error('not connected in time')), timeoutMs)
    socket.once(secure ? 'secureConnect' : 'connect', resolve)
    socket.once('error', reject)
    socket.once('close', () => clearTimeout(late))
    socket.once(secure ? 'secureConnect' : 'connect', () => clearTimeout(late))
  })
  if (!secure || path === undefined) socket.setNoDelay?.(true)
  const client = new Client(socket)
  if (password !== undefined) await client.call('AUTH', ...(username === undefined ? [] : [username]), password)
  if (resp3) await client.call('HELLO', '3')
  return client
}

module.exports = { Client, ReplyError, connect, packed, read }
