// Owns the reading of what is held: after collections, and without what V8 has taken and does not use.
// Must never be asked while anything is measured in time.
'use strict'

/** So that the allocator and the collector's own threads have handed back what they are going to. */
const SETTLE_MS = 60

/**
 * What V8 has taken and does not use may be given back or not: it says nothing about who holds what.
 * @returns {Promise<{ rss: number, heap: number }>} bytes: resident without that, and of them those of the JavaScript heap
 */
async function held() {
  for (let pass = 0; pass < 3; pass++) {
    globalThis.gc?.()
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS / 3))
  }
  const { rss, heapTotal, heapUsed } = process.memoryUsage()
  return { rss: rss - heapTotal + heapUsed, heap: heapUsed }
}

module.exports = { held }
