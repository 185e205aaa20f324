// The server action behind the form: two entries at once for each tenant, then one every thirty seconds.
// Never throws to say no: in production Next would hide the message, so a refusal is an answer.
'use server'

import { headers } from 'next/headers'
import { limitedAction } from 'spillway/next'
import { entries, tenantOf } from '../../limits.js'

export const sign = limitedAction(
  async (_previous, form) => ({ ok: true, message: `Thank you, ${form.get('name')}.` }),
  entries,
  { key: async () => tenantOf({ headers: await headers() }) },
)
