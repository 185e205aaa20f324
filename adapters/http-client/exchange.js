// One call of a client: its attempts, how each of them counts, and the answers that are not to be the answer. Owns that nothing is left
// open, and that what must not be sent twice is sent once, whatever the policy does. Never throws for a status: a Response is a value.
'use strict'

const { mark } = require('../../lib/verdict.js')
const { abortLate } = require('./late-abort.js')
const { retryAfterMs } = require('./retry-after.js')
const { letGo } = require('./unread.js')

/** @typedef {import('./client-options.js').Terms} Terms */
/** @typedef {InstanceType<typeof import('./request.js').RequestToSend>} RequestToSend */
/** @typedef {import('../../lib/verdict.js').Verdict} Verdict */
/** @typedef {import('../../index').CallContext} CallContext */

class Exchange {
  #terms
  #request
  #repeatable
  /** The only attempt of what must not be sent twice. @type {Promise<Response> | undefined} */
  #only
  /** What has been answered and not been let go of, with what aborts it. @type {Map<Response, AbortController>} */
  #answers = new Map()
  #ended = false
  /** Of `attempt`: from its first call on it says so if it must not be called again. @type {Verdict} */
  #verdict = {}

  /**
   * @param {Terms} terms
   * @param {RequestToSend} request
   */
  constructor(terms, request) {
    this.#terms = terms
    this.#request = request
    this.#repeatable = request.isRepeatable(terms)
    /** What the policy calls. */
    this.attempt = mark((/** @type {CallContext} */ call) => this.#attempt(call), this.#verdict)
  }

  /**
   * The policy has answered so, or not at all.
   * @param {unknown} [answer]
   */
  end(answer) {
    this.#ended = true
    const { signal } = this.#request
    for (const [response, controller] of this.#answers) {
      if (response !== answer) this.#letGo(response)
      else if (signal !== undefined && response.body) abortLate(signal, controller, response.body)
    }
    this.#request.forget()
  }

  /**
   * @param {CallContext} call
   * @returns {Promise<Response>}
   */
  #attempt(call) {
    if (this.#repeatable) return this.#send(call)
    this.#verdict.retry = false
    return (this.#only ??= this.#send(call))
  }

  /** @param {CallContext} call */
  async #send({ signal }) {
    signal.throwIfAborted()
    const { dispatcher, fetch = globalThis.fetch } = this.#terms
    const controller = new AbortController()
    const onAbort = () => controller.abort(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      const attempt = { signal: controller.signal, dispatcher, again: this.#repeatable }
      const response = await fetch(...this.#request.toSend(attempt))
      return this.#answered(response, controller)
    } catch (error) {
      // Of all others the policy knows itself what they are.
      if (error instanceof TypeError && !this.#request.isWellFormed()) {
        mark(error, { outcome: 'ignore', retry: false })
      }
      throw error
    } finally {
      // From here on the body belongs to the caller: no deadline of an attempt, and no other attempt that wins, breaks it off.
      signal.removeEventListener('abort', onAbort)
    }
  }

  /**
   * @param {Response} response
   * @param {AbortController} controller
   */
  #answered(response, controller) {
    // What is no Response, as a fake may answer, is nobody's to judge.
    if (typeof response?.headers?.get !== 'function') return response
    if (this.#ended) letGo(response)
    else this.#answers.set(response, controller)
    return mark(response, this.#verdictOf(response))
  }

  /**
   * @param {Response} response
   * @returns {Verdict}
   */
  #verdictOf(response) {
    const { status, headers } = response
    const outcome = this.#terms.outcomeOf(status)
    // The only attempt is the answer to everybody who asks for another.
    if (!this.#repeatable) return { outcome, retry: false }
    const discard = () => this.#letGo(response)
    if (!this.#terms.retryStatus.has(status)) return { outcome, retry: false, discard }
    return { outcome, retry: true, retryAfterMs: retryAfterMs(headers, Date.now()), discard }
  }

  /** @param {Response} response */
  #letGo(response) {
    if (this.#answers.delete(response)) letGo(response)
  }
}

module.exports = { Exchange }
