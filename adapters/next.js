// Owns the face for Next's App Router: route handlers, server actions and proxy.ts, all from one place.
// Never imports next: what is needed of it is handed in, so the package has no version of its own to quarrel with.
'use strict'

const { misuse, shown } = require('../lib/misuse.js')
const { Options } = require('../lib/options.js')
const { isRefusal } = require('../lib/refusals.js')
const { CallLimit, CALL_OPTIONS } = require('./http/call-limit.js')
const { limited, refusals, shedding } = require('./fetch.js')

/**
 * @typedef {(...args: any[]) => any} Action
 * @typedef {import('../index').Refusal} Refusal
 * @typedef {import('./http/charge.js').Limiter} Limiter
 */

/** What a client is told, by status: in production Next hides the message of whatever an action throws. */
const ERRORS = /** @type {const} */ ({ 429: 'rate_limited', 503: 'unavailable', 504: 'timeout' })

/**
 * Charges each call of a server action to `limiter`, and answers a refusal, its own or one of the action's, as data.
 * @param {Action} action
 * @param {Limiter} limiter
 * @param {unknown} given
 */
function limitedAction(action, limiter, given) {
  const caller = 'limitedAction(action, limiter, { key })'
  if (typeof action !== 'function') {
    throw misuse('E_OPTION', `${caller}: the action must be an async function; got ${shown(action)}`)
  }
  const options = new Options(caller, given, [...CALL_OPTIONS, 'onRefused'])
  const limit = new CallLimit(caller, limiter, options)
  const onRefused = options.callback('onRefused')

  // Next lets a 'use server' file export async functions alone.
  const wrapper = async (/** @type {any[]} */ ...args) => {
    try {
      return await limit.run(args, () => action(...args))
    } catch (error) {
      if (!isRefusal(error)) throw error
      const refusal = actionRefusal(error)
      return onRefused === undefined ? refusal : onRefused(refusal, ...args)
    }
  }
  return Object.defineProperty(wrapper, 'name', { value: action.name, configurable: true })
}

/** @param {Refusal} refusal */
function actionRefusal({ code, status, retryAfterMs }) {
  const refusal = { ok: false, error: ERRORS[status], code }
  return retryAfterMs === undefined ? refusal : { ...refusal, retryAfterMs }
}

/**
 * A proxy that charges each request to `limiter`, answers those over the limit, and lets the others go on.
 * @param {Limiter} limiter
 * @param {Record<string, unknown>} options
 */
function proxyLimit(limiter, options) {
  const caller = 'proxyLimit(limiter, { key, next })'
  const { next, ...terms } = options ?? {}
  if (next !== undefined && typeof next !== 'function') {
    const rule = 'must be a function that answers NextResponse.next()'
    throw misuse('E_OPTION', `${caller}: next ${rule}; got ${shown(next)}`, { option: 'next' })
  }
  if (terms.refund !== undefined) {
    const rule = 'is not for a proxy: how the request ends is not known here. Limit the route handler instead'
    throw misuse('E_OPTION', `${caller}: refund ${rule}`, { option: 'refund' })
  }
  // Without arguments, so that NextResponse.next itself will do: what it takes is not a request.
  const proxy = () => next?.()
  return limited(proxy, limiter, /** @type {any} */ (terms))
}

module.exports = { limited, refusals, shedding, limitedAction, proxyLimit }
