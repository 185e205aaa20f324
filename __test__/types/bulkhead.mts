// Owns what the types promise of bulkheads: permits that are given back by leaving the block. Each @ts-expect-error fails
// by compiling. Never runs.

import { bulkhead, type Attempt, type Permit, type RefusalInfo } from 'spillway'
import { same, type Equal } from './equal.mjs'

const db = bulkhead('db', { limit: 10, queue: 100, queueTimeout: '2s' })
// @ts-expect-error the limit is missing
bulkhead('db', { queue: 100 })
// @ts-expect-error mistyped
bulkhead('db', { limit: 10, queueTimeOut: '2s' })

const answer = db.run(async ({ signal }) => (signal.aborted ? 0 : 7))
same<Equal<typeof answer, Promise<0 | 7>>>()

const attempt = db.attempt(() => 'row', { priority: 'high' })
same<Equal<typeof attempt, Promise<Attempt<string>>>>()
// @ts-expect-error no such priority
db.run(() => 1, { priority: 'urgent' })

const jobs = bulkhead('jobs', { limit: 3, perKey: true, lease: '15m', env: { limit: 'JOBS_MAX' } })
jobs.run(() => 1, { key: 'acme', priority: 'low' })
same<Equal<ReturnType<typeof jobs.tryAcquire>, Permit | null>>()
jobs.tryAcquire('acme')
// @ts-expect-error a key is a string
jobs.tryAcquire(7)
// @ts-expect-error no knob of a bulkhead
bulkhead('jobs', { limit: 3, env: { window: 'JOBS_WINDOW' } })
const off = jobs.on('expired', ({ key }) => same<Equal<typeof key, string | undefined>>())
same<Equal<typeof off, () => void>>()
jobs.on('refused', ({ refusal }) => same<Equal<typeof refusal, RefusalInfo>>())
// @ts-expect-error no such event
jobs.on('full', () => {})

async function held(): Promise<void> {
  using permit = await db.acquire({ signal: AbortSignal.timeout(100) })
  same<Equal<typeof permit, Permit>>()

  // `using` takes a null, which is how a full bulkhead answers.
  using maybe = db.tryAcquire()
  maybe?.release()
  // @ts-expect-error none was free
  maybe.release()
}
void held()

function forgotten(): void {
  // @ts-expect-error the permit is still to come: await it
  using _permit = db.acquire()
}
forgotten()
