// Owns the comparison of reads that memory has not and Redis has, 64 at a time.
// Must never be answered from memory: twenty thousand objects, and room for next to none of them.
'use strict'

const { judged } = require('../duel.js')
const { againstRedis, rows } = require('../redis.js')
const { ratios } = require('../verdict.js')

/** @param {import('./index.js').Arena} arena */
module.exports = async function redisCache(arena) {
  const clients = [
    { name: 'spillway', kind: 'cache', note: 'its memory holds some hundred of them' },
    { name: 'bentocache', kind: 'bento', note: 'no layer in memory, over ioredis' },
    { name: 'bentocache, auto-pipelining', kind: 'bento', env: { AUTO_PIPELINING: '1' } },
  ]
  const measured = await againstRedis({ atOnce: 64, clients: async () => clients }, arena)
  const ns = (/** @type {string} */ name) => measured.figures.get(name)?.ns ?? []
  return {
    name: 'redisCache',
    title: 'cache.get that memory has not and Redis has, 20,000 objects, 64 at a time',
    unit: 'ns/read',
    rows: [...rows(measured, 'ns', 'wall'), ...rows(measured, 'cpuNs', 'processor'), ...rows(measured, 'p99', 'p99')],
    targets: [judged('spillway / bentocache, wall', ratios(ns('spillway'), ns('bentocache')), 1 / 3)],
    notes: [],
  }
}
