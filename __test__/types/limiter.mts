// Owns what the types promise of limiters, and which mistakes they catch. Each @ts-expect-error fails by compiling.
// Never runs.

import { limiter, Refusal, type ByteSize, type Decision, type Duration, type Limiter } from 'spillway'
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
// @ts-expect-error not in this version
limiter('chat', { limit: 30, window: '5m', algorithm: 'fixed-window' })

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
