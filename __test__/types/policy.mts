// Owns what the types promise of policies: what a call answers with, which strategies and options there are. Each @ts-expect-error
// fails by compiling. Never runs.

import {
  bulkhead,
  breaker,
  cache,
  fallback,
  hedge,
  limiter,
  policy,
  presets,
  retry,
  shed,
  spillway,
  timeout,
  type Attempt,
  type CallContext,
  type FallbackOf,
  type FallbackStrategy,
  type HttpPreset,
  type Policy,
  type PolicyCall,
  type PolicySnapshot,
  type RefusalInfo,
  type RetryOptions,
  type Strategy,
} from 'spillway'
import { chaos } from 'spillway/testing'
import { same, type Equal } from './equal.mjs'

interface User {
  readonly id: string
}
const load = async (_call: CallContext): Promise<User> => ({ id: 'a' })

// ---------------------------------------------------------------- what a call answers with

const plain = policy('users', timeout('5s'), retry(), breaker('db'), bulkhead('db', { limit: 5 }), hedge())
same<Equal<typeof plain, Policy<never>>>()
same<Equal<ReturnType<typeof policy>, Policy<unknown>>>()
same<Equal<Policy, Policy<never>>>()
const user = plain.run(load)
same<Equal<typeof user, Promise<User>>>()
const attempted = plain.attempt(load)
same<Equal<typeof attempted, Promise<Attempt<User>>>>()

const atOnce = plain.run(() => 7 as number)
same<Equal<typeof atOnce, Promise<number>>>()
const nothing = plain.run(() => {})
same<Equal<typeof nothing, Promise<void>>>()
const thrown = plain.run(() => {
  throw new Error('down')
})
same<Equal<typeof thrown, Promise<never>>>()
const thenable = plain.run((): PromiseLike<User> => load({} as CallContext))
same<Equal<typeof thenable, Promise<User>>>()
const either = plain.run((): User | Promise<null> => ({ id: 'b' }))
void either

plain.run((call) => {
  same<Equal<typeof call, CallContext>>()
  same<Equal<typeof call.signal, AbortSignal>>()
  same<Equal<typeof call.remainingMs, number>>()
  // @ts-expect-error it is told, not set
  call.attempt = 3
  return fetch('https://example.com', { signal: call.signal })
}) satisfies Promise<Response>

// A fallback widens the answer, and nothing is lost to any.
const widened = policy(
  'users',
  fallback(() => null),
  retry(),
)
same<Equal<typeof widened, Policy<null>>>()
const userOrNull = widened.run(load)
same<Equal<typeof userOrNull, Promise<User | null>>>()
const attemptOrNull = widened.attempt(load)
same<Equal<typeof attemptOrNull, Promise<Attempt<User | null>>>>()

const literal = policy(
  'users',
  fallback(() => 'instead'),
)
same<Equal<typeof literal, Policy<'instead'>>>()
const asynchronous = policy(
  'users',
  fallback(async (): Promise<number> => 5),
)
same<Equal<typeof asynchronous, Policy<number>>>()
const throwing = policy(
  'users',
  fallback((error) => {
    same<Equal<typeof error, unknown>>()
    throw error
  }),
)
same<Equal<typeof throwing, Policy<never>>>()
const several = policy(
  'users',
  fallback(() => null),
  timeout(5),
  fallback((): readonly User[] => []),
  breaker('db'),
)
same<Equal<typeof several, Policy<null | readonly User[]>>>()
const typed: FallbackStrategy<boolean> = fallback((): boolean => true, { when: (error) => error instanceof TypeError })
const kept = policy('users', typed)
same<Equal<typeof kept, Policy<boolean>>>()

same<Equal<FallbackOf<[]>, never>>()
same<Equal<FallbackOf<readonly [ReturnType<typeof retry>, FallbackStrategy<1>, FallbackStrategy<2>]>, 1 | 2>>()
// Of strategies that are known only by then, anything may be the answer; but unknown, not any.
const listed: Strategy[] = [retry()]
const unknowing = policy('users', ...listed)
same<Equal<typeof unknowing, Policy<unknown>>>()
const anything = unknowing.run(load)
same<Equal<typeof anything, Promise<unknown>>>()

// The same of a spillway, and without strategies.
const sp = spillway()
const own = sp.policy(
  'own',
  fallback(() => 0 as const),
  sp.limiter('l', { limit: 5, window: '1s' }),
)
same<Equal<typeof own, Policy<0>>>()
const bare = sp.policy('bare')
same<Equal<typeof bare, Policy<never>>>()

// An attempt is told apart by its ok.
async function judged(): Promise<string> {
  const answer = await widened.attempt(load)
  if (answer.ok) {
    same<Equal<typeof answer.value, User | null>>()
    return answer.value?.id ?? 'nobody'
  }
  same<Equal<typeof answer.refusal, RefusalInfo>>()
  return answer.refusal.cause === undefined ? answer.refusal.code : answer.refusal.primitive
}
void judged

// ---------------------------------------------------------------- bind

const charge = plain.bind((account: string, cents: number) => Promise.resolve({ account, cents }), {
  key: (account, cents) => {
    same<Equal<[typeof account, typeof cents], [string, number]>>()
    return account
  },
  cost: (_account, cents) => cents,
})
same<Equal<Parameters<typeof charge>, [account: string, cents: number]>>()
const charged = charge('a', 5)
same<Equal<typeof charged, Promise<{ account: string; cents: number }>>>()
// @ts-expect-error an argument is missing
charge('a')
// @ts-expect-error the key is a string
plain.bind((account: number) => account, { key: (account) => account })
// @ts-expect-error and is there at once
plain.bind((account: string) => account, { key: async (account) => account })
// @ts-expect-error there is no such option
plain.bind(() => 1, { priority: () => 'low' })
// @ts-expect-error the function itself, not its answer
plain.bind(Promise.resolve(7))

const list = (id: string, verbose = false, ...tags: string[]) => [id, verbose, ...tags].length
const optional = plain.bind(list)
same<Equal<Parameters<typeof optional>, [id: string, verbose?: boolean | undefined, ...tags: string[]]>>()
const counted = optional('a', true, 'x', 'y')
same<Equal<typeof counted, Promise<number>>>()

const boundOrNull = widened.bind(async (id: string): Promise<User> => ({ id }))
same<Equal<ReturnType<typeof boundOrNull>, Promise<User | null>>>()
const sync = widened.bind(() => 7 as number)
same<Equal<ReturnType<typeof sync>, Promise<number | null>>>()

class Repository {
  constructor(readonly users: readonly User[]) {}
  find = plain.bind(function (this: Repository, id: string) {
    return this.users.find((each) => each.id === id)
  })
}
const found = new Repository([]).find('a')
same<Equal<typeof found, Promise<User | undefined>>>()
const { find } = new Repository([])
// @ts-expect-error it has lost its repository
void find('a')

const identity = plain.bind(<T,>(value: T) => value)
const itself = identity({ id: 'a' } as const)
same<Equal<typeof itself, Promise<{ readonly id: 'a' }>>>()

// ---------------------------------------------------------------- strategies

policy(
  'all',
  timeout(5),
  retry(),
  hedge(),
  fallback(() => 1),
  limiter('l', presets.otp),
  breaker('b'),
  bulkhead('s', { limit: 1 }),
  shed('f'),
)
policy('preset', presets.http()) satisfies Policy
same<Equal<ReturnType<typeof presets.http>, HttpPreset>>()
policy('storm', retry(), chaos({ failure: 0.5 })) satisfies Policy
// @ts-expect-error a cache answers by itself
policy('cached', cache('users'))
// @ts-expect-error call it
policy('uncalled', retry)
// @ts-expect-error a policy is no strategy
policy('nested', plain)
// @ts-expect-error a preset of limits is no limiter
policy('limits', presets.otp)
// @ts-expect-error nor is a number a timeout
policy('number', 5000)
// @ts-expect-error it has a name
policy(retry())

timeout(250)
timeout('1.5s')
// @ts-expect-error how long
timeout()
// @ts-expect-error no such unit
timeout('5 minutes')
// @ts-expect-error there is no such thing
timeout({ ms: 5 })

retry({})
retry({ max: 5, budget: 0.1, base: '50ms', cap: '2s', maxWait: '1m' })
retry({ budget: { ratio: 0.1 } })
retry({ budget: { floor: 5 } })
retry({ budget: false })
retry({
  when: (settled, { attempt }) => {
    same<Equal<typeof attempt, number>>()
    if (settled.ok) same<Equal<typeof settled.value, unknown>>()
    else same<Equal<typeof settled.error, unknown>>()
    return !settled.ok
  },
})
const retries: RetryOptions = { max: 2 }
retry(retries)
// @ts-expect-error they are called max
retry({ retries: 3 })
// @ts-expect-error no bound is false
retry({ budget: true })
// @ts-expect-error mistyped
retry({ budget: { rate: 0.1 } })
// @ts-expect-error at once, not a promise of it
retry({ when: async () => true })
// @ts-expect-error a number by itself says nothing
retry(3)

hedge({ after: '50ms', max: 2, budget: false })
// @ts-expect-error the live percentile is the default
hedge({ after: 'p95' })
// @ts-expect-error a hedge does not look at the answer
hedge({ when: () => true })

// @ts-expect-error the answer is made when it is needed
fallback(null)
// @ts-expect-error a boolean
fallback(() => null, { when: () => 'yes' })

presets.http({
  limiter: presets.auth,
  timeout: '20s',
  retry: { max: 1 },
  breaker: { failureRate: 0.3 },
  bulkhead: { limit: 5 },
})
presets.http({ limiter: limiter('l', presets.otp), breaker: breaker('b'), bulkhead: false, attemptTimeout: false })
presets.http({ limiter: [presets.auth, presets.otp] })
// @ts-expect-error there is none in the standard order
presets.http({ hedge: {} })
// @ts-expect-error a bulkhead has a limit
presets.http({ bulkhead: {} })
// @ts-expect-error none is false
presets.http({ breaker: true })

const strategy = retry()
strategy.kind satisfies 'retry'
// @ts-expect-error it is what it was made
strategy.max = 5

// ---------------------------------------------------------------- the call

const { signal } = new AbortController()
plain.run(load, { signal, key: 'tenant', cost: 3, priority: 'high', timeout: '2s' })
plain.attempt(load, { timeout: Infinity })
plain.run(load, undefined)
plain.run(({ remainingMs }) => plain.run(load, { timeout: remainingMs }))
const call: PolicyCall = { key: 'tenant' }
plain.run(load, call)
// @ts-expect-error the call, not its result
plain.run(Promise.resolve(7))
// @ts-expect-error nothing else is handed in
plain.run((_call, extra: string) => extra)
// @ts-expect-error one of the four words
plain.run(load, { priority: 'urgent' })
// @ts-expect-error mistyped
plain.run(load, { timeOut: '2s' })
// @ts-expect-error a key is a string
plain.run(load, { key: 7 })
// @ts-expect-error the signal, not its controller
plain.run(load, { signal: new AbortController() })

// ---------------------------------------------------------------- what is told

const off = plain.on('retry', ({ policy, attempt, waitMs, error, value }) => {
  same<Equal<typeof policy.name, string>>()
  same<Equal<[typeof attempt, typeof waitMs], [number, number]>>()
  same<Equal<[typeof error, typeof value], [unknown, unknown]>>()
})
same<Equal<typeof off, () => void>>()
plain.on('hedge', ({ afterMs }) => afterMs satisfies number)
plain.on('timeout', ({ afterMs }) => afterMs satisfies number)
plain.on('fallback', ({ error }) => void error)
plain.on('ended', ({ ms, key, outcome, error }) => {
  same<Equal<[typeof ms, typeof key, typeof error], [number, string | undefined, unknown]>>()
  same<Equal<typeof outcome, 'ok' | 'failed' | 'refused'>>()
})
plain.on('exhausted', ({ attempt }) => attempt satisfies number)
// @ts-expect-error there is no such event
plain.on('retries', () => {})
// @ts-expect-error nor has a fallback a wait
plain.on('fallback', ({ waitMs }) => waitMs)

same<Equal<typeof plain.kind, 'policy'>>()
// @ts-expect-error a name stays
plain.name = 'other'
sp.snapshot().policies['users'] satisfies PolicySnapshot | undefined
sp.snapshot().policies['users']?.latency.p95Ms satisfies number | undefined
sp.snapshot().budgets['users']?.config.ratio satisfies number | undefined
plain.dispose() satisfies void
