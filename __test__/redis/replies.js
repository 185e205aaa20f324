// Where one reply ends and the next begins, in a stream of them. Owns the bytes of the one that is not whole yet. Never changes a byte.
'use strict'

const { read } = require('./client.js')

const NONE = Buffer.alloc(0)

class Replies {
  #held = NONE

  /** The replies that are whole now, as bytes. */
  take(chunk) {
    const bytes = this.rest(chunk)
    const whole = []
    let at = 0
    for (let one; at < bytes.length && (one = read(bytes, at)) !== undefined; at = one[1])
      whole.push(bytes.subarray(at, one[1]))
    this.#held = bytes.subarray(at)
    return whole
  }

  /** What was held back and what came, without looking into it. */
  rest(chunk) {
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk])
    this.#held = NONE
    return bytes
  }
}

module.exports = { Replies }
