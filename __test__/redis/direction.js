// One direction through the proxy: what is done to its bytes, when they go on, and how many there were. Owns the faults and the order of
// bytes. Never opens a connection.
'use strict'

const { Replies } = require('./replies.js')

/**
 * @typedef {object} Faults
 * @property {number} [delayMs] everything arrives so much later
 * @property {number} [jitterMs] and up to so much more, in order all the same
 * @property {number} [bytesPerSecond]
 * @property {boolean} [swallow] bytes are taken and never arrive; ends of connections are not passed on either
 * @property {boolean} [stall] bytes are not even taken: the sender's buffers fill up
 * @property {number} [truncateAfter] so many bytes more arrive on each connection, then it is closed
 * @property {number} [flip] the share of bytes of which one bit is turned, 0 to 1
 * @property {number} [garbage] the share of chunks in whose place random bytes arrive
 * @property {number} [swap] the share of replies that change places with the one after, where both came together
 * @property {number} [insert] the share of replies before which another, well-formed, is put
 * @property {number} [drop] the share of replies that never arrive
 * @property {() => number} [random] 0 to 1; `Math.random` when there is none
 */

const INSERTED = ['+OK\r\n', ':1\r\n', '$-1\r\n', '_\r\n', '*2\r\n:1\r\n:999\r\n'].map((text) => Buffer.from(text))

class Direction {
  /** Bytes that came in, bytes that went on, and what was done to them. */
  counts = { bytesIn: 0, bytesOut: 0, flipped: 0, garbled: 0, swapped: 0, inserted: 0, dropped: 0, truncated: 0 }
  /** @type {Faults} */
  #faults = {}
  /** @type {Set<Flow>} */
  #flows = new Set()

  /** @param {Faults} [faults] instead of those there were; none: bytes pass as they are */
  set(faults = {}) {
    this.#faults = faults
    for (const flow of this.#flows) flow.changed()
  }

  get faults() {
    return this.#faults
  }

  join(from, to, pair) {
    const flow = new Flow(this, from, to, pair)
    this.#flows.add(flow)
    from.once('close', () => this.#flows.delete(flow))
  }

  random() {
    return (this.#faults.random ?? Math.random)()
  }
}

/** One connection's bytes in this direction. */
class Flow {
  #direction
  #from
  #to
  #pair
  #replies = new Replies()
  /** Bytes that wait for their moment: [when, bytes], the moments rising. @type {[number, Buffer | null][]} */
  #queue = []
  #lastAt = 0
  #timer
  #left

  constructor(direction, from, to, pair) {
    this.#direction = direction
    this.#from = from
    this.#to = to
    this.#pair = pair
    from.on('data', (chunk) => this.#take(chunk))
    from.on('end', () => this.#later(null))
    to.on('drain', () => this.#resume())
    this.changed()
  }

  /** The faults are others. */
  changed() {
    this.#left = this.#direction.faults.truncateAfter
    this.#resume()
  }

  #resume() {
    if (this.#direction.faults.stall) this.#from.pause()
    else this.#from.resume()
  }

  #take(chunk) {
    const { faults, counts } = this.#direction
    counts.bytesIn += chunk.length
    if (faults.swallow || this.#pair.silent) return
    let bytes = this.#framed(chunk, faults)
    if (this.#chance(faults.garbage)) {
      counts.garbled++
      bytes = Buffer.from(bytes.map(() => 256 * this.#direction.random()))
    }
    if (faults.flip) this.#flip(bytes, faults.flip)
    if (bytes.length > 0) this.#later(bytes)
  }

  /** Faults of whole replies. Bytes of one that is not whole yet wait only while there are such faults. */
  #framed(chunk, { swap = 0, insert = 0, drop = 0 }) {
    if (swap + insert + drop === 0) return this.#replies.rest(chunk)
    const { counts } = this.#direction
    const replies = this.#replies.take(chunk)
    const out = []
    for (let at = 0; at < replies.length; at++) {
      if (this.#chance(insert)) {
        counts.inserted++
        out.push(INSERTED[Math.floor(this.#direction.random() * INSERTED.length)])
      }
      if (this.#chance(drop)) counts.dropped++
      else if (at + 1 < replies.length && this.#chance(swap)) {
        counts.swapped++
        out.push(replies[at + 1], replies[at++])
      } else out.push(replies[at])
    }
    return Buffer.concat(out)
  }

  /** Nothing is drawn for a fault there is not. */
  #chance(share = 0) {
    return share > 0 && this.#direction.random() < share
  }

  #flip(bytes, share) {
    for (let at = 0; at < bytes.length; at++) {
      if (!this.#chance(share)) continue
      bytes[at] ^= 1 << Math.floor(8 * this.#direction.random())
      this.#direction.counts.flipped++
    }
  }

  /** In order, when it is time; null is the end. */
  #later(bytes) {
    const { delayMs = 0, jitterMs = 0, bytesPerSecond = Infinity } = this.#direction.faults
    const now = performance.now()
    const arrives = now + delayMs + jitterMs * (jitterMs && this.#direction.random())
    const takesMs = bytes === null ? 0 : (1000 * bytes.length) / bytesPerSecond
    const at = Math.max(arrives, this.#lastAt) + takesMs
    if (at <= now && this.#queue.length === 0) return this.#send(bytes)
    this.#lastAt = at
    this.#queue.push([at, bytes])
    this.#wake()
    return undefined
  }

  #wake() {
    if (this.#timer !== undefined || this.#queue.length === 0) return
    // A timer may be early by less than a millisecond.
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined
        while (this.#queue.length > 0 && this.#queue[0][0] <= performance.now()) this.#send(this.#queue.shift()[1])
        this.#wake()
      },
      Math.ceil(this.#queue[0][0] - performance.now()),
    )
  }

  #send(bytes) {
    if (this.#to.destroyed || this.#pair.silent) return
    const { faults, counts } = this.#direction
    if (faults.swallow) return
    if (bytes === null) {
      this.#to.end()
      return
    }
    const sent = this.#left === undefined ? bytes : bytes.subarray(0, this.#left)
    counts.bytesOut += sent.length
    const roomy = this.#to.write(sent)
    if (this.#left !== undefined && (this.#left -= sent.length) === 0) {
      counts.truncated++
      this.#to.end()
      this.#from.destroy()
    } else if (!roomy) this.#from.pause()
  }
}

module.exports = { Direction }
