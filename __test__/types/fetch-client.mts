// Owns what the types promise of spillway/fetch-client: it is fetch. Each @ts-expect-error fails by compiling.
// Never runs.

import { breaker, bulkhead, fallback, limiter, policy, presets, retry, shed, spillway } from 'spillway'
import { fetchClient, type FetchCall, type FetchClient, type FetchClientOptions } from 'spillway/fetch-client'
import { Agent, Pool, fetch as undiciFetch } from 'undici'
import { same, type Equal } from './equal.mjs'

const stripe = fetchClient(policy('stripe', presets.http()))
same<Equal<typeof stripe, FetchClient>>()
same<Equal<Awaited<ReturnType<typeof stripe>>, Response>>()

// Wherever a fetch is asked for, it is one.
const _fetch: typeof fetch = stripe
void (
  await stripe('https://api.test', { method: 'POST', body: new URLSearchParams(), signal: AbortSignal.timeout(1) })
).json()
void stripe(new URL('https://api.test'))
void stripe(new Request('https://api.test'), { redirect: 'manual' })
// @ts-expect-error what to fetch?
void stripe()
// @ts-expect-error fetch knows no key: it is said with with()
void stripe('https://api.test', { key: 'acme' })

// What fallbacks answer is not lost.
const feed = fetchClient(
  policy(
    'feed',
    fallback(() => 'stale' as const),
    retry(),
    limiter('feed', { limit: 1, window: '1s' }),
  ),
)
same<Equal<Awaited<ReturnType<typeof feed>>, Response | 'stale'>>()
same<Equal<Awaited<ReturnType<ReturnType<typeof feed.with>>>, Response | 'stale'>>()
// @ts-expect-error it may answer with something else
const _other: typeof fetch = feed

// A primitive alone
same<Equal<ReturnType<typeof fetchClient>, FetchClient>>()
const _guards: FetchClient[] = [
  fetchClient(breaker('stripe')),
  fetchClient(bulkhead('stripe', { limit: 5 })),
  fetchClient(spillway({ redis: 'redis://127.0.0.1' }).bulkhead('stripe', { limit: 5 })),
  fetchClient(shed('stripe')),
]
// @ts-expect-error a limiter calls nothing
fetchClient(limiter('stripe', { limit: 1, window: '1s' }))
// @ts-expect-error nor does a name
fetchClient('stripe')

// Each call
const call: FetchCall = { key: 'acme', cost: 2, priority: 'low', timeout: '2s', idempotent: true }
same<Equal<ReturnType<typeof stripe.with>, FetchClient>>()
void stripe.with(call).with({ key: 'initech' })('https://api.test')
// @ts-expect-error no such unit
stripe.with({ timeout: '2 seconds' })
// @ts-expect-error the signal is fetch's
stripe.with({ signal: AbortSignal.timeout(1) })

// Options
const options: FetchClientOptions = {
  fetch,
  dispatcher: new Agent(),
  retryMethods: ['GET', 'QUERY'],
  idempotencyKey: true,
  retryStatus: [503],
  failStatus: [500, 503],
}
fetchClient(policy('stripe'), options)
fetchClient(policy('stripe'), { fetch: undiciFetch, dispatcher: new Pool('https://api.test') })
fetchClient(policy('stripe'), { fetch: async () => Response.json({}) })
// @ts-expect-error not a dispatcher
fetchClient(policy('stripe'), { dispatcher: {} })
// @ts-expect-error statuses are numbers
fetchClient(policy('stripe'), { retryStatus: ['503'] })
// @ts-expect-error mistyped
fetchClient(policy('stripe'), { retryStatuses: [503] })
