// Owns what the types promise of spillway/next. Each @ts-expect-error fails by compiling.
// Never runs, and never imports Next: what it hands to a handler is a Request with more to it, and so are these.

import { limiter, spillway } from 'spillway'
import {
  limited,
  limitedAction,
  proxyLimit,
  refusals,
  shedding,
  type ActionRefusal,
  type LimitedActionOptions,
} from 'spillway/next'
import * as fetched from 'spillway/fetch'
import { same, type Equal } from './equal.mjs'

const chat = limiter('chat', { limit: 30, window: '5m' })
const remote = spillway({ redis: 'redis://127.0.0.1' }).limiter('chat', { limit: 30, window: '5m', failMode: 'open' })

interface NextRequest extends Request {
  readonly nextUrl: URL
}
declare class NextResponse extends Response {
  static next(init?: { headers?: Headers }): NextResponse
}
/** As React declares useActionState. */
declare function useActionState<State, Payload>(
  action: (state: Awaited<State>, payload: Payload) => State | Promise<State>,
  initial: Awaited<State>,
): [state: Awaited<State>, dispatch: (payload: Payload) => void, pending: boolean]

// Route handlers are wrapped by what spillway/fetch exports.
same<Equal<typeof limited, typeof fetched.limited>>()
same<Equal<typeof refusals, typeof fetched.refusals>>()
same<Equal<typeof shedding, typeof fetched.shedding>>()
const GET = limited(
  async (request: NextRequest, context: { params: Promise<{ id: string }> }) =>
    Response.json({ path: request.nextUrl.pathname, id: (await context.params).id }),
  chat,
  { key: (request) => request.nextUrl.searchParams.get('tenant') ?? 'anonymous' },
)
same<Equal<typeof GET, (request: NextRequest, context: { params: Promise<{ id: string }> }) => Promise<Response>>>()

// An action answers what it answers, or a refusal.
const rename = limitedAction(async (id: string, name: string) => ({ id, name }), chat, {
  key: async (id) => id,
  cost: (_id, name) => name.length,
  override: async (id) => (id === '' ? { limit: 1 } : undefined),
})
same<Equal<typeof rename, (id: string, name: string) => Promise<{ id: string; name: string } | ActionRefusal>>>()
const answer = await rename('1', 'one')
if ('error' in answer) same<Equal<typeof answer.error, 'rate_limited' | 'unavailable' | 'timeout'>>()
else same<Equal<typeof answer.name, string>>()

// With useActionState: the refusal is one of the states, or is made into one.
interface State {
  ok: boolean
  sent: string[]
  message?: string
}
const send = limitedAction(
  async (previous: State | ActionRefusal | null, form: FormData) => ({ ok: true, sent: [String(form.get('text'))] }),
  remote,
  { key: () => 'all' },
)
same<
  Equal<
    typeof send,
    (p: State | ActionRefusal | null, f: FormData) => Promise<{ ok: boolean; sent: string[] } | ActionRefusal>
  >
>()
const [state] = useActionState<State | ActionRefusal | null, FormData>(send, null)
if (state && 'error' in state) state.retryAfterMs?.toFixed()

const kept = limitedAction(
  async (previous: State, form: FormData): Promise<State> => ({ ...previous, ok: form.has('x') }),
  chat,
  {
    key: () => 'all',
    onRefused: (refusal, previous) => ({ ...previous, ok: false, message: refusal.error }),
  },
)
const [next, dispatch] = useActionState(kept, { ok: true, sent: [] })
same<Equal<typeof next.sent, string[]>>()
dispatch(new FormData())

const options: LimitedActionOptions<[id: string]> = { key: (id) => id }
limitedAction((id: string) => id, chat, options)
// @ts-expect-error who is charged?
limitedAction(async () => 1, chat, {})
// @ts-expect-error a form is not a key
limitedAction(async (form: FormData) => form, chat, { key: (form) => form })
// @ts-expect-error `headers` is for those who answer a request
limitedAction(async () => 1, chat, { key: () => 'all', headers: false })

// proxy.ts
const proxy = proxyLimit(chat, {
  key: (request: NextRequest) => request.nextUrl.hostname,
  cost: 2,
  headers: false,
  next: NextResponse.next,
})
same<Equal<typeof proxy, (request: NextRequest, ...rest: unknown[]) => Promise<Response | undefined>>>()
proxyLimit(remote, { key: (request) => request.headers.get('x-tenant') ?? 'anonymous' })
// @ts-expect-error who is charged?
proxyLimit(chat, { next: NextResponse.next })
// @ts-expect-error a proxy does not see how a request ends
proxyLimit(chat, { key: () => 'all', refund: 'failed' })
// @ts-expect-error what goes on is a response
proxyLimit(chat, { key: () => 'all', next: () => 'next' })
