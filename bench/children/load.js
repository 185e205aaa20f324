// Owns the requests: keep-alive connections to each server, one request at a time on each, until the ordered number is answered.
// Must never count an answer that is not a 200.
'use strict'

const net = require('node:net')

const CONNECTIONS = 16
const REQUEST = Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n')

/** @type {Map<number, Promise<Line[]>>} port → its open connections */
const lines = new Map()

class Line {
  /** @param {net.Socket} socket */
  constructor(socket) {
    this.socket = socket
    this.text = ''
    /** @type {(status: number) => void} */
    this.answered = () => {}
    socket.setNoDelay(true)
    socket.setEncoding('latin1')
    socket.on('data', (chunk) => this.read(String(chunk)))
    socket.on('close', () => this.answered(0))
  }

  /** @param {string} chunk */
  read(chunk) {
    this.text += chunk
    const end = this.text.indexOf('\r\n\r\n')
    if (end < 0) return
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(this.text)?.[1] ?? 0)
    if (this.text.length < end + 4 + length) return
    const status = Number(this.text.slice(9, 12))
    this.text = ''
    this.answered(status)
  }
}

/** @param {number} port @returns {Promise<Line>} */
const connect = (port) =>
  new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1')
    socket.once('error', reject)
    socket.once('connect', () => resolve(new Line(socket)))
  })

process.on('message', async (/** @type {{ port: number, requests: number }} */ { port, requests }) => {
  if (!lines.has(port)) lines.set(port, Promise.all(Array.from({ length: CONNECTIONS }, () => connect(port))))
  const open = /** @type {Line[]} */ (await lines.get(port))
  let sent = 0
  let right = 0
  await Promise.all(
    open.map(
      (line) =>
        new Promise((/** @type {(value?: unknown) => void} */ resolve) => {
          const next = () => {
            if (sent < requests) {
              sent++
              line.socket.write(REQUEST)
            } else {
              resolve()
            }
          }
          line.answered = (status) => {
            if (status === 200) right++
            // A line that was cut answers no more; what it did not get shows in the count.
            if (status === 0) resolve()
            else next()
          }
          next()
        }),
    ),
  )
  process.send?.(right)
})
