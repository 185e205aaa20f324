// Owns one process that offers many keys to one limiter, and tells how much memory it holds at each mark, how long the loop stood
// still at most, and whether keys that are asked for all the while are counted as if nothing else were.
// Must never keep an offered key itself: whatever is held afterwards is the limiter's.
'use strict'

const { fill } = require('./fill.js')
const { Pauses } = require('./pauses.js')

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

/** Keys offered in one turn of the loop: as much as a burst of requests brings. */
const TURN = 500
/** Asked for once a turn, each: more often than the limit allows, so that it shows if a count is lost or too high. */
const HOT = Array.from({ length: 20 }, (_, n) => `hot-${n}`)

/** @param {import('./fill.js').Filled} limiter */
function asking({ twins, apart = 0 }) {
  const admitted = (twins ?? []).map(() => HOT.map(() => 0))
  return {
    ask: () => {
      for (const [which, twin] of (twins ?? []).entries()) {
        HOT.forEach((key, at) => (admitted[which][at] += Number(twin(key))))
      }
    },
    /** Hot keys that were not counted as by the twin that has seen no flood. */
    astray: () => HOT.filter((_, at) => twins && Math.abs(admitted[0][at] - admitted[1][at]) > apart).length,
    admitted: () => admitted[0]?.[0] ?? NaN,
  }
}

/**
 * Offers keys until so many have been, a few in each turn of the loop.
 * @param {import('./fill.js').Filled} limiter
 * @param {{ from: number, goal: number, among: number }} keys
 * @param {ReturnType<typeof asking>} hot
 * @param {Pauses} pauses
 */
async function flood(limiter, { from, goal, among }, hot, pauses) {
  pauses.begin()
  for (let offered = from; offered < goal;) {
    hot.ask()
    for (const end = Math.min(goal, offered + TURN); offered < end; offered++) {
      const answer = limiter.offer(`tenant-${offered % among}`)
      if (limiter.awaited) await answer
    }
    // Timers and sweeps that need a turn of the loop get one.
    await new Promise((resolve) => setImmediate(resolve))
    pauses.next()
  }
}

process.once('message', async (/** @type {{ kind: string, marks: number[] }} */ { kind, marks }) => {
  // A rehearsal on a limiter that is then forgotten: code gets compiled and the young generation gets its size beforehand.
  const rehearsal = fill(kind, 'rehearsal')
  await flood(rehearsal, { from: 0, goal: 300_000, among: 1000 }, asking(rehearsal), new Pauses())
  rehearsal.end()

  const seen = [await mark(0)]
  const limiter = fill(kind, 'measured')
  const hot = asking(limiter)
  const pauses = new Pauses()
  let from = 0
  for (const goal of marks) {
    await flood(limiter, { from, goal, among: 2 ** 31 - 1 }, hot, pauses)
    from = goal
    seen.push(await mark(goal))
  }
  const longestMs = pauses.longestNs / 1e6
  const told = { seen, held: limiter.held(), longestMs, astray: hot.astray(), admitted: hot.admitted() }
  process.send?.(told, () => process.exit(0))
})
