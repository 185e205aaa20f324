// Owns what the actions share, by name: however often Convex evaluates this file in a process, a name is one primitive.
// Never without 'use node': every file in convex/ is deployed, and the default runtime has no native addons.
'use node'

import { spillway } from 'spillway'

// Convex evaluates its functions again when an environment variable was changed; from then on the new figures count.
const sp = spillway({ prefix: 'example', onMismatch: 'replace' })

export const linkCodes = sp.limiter('link-code', {
  limit: 5,
  window: '10m',
  env: { limit: 'RATE_LIMIT_WA_LINK_CODE_MAX', window: 'RATE_LIMIT_WA_LINK_CODE_WINDOW_MS' },
})
export const chat = sp.limiter('chat', { limit: 30, window: '5m' })
export const searches = sp.cache('web-search', { ttl: '5m' })
export const serper = sp.breaker('serper', { consecutive: 3, open: '30s' })
export const tools = sp.bulkhead('tools', { limit: 3, queue: 10 })
