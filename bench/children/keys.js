// Owns one process that offers many keys to one limiter, and tells how much memory it holds at each mark.
// Must never keep a key itself: whatever is held afterwards is the limiter's.
'use strict'

const { fill } = require('./fill.js')

/** @typedef {{ offered: number, rss: number, heap: number }} Mark bytes; heap is what V8 has taken, used or not */

/** So that the allocator and the collector's own threads have handed back what they are going to. */
const SETTLE_MS = 150

async function mark(/** @type {number} */ offered) {
  for (let pass = 0; pass < 3; pass++) {
    globalThis.gc?.()
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS / 3))
  }
  const { rss, heapTotal } = process.memoryUsage()
  return { offered, rss, heap: heapTotal }
}

process.once('message', async (/** @type {{ kind: string, marks: number[] }} */ { kind, marks }) => {
  // A rehearsal on a limiter that is then forgotten: code gets compiled and the young generation gets its size beforehand.
  const rehearsal = fill(kind, 'rehearsal')
  for (let n = 0; n < 300_000; n++) await rehearsal.offer(`rehearsed-${n % 1000}`)
  rehearsal.end()

  const seen = [await mark(0)]
  const limiter = fill(kind, 'measured')
  let offered = 0
  for (const goal of marks) {
    for (; offered < goal; offered++) {
      const answer = limiter.offer(`tenant-${offered}`)
      if (limiter.awaited) await answer
      // Timers and sweeps that need a turn of the loop get one.
      if (offered % 50_000 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    seen.push(await mark(goal))
  }
  process.send?.({ seen, held: limiter.held() }, () => process.exit(0))
})
