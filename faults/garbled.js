// Readers behind a proxy that garbles answers in one way after another, with calm in between. Owns the ways and the counting.
// Never touches what is sent to Redis: what it is asked for is what was meant.
'use strict'

/** Each until it has done its harm. Jitter makes some answers late: their callers have gone when they come. */
const WAYS = [
  { swap: 0.05 },
  { insert: 0.01 },
  { drop: 0.01 },
  { garbage: 0.05 },
  { truncateAfter: 5000 },
  { jitterMs: 300 },
  { swap: 0.05, insert: 0.005, drop: 0.005, jitterMs: 40 },
]
/** No longer than this: with some of them nothing comes through that could be harmed. */
const WAY_MS = 500
/** Own answers between one way and the next: so many of all, and at least these. */
const ROUNDS = 200
const CALM_CALLS = 200
const CALM_MS = 5000
const SLOWEST_S = 600

/** How often anything was done to an answer so far. */
const harm = ({ swapped, inserted, dropped, garbled, truncated, flipped }) =>
  swapped + inserted + dropped + garbled + truncated + flipped

/**
 * @param {import('./scene.js').Scene} scene
 * @param {{ kind: 'limiter' | 'cache', calls: number, flip?: number }} what
 */
async function garbled(scene, { kind, calls, flip }) {
  const proxy = await scene.proxy(await scene.server())
  const client = await scene.client('readers', { redis: proxy.url, kind })
  await client.ask('ready')
  await client.ask('write')
  await client.ask('start')
  const ways = flip === undefined ? WAYS : [...WAYS, { flip }]
  const kinds = ['swapped', 'inserted', 'dropped', 'garbled', 'truncated', ...(flip === undefined ? [] : ['flipped'])]
  const over = scene.now() + SLOWEST_S * 1000
  let seen
  for (let round = 0; ; round++) {
    const before = harm(proxy.down.counts)
    proxy.down.set(ways[round % ways.length])
    await scene.until('harm', () => harm(proxy.down.counts) > before, WAY_MS).catch(() => {})
    proxy.heal()
    const { own } = await client.ask('counts')
    const isCalm = async () => (seen = await client.ask('counts')).own >= own + Math.max(CALM_CALLS, calls / ROUNDS)
    await scene.until('calm', isCalm, CALM_MS).catch(() => {})
    const isDone = seen.own >= calls && kinds.every((kind) => proxy.down.counts[kind] > 0)
    if (isDone || scene.now() > over) break
  }
  seen = await client.ask('stop')
  const done = proxy.down.counts
  scene.check(
    seen.own >= calls,
    `${seen.own.toLocaleString('en')} own answers of ${seen.calls.toLocaleString('en')} calls`,
  )
  scene.check(
    kinds.every((kind) => done[kind] > 0),
    `${kinds.map((kind) => `${kind} ${done[kind]}`).join(', ')}; ${proxy.counts.accepted} connections`,
  )
  scene.exactly("others' answers", seen.others, 0)
  scene.exactly('errors', seen.errors, 0)
  await scene.leaves(client)
}

module.exports = { garbled }
