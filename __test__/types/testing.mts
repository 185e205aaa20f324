// The contract of spillway/testing: a manual clock is a clock for a spillway, a storm is a strategy. Never runs.
import { retry, spillway } from 'spillway'
import { chaos, manualClock } from 'spillway/testing'
import type { Chaos, ChaosFate, ManualClock } from 'spillway/testing'
import { same, type Equal } from './equal.mjs'

const clock = manualClock()
same<Equal<typeof clock, ManualClock>>()
manualClock(Date.UTC(2026, 0, 1))
spillway({ clock })
clock() satisfies number
clock.now satisfies number
clock.advance('5s') satisfies number
clock.advance(250)
clock.set(0) satisfies number
// @ts-expect-error no such unit
clock.advance('5 minutes')
// @ts-expect-error a time, not a span
clock.set('5s')
// @ts-expect-error it is moved by advance() and set()
clock.now = 7
// @ts-expect-error milliseconds
manualClock('5s')

const storm = chaos({
  seed: 7,
  failure: 0.3,
  throwSync: 0.01,
  hang: 0.01,
  latency: { p50: '20ms', p99: 800 },
  error: (call) => new Error(String(call)),
  schedule: [{ for: '10s', failure: 1 }, { for: '30s', latency: { min: 0, max: '1s' } }, {}],
  clock,
})
same<Equal<typeof storm, Chaos>>()
chaos()
chaos({ latency: '20ms', answer: () => new Response(null, { status: 503 }) })
chaos({ schedule: [{ for: { calls: 2 }, failure: 1 }, {}] })
// @ts-expect-error no such unit
chaos({ latency: '20 milliseconds' })
// @ts-expect-error both ends, or both percentiles
chaos({ latency: { p50: 20 } })
// @ts-expect-error no such option
chaos({ failures: 0.3 })

const send = storm.wrap((to: string, count?: number) => ({ to, count: count ?? 1 }))
same<Equal<Parameters<typeof send>, [to: string, count?: number]>>()
same<Equal<ReturnType<typeof send>, Promise<{ to: string; count: number }>>>()
const later = storm.wrap(async (signal: AbortSignal) => signal.aborted)
same<Equal<typeof later, (signal: AbortSignal) => Promise<boolean>>>()
storm.fate(7).fate satisfies ChaosFate
storm.log[0].aborted satisfies boolean
storm.log[0].phase satisfies number | null
// @ts-expect-error it is what has been
storm.log[0].fate = 'ok'
// @ts-expect-error counted by the storm alone
storm.calls = 0
const policy = spillway().policy('send', retry(), storm)
same<Equal<Awaited<ReturnType<typeof policy.run<string>>>, string>>()
