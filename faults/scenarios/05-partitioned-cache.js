// Owns one fault: one of two processes is cut off from Redis: what each changed meanwhile is seen by the other afterwards.
// Never closes what it has opened: the scene does.
'use strict'

const { RECOVERY_MS } = require('../budgets.js')

const KEYS = 50

module.exports = {
  row: 5,
  fault: 'a process with a cache is cut off from Redis',
  must: 'within 1 s of the end both see what the other deleted or wrote meanwhile; no error',
  isPatient: true,
  async run(scene) {
    const server = await scene.server()
    const proxy = await scene.proxy(server)
    const options = { ttl: '1h' }
    const [away, there] = await Promise.all([
      scene.client('cache', { redis: proxy.url, options }),
      scene.client('cache', { redis: server.url, options }),
    ])
    await Promise.all([away.ask('ready'), there.ask('ready')])
    for (let key = 0; key < KEYS; key++) {
      await there.ask('set', `deleted:${key}`, 'old')
      await there.ask('set', `written:${key}`, 'old')
      await away.ask('get', `deleted:${key}`)
      await away.ask('get', `written:${key}`)
    }
    proxy.set({ swallow: true })
    for (let key = 0; key < KEYS; key++) {
      await away.ask('delete', `deleted:${key}`)
      await there.ask('set', `written:${key}`, 'new')
    }
    await scene.sleep(scene.length(10_000, 500))
    // Whoever stood between has forgotten the connections; bytes do not get lost in the middle of one.
    proxy.reset()
    proxy.heal()
    const healed = scene.now()
    const stale = async () => {
      let count = 0
      for (let key = 0; key < KEYS; key++) {
        if ((await there.ask('get', `deleted:${key}`)) !== undefined) count++
        if ((await away.ask('get', `deleted:${key}`)) !== undefined) count++
        if ((await away.ask('get', `written:${key}`)) === 'old') count++
      }
      return count
    }
    let left = await stale()
    while (left > 0 && scene.now() - healed < 3 * RECOVERY_MS) left = await stale()
    scene.exactly(`stale of ${3 * KEYS}`, left, 0)
    scene.most('after', scene.now() - healed, RECOVERY_MS + 500, ' ms')
    const written = await Promise.all(Array.from({ length: KEYS }, (_, key) => away.ask('get', `written:${key}`)))
    scene.check(
      written.every((value) => value === 'new'),
      `${written.filter((value) => value === 'new').length} of ${KEYS} new values read`,
    )
    await scene.leaves(away)
  },
}
