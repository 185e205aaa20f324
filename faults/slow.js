// Scenarios of a Redis that is further away than its deadline. Owns their course: all the same but for how far.
// Never says how far.
'use strict'

const { PLENTY, outage } = require('./outage.js')

/**
 * @param {string} fault
 * @param {(proxy: Awaited<ReturnType<import('./scene.js').Scene['proxy']>>) => void} begin
 * @param {{ fitful?: boolean }} [course]
 */
const slow = (fault, begin, { fitful } = {}) => ({
  row: 4,
  fault,
  must: 'the breaker trips on latency, not only on errors; decisions within the deadline',
  async run(scene) {
    const proxy = await scene.proxy(await scene.server())
    const client = await scene.client('limit', { redis: proxy.url, options: PLENTY, calls: 100_000 })
    const ms = scene.length(8000, 1000)
    await outage(scene, { client, begin: () => begin(proxy), ms, end: () => proxy.heal(), fitful })
    await scene.leaves(client)
  },
})

module.exports = { slow }
