// What one call asks for: its method, its signal, whether it may be sent again, and what each attempt sends. Never sends it, and never
// reads a body: fetch does.
'use strict'

/** @typedef {import('./client-options.js').Terms} Terms */
/** @typedef {Parameters<typeof fetch>[0]} Input */
/** @typedef {RequestInit & { dispatcher?: any }} Init */

class RequestToSend {
  #input
  #init
  /** As a Request, of whichever implementation of fetch. @type {Request | undefined} */
  #request
  /** It had been sent before it came here. */
  #isUsed
  #isSent = false

  /**
   * @param {Input} input
   * @param {Init | null | undefined} init
   */
  constructor(input, init) {
    this.#input = input
    this.#init = init ?? {}
    this.#request = isRequest(input) ? input : undefined
    this.method = String(this.#init.method ?? this.#request?.method ?? 'GET').toUpperCase()
    this.#isUsed = this.#sendsOwnBody() && this.#request?.bodyUsed === true
  }

  /** @returns {AbortSignal | undefined} */
  get signal() {
    const { signal } = this.#init
    return (signal === undefined ? this.#request?.signal : signal) ?? undefined
  }

  /**
   * Whether it means the same when it arrives twice, and can be sent twice.
   * @param {Terms} terms
   */
  isRepeatable({ idempotent, retryMethods, idempotencyKey }) {
    if (this.#isUsed || isStream(this.#init.body)) return false
    return idempotent ?? (retryMethods.has(this.method) || (idempotencyKey && this.#has('idempotency-key')))
  }

  /**
   * The arguments of fetch for one attempt.
   * @param {{ signal: AbortSignal, dispatcher: any, again: boolean }} attempt `again`: it may be sent once more
   * @returns {[Input, RequestInit]}
   */
  toSend({ signal, dispatcher, again }) {
    this.#isSent = true
    /** @type {Init} */
    const init = { ...this.#init, signal }
    if (dispatcher !== undefined && init.dispatcher === undefined) init.dispatcher = dispatcher
    const request = again && this.#sendsOwnBody() ? this.#request?.clone() : undefined
    return [request ?? this.#input, init]
  }

  /** It will not be sent any more: of a body that was, nothing need be kept for another attempt. */
  forget() {
    const body = this.#isSent && this.#sendsOwnBody() ? this.#request?.body : undefined
    if (body != null && !body.locked) body.cancel().catch(() => {})
  }

  /** Whether fetch would take it at all: a call that is wrong says nothing about who was to be called. */
  isWellFormed() {
    if (this.#isUsed) return false
    const { body, method = this.method, ...init } = this.#init
    // Any body but a stream, which would be read; and nothing that makes it more than a form.
    const form = { ...init, method, body: body == null ? undefined : '', signal: undefined, dispatcher: undefined }
    try {
      void new Request(this.#request?.url ?? /** @type {string | URL} */ (this.#input), form)
      return true
    } catch {
      return false
    }
  }

  #sendsOwnBody() {
    return this.#request?.body != null && this.#init.body == null
  }

  /** @param {string} field */
  #has(field) {
    return new Headers(this.#init.headers ?? this.#request?.headers).has(field)
  }
}

/**
 * @param {Input} input
 * @returns {input is Request}
 */
function isRequest(input) {
  return typeof input === 'object' && input !== null && 'clone' in input && 'method' in input
}

/**
 * What can be read only once; all else is text, bytes or a form.
 * @param {any} body
 */
function isStream(body) {
  return typeof body === 'object' && body !== null && ('getReader' in body || Symbol.asyncIterator in body)
}

module.exports = { RequestToSend }
