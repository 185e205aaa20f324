// Plays a trace to the caches written in Rust, in a process of their own. Owns what crosses the pipe, as src/main.rs does.
// Never builds it: scripts/traces.mjs does.
'use strict'

const { spawn } = require('node:child_process')
const { once } = require('node:events')
const os = require('node:os')
const path = require('node:path')

const SUFFIX = process.platform === 'win32' ? '.exe' : ''
/** Where scripts/traces.mjs has it built. */
const BINARY = path.join(__dirname, '..', 'target', 'traces', 'release', `spillway-traces${SUFFIX}`)

/**
 * @param {import('./trace.js').Trace} trace
 * @param {number[]} capacities
 * @returns {Promise<Map<number, Record<string, { requests: number, bytes: number }>>>} hits by capacity and cache
 */
async function play({ keys, sizes, distinct }, capacities) {
  const child = spawn(BINARY, { stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = once(child, 'close')
  child.stdin.on('error', () => {}) // its exit code says more
  child.stdin.write(`${[keys.length, distinct, ...capacities].join(' ')}\n`)
  child.stdin.write(littleEndian(keys))
  child.stdin.end(littleEndian(sizes))
  let text = ''
  for await (const chunk of child.stdout.setEncoding('utf8')) text += chunk
  const [code, signal] = await ended
  if (code !== 0) throw new Error(`${BINARY} ended with ${signal ?? code}`)

  const hits = new Map(capacities.map((capacity) => [capacity, /** @type {Record<string, any>} */ ({})]))
  for (const line of text.split('\n').filter((line) => line !== '')) {
    const [cache, capacity, requests, bytes] = line.split(' ')
    Object.assign(/** @type {object} */ (hits.get(Number(capacity))), {
      [cache]: { requests: Number(requests), bytes: Number(bytes) },
    })
  }
  return hits
}

/** @param {Uint32Array} words */
function littleEndian(words) {
  const bytes = Buffer.from(words.buffer, words.byteOffset, words.byteLength)
  return os.endianness() === 'LE' ? bytes : Buffer.from(bytes).swap32()
}

module.exports = { play }
