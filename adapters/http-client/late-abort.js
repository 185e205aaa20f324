// The caller's signal while an answer is read. Owns that it still breaks off the body, as with plain fetch.
// Never keeps anything alive: many calls may share one signal that lives as long as the process.
'use strict'

/** What aborts a body lives as long as the body. @type {WeakMap<ReadableStream, AbortController>} */
const controllers = new WeakMap()

/** @type {FinalizationRegistry<{ signal: AbortSignal, onAbort: () => void }>} */
const collected = new FinalizationRegistry(({ signal, onAbort }) => signal.removeEventListener('abort', onAbort))

/**
 * @param {AbortSignal} signal
 * @param {AbortController} controller of the request
 * @param {ReadableStream} body of the answer
 */
function abortLate(signal, controller, body) {
  const weak = new WeakRef(controller)
  const onAbort = () => weak.deref()?.abort(signal.reason)
  if (signal.aborted) return onAbort()
  signal.addEventListener('abort', onAbort, { once: true })
  controllers.set(body, controller)
  collected.register(body, { signal, onAbort })
}

module.exports = { abortLate }
