// Readers behind a proxy that garbles answers in one way after another, with calm in between. Owns the ways and the counting.
// Never touches what is sent to Redis: what it is asked for is what was meant.
'use strict'

/** Each for a moment. Jitter makes some answers late: their callers have gone when they come. */
const WAYS = [
  { swap: 0.05 },
  { insert: 0.002 },
  { drop: 0.002 },
  { garbage: 0.01 },
  { truncateAfter: 5000 },
  { jitterMs: 70 },
  { swap: 0.05, insert: 0.001, drop: 0.001, jitterMs: 40 },
]
const WAY_MS = 150
const CALM_MS = 150
const SLOWEST_S = 600

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
  const over = scene.now() + SLOWEST_S * 1000
  let seen
  for (let round = 0; ; round++) {
    proxy.down.set(ways[round % ways.length])
    await scene.sleep(WAY_MS)
    proxy.heal()
    await scene.sleep(CALM_MS)
    seen = await client.ask('counts')
    if (round >= ways.length && (seen.own >= calls || scene.now() > over)) break
  }
  seen = await client.ask('stop')
  const { swapped, inserted, dropped, garbled: chunks, truncated, flipped } = proxy.down.counts
  const harm = swapped + inserted + dropped + chunks + truncated + flipped
  scene.check(
    seen.own >= calls,
    `${seen.own.toLocaleString('en')} own answers of ${seen.calls.toLocaleString('en')} calls`,
  )
  scene.check(
    swapped > 0 && inserted > 0 && dropped > 0 && chunks > 0 && truncated > 0,
    `${harm.toLocaleString('en')} replies harmed, ${proxy.counts.accepted} connections`,
  )
  scene.exactly("others' answers", seen.others, 0)
  scene.exactly('errors', seen.errors, 0)
  await scene.leaves(client)
}

module.exports = { garbled }
