// Plays a trace to lru-cache, the npm package. Owns how it is asked.
// Never counts otherwise than src/main.rs does.
'use strict'

/**
 * Each request looks the key up, and stores it if it was not there.
 * @param {import('./trace.js').Trace} trace
 * @param {number} capacity in entries, or in bytes if the trace has sizes
 * @returns {{ requests: number, bytes: number }} of those that were hits
 */
function play({ keys, sizes, sized }, capacity) {
  const { LRUCache } = require('lru-cache')
  const cache = sized ? new LRUCache({ maxSize: capacity }) : new LRUCache({ max: capacity })
  let [requests, bytes] = [0, 0]
  for (let at = 0; at < keys.length; at++) {
    if (cache.get(keys[at]) !== undefined) {
      requests += 1
      bytes += sizes[at]
    } else cache.set(keys[at], true, sized ? { size: sizes[at] } : undefined)
  }
  return { requests, bytes }
}

module.exports = { play }
