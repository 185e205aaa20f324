// Owns one fault: an outage of a minute at ten thousand calls a second: what it costs in memory.
// Never closes what it has opened: the scene does.
'use strict'

const { LOOP_MS, MEMORY_BYTES, MIB } = require('../budgets.js')
const { KEYS, PLENTY } = require('../outage.js')

const RATE = 10_000
const WARM_MS = 2000

module.exports = {
  row: 2,
  fault: 'Redis away for a minute, 10,000 calls/s',
  must: 'memory grows by less than 32 MiB; event loop p99 under 10 ms',
  async run(scene) {
    const ms = scene.length(60_000, 2500)
    const server = await scene.server()
    const calls = (RATE * (ms + 2 * WARM_MS)) / 1000
    const client = await scene.client('limit', { redis: server.url, options: PLENTY, calls })
    await client.ask('load', { rate: RATE, keys: KEYS })
    await scene.sleep(WARM_MS)
    const calm = await client.ask('health')
    const { rss } = await client.ask('reset')
    const began = scene.now()
    await server.kill9()
    await scene.sleep(ms)
    const { peak, loopP99 } = await client.ask('health')
    await client.ask('stop')
    const during = await client.ask('between', began)
    scene.check(
      during.by['fail-mode'] >= 0.5 * RATE * (ms / 1000),
      `${during.by['fail-mode'].toLocaleString('en')} decisions`,
    )
    scene.most('memory grew by', (peak - rss) / MIB, MEMORY_BYTES / MIB, ' MiB')
    scene.most('loop p99', loopP99, LOOP_MS + calm.loopP99, ' ms')
    scene.exactly('errors', during.by.error, 0)
    await scene.leaves(client)
  },
}
