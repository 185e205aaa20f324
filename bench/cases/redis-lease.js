// Owns the question what a decision costs that is made of a share taken ahead from Redis.
// Must never ask for more keys than are hot: a key that is asked for once has no share.
'use strict'

const { judged } = require('../duel.js')
const { againstRedis, rows } = require('../redis.js')

/** @param {import('./index.js').Arena} arena */
module.exports = async function redisLease(arena) {
  const clients = [{ name: 'spillway', kind: 'lease', note: '16 hot keys' }]
  const measured = await againstRedis({ atOnce: 64, clients: async () => clients }, arena)
  return {
    name: 'redisLease',
    title: 'limiters over Redis that spend a share taken ahead, 64 decisions at a time, awaited',
    unit: 'ns/decision',
    rows: [...rows(measured, 'ns', 'wall'), ...rows(measured, 'loopP99Ms', 'loop delay p99, ms')],
    targets: [judged('nanoseconds a decision', measured.figures.get('spillway')?.ns ?? [], 1000)],
    notes: ['a latency is read for every decision, which takes some 60 ns of it'],
  }
}
