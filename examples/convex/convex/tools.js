// The actions of a chat: a web search behind limit, cache, breaker and bulkhead, and a link code behind a limit.
// Never a query or a mutation: those run without Node.
'use node'

import { randomInt } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
// In a project: import { action } from './_generated/server'
import { actionGeneric as action } from 'convex/server'
import { ConvexError, v } from 'convex/values'
import { guarded, limited } from 'spillway/convex'
import { chat, linkCodes, searches, serper, tools } from './limits.js'

export const searchWeb = action({
  args: { query: v.string() },
  handler: guarded(search, {
    limit: { limiter: chat, key: userOf, refund: 'failed' },
    cache: { cache: searches, key: (_ctx, { query }) => query.trim().toLowerCase() },
    run: [serper, tools],
  }),
})

export const requestLinkCode = action({
  args: {},
  handler: limited(async () => String(randomInt(1_000_000)).padStart(6, '0'), linkCodes, { key: userOf }),
})

/** Stands in for the call of a search service that has an outage of its own. */
async function search(_ctx, { query }, { signal }) {
  await wait(20, undefined, { signal })
  if (query === 'outage') throw new Error('the search service answered 500')
  return { query, at: Date.now() }
}

async function userOf(ctx) {
  const user = await ctx.auth.getUserIdentity()
  if (user === null) throw new ConvexError({ kind: 'Unauthenticated' })
  return user.subject
}
