// Owns one fault: the event loop stands still: what is held stays held, and Redis is not blamed for answers nobody read.
// Never closes what it has opened: the scene does.
'use strict'

const { PATIENT } = require('../budgets.js')

const TTL = '1s'

module.exports = {
  row: 14,
  fault: 'event loop blocked',
  must: 'permits and leases kept; Redis not blamed',
  isPatient: true,
  async run(scene) {
    const ms = scene.length(5000, 2500)
    const server = await scene.server()
    const redis = { url: server.url, deadline: PATIENT }
    const data = { redis, bulkhead: { limit: 1, lease: TTL, failMode: 'closed' }, lease: { ttl: TTL, maxStall: '60s' } }
    const [holder, rival] = await Promise.all([scene.client('hold', data), scene.client('hold', data)])
    await holder.ask('ready')
    scene.check(await holder.ask('permit'), 'permit held')
    const fence = await holder.ask('lease')
    const blocked = holder.ask('block', ms)
    let taken = 0
    for (const over = scene.now() + ms; scene.now() < over; await scene.sleep(100)) {
      if (await rival.ask('permit')) taken++
      if (typeof (await rival.ask('lease')) === 'number') taken++
    }
    await blocked
    scene.exactly(`taken by another in ${ms / 1000} s of blocked loop`, taken, 0)
    scene.check((await holder.ask('isLost')) === false, 'not told lost')
    await holder.ask('release')
    await holder.ask('letGo')
    scene.check(await scene.until('the permit', () => rival.ask('permit'), 2000), 'free afterwards')
    const next = await scene.until('the lease', () => rival.ask('lease'), 2000)
    scene.check(next > fence, `fence ${fence} → ${next}`)

    const options = { limit: 1000, window: '365d', failMode: 'closed' }
    const caller = await scene.client('limit', { redis, options })
    await caller.ask('ready')
    await caller.ask('load', { rate: 500 })
    await scene.sleep(200)
    await caller.ask('block', ms)
    await scene.sleep(300)
    await caller.ask('stop')
    const seen = await caller.ask('between', 0)
    scene.exactly('calls without Redis', seen.unavailable, 0)
    await scene.leaves(caller)
  },
}
