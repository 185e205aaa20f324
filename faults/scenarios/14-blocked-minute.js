// Owns one fault: the event loop of whoever holds a lease stands still for a minute, and for longer than it may.
// Never closes what it has opened: the scene does.
'use strict'

module.exports = {
  row: 14,
  fault: 'event loop blocked for a minute',
  must: 'a lease kept under maxStall, lost beyond it; the fence grows',
  async run(scene) {
    const ms = scene.length(60_000, 3000)
    const ttlMs = scene.length(2000, 500)
    for (const kept of [true, false]) {
      const maxStallMs = kept ? 2 * ms : ms / 3
      const bulkhead = { limit: 1 }
      const data = { redis: (await scene.server()).url, bulkhead, lease: { ttl: ttlMs, maxStall: maxStallMs } }
      const [holder, rival] = await Promise.all([scene.client('hold', data), scene.client('hold', data)])
      await holder.ask('ready')
      const fence = await holder.ask('lease')
      const began = scene.now()
      const blocked = holder.ask('block', ms)
      blocked.catch(() => {})
      // An answer that is late on a busy machine is no answer.
      const tried = () => rival.ask('lease').catch(() => undefined)
      let taken
      for (; scene.now() < began + ms && taken === undefined; await scene.sleep(ttlMs / 10))
        taken = (await tried()) ?? undefined
      const after = scene.now() - began
      if (kept) scene.check(taken === undefined, `blocked ${ms / 1000} s, maxStall ${maxStallMs / 1000} s: kept`)
      else {
        scene.check(after > maxStallMs, `blocked ${ms / 1000} s, maxStall ${maxStallMs / 1000} s: not lost before`)
        scene.most('taken over after', after, maxStallMs + 2 * ttlMs, ' ms')
        scene.check(taken > fence, `fence ${fence} → ${taken}`)
      }
      await blocked
      await scene.sleep(100)
      scene.check((await holder.ask('isLost')) === !kept, kept ? 'not told lost' : 'told lost')
    }
  },
}
