// Owns what the types promise of spillway/convex, inside the real Convex builders. Each @ts-expect-error fails by compiling.
// Never runs.

import type {
  RateLimitError as TheirError,
  RateLimitReturns as TheirReturns,
  RateLimiter,
} from '@convex-dev/rate-limiter'
import { actionGeneric, internalActionGeneric, type GenericActionCtx, type GenericDataModel } from 'convex/server'
import { ConvexError, v, type Infer } from 'convex/values'
import { breaker, bulkhead, cache, limiter, spillway } from 'spillway'
import {
  cached,
  checkRateLimit,
  guarded,
  isRateLimitError,
  limited,
  rateLimit,
  type RateLimitError,
  type RateLimitReturns,
  type RefusedError,
} from 'spillway/convex'
import { same, type Equal } from './equal.mjs'

const chat = limiter('chat', { limit: 30, window: '5m' })
const remote = spillway({ redis: 'redis://127.0.0.1' })
const results = cache<{ hits: number[] }>('results', { ttl: '5m' })
const serper = breaker('serper')
const tools = bulkhead('tools', { limit: 3 })

const args = { query: v.string(), page: v.optional(v.number()) }
const validated = v.object(args)

// The action is of the very type it is without guards; ctx is found, and args are said once.
const plain = actionGeneric({ args, handler: async (_ctx, { query }) => ({ hits: [query.length] }) })
const search = actionGeneric({
  args,
  handler: guarded(
    async (ctx, { query, page }: Infer<typeof validated>, { signal, ttl }) => {
      same<Equal<typeof ctx, GenericActionCtx<any>>>()
      same<Equal<typeof page, number | undefined>>()
      same<Equal<typeof signal, AbortSignal>>()
      ttl('1m')
      return { hits: [query.length] }
    },
    {
      limit: {
        limiter: chat,
        key: async (ctx) => (await ctx.auth.getUserIdentity())?.subject ?? 'anonymous',
        cost: (_ctx, { page }) => page ?? 1,
        override: (_ctx, { query }) => (query === '' ? { limit: 1 } : undefined),
        refund: ({ ok }) => !ok,
      },
      cache: { cache: results, key: (_ctx, { query, page = 1 }) => `${query}:${page}`, ttl: '10m' },
      run: [serper, tools],
      ConvexError,
    },
  ),
})
same<Equal<typeof search, typeof plain>>()

actionGeneric({
  args,
  returns: v.number(),
  handler: guarded(async (_ctx, { query }: { query: string }) => query.length),
})
actionGeneric({
  args,
  // @ts-expect-error the validators say a string
  handler: guarded(async (_ctx, { query }: { query: number }) => query),
})
actionGeneric({
  args,
  returns: v.string(),
  // @ts-expect-error the validator says a string
  handler: guarded(async (_ctx, { query }: { query: string }) => query.length),
})
internalActionGeneric({
  args,
  handler: limited(async (_ctx, { query }: { query: string }) => query, chat, { key: (_ctx, { query }) => query }),
})

// The wrappers keep whatever types a handler has.
type Ctx = GenericActionCtx<GenericDataModel>
const one = limited(
  (_ctx: Ctx, { id }: { id: string }) => id.length,
  remote.limiter('far', { limit: 1, window: '1s', failMode: 'open' }),
  {
    key: (ctx, { id }) => `${typeof ctx.auth}:${id}`,
    refund: 'failed',
  },
)
same<Equal<typeof one, (ctx: Ctx, args: { id: string }) => Promise<number>>>()
const two = cached(async (_ctx: Ctx, { id }: { id: string }) => ({ id }), remote.cache('far'), {
  key: async (_ctx, { id }) => id,
})
same<Equal<typeof two, (ctx: Ctx, args: { id: string }) => Promise<{ id: string }>>>()
guarded(two, { run: { run: (fn) => serper.run(fn) } })
// @ts-expect-error who is charged?
limited(async (_ctx: Ctx) => 1, chat, {})
// @ts-expect-error under which key?
cached(async (_ctx: Ctx) => 1, results, { ttl: '1m' })
// @ts-expect-error args are not a key
limited(async (_ctx: Ctx, given: { id: string }) => given, chat, { key: (_ctx, given) => given })
// @ts-expect-error a limiter runs nothing
guarded(async (_ctx: Ctx) => 1, { run: chat })
// @ts-expect-error a cache is no limiter
guarded(async (_ctx: Ctx) => 1, { limit: { limiter: results, key: () => 'all' } })

// What is answered and thrown is what users of the component know.
same<Equal<RateLimitReturns, Extract<TheirReturns, { ok: false }> | { ok: true; retryAfter?: number }>>()
const theirs: TheirReturns = await rateLimit(chat, 'user', { count: 2, reserve: true, throws: true, ConvexError })
const ours: RateLimitReturns = theirs
same<Equal<RateLimitError, TheirError>>()
same<Equal<Awaited<ReturnType<RateLimiter['limit']>>, TheirReturns>>()
if (!ours.ok) ours.retryAfter.toFixed()
const status = await checkRateLimit(remote.limiter('far', { limit: 1, window: '1s', failMode: 'open' }), 'user', {
  count: 2,
})
same<Equal<typeof status, RateLimitReturns>>()
await rateLimit(chat, 'user', { reserve: { maxWait: '1h' } })
// @ts-expect-error nothing is reserved by looking
await checkRateLimit(chat, 'user', { reserve: true })

const thrown: unknown = new ConvexError({ kind: 'RateLimited', name: 'chat', retryAfter: 1 })
if (isRateLimitError(thrown)) same<Equal<typeof thrown.data, RateLimitError>>()
declare const refused: RefusedError
same<Equal<Extract<typeof refused.code, 'E_LIMITED'>, never>>()
// What is thrown can be the data of a ConvexError.
new ConvexError({ ...refused })
