// Owns the comparison of one decision after the other over Redis: what a request waits for one.
// Must never let the two ask for different things: ioredis sends what our client was seen to send.
'use strict'

const { judged } = require('../duel.js')
const { againstRedis, rows } = require('../redis.js')
const { sent } = require('../sent.js')
const { ratios } = require('../verdict.js')

/** @param {import('./index.js').Arena} arena */
module.exports = async function redisSingle(arena) {
  const measured = await againstRedis(
    {
      atOnce: 1,
      clients: async (server) => [
        { name: 'spillway', kind: 'bucket' },
        { name: 'ioredis', kind: 'script', about: { command: await sent(server) }, note: 'the same script' },
      ],
    },
    arena,
  )
  const p50 = (/** @type {string} */ name) => measured.figures.get(name)?.p50 ?? []
  return {
    name: 'redisSingle',
    title: 'a strict token bucket on Redis, one decision at a time',
    unit: 'ns/decision',
    rows: [...rows(measured, 'p50', 'p50'), ...rows(measured, 'p99', 'p99'), ...rows(measured, 'cpuNs', 'processor')],
    targets: [judged('spillway / ioredis, p50', ratios(p50('spillway'), p50('ioredis')), 1.3)],
    notes: [],
  }
}
