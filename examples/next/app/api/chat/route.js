// POST /api/chat: three messages at once, then one every twenty seconds, for each tenant.
// Never on the edge runtime: limits live in native memory.
import { limited } from 'spillway/next'
import { messages, tenantOf } from '../../../limits.js'

export const runtime = 'nodejs'

export const POST = limited(async () => Response.json({ reply: 'Yes.' }), messages, { key: tenantOf })
