// Owns what the types promise of bulkheads: permits that are given back by leaving the block. Each @ts-expect-error fails
// by compiling. Never runs.

import { bulkhead, type Permit } from 'spillway'
import { same, type Equal } from './equal.mjs'

const db = bulkhead('db', { limit: 10, queue: 100, queueTimeout: '2s' })
// @ts-expect-error the limit is missing
bulkhead('db', { queue: 100 })
// @ts-expect-error mistyped
bulkhead('db', { limit: 10, queueTimeOut: '2s' })

const answer = db.run(async ({ signal }) => (signal.aborted ? 0 : 7))
same<Equal<typeof answer, Promise<0 | 7>>>()

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
