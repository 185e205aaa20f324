// Owns one fault: SCRIPT FLUSH every 50 ms under load: Redis forgets every script it has just learned.
// Never closes what it has opened: the scene does.
'use strict'

const { PATIENT } = require('../budgets.js')
const { KEYS, PLENTY } = require('../outage.js')

const RATE = 2000
const EVERY_MS = 50

module.exports = {
  row: 9,
  fault: `SCRIPT FLUSH every ${EVERY_MS} ms`,
  must: 'no user error; Redis decides everything, and everything is counted once',
  isPatient: true,
  async run(scene) {
    const server = await scene.server()
    const redis = { url: server.url, deadline: PATIENT }
    const client = await scene.client('limit', { redis, options: PLENTY, calls: 100_000 })
    await client.ask('ready')
    await client.ask('load', { rate: RATE, keys: KEYS })
    let flushes = 0
    for (const over = scene.now() + scene.length(10_000, 1500); scene.now() < over; flushes++) {
      await server.flushScripts()
      await scene.sleep(EVERY_MS)
    }
    await client.ask('stop')
    const seen = await client.ask('between', 0)
    scene.check(flushes > 0 && seen.calls > 1000, `${seen.calls} calls, ${flushes} flushes`)
    scene.exactly('not decided by Redis', seen.calls - seen.by.redis, 0)
    let charged = 0
    for (const key of KEYS) charged += PLENTY.limit - (await client.ask('peek', key)).remaining
    scene.exactly('charged', charged, seen.okByRedis)
    await scene.leaves(client)
  },
}
