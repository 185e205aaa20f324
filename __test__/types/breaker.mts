// Owns what the types promise of breakers and refusals. Each @ts-expect-error fails by compiling.
// Never runs.

import {
  breaker,
  isRefusal,
  Refusal,
  type Attempt,
  type BreakerPermit,
  type BreakerState,
  type BreakerTransition,
  type ProblemDetails,
  type RefusalInfo,
  type SavedBreaker,
} from 'spillway'
import { same, type Equal } from './equal.mjs'

const upstream = breaker('upstream')
breaker('upstream', { window: '60s', failureRate: 0.5, minCalls: 10, consecutive: 5, probes: 3, probeTimeout: '15s' })
breaker('upstream', { slow: { over: '2s', rate: 0.8 }, open: { for: '5s', max: '60s', jitter: 0 } })
breaker('upstream', { open: '5s' })
breaker('upstream', { classify: (settled) => (settled.ok || settled.error instanceof TypeError ? 'ok' : 'fail') })
breaker('upstream', { window: { calls: 100 }, perKey: true, maxKeys: 50, env: { window: 'STRIPE_WINDOW' } })
breaker('upstream', { env: false, onTransition: ({ breaker, key, from, to }) => [breaker.name, key?.length, from, to] })
// @ts-expect-error calls or a time?
breaker('upstream', { window: {} })
// @ts-expect-error how slow calls are told from others is no knob
breaker('upstream', { env: { slow: 'SLOW' } })
// @ts-expect-error slow over what?
breaker('upstream', { slow: { rate: 0.8 } })
// @ts-expect-error how long it stays open is missing
breaker('upstream', { open: { jitter: 0 } })
// @ts-expect-error a call ends as ok, fail or ignore
breaker('upstream', { classify: () => 'failure' })
// @ts-expect-error there is a value or an error, and only `ok` says which
breaker('upstream', { classify: (settled) => (settled.error ? 'fail' : 'ok') })

// run passes on the type of what the function answers, promise or not.
same<Equal<Awaited<ReturnType<typeof upstream.run<number>>>, number>>()
const now = upstream.run(() => 7)
const later = upstream.run(async ({ signal }) => (signal.aborted ? undefined : 'seven'))
same<Equal<typeof now, Promise<number>>>()
same<Equal<typeof later, Promise<'seven' | undefined>>>()
void upstream.run(() => 7, { signal: AbortSignal.timeout(100) })
// @ts-expect-error a promise is not something to call
void upstream.run(Promise.resolve(7))
// @ts-expect-error the signal is read from the call, which is the only argument
void upstream.run((call: { signal: AbortSignal }, more: string) => more)

// A refusal of attempt is data, and `ok` tells which of the two it is.
const attempt = await upstream.attempt(() => 7)
same<Equal<typeof attempt, Attempt<number>>>()
if (attempt.ok) same<Equal<typeof attempt.value, number>>()
else same<Equal<typeof attempt.refusal, RefusalInfo>>()
// @ts-expect-error there may be no value
const _unchecked: number = attempt.value

const permit = upstream.enter()
same<Equal<typeof permit, BreakerPermit | null>>()
// @ts-expect-error null is a no, and has no permit to give back
upstream.exit(permit, 'ok')
if (permit) upstream.exit(permit, 'fail', 12)
// @ts-expect-error a call ends as ok, fail or ignore
if (permit) upstream.exit(permit, 'failed')

same<Equal<typeof upstream.state, BreakerState>>()
switch (upstream.state) {
  case 'closed':
  case 'open':
  case 'half-open':
  case 'isolated':
    break
  default:
    upstream.state satisfies never
}
// @ts-expect-error states change by isolate() and reset()
upstream.state = 'open'

// With keys
same<Equal<ReturnType<typeof upstream.stateOf>, BreakerState>>()
void upstream.run(() => 7, { key: 'tenant-7' })
void upstream.attempt(() => 7, { key: 'tenant-7', signal: AbortSignal.timeout(100) })
upstream.enter('tenant-7') satisfies BreakerPermit | null
upstream.isolate('tenant-7')
upstream.reset('tenant-7')
// @ts-expect-error a key is a string
void upstream.run(() => 7, { key: 7 })

// What it tells
const off = upstream.on('transition', (transition) => same<Equal<typeof transition, BreakerTransition>>())
off()
upstream.on('refused', ({ retryAfterMs }) => same<Equal<typeof retryAfterMs, number | undefined>>())
// @ts-expect-error not an event of a breaker
upstream.on('opened', () => {})

// What it leaves behind
const saved = upstream.snapshot()
same<Equal<typeof saved, SavedBreaker>>()
upstream.restore(saved, { maxAge: '5m' }) satisfies boolean
// @ts-expect-error data of a breaker, not text
upstream.restore(JSON.stringify(saved))

// Refusals
try {
  await upstream.run(() => 7)
} catch (error) {
  if (isRefusal(error)) same<Equal<typeof error, Refusal>>()
  if (error instanceof Refusal) {
    same<Equal<typeof error.status, 429 | 503 | 504>>()
    same<Equal<ReturnType<typeof error.toProblem>, ProblemDetails>>()
    same<Equal<typeof error.retryAfterMs, number | undefined>>()
    if (error.code === 'E_OPEN') error.primitive satisfies string
    // @ts-expect-error not a code of a refusal
    if (error.code === 'E_CLOSED') error.primitive satisfies string
  }
}
new Refusal({ code: 'E_SHED', primitive: 'door', retryAfterMs: 100 }) satisfies Error & RefusalInfo
// @ts-expect-error who refused?
new Refusal({ code: 'E_SHED' })
