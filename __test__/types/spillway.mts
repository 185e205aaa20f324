// Owns what the types promise of a spillway: which store answers how. Each @ts-expect-error fails by compiling.
// Never runs.

import {
  presets,
  spillway,
  type Answer,
  type BreakerState,
  type Decision,
  type Limiter,
  type Permit,
  type RemoteSnapshot,
  type Snapshot,
  type Spillway,
} from 'spillway'
import { same, type Equal } from './equal.mjs'

const local = spillway()
const configured = spillway({ prefix: 'api', onMismatch: 'replace', isolated: true, clock: () => Date.now() })
const remote = spillway({ prefix: 'api', redis: 'redis://127.0.0.1' })
const remoteByOptions = spillway({ redis: { url: 'redis://127.0.0.1' } })

same<Equal<typeof local, Spillway<'sync'>>>()
same<Equal<typeof configured, Spillway<'sync'>>>()
same<Equal<typeof remote, Spillway<'async'>>>()
same<Equal<typeof remoteByOptions, Spillway<'async'>>>()
same<Equal<Spillway, Spillway<'sync'>>>()

// In memory an answer is the value; on Redis it is a promise. Never sometimes one.
const limit = { limit: 30, window: '5m' } as const
const near = local.limiter('chat', limit)
const far = remote.limiter('chat', { ...limit, failMode: 'open' })
same<Equal<typeof near, Limiter<'sync'>>>()
same<Equal<ReturnType<typeof near.consume>, Decision>>()
same<Equal<ReturnType<typeof far.consume>, Promise<Decision>>>()
same<Equal<ReturnType<typeof near.peek>, Decision>>()
same<Equal<ReturnType<typeof far.reset>, Promise<void>>>()
same<Equal<ReturnType<ReturnType<typeof local.bulkhead>['tryAcquire']>, Permit | null>>()
same<Equal<ReturnType<ReturnType<typeof remote.bulkhead>['tryAcquire']>, Promise<Permit | null>>>()

near.consume('tenant-7').ok satisfies boolean
// @ts-expect-error a promise is not a decision: this would let everybody through
far.consume('tenant-7').ok

// Code that takes either answers in its own mode, and whoever awaits need not know which.
async function admitted(limiter: Limiter<'sync'> | Limiter<'async'>): Promise<boolean> {
  return (await limiter.consume('tenant-7')).ok
}
void admitted(near)
void admitted(far)
same<Equal<Answer<'sync', number>, number>>()
same<Equal<Answer<'async', number>, Promise<number>>>()

// Over Redis it has to be said what counts while that is not there.
// @ts-expect-error failMode is missing
remote.limiter('chat', limit)
// @ts-expect-error there is no such choice
remote.limiter('chat', { ...limit, failMode: 'maybe' })
// @ts-expect-error the first of several limits says it for all
remote.limiter('api', [limit, { ...limit, failMode: 'open' }])
remote.limiter('api', [
  { ...limit, failMode: 'closed' },
  { ...limit, name: 'day', window: '1d' },
])
remote.limiter('otp', { ...presets.otp, failMode: 'closed' })
remote.limiter('hot', { ...limit, failMode: 'local', mode: 'lease', share: 100, rememberDenials: false })
// In memory the same options fit.
local.limiter('hot', { ...limit, failMode: 'local', mode: 'lease' })
far.on('unavailable', ({ limiter, decision }) => {
  same<Equal<typeof limiter, Limiter<'async'>>>()
  decision.decidedBy satisfies 'local' | 'redis' | 'lease' | 'fail-mode'
})
// @ts-expect-error memory is never gone
near.on('unavailable', () => {})

same<Equal<ReturnType<typeof remote.ready>, Promise<void>>>()
same<Equal<ReturnType<typeof remote.snapshot>, RemoteSnapshot>>()
remote.snapshot().fleet[0]?.breakers['stripe'] satisfies BreakerState | undefined
remote.snapshot().store.nodes[0]?.latencyMs satisfies number | undefined
// @ts-expect-error there is no store to tell of
local.snapshot().store
// @ts-expect-error a limiter of the other store
remote.consumeAll([{ limiter: near, key: 'a' }])
remote.consumeAll([{ limiter: far, key: 'a', cost: 2 }])

spillway({ redis: ['redis://10.0.0.1', 'redis://10.0.0.2'] })
spillway({
  redis: { urls: ['redis://10.0.0.1'], sentinel: { master: 'main', password: 'x' }, password: 'y', database: 2 },
})
spillway({ redis: { url: 'rediss://h', tls: { ca: [new Uint8Array()], rejectUnauthorized: true }, deadline: '20ms' } })
// @ts-expect-error over Redis time is that of Redis
spillway({ redis: 'redis://h', clock: () => 0 })
// @ts-expect-error what is not set must not be memory
spillway({ redis: process.env['REDIS_URL'] })
// @ts-expect-error a cluster is one or it is not
spillway({ redis: { url: 'redis://h', cluster: 'yes' } })

// @ts-expect-error one kind of store is not the other
const _confused: Spillway<'sync'> = remote

same<Equal<ReturnType<typeof local.snapshot>, Snapshot>>()
same<Equal<ReturnType<typeof local.close>, Promise<void>>>()
const reported = local.snapshot().limiters['chat']
reported?.limits[0]?.windowMs satisfies number | undefined
reported?.limits[0]?.provenance['limit'] satisfies string | undefined
reported?.shadowed satisfies number | undefined
reported?.config.limit satisfies number | undefined

same<Equal<ReturnType<typeof local.consumeAll>, Decision>>()
same<Equal<ReturnType<typeof remote.consumeAll>, Promise<Decision>>>()
same<Equal<ReturnType<typeof far.consumeMany>, Promise<Decision[]>>>()
same<Equal<ReturnType<typeof far.unblock>, Promise<boolean>>>()

spillway({ env: { SPILLWAY_LIMITER_CHAT_LIMIT: '60' } })
spillway({ env: process.env })
spillway({ env: false })
// @ts-expect-error what stands in an environment is text
spillway({ env: { SPILLWAY_LIMITER_CHAT_LIMIT: 60 } })

// @ts-expect-error not an option
spillway({ name: 'api' })
// @ts-expect-error there is no such choice
spillway({ onMismatch: 'ignore' })
// @ts-expect-error a Date is not milliseconds
spillway({ clock: () => new Date() })
