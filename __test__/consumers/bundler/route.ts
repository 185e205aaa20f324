// A guest written in TypeScript for a bundler, with the types of the Web and none of Node. Owns no truth but this: it
// type-checks. Never runs.
import { cache, limiter, spillway, type Answer, type Decision } from 'spillway'
import { limited } from 'spillway/fetch'

export const runtime = 'nodejs'

const search = cache<{ hits: string[] }>('search', { ttl: '30s' })
const chat = limiter('chat', { limit: 30, window: '5m' })
const remote = spillway({ redis: 'redis://127.0.0.1' }).limiter('chat', { limit: 30, window: '5m', failMode: 'closed' })

export const near: Answer<'sync', Decision> = chat.consume('tenant')
export const far: Promise<Decision> = remote.consume('tenant')
// @ts-expect-error the types are those of the package, not `any`
export const wrong: number = chat.consume('tenant')

export const GET = limited(
  async (request: Request) => {
    const found = await search.getOrSet(request.url, async ({ signal }) => {
      const answer = await fetch('http://upstream/', { signal })
      return { hits: [await answer.text()] }
    })
    return Response.json(found.hits)
  },
  chat,
  { key: (request) => request.headers.get('x-tenant') ?? 'anonymous' },
)
