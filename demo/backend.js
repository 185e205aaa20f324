// Owns the calls to the upstream, the same ones for both services.
// Never retries, caches or limits: that is what the two services differ in.
'use strict'

class UpstreamFailed extends Error {
  code = 'upstream_failed'
  status = 502
}

/** @param {string} origin */
const backendAt = (origin) => ({
  /** @param {string} query @param {AbortSignal} signal */
  search: (query, signal) => asked(fetch(`${origin}/search?q=${encodeURIComponent(query)}`, { signal })),
  /** @param {AbortSignal} signal */
  chat: (signal) => asked(fetch(`${origin}/chat`, { method: 'POST', body: '{"say":"Is it up?"}', signal })),
})

/** @param {Promise<Response>} call */
async function asked(call) {
  const response = await call
  if (response.ok) return response.json()
  await response.body?.cancel()
  throw new UpstreamFailed(`the upstream answered ${response.status}`)
}

module.exports = { backendAt }
