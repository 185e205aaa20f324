// Owns one fault: one connection of a process with a cache is dead without a word, be it the one for questions or the one for news.
// Never closes what it has opened: the scene does.
'use strict'

const { RECONNECT_MS } = require('../budgets.js')

/** News are looked after once a second. */
const BEAT_MS = 1000

module.exports = {
  row: 5,
  fault: 'half-open connection, of questions or of news, under a cache',
  must: 'what another process writes is seen within 3 s all the same',
  isPatient: true,
  async run(scene) {
    const server = await scene.server()
    const options = { ttl: '1h' }
    const other = await scene.client('cache', { redis: server.url, options })
    await other.ask('ready')
    for (const at of [0, 1]) {
      const proxy = await scene.proxy(server)
      const client = await scene.client('cache', { redis: proxy.url, options })
      await client.ask('ready')
      const key = `key of ${at}`
      await other.ask('set', key, 'old')
      await scene.until('the old value', async () => (await client.ask('get', key)) === 'old')
      await scene.until('two connections', () => proxy.counts.open === 2)
      proxy.halfOpen((age) => age === at)
      const began = scene.now()
      await other.ask('set', key, 'new')
      await scene.until('the new value', async () => (await client.ask('get', key)) === 'new', 10_000).catch(() => {})
      scene.most(`connection ${at + 1}: seen after`, scene.now() - began, RECONNECT_MS + BEAT_MS, ' ms')
      scene.check(proxy.counts.accepted > 2, 'made anew')
      await scene.leaves(client)
    }
  },
}
