// Owns the primitives of this application, by name: however often a module is evaluated, a name is one primitive.
// Never imported by a client component: it needs Node.
import { spillway } from 'spillway'

const sp = spillway({ prefix: 'example' })

export const messages = sp.limiter('messages', { limit: 3, window: '1m' })
export const entries = sp.limiter('entries', { limit: 2, window: '1m' })
export const reports = sp.limiter('reports', { limit: 2, window: '1m' })
export const results = sp.cache('results', { ttl: '5m' })
export const upstream = sp.breaker('upstream', { consecutive: 5, open: '10s' })

/** Who is charged. Where there is a session, its user is a better answer. */
export const tenantOf = (request) => request.headers.get('x-tenant') ?? 'anonymous'
