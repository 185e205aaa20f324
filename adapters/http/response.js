// Owns what is done to a Web Response: problems made into one, quotas told in one, and how one ended found out.
// Never needs the native binding, Node's http or a global at import, so it loads in edge and browser bundles too.
'use strict'

const { retryAfterSeconds } = require('./ratelimit-fields.js')

/**
 * @typedef {import('./charge.js').Charged} Charged
 * @typedef {import('./ratelimit-fields.js').Fields} Fields
 */

/** @type {import('./ratelimit-fields.js').Sink<Headers>} */
const SINK = {
  get: (headers, name) => headers.get(name),
  set: (headers, name, value) => headers.set(name, value),
}

function problemResponse(/** @type {import('./problem.js').Problem} */ { status, fields, body }) {
  return new Response(body, { status, headers: fields })
}

/** Nothing to write on: an upgrade, Response.error(), or a handler that forgot to answer, as its framework will say. */
function isPlain(/** @type {Response} */ response) {
  return response?.headers !== undefined && response.status >= 200
}

/** @type {(response: Response, fields: Fields | undefined, charged: Charged) => Response} */
function told(response, fields, { decision, override, isBlind }) {
  if (fields === undefined || isBlind || !isPlain(response)) return response
  const writable = writableOf(response)
  fields.tell(SINK, writable.headers, decision, override)
  return writable
}

/** What a custom answer to a denial need not say itself. */
function withRetryAfter(/** @type {Response} */ response, /** @type {number} */ retryAfterMs) {
  const retryAfter = retryAfterSeconds(retryAfterMs)
  if (retryAfter === undefined || !isPlain(response) || response.headers.has('Retry-After')) return response
  const writable = writableOf(response)
  writable.headers.set('Retry-After', String(retryAfter))
  return writable
}

/**
 * Headers of Response.redirect() and of a fetched response are immutable: those are answered as a copy. So is one without a
 * body, because a handler may keep it and answer with it again, and what it was told the first time would still be on it.
 */
function writableOf(/** @type {Response} */ response) {
  if (response.body === null) return new Response(null, response)
  try {
    // Changes nothing, and throws where nothing may be changed.
    response.headers.delete('spillway-none')
    return response
  } catch {
    return new Response(response.body, response)
  }
}

/**
 * Tells `charged` how the answer ended: at once where there is no body to send, else when the last of it was read, or no
 * more is wanted.
 * @type {(response: Response, charged: Charged, request: Request | undefined) => Response}
 */
function watched(response, charged, request) {
  if (!charged.pending || !isPlain(response)) return response
  const { status, body } = response
  if (request?.signal?.aborted) charged.end(status, true)
  // Frameworks answer HEAD without reading the body.
  if (body === null || request?.method === 'HEAD') charged.end(status, false)
  if (body === null || !charged.pending) return response
  const reader = body.getReader()
  const passing = new ReadableStream(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read()
          if (!done) {
            controller.enqueue(value)
            return
          }
          controller.close()
          charged.end(status, false)
        } catch (error) {
          charged.end(status, true)
          throw error
        }
      },
      cancel(reason) {
        charged.end(status, true)
        return reader.cancel(reason)
      },
    },
    // Reads nothing ahead that nobody asked for.
    { highWaterMark: 0 },
  )
  return new Response(passing, response)
}

module.exports = { problemResponse, told, watched, withRetryAfter }
