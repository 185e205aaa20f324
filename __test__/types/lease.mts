// Owns what the types promise of leases: who holds one is asked before anything is done with it. Each @ts-expect-error fails by
// compiling. Never runs.

import { spillway, type Spillway } from 'spillway'
import { lease, type HeldLease, type Lease } from 'spillway/lease'
import { same, type Equal } from './equal.mjs'

const sp: Spillway<'sync'> | Spillway<'async'> = spillway()
const sync = lease(sp, 'sync', { ttl: '30s', maxStall: 60_000, holders: 1 })
same<Equal<typeof sync, Lease>>()
// @ts-expect-error mistyped
lease(sp, 'sync', { timeToLive: '30s' })
// @ts-expect-error no duration
lease(sp, 'sync', { ttl: '30 seconds' })
// @ts-expect-error a name is needed
lease(sp)

const tried = await sync.tryAcquire('key')
same<Equal<typeof tried, HeldLease | null>>()
// @ts-expect-error another may hold it
tried.fence

{
  await using held = await sync.acquire({ key: 'k', wait: '1m', signal: AbortSignal.timeout(1) })
  const fence: number = held.fence
  const signal: AbortSignal = held.signal
  same<Equal<ReturnType<typeof held.renew>, Promise<boolean>>>()
  // @ts-expect-error it does not change
  held.fence = fence + 1
  fetch('http://127.0.0.1', { signal })
}

const answer = sync.run(({ fence, tookOver }) => (tookOver ? fence : 'new'), { wait: 0 })
same<Equal<typeof answer, Promise<number | 'new'>>>()
// @ts-expect-error no such option
sync.run(() => 1, { timeout: 5 })
const off: () => void = sync.on('lost', ({ lease: lost, key, fence }) => console.log(lost.name, key, fence))
off()
// @ts-expect-error no such event
sync.on('expired', () => {})
