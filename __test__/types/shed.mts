// The contract of the guard against overload: which calls compile, and what they answer with. Never runs.
import { shed, spillway } from 'spillway'
import type { Attempt, Priority, RefusalInfo, Shed, ShedReport } from 'spillway'
import { same, type Equal } from './equal.mjs'

const front = shed('front')
same<Equal<typeof front, Shed>>()
spillway().shed('front', { delay: '50ms', utilization: 0.98, interval: 500, measure: () => 7 }) satisfies Shed
same<Equal<Priority, 'low' | 'normal' | 'high' | 'critical'>>()
// @ts-expect-error there is no such option
shed('front', { latency: '50ms' })
// @ts-expect-error milliseconds at once, not a promise of them
shed('front', { measure: async () => 7 })

same<Equal<ReturnType<Shed['admit']>, RefusalInfo | null>>()
front.admit()
front.admit('critical')
const asked: Priority = 'low'
front.admit(asked)
// @ts-expect-error one of the four words
front.admit('urgent')
// @ts-expect-error nor a number
front.admit(1)

const { signal } = new AbortController()
same<Equal<Awaited<ReturnType<typeof front.run<number>>>, number>>()
front.run(() => 7, { priority: 'low', signal }) satisfies Promise<number>
front.run(async (call) => call.signal.aborted) satisfies Promise<boolean>
front.attempt(() => 7) satisfies Promise<Attempt<number>>
// @ts-expect-error the call, not its result
front.run(Promise.resolve(7))
// @ts-expect-error there is no such priority
front.run(() => 7, { priority: 'urgent' })

same<Equal<typeof front.kind, 'shed'>>()
same<Equal<typeof front.state, 'calm' | 'shedding'>>()
// @ts-expect-error it moves by itself
front.state = 'calm'
const report: ShedReport = front.report()
report.refused.critical satisfies number
report.refusing.high satisfies number
// @ts-expect-error critical is never refused
report.refusing.critical
report.reading.waitMs satisfies number
spillway().snapshot().sheds['front'] satisfies ShedReport | undefined
