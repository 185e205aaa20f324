// The form: it shows what the action answered, a refusal among it, with JavaScript in the browser and without.
// Never guesses why: `error` says what to show, `retryAfterMs` when to come back.
'use client'

import { useActionState } from 'react'
import { sign } from './actions.js'

export function Form() {
  const [answer, action, pending] = useActionState(sign, null)
  return (
    <form action={action}>
      <input name="name" required />
      <button disabled={pending}>Sign</button>
      <p>{answer && (answer.ok ? answer.message : refused(answer))}</p>
    </form>
  )
}

function refused({ error, retryAfterMs }) {
  if (error === 'rate_limited') return `Too many entries: again in ${Math.ceil(retryAfterMs / 1000)} s.`
  return 'Please try again later.'
}
