// Owns one fault: slots move from one master to another under load: ASK while they move, MOVED afterwards.
// Never closes what it has opened: the scene does.
'use strict'

const { PATIENT } = require('../budgets.js')
const { KEYS, PLENTY } = require('../outage.js')

const RATE = 1000

module.exports = {
  row: 8,
  fault: 'reshard: ASK, MOVED',
  must: 'Redis decides everything; everything is counted once',
  isPatient: true,
  async run(scene) {
    const cluster = await scene.cluster()
    const redis = { urls: cluster.urls, cluster: true, deadline: PATIENT }
    const client = await scene.client('limit', { redis, options: PLENTY, calls: 200_000 })
    await client.ask('ready')
    await client.ask('load', { rate: RATE, keys: KEYS })
    await scene.sleep(300)
    const slots = await slotsInUse(cluster)
    const moves = Math.min(slots.length, scene.length(30, 5))
    for (const slot of slots.slice(0, moves)) {
      const { move, finish } = await cluster.migrateSlot(slot)
      await scene.sleep(30)
      await move()
      await scene.sleep(30)
      await finish()
    }
    const { pending } = await client.ask('stop')
    const seen = await client.ask('between', 0)
    scene.check(moves > 0, `${moves} slots moved, ${seen.calls.toLocaleString('en')} calls`)
    scene.exactly('not decided by Redis', seen.calls - seen.by.redis, 0)
    scene.exactly('unanswered', pending, 0)
    let charged = 0
    for (const key of KEYS) charged += PLENTY.limit - (await client.ask('peek', key)).remaining
    scene.exactly('charged', charged, seen.okByRedis)
    await scene.leaves(client)
  },
}

/** Slots that have keys, wherever. */
async function slotsInUse(cluster) {
  const slots = []
  for (const { server, flags } of await cluster.seen()) {
    if (!flags.includes('master')) continue
    const [, keys] = await server.call('SCAN', 0, 'COUNT', 10_000)
    slots.push(...keys.map(cluster.slotOf))
  }
  return [...new Set(slots)]
}
