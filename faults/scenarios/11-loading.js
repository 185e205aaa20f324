// Owns one fault: Redis is back and still reads its file: LOADING.
// Never closes what it has opened: the scene does.
'use strict'

const { PLENTY, outage } = require('../outage.js')

const KEYS = 2000

module.exports = {
  row: 11,
  fault: 'LOADING',
  must: 'an outage like any other; Redis decides again within 1 s of having loaded',
  async run(scene) {
    const ms = scene.length(5000, 1500)
    const server = await scene.server({
      config: { 'rdb-save-incremental-fsync': 'no', 'loading-process-events-interval-bytes': 1024 },
    })
    const client = await scene.client('limit', { redis: server.url, options: PLENTY, calls: 100_000 })
    await server.call('EVAL', `for i = 1, ${KEYS} do redis.call('SET', 'filler:' .. i, string.rep('x', 500)) end`, 0)
    await server.call('SAVE')
    // Microseconds for each key, as if there were millions.
    server.settings['key-load-delay'] = Math.ceil((ms * 1000) / KEYS)
    let refused
    await outage(scene, {
      client,
      begin: async () => {
        await server.restart({ loaded: false })
        refused = await server.call('GET', 'filler:1').catch(({ code }) => code)
      },
      ms: 100,
      end: () => scene.until('the end of loading', async () => (await server.info('persistence')).loading === '0'),
    })
    scene.check(refused === 'LOADING', `refused with ${refused}`)
    await scene.leaves(client)
  },
}
