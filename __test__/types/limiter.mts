// Owns what the types promise of limiters, and which mistakes they catch. Each @ts-expect-error fails by compiling.
// Never runs.

import {
  consumeAll,
  limiter,
  presets,
  Refusal,
  type ByteSize,
  type Decision,
  type Duration,
  type LimitInfo,
  type Limiter,
  type LimiterEvent,
  type LimiterOptions,
  type Reservation,
} from 'spillway'
import { same, type Equal } from './equal.mjs'

// Durations
const _durations: Duration[] = [250, '250ms', '1.5s', '5m', '2h', '1d']
// @ts-expect-error units are written short
const _long: Duration = '5 minutes'
// @ts-expect-error a number in quotes has no unit
const _unitless: Duration = '250'
// @ts-expect-error a unit alone is no duration
const _numberless: Duration = 'ms'
// @ts-expect-error units are lower case
const _loud: Duration = '5M'

const _sizes: ByteSize[] = [65_536, '64kb', '64mb', '1gb']
// @ts-expect-error sizes are in units of 1024 and written as kb
const _binary: ByteSize = '64KiB'

// Options
const chat = limiter('chat', { limit: 30, window: '5m', burst: 60, algorithm: 'token-bucket', maxKeys: 10_000 })
same<Equal<typeof chat, Limiter<'sync'>>>()
// @ts-expect-error the limit is missing
limiter('chat', { window: '5m' })
// @ts-expect-error the window is missing
limiter('chat', { limit: 30 })
// @ts-expect-error the options are missing
limiter('chat')
// @ts-expect-error not a duration
limiter('chat', { limit: 30, window: '5min' })
// @ts-expect-error a limit is a number
limiter('chat', { limit: '30', window: '5m' })
// @ts-expect-error mistyped
limiter('chat', { limit: 30, window: '5m', bursts: 60 })
limiter('chat', { limit: 30, window: '5m', algorithm: 'fixed-window', shadow: true })
limiter('chat', {
  limit: 30,
  window: '5m',
  algorithm: 'sliding-window',
  env: { limit: 'MAX', window: 'MS', burst: 'B' },
})
limiter('chat', { limit: 30, window: '5m', env: false })
// @ts-expect-error there is no such algorithm
limiter('chat', { limit: 30, window: '5m', algorithm: 'leaky-bucket' })
// @ts-expect-error only these three are overridden from outside
limiter('chat', { limit: 30, window: '5m', env: { maxKeys: 'MAX_KEYS' } })
// @ts-expect-error true would say nothing that is not the default
limiter('chat', { limit: 30, window: '5m', env: true })
// @ts-expect-error a shadow is or is not
limiter('chat', { limit: 30, window: '5m', shadow: 'true' })

// Several limits
const api = limiter('api', [
  { limit: 20, window: '1s' },
  { limit: 5000, window: '1d', algorithm: 'fixed-window', name: 'daily' },
])
same<Equal<typeof api, Limiter<'sync'>>>()
same<Equal<typeof api.limits, readonly LimitInfo[]>>()
const readonlyLimits: readonly LimiterOptions[] = [{ limit: 1, window: 1 }]
limiter('api', readonlyLimits)
limiter('api', [presets.chat, { ...presets.otp, limit: 4, name: 'mine' }])
// @ts-expect-error each has its window
limiter('api', [{ limit: 20, window: '1s' }, { limit: 5000 }])
// @ts-expect-error what limits there are is read, not written
api.limits = []
// @ts-expect-error nor may one be added
api.limits.push(api.limits[0])
// @ts-expect-error or changed
api.limits[0].limit = 7

// Decisions
const decision = chat.consume('tenant-7', 3)
same<Equal<typeof decision, Decision>>()
same<Equal<Decision['reason'], 'allowed' | 'limited' | 'blocked' | 'impossible' | 'store-unavailable'>>()
const { ok, remaining, retryAfterMs, resetMs, cost, limiter: spokenBy } = decision
same<Equal<[typeof ok, typeof remaining, typeof retryAfterMs], [boolean, number, number]>>()
same<Equal<[typeof resetMs, typeof cost, typeof spokenBy], [number, number, string]>>()
same<Equal<ReturnType<typeof chat.refund>, void>>()
chat.refund('tenant-7', decision)
// @ts-expect-error a decision says what was decided and stays so
decision.ok = true
// @ts-expect-error a key is a string
chat.consume(7)
// @ts-expect-error a key is needed
chat.consume()
// @ts-expect-error what is given back is a decision, not a number of units
chat.refund('tenant-7', 3)
// @ts-expect-error what a limiter was made with is read, not written
chat.limit = 31

same<Equal<ReturnType<typeof Refusal.of>, Refusal>>()

// Plans
chat.consume('tenant-7', 1, { limit: 60 })
chat.peek('tenant-7', 1, { window: '1h', burst: 5 })
// @ts-expect-error an override is a rate, not a number
chat.consume('tenant-7', 1, 60)
// @ts-expect-error what cannot differ by key is the limiter's
chat.consume('tenant-7', 1, { algorithm: 'fixed-window' })

// Reservations
const reservation = chat.reserve('tenant-7', 1, { maxWait: '2s' })
same<Equal<typeof reservation, Reservation>>()
same<Equal<typeof reservation.waitMs, number>>()
reservation satisfies Decision
chat.refund('tenant-7', reservation)
// @ts-expect-error how long one would wait has to be said
chat.reserve('tenant-7', 1)
// @ts-expect-error in a duration
chat.reserve('tenant-7', 1, { maxWait: 'soon' })
// @ts-expect-error a plain decision does not wait
const _wait: number = decision.waitMs

// Blocks
same<Equal<ReturnType<typeof chat.block>, void>>()
same<Equal<ReturnType<typeof chat.unblock>, boolean>>()
chat.block('tenant-7', '5m')
// @ts-expect-error for how long has to be said
chat.block('tenant-7')

// Many at once
same<Equal<ReturnType<typeof chat.consumeMany>, Decision[]>>()
const frozenKeys: readonly string[] = ['a', 'b']
chat.consumeMany(frozenKeys, [1, 2])
// @ts-expect-error keys are strings
chat.consumeMany([1, 2])

// Several limiters at once
same<Equal<ReturnType<typeof consumeAll>, Decision>>()
consumeAll([
  { limiter: chat, key: 'tenant-7' },
  { limiter: api, key: 'ada', cost: 2 },
])
// @ts-expect-error every charge has its key
consumeAll([{ limiter: chat }])
// @ts-expect-error a list of charges
consumeAll({ limiter: chat, key: 'tenant-7' })

// Listeners
const off = chat.on('limited', (event) => {
  same<Equal<typeof event, LimiterEvent>>()
  event.decision.retryAfterMs satisfies number
})
same<Equal<typeof off, () => void>>()
// @ts-expect-error admissions are not told
chat.on('allowed', () => {})

// Shadows
same<Equal<Decision['shadowed'], true | undefined>>()
