// GET /api/search?q=…: a slow search behind a cache and a breaker; what is refused becomes 503 or 504.
// Never on the edge runtime: the cache lives in native memory.
import { setTimeout as wait } from 'node:timers/promises'
import { refusals } from 'spillway/next'
import { results, upstream } from '../../../limits.js'

export const runtime = 'nodejs'

export const GET = refusals(async (request) => {
  const query = request.nextUrl.searchParams.get('q') ?? ''
  return Response.json(await results.getOrSet(query, () => upstream.run(() => slowly(query))))
})

async function slowly(query) {
  await wait(200)
  return { query, found: query.length, at: Date.now() }
}
